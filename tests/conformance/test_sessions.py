"""Sessions as their eMSP pulls them (mod_sessions), and what a CPO's cancellation tells it (mod_commands)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.store import tokens
from ocpi.dialects import DIALECTS
from ocpi.tokens import Token
from tests.conformance.places import begin_at, every_ocpp, operator, reserved, station_of, transaction_event
from tests.support.emsp import Emsp, moment
from tests.support.gateway import Gateway
from tests.support.scene import Scene
from tests.support.station import token_in

versions = pytest.mark.parametrize("version", tuple(DIALECTS))
PATH = "/ocpi/cpo/{}/sessions"


@pytest.fixture
def gateway(brisk: Gateway) -> Gateway:
    return brisk


async def started(place: Scene, **more: Any) -> str:
    """A START_SESSION that the station accepts; the token as it knows it."""
    assert await place.emsp.result(await place.emsp.start_session(place.location, **more)) == "ACCEPTED"
    return token_in(place.station.all_asked(place.station.action("START_SESSION"))[-1])


async def only(emsp: Emsp, version: str = "2.2.1") -> dict[str, Any]:
    [session] = await emsp.sessions(version)
    return session


def listed_card(gateway: Gateway, emsp: Emsp, **changes: Any) -> dict[str, Any]:
    body = emsp.token_body(f"04CD{emsp.partner_id:06d}", "RFID", whitelist="ALWAYS", **changes)
    with gateway.database() as db:
        assert tokens.put_token(db, emsp.partner_id, Token.model_validate(body))
    return body


# Reservations


@every_ocpp
async def test_rule_141_the_cpo_s_cancellation_is_told_where_the_reservation_was_asked_for(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        why = "The car park is flooded."
        done = await operator(gateway, "reservations", "cancel", str(held.number), "--reason", why)
        assert done["state"] == "CANCELLED"
        await held.results("ACCEPTED", "CANCELED_RESERVATION")
        first, second = [one for one in held.emsp.callbacks if one.name == held.told.name]
        assert (second.problems, first.path) == ((), second.path)
        assert second.json["message"] == [{"language": "en", "text": why}]


@every_ocpp
async def test_rule_150_rule_172_a_reservation_that_holds_is_a_new_session(gateway: Gateway, ocpp: str):
    for version in DIALECTS:
        async with reserved(gateway, ocpp, version=version, body={"authorization_reference": "REF"}) as held:
            session = await only(held.emsp, version)
            assert (session["status"], session["kwh"], session["auth_method"]) == ("RESERVATION", 0, "COMMAND")
            place = session["location_id"], session["evse_uid"], session["connector_id"]
            assert place == (held.location, "E1", "1")
            assert "end_date_time" not in session


@every_ocpp
async def test_rule_150_what_the_station_does_not_hold_is_no_session(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, script={"ReserveNow": {"status": "Occupied"}}) as place:
        assert await place.emsp.result(await place.emsp.reserve(place.location)) == "EVSE_OCCUPIED"
        assert await place.emsp.sessions() == []


@every_ocpp
async def test_rule_174_the_charge_by_the_token_that_reserved_is_the_same_session(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        before = await only(held.emsp)
        await held.use()
        after = await only(held.emsp)
        assert (before["status"], after["status"], after["id"]) == ("RESERVATION", "ACTIVE", before["id"])
        assert after["last_updated"] >= before["last_updated"]


@every_ocpp
async def test_rule_175_a_reservation_that_nobody_used_is_a_completed_session(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2) as held:
        other = await held.emsp.reserve(held.location, "E2", id="R-2", minutes=2 / 60)
        assert await held.emsp.result(other) == "ACCEPTED"
        assert await held.emsp.result(await held.emsp.cancel()) == "ACCEPTED"
        await gateway.reservation_becomes(other, "EXPIRED")
        found = await held.emsp.sessions()
        assert [(one["status"], one["kwh"]) for one in found] == [("COMPLETED", 0)] * 2
        assert all(one["start_date_time"] <= one["end_date_time"] for one in found)


@every_ocpp
async def test_rule_46_rule_192_a_reservation_of_any_evse_has_ids_that_are_not_available_until_it_is_used(
    gateway, ocpp
):
    async with reserved(gateway, ocpp, 2, None) as held:
        session = await only(held.emsp)
        assert (session["location_id"], session["evse_uid"], session["connector_id"]) == (held.location, "#NA", "#NA")
        await held.use(2)
        session = await only(held.emsp)
        assert (session["evse_uid"], session["connector_id"]) == ("E2", "1")


# The Sender interface


@versions
async def test_rule_171_commands_are_offered_together_with_sessions(gateway: Gateway, version: str):
    async with gateway.emsp() as emsp:
        told = await emsp.get(f"/ocpi/{version}")
        offered = {(one["identifier"], one["role"]) for one in told.json["data"]["endpoints"]}
        assert {("commands", "RECEIVER"), ("sessions", "SENDER")} <= offered


@versions
async def test_rule_179_sessions_are_pulled_in_pages_from_a_moment_on(gateway: Gateway, version: str):
    async with station_of(gateway, "2.0.1", 3) as place:
        for number in (1, 2, 3):
            told = await place.emsp.reserve(place.location, f"E{number}", id=f"R-{number}")
            assert await place.emsp.result(told) == "ACCEPTED"
        path = PATH.format(version)
        assert (await place.emsp.get(path)).code == 2001
        first = await place.emsp.get(f"{path}?date_from=2020-01-01T00:00:00Z&limit=2")
        assert (len(first.json["data"]), first.headers["X-Total-Count"]) == (2, "3")
        next_ = urlsplit(first.headers["Link"].partition(">")[0].lstrip("<"))
        rest = await place.emsp.get(f"{next_.path}?{next_.query}")
        assert "Link" not in rest.headers
        ids = [one["id"] for one in first.json["data"] + rest.json["data"]]
        assert ids == [one["id"] for one in await place.emsp.sessions(version)]
        assert len(set(ids)) == 3
        later = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (await place.emsp.get(f"{path}?date_from={later}")).json["data"] == []
        past = "date_from=2020-01-01T00:00:00Z&date_to=2020-01-02T00:00:00Z"
        assert (await place.emsp.get(f"{path}?{past}")).json["data"] == []


@every_ocpp
async def test_rule_180_a_session_of_every_status_has_all_that_is_required(gateway: Gateway, ocpp: str):
    """``Emsp.sessions`` holds each one against its version's model, field by field."""
    async with reserved(gateway, ocpp, 2) as held:
        required = {name for name, field in DIALECTS["2.2.1"].session.model_fields.items() if field.is_required()}
        seen = [await only(held.emsp)]
        transaction = await held.use()
        seen.append(await only(held.emsp))
        await held.station.end(transaction)
        seen.append(await only(held.emsp))
        other = held.emsp.token_body("SECOND")
        told = await held.emsp.start_session(held.location, "E2", token=other)
        assert await held.emsp.result(told) == "ACCEPTED"
        seen.append((await held.emsp.sessions())[-1])
        assert [one["status"] for one in seen] == ["RESERVATION", "ACTIVE", "COMPLETED", "PENDING"]
        assert all(required <= one.keys() for one in seen)
        for version in DIALECTS:
            assert len(await held.emsp.sessions(version)) == 2


# Starts


@every_ocpp
async def test_rule_187_rule_188_a_session_that_is_pending_begins_anew_when_it_becomes_active(gateway, ocpp):
    async with station_of(gateway, ocpp) as place:
        asked = datetime.now(UTC)
        token = await started(place)
        pending = await only(place.emsp)
        created = datetime.fromisoformat(pending["start_date_time"])
        assert pending["status"] == "PENDING"
        assert asked - timedelta(seconds=1) <= created <= datetime.now(UTC)
        begun = moment(minutes=2)
        await begin_at(place.station, token, at=begun)
        active = await only(place.emsp)
        assert (active["status"], active["id"], active["start_date_time"]) == ("ACTIVE", pending["id"], begun)


@versions
@every_ocpp
async def test_rule_189_the_reference_is_the_one_that_was_given(gateway: Gateway, ocpp: str, version: str):
    async with station_of(gateway, ocpp, 2) as place:
        reference = {"authorization_reference": "Given with the start"}
        token = await started(place, body=reference, version=version)
        assert (await only(place.emsp, version)) | reference == await only(place.emsp, version)
        await begin_at(place.station, token)
        told = await place.emsp.reserve(place.location, "E2", version=version, body={"authorization_reference": "R"})
        assert await place.emsp.result(told) == "ACCEPTED"
        found = [one["authorization_reference"] for one in await place.emsp.sessions(version)]
        assert found == ["Given with the start", "R"]


@every_ocpp
async def test_rule_190_of_several_references_the_last_one_is_told(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, body={"authorization_reference": "first"}) as held:
        again = await held.emsp.reserve(held.location, body={"authorization_reference": "second"})
        assert await held.emsp.result(again) == "ACCEPTED"
        assert (await only(held.emsp))["authorization_reference"] == "second"
        told = await held.emsp.start_session(held.location, body={"authorization_reference": "third"})
        assert await held.emsp.result(told) == "ACCEPTED"
        assert (await only(held.emsp))["authorization_reference"] == "third"
        await held.use()
        assert (await only(held.emsp))["authorization_reference"] == "third"


@every_ocpp
async def test_rule_191_a_command_s_session_is_authorized_by_it_until_another_card_comes(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, group="Fleet") as held:
        assert (await only(held.emsp))["auth_method"] == "COMMAND"
        card = listed_card(gateway, held.emsp, group_id="Fleet")
        await held.use(token=card["uid"])
        session = await only(held.emsp)
        assert (session["auth_method"], session["cdr_token"]["uid"]) == ("WHITELIST", card["uid"])


@versions
@every_ocpp
async def test_rule_193_the_token_is_told_with_its_party_where_the_version_has_a_place_for_it(gateway, ocpp, version):
    async with reserved(gateway, ocpp) as held:
        told = (await only(held.emsp, version))["cdr_token"]
        token = held.emsp.token_body()
        owner = {} if version == "2.2" else {name: token[name] for name in ("country_code", "party_id")}
        assert told == {name: token[name] for name in ("uid", "type", "contract_id")} | owner


async def measured(place: Scene, transaction: str, at: str, wh: int, seq: int) -> None:
    """The station tells where its meter stood."""
    meter = {"meterValue": [{"timestamp": at, "sampledValue": [{"value": str(wh) if place.station.is_1 else wh}]}]}
    if place.station.is_1:
        told = {"connectorId": 1, "transactionId": int(transaction)} | meter
        assert await place.station.call("MeterValues", told) == {}
    else:
        await transaction_event(place.station, transaction, seq, timestamp=at, **meter)


@every_ocpp
async def test_rule_194_a_driver_can_follow_a_charge_by_its_periods(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        card = listed_card(gateway, place.emsp)["uid"]
        transaction = await place.station.begin(card, at=moment(minutes=-60))
        for seq, (minutes, wh) in enumerate([(-59, 0), (-50, 2000), (-40, 4000), (-30, 6000)], 1):
            await measured(place, transaction, moment(minutes=minutes), wh, seq)
        seen = (await only(place.emsp))["charging_periods"]
        assert len(seen) >= 2
        await measured(place, transaction, moment(minutes=-20), 6000, 5)
        over = {"meterStop": 6000} if place.station.is_1 else {"seqNo": 6}
        await place.station.end(transaction, at=moment(minutes=-10), **over)
        session = await only(place.emsp)
        assert (session["kwh"], session["charging_periods"][: len(seen)]) == (6.0, seen)
        told = [one["start_date_time"] for one in session["charging_periods"]]
        assert told == sorted(set(told))
        assert told[0] == session["start_date_time"]
