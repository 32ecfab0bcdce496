"""Sessions and CDRs are pushed to the eMSP that owns them: mod_sessions §Push and §Receiver, mod_cdrs §POST."""

import pytest

from ocpi.headers import Party
from tests.journeys.test_hard_cases import a_place, a_station, every_ocpp, spot
from tests.support.gateway import Gateway, eventually
from tests.support.station import token_in

versions = pytest.mark.parametrize("version", ["2.2", "2.2.1"])


async def begin(emsp, station, location, **more) -> str:
    """A charge that a START_SESSION began; the station's id of its transaction."""
    assert await emsp.result(await emsp.start_session(location, **more)) == "ACCEPTED"
    count = len(station.all_asked(station.action("START_SESSION")))
    return await station.begin(token_in(await station.asked_for("START_SESSION", count)))


def methods(emsp) -> list[str]:
    return [one.method for one in emsp.pushes if "/sessions/" in one.path]


@every_ocpp
async def test_rule_10_rule_172_rule_173_a_reservation_is_a_new_session_and_is_pushed(hasty: Gateway, ocpp: str):
    async with a_place(hasty, ocpp) as (emsp, _, location):
        told = await emsp.reserve(location, body={"authorization_reference": "REF-1"})
        assert await emsp.result(told) == "ACCEPTED"
        session = await emsp.session_becomes(None, "RESERVATION")
        assert (session["location_id"], session["evse_uid"], session["kwh"]) == (location, "E1", 0)
        assert (session["auth_method"], session["authorization_reference"]) == ("COMMAND", "REF-1")


@every_ocpp
async def test_rule_177_rule_184_a_new_session_is_put_and_its_changes_are_patched(hasty: Gateway, ocpp: str):
    async with a_place(hasty, ocpp) as (emsp, station, location):
        transaction = await begin(emsp, station, location)
        session = await emsp.session_becomes(None, "ACTIVE")
        await station.end(transaction)
        ended = await emsp.session_becomes(session["id"], "COMPLETED")
        assert ended["kwh"] == (1.0 if ocpp == "1.6" else 0)
        assert [*dict.fromkeys(methods(emsp))] == ["PUT", "PATCH"]
        assert methods(emsp).count("PUT") == 1
        patches = [one.json for one in emsp.pushes if one.method == "PATCH"]
        assert all("last_updated" in patch and "id" not in patch for patch in patches)


async def test_rule_178_nothing_is_told_of_a_session_after_its_end(hasty: Gateway):
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        transaction = await begin(emsp, station, location)
        await station.end(transaction)
        session = await emsp.session_becomes(None, "COMPLETED")
        await emsp.next_cdr()
        before = len(emsp.pushes)
        await station.end(transaction, at="2026-01-01T00:00:00Z")
        await station.call("TransactionEvent", station._event("Started", transaction, 7, None))
        # The next charge is told of, and came after it.
        await begin(emsp, station, location)
        await emsp.session_becomes(None, "ACTIVE")
        assert {one.path.rpartition("/")[2] for one in emsp.pushes[before:]} - {session["id"]} != set()
        assert session["id"] not in {one.path.rpartition("/")[2] for one in emsp.pushes[before:]}


@versions
async def test_rule_27_rule_181_rule_182_rule_186_the_url_is_of_the_cpo_and_the_session_and_nothing_inside_it(
    hasty: Gateway, version: str
):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp(version=version) as emsp, a_station(hasty, name, "2.0.1") as station:
        await station.end(await begin(emsp, station, location))
        session = await emsp.session_becomes(None, "COMPLETED")
        paths = {one.path for one in emsp.pushes if "/sessions/" in one.path}
        assert paths == {f"/ocpi/emsp/{version}/sessions/NL/CPO/{session['id']}"}
        assert (session["country_code"], session["party_id"]) == ("NL", "CPO")
        # Both versions' words (mod_cdrs §CdrToken), which the eMSP has read with its own version's model.
        five = {"country_code", "party_id"} if version == "2.2.1" else set()
        assert session["cdr_token"].keys() == {"uid", "type", "contract_id"} | five


async def test_rule_183_what_cannot_be_patched_is_put_whole(hasty: Gateway):
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        transaction = await begin(emsp, station, location)
        session = await emsp.session_becomes(None, "ACTIVE")
        emsp.lose_answers(1)  # it has taken a message, and we do not know it
        await station.end(transaction)
        ended = await emsp.session_becomes(session["id"], "COMPLETED")
        await eventually(lambda: methods(emsp)[-1] == "PUT")
        assert emsp.sessions_pushed[session["id"]] == ended
        [listed] = await emsp.sessions()
        assert listed == emsp.sessions_pushed[session["id"]]  # and no period twice


async def test_rule_185_periods_are_appended_and_what_the_partner_has_is_what_it_can_pull(hasty: Gateway):
    async with a_place(hasty, "1.6") as (emsp, station, location):
        transaction = await begin(emsp, station, location)
        session = await emsp.session_becomes(None, "ACTIVE")
        await station.end(transaction)
        await emsp.session_becomes(session["id"], "COMPLETED")
        patches = [one.json for one in emsp.pushes if one.method == "PATCH"]
        assert sum(len(patch.get("charging_periods", [])) for patch in patches) > 0
        [listed] = await emsp.sessions()
        assert emsp.sessions_pushed[session["id"]] == listed


async def test_rule_26_a_partner_that_lost_a_session_is_asked_and_given_it_again(hasty: Gateway):
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        transaction = await begin(emsp, station, location)
        session = await emsp.session_becomes(None, "ACTIVE")
        emsp.lose_session(session["id"])
        await station.end(transaction)
        await emsp.session_becomes(session["id"], "COMPLETED")
        assert methods(emsp)[-3:] == ["PATCH", "GET", "PUT"]


async def test_rule_219_a_cdr_is_posted_once_and_where_it_is_kept_is_noted(hasty: Gateway):
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        await station.end(await begin(emsp, station, location))
        cdr = await emsp.next_cdr()
        session = await emsp.session_becomes(None, "COMPLETED")
        assert cdr["session_id"] == session["id"]
        [row] = await eventually(lambda: [one for one in _cdr_pushes(hasty, emsp) if one["kept_at"]])
        assert row["kept_at"].startswith(emsp.endpoint("cdrs", "2.2.1"))
        assert row["due_at"] is None


def _cdr_pushes(gateway: Gateway, emsp) -> list[dict]:
    return gateway.rows("push", partner=emsp.partner_id, module="cdrs")


# Whoever fails


@pytest.mark.parametrize("status", [500, 429, 503])
async def test_a_partner_that_has_a_bad_moment_is_told_again_and_one_that_refuses_is_left_to_ask(
    hasty: Gateway, status: int
):
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        emsp.fail_next(2, status)
        await begin(emsp, station, location)
        await emsp.session_becomes(None, "ACTIVE")
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        emsp.fail_next(1000, 400, 2000)
        transaction = await begin(emsp, station, location)
        await eventually(lambda: [one for one in _session_pushes(hasty, emsp) if one["attempts"] and not one["due_at"]])
        emsp.fail_next(0)
        assert [one["status"] for one in await emsp.sessions()] == ["ACTIVE"]
        await station.end(transaction)  # the next change is told, whole
        await emsp.session_becomes(None, "COMPLETED")
        assert methods(emsp)[-1] == "PUT"


def _session_pushes(gateway: Gateway, emsp) -> list[dict]:
    return gateway.rows("push", partner=emsp.partner_id, module="sessions")


async def test_a_partner_that_wants_it_is_told_until_it_takes_it(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp(keep_pushing=True) as emsp, a_station(hasty, name, "2.0.1") as station:
        emsp.fail_next(3, 400, 2000)
        await begin(emsp, station, location)
        await emsp.session_becomes(None, "ACTIVE")


async def test_one_partner_s_tar_pit_keeps_no_other_from_hearing(hasty: Gateway):
    async with a_place(hasty, "2.0.1") as (slow, station, location), a_place(hasty, "2.0.1") as (other, near, here):
        slow.stall()
        await begin(slow, station, location)
        await slow.pushed(1)
        await begin(other, near, here)
        await other.session_becomes(None, "ACTIVE")
        assert slow.sessions_pushed == {}
        slow.stall(False)
        await slow.session_becomes(None, "ACTIVE")


async def test_a_cdr_whose_answer_was_lost_is_posted_again_as_the_same(hasty: Gateway):
    async with a_place(hasty, "2.0.1") as (emsp, station, location):
        transaction = await begin(emsp, station, location)
        await emsp.session_becomes(None, "ACTIVE")
        emsp.receiver.mood.losing_answers = 2
        await station.end(transaction)
        cdr = await emsp.next_cdr()
        await eventually(lambda: not any(one["due_at"] for one in hasty.rows("push", partner=emsp.partner_id)))
        posts = [one.json for one in emsp.pushes if one.method == "POST"]
        assert {one["id"] for one in posts} == {cdr["id"]}


async def test_a_partner_without_endpoints_is_told_nothing_and_may_pull(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp(pushed=False) as emsp, a_station(hasty, name, "2.0.1") as station:
        await station.end(await begin(emsp, station, location))
        assert [one["status"] for one in await emsp.sessions()] == ["COMPLETED"]
        assert hasty.rows("push", partner=emsp.partner_id) == []


async def test_two_emsps_behind_a_hub_are_each_told_of_their_own(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1", 1), spot(name, "2.0.1", 2))
    anna, bert = Party("DE", "ANN"), Party("FR", "BER")
    async with hasty.emsp(("NL", "HUB"), role="HUB") as hub, a_station(hasty, name, "2.0.1"):
        for party, evse in ((anna, "E1"), (bert, "E2")):
            token = hub.token_body(party=party)
            told = await hub.start_session(location, evse, routing=party, token=token)
            assert await hub.result(told) == "ACCEPTED"
        await eventually(lambda: len(hub.sessions_pushed) == 2)
        hub.pushes_are_right()
        for one in hub.pushes:
            owner = one.json["cdr_token"]["country_code"], one.json["cdr_token"]["party_id"]
            headers = one.headers
            assert (headers["OCPI-to-country-code"], headers["OCPI-to-party-id"]) == owner
            assert (headers["OCPI-from-country-code"], headers["OCPI-from-party-id"]) == ("NL", "CPO")
