"""The flow of a command (mod_commands §Flow, §Receiver and §Sender Interface): answered at once, concluded once."""

import asyncio

import pytest

from gateway.simulators.faults import EMSP_FAULTS, Faults
from ocpi.commands import CommandResult, CommandResultType
from ocpi.dialects import DIALECTS
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.scene import orders, scene
from tests.support.station import CallError, Silence, number_in

OCPI = tuple(DIALECTS)
OCPP = ("1.6", "2.0.1", "2.1")
AT_ONCE = {"ACCEPTED", "REJECTED", "NOT_SUPPORTED", "UNKNOWN_SESSION"}

versions = pytest.mark.parametrize("version", OCPI)
stations = pytest.mark.parametrize("ocpp", OCPP)


@versions
async def test_rule_121_a_body_is_held_against_the_object_of_its_own_command(gateway: Gateway, version):
    async with scene(gateway) as place:
        start = {"token": place.emsp.token_body(), "location_id": place.location, "evse_uid": "E1"}
        told = await place.emsp.send("RESERVE_NOW", start, version=version)
        assert (told.http, told.code) == (200, 2001)
        # What only another command requires may be missing, or make no sense here.
        told = await place.emsp.send("START_SESSION", start | {"reservation_id": 7, "session_id": []}, version=version)
        assert await place.emsp.result(told) == "ACCEPTED"
        assert [action for action, _ in orders(place.station)] == ["RequestStartTransaction"]


@versions
async def test_rule_122_rule_132_each_answer_is_one_command_response_with_one_of_four_words(gateway: Gateway, version):
    async with scene(gateway, Spot(None), Spot(None, 2, uid="E2", capabilities=())) as place:
        for told, word in (
            (await place.emsp.unlock(place.location, version=version), "ACCEPTED"),
            (await place.emsp.unlock(place.location, "E2", version=version), "NOT_SUPPORTED"),
            (await place.emsp.unlock("NOPE", version=version), "REJECTED"),
            (await place.emsp.stop_session("nope", version=version), "UNKNOWN_SESSION"),
        ):
            assert isinstance(told.json["data"], dict)
            assert told.result == word
            assert told.result in AT_ONCE
            assert type(told.json["data"]["timeout"]) is int


@stations
@versions
async def test_rule_123_the_answer_at_once_is_ours_and_the_result_is_the_stations(gateway: Gateway, version, ocpp):
    async with scene(gateway, ocpp=ocpp, script={"ReserveNow": {"status": "Rejected"}}) as place:
        told = await place.emsp.reserve(place.location, version=version)
        assert told.result == "ACCEPTED"
        assert await place.emsp.result(told) == "REJECTED"


@stations
async def test_rule_124_the_answer_does_not_wait_for_the_station(gateway: Gateway, ocpp):
    allowed = asyncio.Event()

    async def when_allowed(_station, _payload):
        await allowed.wait()
        return {"status": "Accepted"}

    async with scene(gateway, ocpp=ocpp, script={"ReserveNow": when_allowed}) as place:
        told = await place.emsp.reserve(place.location)
        assert told.result == "ACCEPTED"
        await place.station.was_asked("ReserveNow")
        assert place.emsp.callbacks == []
        allowed.set()
        assert await place.emsp.result(told) == "ACCEPTED"


async def test_rule_125_only_an_accepted_command_is_followed_by_a_result(gateway: Gateway):
    async with scene(gateway) as place:
        refused = [
            await place.emsp.reserve("NOPE"),
            await place.emsp.cancel("nope"),
            await place.emsp.stop_session("x"),
        ]
        await place.nothing_followed(*refused)
        assert await place.emsp.result(await place.emsp.reserve(place.location)) == "ACCEPTED"
        assert len(place.emsp.callbacks) == 1


@versions
async def test_rule_126_the_response_url_is_called_letter_by_letter(gateway: Gateway, version):
    async with scene(gateway) as place:
        name = "Case/%41%2f%2F+~;x=1,2:3@!$&'()*?a=%20+b&&c&a=2"
        url = place.emsp.url_for(name)
        body = {"response_url": url, "location_id": place.location, "evse_uid": "E1", "connector_id": "1"}
        assert (await place.emsp.send("UNLOCK_CONNECTOR", body, version=version)).result == "ACCEPTED"
        await place.emsp.callback(lambda one: True, 40)
        assert place.emsp.targets == [f"/callbacks/{name}"]


@stations
@versions
async def test_rule_127_rule_131_the_result_is_a_bare_command_result(gateway: Gateway, version, ocpp):
    refuse = {"ReserveNow": {"status": "Rejected"}}
    async with scene(gateway, ocpp=ocpp, script=refuse) as place:
        for told in (
            await place.emsp.reserve(place.location, version=version),
            await place.emsp.unlock(place.location, version=version),
        ):
            await place.emsp.result(told)
            body = place.emsp.callback_of(told).json
            assert CommandResult.model_validate(body).wire() == body
            assert body.keys() <= {"result", "message"}


async def test_rule_129_a_result_is_posted_within_the_timeout_that_was_announced(hasty: Gateway):
    async with scene(hasty, script={"ReserveNow": Silence, "CancelReservation": Silence}) as place:
        told = await place.emsp.reserve(place.location)
        assert told.json["data"]["timeout"] == 8
        assert await place.emsp.result(told) == "TIMEOUT"
        command = hasty.command_of(told)
        (callback,) = hasty.rows("callback", command=command["id"])
        assert (command["promised_until"] - command["received_at"]).total_seconds() == 8
        assert callback["expires_at"] <= command["promised_until"]
        for attempt in hasty.rows("callback_attempt", callback=callback["id"]):
            assert command["received_at"] <= attempt["at"] <= command["promised_until"]


async def test_rule_130_a_result_that_was_refused_is_not_posted_again(gateway: Gateway):
    async with scene(gateway) as place:
        place.emsp.faults = Faults(["status=404"], EMSP_FAULTS)
        told = await place.emsp.unlock(place.location)
        await place.emsp.callback(told.name, 40)
        (command,) = gateway.rows("command", partner=place.emsp.partner_id)
        await eventually(lambda: _callback(gateway, command)["state"] != "DUE")
        assert _callback(gateway, command)["state"] == "ABANDONED"
        assert len(gateway.rows("callback_attempt", callback=_callback(gateway, command)["id"])) == 1
        assert len(place.emsp.callbacks) == 1


def _callback(gateway: Gateway, command: dict) -> dict:
    (one,) = gateway.rows("callback", command=command["id"])
    return one


@stations
@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ({"status": "Accepted"}, "ACCEPTED"),
        ({"status": "Rejected"}, "REJECTED"),
        ({"status": "Occupied"}, "EVSE_OCCUPIED"),
        ({"status": "Faulted"}, "EVSE_INOPERATIVE"),
        ({"status": "Unavailable"}, "EVSE_INOPERATIVE"),
        (CallError("NotSupported"), "NOT_SUPPORTED"),
        (CallError("InternalError"), "FAILED"),
    ],
    ids=str,
)
async def test_rule_133_rule_140_what_the_station_says_is_one_of_the_words_for_results(gateway, ocpp, reply, result):
    async with scene(gateway, ocpp=ocpp, script={"ReserveNow": reply}) as place:
        told = await place.emsp.reserve(place.location)
        assert await place.emsp.result(told) == result
        assert result in set(CommandResultType)


@stations
async def test_rule_138_a_station_that_does_not_answer_is_a_timeout(hasty: Gateway, ocpp):
    async with scene(hasty, ocpp=ocpp, script={"UnlockConnector": Silence}) as place:
        told = await place.emsp.unlock(place.location)
        assert await place.emsp.result(told) == "TIMEOUT"


@stations
async def test_rule_139_a_reservation_that_the_station_does_not_know_is_an_unknown_one(gateway: Gateway, ocpp):
    async with scene(gateway, ocpp=ocpp, script={"CancelReservation": {"status": "Rejected"}}) as place:
        assert await place.emsp.result(await place.emsp.reserve(place.location)) == "ACCEPTED"
        assert await place.emsp.result(await place.emsp.cancel()) == "UNKNOWN_RESERVATION"


# Reservation ids


@stations
@pytest.mark.parametrize("name", ["2000000000", "Abc-456", "9" * 36, "a b/c?d#e"])
async def test_rule_147_the_emsps_reservation_id_is_not_what_the_station_hears(gateway: Gateway, ocpp, name):
    async with scene(gateway, ocpp=ocpp) as place:
        told = await place.emsp.reserve(place.location, id=name)
        assert await place.emsp.result(told) == "ACCEPTED"
        assert await place.emsp.result(await place.emsp.cancel(name)) == "ACCEPTED"
        number = number_in(await place.station.was_asked("ReserveNow"))
        assert 0 < number < 2**31
        assert number == number_in(await place.station.was_asked("CancelReservation"))
        assert number == gateway.reservation_of(told)["number"]
        assert name not in str(place.station.asked)


@stations
async def test_rule_148_no_two_reservations_share_the_number_that_stations_hear(gateway: Gateway, ocpp):
    async with scene(gateway, ocpp=ocpp) as place, scene(gateway, ocpp=ocpp) as other:
        heard = []
        for client, where in ((place.emsp, place), (other.emsp, place), (place.emsp, other)):
            name = "R-1" if where is place else "R-2"
            told = await client.reserve(where.location, id=name)
            assert await client.result(told) == "ACCEPTED"
            heard.append(number_in(where.station.all_asked("ReserveNow")[-1]))
        assert len(set(heard)) == 3
        # The number is the owner's: another eMSP's cancellation does not reach it.
        assert await other.emsp.result(await other.emsp.cancel("R-1")) == "ACCEPTED"
        assert [number_in(one) for one in place.station.all_asked("CancelReservation")] == [heard[1]]


@stations
async def test_rule_149_rule_155_the_same_id_at_the_same_location_replaces(gateway: Gateway, ocpp):
    spots = [Spot(None, 1, 1), Spot(None, 2, 2, uid="E2")]
    async with scene(gateway, *spots, ocpp=ocpp) as place:
        for evse, name, minutes in (("E1", "r-1", 60), ("E1", "R-1", 90), ("E2", "r-1", 30)):
            told = await place.emsp.reserve(place.location, evse, id=name, minutes=minutes)
            assert await place.emsp.result(told) == "ACCEPTED"
        asked = place.station.all_asked("ReserveNow")
        assert len({number_in(one) for one in asked}) == 1
        assert [one.get("connectorId", one.get("evseId")) for one in asked] == [1, 1, 2]
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert await place.emsp.result(await place.emsp.cancel("R-1")) == "ACCEPTED"
        assert [number_in(one) for one in place.station.all_asked("CancelReservation")] == [number_in(asked[0])]


async def test_rule_149_a_replacement_at_another_station_is_given_up_where_it_was(gateway: Gateway):
    async with scene(gateway) as place, scene(gateway) as other:
        both = gateway.location(Spot(place.station.id), Spot(other.station.id, uid="E2"))
        for evse in ("E1", "E2"):
            assert await place.emsp.result(await place.emsp.reserve(both, evse)) == "ACCEPTED"
        first = await place.station.was_asked("ReserveNow")
        assert number_in(await place.station.was_asked("CancelReservation")) == number_in(first)
        assert other.station.all_asked("CancelReservation") == []


# No EVSE named


def _whole(value: str):
    async def answer(_station, payload):
        found = [
            {**one, "attributeStatus": "Accepted", "attributeValue": value}
            if one["component"]["name"] == "ReservationCtrlr" and one["variable"]["name"] == "NonEvseSpecific"
            else {**one, "attributeStatus": "UnknownVariable"}
            for one in payload["getVariableData"]
        ]
        return {"getVariableResult": found}

    return {"GetVariables": answer}


@versions
async def test_rule_152_without_an_evse_a_station_that_can_keeps_any_of_its_evses(gateway: Gateway, version):
    spots = [Spot(None), Spot(None, 2, uid="E2")]
    async with scene(gateway, *spots, script=_whole("true")) as place:
        await eventually(lambda: gateway.rows("station", id=place.station.id)[0]["abilities"])
        told = await place.emsp.reserve(place.location, evse=None, version=version)
        assert await place.emsp.result(told) == "ACCEPTED"
        assert "evseId" not in await place.station.was_asked("ReserveNow")


@stations
async def test_rule_152_without_an_evse_another_station_keeps_a_free_one(gateway: Gateway, ocpp):
    spots = [Spot(None, 1, 1), Spot(None, 2, 2, uid="E2")]
    async with scene(gateway, *spots, ocpp=ocpp) as place:
        for name in ("R-1", "R-2"):
            assert await place.emsp.result(await place.emsp.reserve(place.location, evse=None, id=name)) == "ACCEPTED"
        kept = [one.get("connectorId", one.get("evseId")) for one in place.station.all_asked("ReserveNow")]
        assert sorted(kept) == [1, 2]


async def test_rule_156_a_cancelled_reservation_stays_on_record_with_its_times(gateway: Gateway):
    """What it cost can be told later: whose it was, where, from when to when."""
    async with scene(gateway) as place:
        told = await place.emsp.reserve(place.location)
        assert await place.emsp.result(told) == "ACCEPTED"
        assert await place.emsp.result(await place.emsp.cancel()) == "ACCEPTED"
        held = gateway.reservation_of(told)
        assert held["state"] == "CANCELLED"
        assert held["created_at"] <= held["updated_at"] < held["expiry_date"]
        assert (held["partner"], held["reservation_id"]) == (place.emsp.partner_id, "R-1")


# Where it goes


async def test_rule_166_an_evse_is_a_connector_of_a_1_6_station(gateway: Gateway):
    spots = [Spot(None, None, 1), Spot(None, None, 2, uid="E2")]
    async with scene(gateway, *spots, ocpp="1.6") as place:
        for evse, number in (("E2", 2), ("E1", 1)):
            assert await place.emsp.result(await place.emsp.start_session(place.location, evse)) == "ACCEPTED"
            assert place.station.all_asked("RemoteStartTransaction")[-1]["connectorId"] == number
            assert await place.emsp.result(await place.emsp.reserve(place.location, evse, id=evse)) == "ACCEPTED"
            assert place.station.all_asked("ReserveNow")[-1]["connectorId"] == number
            assert await place.emsp.result(await place.emsp.unlock(place.location, evse)) == "ACCEPTED"
            assert place.station.all_asked("UnlockConnector")[-1] == {"connectorId": number}


@versions
async def test_rule_169_an_unlock_names_the_connector_that_is_meant(gateway: Gateway, version):
    async with scene(gateway, Spot(None, 1, 1), Spot(None, 2, 1, uid="E2")) as place:
        told = await place.emsp.unlock(place.location, "E2", version=version)
        assert await place.emsp.result(told) == "ACCEPTED"
        assert place.station.all_asked("UnlockConnector") == [{"evseId": 2, "connectorId": 1}]


async def test_rule_168_a_stop_names_the_session_and_stops_its_transaction(gateway: Gateway):
    async with scene(gateway) as place:
        session = await place.charge()
        assert await place.emsp.result(await place.emsp.stop_session(session)) == "ACCEPTED"
        (known,) = gateway.rows("session", session_id=session)
        assert place.station.all_asked("RequestStopTransaction") == [{"transactionId": known["transaction_id"]}]
