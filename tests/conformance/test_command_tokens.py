"""The tokens that commands bring (mod_commands §ReserveNow, §StartSession): not judged, not asked about, passed on."""

import pytest

from ocpi.dialects import DIALECTS
from tests.support.emsp import Told
from tests.support.gateway import Gateway
from tests.support.scene import Scene, orders, scene
from tests.support.station import group_in, token_in

OCPI = tuple(DIALECTS)
OCPP = ("1.6", "2.0.1", "2.1")
COMMANDS = ("RESERVE_NOW", "START_SESSION")
CARD = "04A1B2C3D4E5F6"
#: What a token may say of itself that would make a real-time authorization fail.
INVALID = {"valid": False, "whitelist": "NEVER", "last_updated": "2001-01-01T00:00:00Z"}

versions = pytest.mark.parametrize("version", OCPI)
stations = pytest.mark.parametrize("ocpp", OCPP)


async def send(place: Scene, command: str, token: dict, **more) -> Told:
    """RESERVE_NOW or START_SESSION, accepted by the station."""
    ask = place.emsp.reserve if command == "RESERVE_NOW" else place.emsp.start_session
    told = await ask(place.location, token=token, **more)
    assert await place.emsp.result(told) == "ACCEPTED"
    return told


def heard(place: Scene, command: str) -> dict:
    """What the station was told."""
    return place.station.all_asked(place.station.action(command))[-1]


async def authorized_without_asking(place: Scene, command: str, type_: str) -> None:
    """However often, with the group that was told before; the eMSP hears of the results and of nothing else."""
    payload, requests = heard(place, command), place.emsp.requests
    kind = "ISO14443" if type_ == "RFID" else "Central"
    for token in (token_in(payload), token_in(payload).lower(), token_in(payload).upper()):
        status = await place.station.authorize(token, kind)
        assert status["status"] == "Accepted"
        assert group_in(status)
        if command == "RESERVE_NOW":  # a start tells the station no group in 1.6
            assert group_in(status) == group_in(payload)
    assert place.emsp.requests == requests == len(place.emsp.callbacks)


@stations
@versions
async def test_rule_142_the_validity_of_a_reserving_token_is_not_checked(gateway: Gateway, ocpp, version):
    async with scene(gateway, ocpp=ocpp) as place:
        for type_ in ("APP_USER", "AD_HOC_USER", "RFID", "OTHER"):
            token = place.emsp.token_body(f"{type_}-1", type_, **INVALID)
            await send(place, "RESERVE_NOW", token, id=type_, version=version)
        assert len(orders(place.station)) == 4


@stations
@versions
async def test_rule_157_rule_158_the_validity_of_a_starting_token_is_not_checked(gateway: Gateway, ocpp, version):
    for type_ in ("APP_USER", "AD_HOC_USER", "RFID", "OTHER"):
        async with scene(gateway, ocpp=ocpp) as place:
            token = place.emsp.token_body(f"{type_}-1", type_, **INVALID)
            await send(place, "START_SESSION", token, version=version)
            assert len(orders(place.station)) == 1


@stations
@pytest.mark.parametrize("type_", ["APP_USER", "AD_HOC_USER"])
async def test_rule_143_a_reserving_app_user_is_authorized_without_asking(gateway: Gateway, ocpp, type_):
    async with scene(gateway, ocpp=ocpp) as place:
        token = place.emsp.token_body("0f3b6f0e-2f39-4b36-9c8a-7f3f2b1f9d10", type_, group_id="FLEET-1", **INVALID)
        await send(place, "RESERVE_NOW", token)
        await authorized_without_asking(place, "RESERVE_NOW", type_)
        # For good: no window closes.
        assert [one["until"] for one in gateway.rows("authorization", station=place.station.id)] == [None]


@stations
async def test_rule_144_a_reserving_card_is_authorized_without_asking_for_a_quarter_of_an_hour(gateway: Gateway, ocpp):
    async with scene(gateway, ocpp=ocpp) as place:
        told = await send(place, "RESERVE_NOW", place.emsp.token_body(CARD, "RFID", group_id="FLEET-1", **INVALID))
        assert token_in(heard(place, "RESERVE_NOW")) == CARD
        await authorized_without_asking(place, "RESERVE_NOW", "RFID")
        _a_quarter_of_an_hour(gateway, place, told)


def _a_quarter_of_an_hour(gateway: Gateway, place: Scene, told: Told) -> None:
    (known,) = gateway.rows("authorization", station=place.station.id)
    assert (known["until"] - gateway.command_of(told)["received_at"]).total_seconds() == 15 * 60


@stations
@pytest.mark.parametrize("type_", ["APP_USER", "AD_HOC_USER"])
async def test_rule_159_a_starting_app_user_is_authorized_without_asking(gateway: Gateway, ocpp, type_):
    async with scene(gateway, ocpp=ocpp) as place:
        token = place.emsp.token_body("0f3b6f0e-2f39-4b36-9c8a-7f3f2b1f9d10", type_, group_id="FLEET-1", **INVALID)
        await send(place, "START_SESSION", token)
        await authorized_without_asking(place, "START_SESSION", type_)
        assert [one["until"] for one in gateway.rows("authorization", station=place.station.id)] == [None]


@stations
async def test_rule_160_a_starting_card_is_authorized_without_asking_for_a_quarter_of_an_hour(gateway: Gateway, ocpp):
    async with scene(gateway, ocpp=ocpp) as place:
        told = await send(place, "START_SESSION", place.emsp.token_body(CARD, "RFID", group_id="FLEET-1", **INVALID))
        assert token_in(heard(place, "START_SESSION")) == CARD
        await authorized_without_asking(place, "START_SESSION", "RFID")
        _a_quarter_of_an_hour(gateway, place, told)


@stations
async def test_rule_143_rule_159_the_group_is_the_same_in_every_message(gateway: Gateway, ocpp):
    async with scene(gateway, ocpp=ocpp) as place:
        token = place.emsp.token_body(group_id="A group of thirty-six characters ...")
        await send(place, "RESERVE_NOW", token)
        await send(place, "START_SESSION", token)
        group = group_in(heard(place, "RESERVE_NOW"))
        assert group
        assert len(group) <= 20
        assert group_in(await place.station.authorize(token_in(heard(place, "START_SESSION")))) == group


async def test_rule_144_what_a_command_authorizes_it_authorizes_at_its_own_station_only(gateway: Gateway):
    async with scene(gateway) as place, scene(gateway) as other:
        await send(place, "RESERVE_NOW", place.emsp.token_body(CARD, "RFID"))
        assert (await place.station.authorize(CARD, "ISO14443"))["status"] == "Accepted"
        assert (await other.station.authorize(CARD, "ISO14443"))["status"] != "Accepted"


async def test_rule_160_a_refused_command_authorizes_nothing(gateway: Gateway):
    async with scene(gateway) as place:
        told = await place.emsp.start_session(
            place.location, "E404", token=place.emsp.token_body(CARD, "RFID", whitelist="ALWAYS")
        )
        assert told.result == "REJECTED"
        assert (await place.station.authorize(CARD, "ISO14443"))["status"] != "Accepted"


@versions
@pytest.mark.parametrize("command", COMMANDS)
async def test_rule_146_rule_162_a_token_that_was_never_pushed_is_taken_and_not_shown(gateway, version, command):
    async with scene(gateway) as place:
        await send(place, command, place.emsp.token_body("NEVER-PUSHED", "OTHER"), version=version)
        party = place.emsp.party
        path = f"/ocpi/cpo/{version}/tokens/{party.country_code}/{party.party_id}/NEVER-PUSHED"
        for query in ("", "?type=OTHER"):
            told = await place.emsp.get(path + query)
            assert told.http == 404
            assert "data" not in told.json


@stations
@versions
async def test_rule_154_rule_161_the_session_of_a_start_tells_the_token_and_its_reference(gateway, ocpp, version):
    async with scene(gateway, ocpp=ocpp) as place:
        token = place.emsp.token_body("0f3b6f0e-2f39-4b36-9c8a-7f3f2b1f9d10", contract_id="DE-123-C1-X")
        await send(place, "START_SESSION", token, version=version, body={"authorization_reference": "Ref-1"})
        await place.station.begin(token_in(heard(place, "START_SESSION")))
        await _must_be_the_session(place, version, token, "Ref-1")


@stations
@versions
async def test_rule_154_the_session_of_a_reservation_tells_its_reference(gateway: Gateway, ocpp, version):
    async with scene(gateway, ocpp=ocpp) as place:
        token = place.emsp.token_body(CARD, "RFID")
        await send(place, "RESERVE_NOW", token, version=version, body={"authorization_reference": "Ref-2"})
        number = gateway.rows("reservation", partner=place.emsp.partner_id)[0]["number"]
        more = {"reservationId": number}
        await place.station.begin(CARD, **more)
        await _must_be_the_session(place, version, token, "Ref-2")


async def test_rule_154_the_last_reference_is_the_one_that_is_told(gateway: Gateway):
    async with scene(gateway) as place:
        token = place.emsp.token_body()
        await send(place, "RESERVE_NOW", token, body={"authorization_reference": "first"})
        await send(place, "START_SESSION", token, body={"authorization_reference": "last"})
        await place.station.begin(token_in(heard(place, "START_SESSION")))
        await _must_be_the_session(place, "2.2.1", token, "last")


async def _must_be_the_session(place: Scene, version: str, token: dict, reference: str) -> None:
    (session,) = await place.emsp.sessions(version)
    told = {name: token[name] for name in ("uid", "type", "contract_id")}
    owner = {name: token[name] for name in ("country_code", "party_id")}
    assert session["cdr_token"] == (told if version == "2.2" else told | owner)
    assert session["auth_method"] == "COMMAND"
    assert session["authorization_reference"] == reference
    assert (session["location_id"], session["evse_uid"], session["connector_id"]) == (place.location, "E1", "1")
