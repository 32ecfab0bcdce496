"""The CSMS's side of remote control (2.x use cases F01 to F06, B01 to B03, E01; 1.6 §4.2, §4.8, §5.11 to §5.18)."""

import uuid
from typing import Any

import pytest

from tests.conformance.places import (
    OCPP,
    Held,
    begin_at,
    every_2,
    every_ocpp,
    only_1,
    reserved,
    says,
    station_of,
    tell,
    transaction_event,
)
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.scene import Scene, orders, scene
from tests.support.station import CallError, ScriptedStation, group_in, now, token_in
from tests.support.together import together

REJECTED = {"status": "Rejected"}
PLACE = {"evse": {"id": 1, "connectorId": 1}}


@pytest.fixture
def gateway(brisk: Gateway) -> Gateway:
    return brisk


async def start(place: Scene, **more: Any) -> dict[str, Any]:
    """A start that the station accepts; how it was asked."""
    known = len(place.station.all_asked(place.station.action("START_SESSION")))
    assert await place.emsp.result(await place.emsp.start_session(place.location, **more)) == "ACCEPTED"
    return await place.station.asked_for("START_SESSION", known + 1)


async def running(place: Scene, number: int = 1) -> str:
    """A transaction at an EVSE that a start began; its id."""
    order = await start(place, evse=f"E{number}")
    if place.station.is_1:
        return await begin_at(place.station, token_in(order), number)
    told = started_by(order)
    await begin_at(place.station, token_in(order), number, **told)
    return str(told["transactionInfo"]["transactionId"])


def started_by(order: dict[str, Any], transaction: str | None = None) -> dict[str, Any]:
    """How a TransactionEvent tells whose start it was."""
    info = {"transactionId": transaction or f"TX-{uuid.uuid4()}"[:36], "remoteStartId": order["remoteStartId"]}
    return {"transactionInfo": info, "triggerReason": "RemoteStart"}


async def sessions(place: Scene | Held) -> list[str]:
    return [one["status"] for one in await place.emsp.sessions()]


# F01, F02: starting


@every_ocpp
async def test_csms_f01_fr_01_a_station_that_asks_first_is_told_that_the_token_is_good(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        order = await start(place, token=place.emsp.token_body(group_id="Fleet"))
        told = await place.station.authorize(token_in(order))
        assert told["status"] == "Accepted"
        assert group_in(told)
        assert group_in(order) in (None, group_in(told))  # 1.6 names no group in a start


@every_ocpp
async def test_csms_f01_fr_02_a_station_that_starts_at_once_hears_of_token_and_group_all_the_same(gateway, ocpp):
    async with station_of(gateway, ocpp) as place:
        order = await start(place, token=place.emsp.token_body(group_id="Fleet"))
        await begin_at(place.station, token_in(order))
        assert place.station.told["status"] == "Accepted"
        assert group_in(place.station.told)
        assert group_in(order) in (None, group_in(place.station.told))


@every_ocpp
async def test_csms_f01_fr_07_a_start_always_names_an_evse(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, 2) as place:
        order = await start(place, evse=None)
        assert order.get("evseId", order.get("connectorId")) in (1, 2)


@every_2
async def test_csms_f01_fr_13_a_transaction_that_runs_already_becomes_that_of_the_start(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        transaction = f"TX-{place.station.id}"
        cable = {"eventType": "Started", "triggerReason": "CablePluggedIn"}
        assert await transaction_event(place.station, transaction, 0, **cable, **PLACE) == {}
        assert await sessions(place) == []
        place.station.script["RequestStartTransaction"] = {"status": "Accepted", "transactionId": transaction}
        order = await start(place, body={"authorization_reference": "REF-1"})
        [session] = await place.emsp.sessions()
        assert (session["status"], session["authorization_reference"]) == ("ACTIVE", "REF-1")
        remote = {"triggerReason": "RemoteStart", "info": {"remoteStartId": order["remoteStartId"]}}
        whom = {"idToken": order["idToken"]}
        told = await transaction_event(place.station, transaction, 1, **remote, **whom)
        assert told["idTokenInfo"]["status"] == "Accepted"
        assert [one["id"] for one in await place.emsp.sessions()] == [session["id"]]


@every_2
async def test_csms_f01_fr_19_f01_fr_25_the_event_that_names_the_start_is_its_session_s(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, 2) as place:
        first = await start(place, evse="E1", body={"authorization_reference": "REF-1"})
        second = await start(place, evse="E2", body={"authorization_reference": "REF-2"})
        assert first["remoteStartId"] != second["remoteStartId"]
        assert await sessions(place) == ["PENDING", "PENDING"]
        await begin_at(place.station, token_in(second), 2, **started_by(second))
        known = {one["authorization_reference"]: one["status"] for one in await place.emsp.sessions()}
        assert known == {"REF-1": "PENDING", "REF-2": "ACTIVE"}


@every_2
async def test_csms_f01_fr_19_f01_fr_25_the_start_may_be_named_without_a_token_and_late(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        transaction, cable = f"TX-{place.station.id}", {"eventType": "Started", "triggerReason": "CablePluggedIn"}
        order = await start(place)
        await transaction_event(place.station, transaction, 0, **cable, **PLACE)
        assert await sessions(place) == ["PENDING"]
        remote = {"triggerReason": "RemoteStart", "info": {"remoteStartId": order["remoteStartId"]}}
        await transaction_event(place.station, transaction, 1, **remote)
        assert await sessions(place) == ["ACTIVE"]
        await transaction_event(place.station, transaction, 2)  # and not told again
        await place.station.end(transaction, seqNo=3)
        assert await sessions(place) == ["COMPLETED"]


@only_1
async def test_csms_f01_fr_25_on_1_6_the_token_and_the_connector_tell_whose_start_it_was(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, 2) as place, gateway.emsp() as stranger:
        assert await stranger.result(await stranger.start_session(place.location, "E1")) == "ACCEPTED"
        order = await start(place, evse="E2")
        await begin_at(place.station, token_in(order), 2)
        assert (await sessions(place), [one["status"] for one in await stranger.sessions()]) == (
            ["ACTIVE"],
            ["PENDING"],
        )


@every_ocpp
async def test_csms_f01_fr_21_a_start_where_another_has_reserved_is_refused(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held, gateway.emsp() as stranger:
        assert await stranger.result(await stranger.start_session(held.location)) == "EVSE_OCCUPIED"
        assert not held.station.all_asked(held.station.action("START_SESSION"))
        assert await stranger.sessions() == []
        assert await held.emsp.result(await held.emsp.start_session(held.location)) == "ACCEPTED"
        assert held.state == "ACTIVE"


@every_ocpp
async def test_csms_f01_fr_21_what_only_the_station_knows_is_told_as_it_says_it(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        place.station.script[place.station.action("START_SESSION")] = REJECTED
        await tell(place.station, "StatusNotification", "Reserved")
        assert await place.emsp.result(await place.emsp.start_session(place.location)) == "EVSE_OCCUPIED"
        assert await sessions(place) == []


@every_ocpp
async def test_csms_f01_fr_22_a_start_by_the_group_that_reserved_is_asked_for_with_the_group(gateway, ocpp):
    async with reserved(gateway, ocpp, group="Fleet") as held:
        for group, result in (("Others", "EVSE_OCCUPIED"), ("Fleet", "ACCEPTED")):
            card = held.emsp.token_body(f"OF-{group}", group_id=group)
            assert await held.emsp.result(await held.emsp.start_session(held.location, token=card)) == result
        [order] = held.station.all_asked(held.station.action("START_SESSION"))
        if not held.station.is_1:
            assert group_in(order) == held.group
        assert group_in(await held.station.authorize(token_in(order))) == held.group


@pytest.mark.parametrize("status", ["Faulted", "Unavailable"])
@every_ocpp
async def test_csms_f01_fr_23_a_start_at_an_evse_out_of_order_is_told_as_such(gateway: Gateway, ocpp: str, status: str):
    async with station_of(gateway, ocpp) as place:
        place.station.script[place.station.action("START_SESSION")] = REJECTED
        await tell(place.station, "StatusNotification", status)
        assert await place.emsp.result(await place.emsp.start_session(place.location)) == "EVSE_INOPERATIVE"
        assert await sessions(place) == []


@every_ocpp
async def test_csms_f01_fr_24_a_start_where_somebody_charges_is_told_as_such(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place, gateway.emsp() as stranger:
        await running(place)
        await tell(place.station, "StatusNotification", "Charging" if place.station.is_1 else "Occupied")
        place.station.script[place.station.action("START_SESSION")] = REJECTED
        assert await stranger.result(await stranger.start_session(place.location)) == "EVSE_OCCUPIED"
        assert (await sessions(place), await stranger.sessions()) == (["ACTIVE"], [])


@every_2
async def test_csms_f02_fr_07_a_transaction_without_a_cable_is_a_session_that_is_over(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        transaction = await running(place)
        ended = {"transactionInfo": {"transactionId": transaction, "stoppedReason": "Timeout"}}
        await place.station.end(transaction, triggerReason="EVConnectTimeout", **ended)
        [session] = await place.emsp.sessions()
        assert (session["status"], session["kwh"]) == ("COMPLETED", 0)


async def test_csms_f02_fr_07_a_start_that_no_transaction_follows_is_over_by_our_clock(gateway: Gateway):
    """Where TxStartPoint is EVConnected or PowerPathClosed, and on 1.6, nothing is ever told of it."""

    async def story(ocpp: str) -> None:
        async with scene(gateway, ocpp=ocpp, script=one_second(ocpp)) as place:
            await eventually(lambda: gateway.rows("station", id=place.station.id)[0]["abilities"])
            told = await place.emsp.start_session(place.location)
            assert await place.emsp.result(told) == "ACCEPTED"
            await eventually(lambda: gateway.rows("session", station=place.station.id)[0]["state"] == "INVALID")
            assert await sessions(place) == ["INVALID"]
            assert place.emsp.results(told) == ["ACCEPTED"]

    await together(story, OCPP)


def one_second(ocpp: str) -> dict[str, Any]:
    """What a station says that gives drivers a second to plug in."""
    if ocpp == "1.6":
        return says(ocpp, "ConnectionTimeOut", "1")
    variable = {"component": {"name": "TxCtrlr"}, "variable": {"name": "EVConnectionTimeOut"}}
    told = variable | {"attributeStatus": "Accepted", "attributeValue": "1"}
    return {"GetVariables": {"getVariableResult": [told]}}


# F03, F04: stopping


@every_ocpp
async def test_csms_f03_fr_07_the_transaction_of_the_session_is_stopped(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        transaction = await running(place)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "ACCEPTED"
        order = await place.station.asked_for("STOP_SESSION")
        assert str(order["transactionId"]) == transaction
        await place.station.end(transaction)
        assert await sessions(place) == ["COMPLETED"]


@every_2
async def test_csms_f03_fr_02_a_transaction_that_is_stopped_goes_on_until_the_cable_is_out(gateway, ocpp):
    async with station_of(gateway, ocpp) as place:
        transaction = await running(place)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "ACCEPTED"
        stopped = {"triggerReason": "RemoteStop", "info": {"chargingState": "EVConnected"}}
        await transaction_event(place.station, transaction, 1, **stopped)
        assert await sessions(place) == ["ACTIVE"]
        left = {"triggerReason": "EVCommunicationLost", "eventType": "Ended", "info": {"stoppedReason": "Remote"}}
        await transaction_event(place.station, transaction, 2, **left)
        assert await sessions(place) == ["COMPLETED"]


@every_2
async def test_csms_f03_fr_08_a_transaction_that_the_station_has_forgotten_is_over(gateway: Gateway, ocpp: str):
    forgotten = {"ongoingIndicator": False, "messagesInQueue": False}
    script = {"RequestStopTransaction": REJECTED, "GetTransactionStatus": forgotten}
    async with station_of(gateway, ocpp, script=script) as place:
        transaction = await running(place)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "REJECTED"
        assert (await place.station.was_asked("GetTransactionStatus"))["transactionId"] == transaction
        await eventually(lambda: gateway.rows("session", station=place.station.id)[0]["state"] == "COMPLETED")
        assert await sessions(place) == ["COMPLETED"]


@every_2
async def test_csms_f03_fr_08_a_transaction_that_the_station_still_knows_goes_on(gateway: Gateway, ocpp: str):
    known = {"ongoingIndicator": True, "messagesInQueue": True}
    script = {"RequestStopTransaction": REJECTED, "GetTransactionStatus": known}
    async with station_of(gateway, ocpp, script=script) as place:
        await running(place)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "REJECTED"
        await place.station.was_asked("GetTransactionStatus")
        await eventually(lambda: not gateway.rows("command", station=place.station.id, result=None))
        assert await sessions(place) == ["ACTIVE"]


@only_1
async def test_csms_f03_fr_08_on_1_6_a_free_connector_says_that_it_is_over(gateway: Gateway, ocpp: str):
    script = {"RemoteStopTransaction": REJECTED, "TriggerMessage": {"status": "Accepted"}}
    async with station_of(gateway, ocpp, script=script) as place:
        await running(place)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "REJECTED"
        asked = await place.station.was_asked("TriggerMessage")
        assert asked == {"requestedMessage": "StatusNotification", "connectorId": 1}
        assert await sessions(place) == ["ACTIVE"]
        await tell(place.station, "StatusNotification", "Available")
        assert await sessions(place) == ["COMPLETED"]


@every_2
async def test_csms_f04_a_stop_that_the_car_takes_its_time_for_is_accepted_and_ends_later(gateway: Gateway, ocpp: str):
    """ISO 15118: the station ends the loop with the EV first."""
    async with station_of(gateway, ocpp) as place:
        transaction = await running(place)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "ACCEPTED"
        ending = {"triggerReason": "ChargingStateChanged", "info": {"chargingState": "SuspendedEVSE"}}
        await transaction_event(place.station, transaction, 1, **ending)
        assert await sessions(place) == ["ACTIVE"]
        over = {"triggerReason": "RemoteStop", "eventType": "Ended", "info": {"stoppedReason": "Remote"}}
        await transaction_event(place.station, transaction, 2, **over)
        assert await sessions(place) == ["COMPLETED"]


# F05: unlocking


@pytest.mark.parametrize(
    ("status", "result"),
    [
        pytest.param("Unlocked", "ACCEPTED", id="f05_fr_01"),
        pytest.param("UnlockFailed", "FAILED", id="f05_fr_01_failed"),
        pytest.param("OngoingAuthorizedTransaction", "REJECTED", id="f05_fr_02"),
        pytest.param("UnknownConnector", "REJECTED", id="f05_fr_03"),
    ],
)
@every_2
async def test_csms_f05_fr_01_f05_fr_02_f05_fr_03_what_became_of_unlocking_is_told(gateway, ocpp, status, result):
    async with station_of(gateway, ocpp, script={"UnlockConnector": {"status": status}}) as place:
        told = await place.emsp.unlock(place.location)
        assert await place.emsp.result(told) == result
        assert place.station.all_asked("UnlockConnector") == [{"evseId": 1, "connectorId": 1}]
        assert (result == "ACCEPTED") != bool(place.emsp.callback_of(told).json.get("message"))


@pytest.mark.parametrize(
    ("status", "result"), [("Unlocked", "ACCEPTED"), ("UnlockFailed", "FAILED"), ("NotSupported", "NOT_SUPPORTED")]
)
@only_1
async def test_csms_f05_fr_01_what_became_of_unlocking_on_1_6_is_told(gateway: Gateway, ocpp, status, result):
    async with station_of(gateway, ocpp, script={"UnlockConnector": {"status": status}}) as place:
        assert await place.emsp.result(await place.emsp.unlock(place.location)) == result
        assert place.station.all_asked("UnlockConnector") == [{"connectorId": 1}]


@every_ocpp
async def test_csms_f05_fr_02_where_another_charges_nothing_is_unlocked(gateway: Gateway, ocpp: str):
    """1.6 stations would end the transaction first (§5.18), so they are not even asked; 2.x ones refuse."""
    async with station_of(gateway, ocpp) as place, gateway.emsp() as stranger:
        await running(place)
        place.station.script["UnlockConnector"] = {"status": "OngoingAuthorizedTransaction"}
        told = await stranger.unlock(place.location)
        result = await stranger.result(told) if told.result == "ACCEPTED" else told.result
        assert result == "REJECTED"
        assert not (place.station.is_1 and place.station.all_asked("UnlockConnector"))
        assert await sessions(place) == ["ACTIVE"]


# F06: triggering


@every_2
async def test_csms_f06_fr_12_f06_fr_13_a_status_is_asked_for_with_evse_and_connector(gateway: Gateway, ocpp: str):
    script = {"RequestStopTransaction": REJECTED, "TriggerMessage": {"status": "Accepted"}}
    async with station_of(gateway, ocpp, 2, script=script) as place:
        await running(place, 2)
        [session] = await place.emsp.sessions()
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "REJECTED"
        asked = await place.station.was_asked("TriggerMessage")
        assert asked == {"requestedMessage": "StatusNotification", "evse": {"id": 2, "connectorId": 1}}


# B01 to B03: booting


@every_2
async def test_csms_b01_fr_13_a_reservation_holds_over_a_reboot(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        await held.station.reconnect()
        await held.station.boot()
        await tell(held.station, "StatusNotification", "Reserved")
        assert (held.state, await sessions(held)) == ("ACTIVE", ["RESERVATION"])
        assert len(held.station.all_asked("ReserveNow")) == 1
        await held.results("ACCEPTED")


@only_1
async def test_csms_b01_fr_13_what_a_1_6_station_forgets_over_a_reboot_it_is_given_again(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        await held.station.reconnect()
        await held.station.boot()
        await tell(held.station, "StatusNotification", "Available")
        assert await held.station.was_asked("ReserveNow", 2) == held.order
        await held.results("ACCEPTED")


@every_ocpp
async def test_csms_b02_fr_05_a_station_that_refuses_because_it_is_pending_is_believed(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, 2) as place:
        await running(place)
        [session] = await place.emsp.sessions()
        place.station.script |= {place.station.action(verb): REJECTED for verb in ("START_SESSION", "STOP_SESSION")}
        assert await place.emsp.result(await place.emsp.stop_session(session["id"])) == "REJECTED"
        assert await place.emsp.result(await place.emsp.start_session(place.location, "E2")) == "REJECTED"
        assert await sessions(place) == ["ACTIVE"]


@every_ocpp
async def test_csms_b03_fr_08_nothing_is_asked_of_a_station_that_was_not_accepted(gateway: Gateway, ocpp: str):
    name = gateway.station_name()
    async with scene(gateway, ocpp=ocpp) as place:
        location = gateway.location(Spot(name, None if ocpp == "1.6" else 1))
        async with ScriptedStation(gateway.ocpp, name, ocpp, place.station.script, boot=False) as silent:
            assert await place.emsp.result(await place.emsp.start_session(location)) == "FAILED"
            assert orders(silent) == []
            await silent.boot()
            assert await place.emsp.result(await place.emsp.start_session(location)) == "ACCEPTED"
            assert len(silent.all_asked(silent.action("START_SESSION"))) == 1


@every_ocpp
async def test_csms_b03_fr_08_a_station_that_says_it_was_not_accepted_is_asked_to_boot(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, script={"ReserveNow": CallError("SecurityError")}) as place:
        assert await place.emsp.result(await place.emsp.reserve(place.location)) == "FAILED"
        assert (await place.station.was_asked("TriggerMessage"))["requestedMessage"] == "BootNotification"


# E01: transactions


@every_2
async def test_csms_e01_fr_07_events_are_put_in_the_order_of_their_numbers(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp) as place:
        transaction = await running(place)
        meter = {"meterValue": meter_at(4000)}
        over = {"eventType": "Ended", "triggerReason": "RemoteStop", "meterValue": meter_at(6000)}
        await transaction_event(place.station, transaction, 2, **over)
        assert await sessions(place) == ["ACTIVE"]  # one is missing
        await transaction_event(place.station, transaction, 1, **meter)
        assert await sessions(place) == ["COMPLETED"]
        await transaction_event(place.station, transaction, 1, **meter)
        await transaction_event(place.station, transaction, 3)
        assert await sessions(place) == ["COMPLETED"]


def meter_at(wh: int) -> list[dict[str, Any]]:
    return [{"timestamp": now(), "sampledValue": [{"value": wh}]}]


@every_2
async def test_csms_e01_fr_08_a_transaction_is_told_by_its_station_s_own_id(gateway: Gateway, ocpp: str):
    """Two stations may use the same one."""
    async with station_of(gateway, ocpp) as place, station_of(gateway, ocpp) as other:
        for each in (place, other):
            order = await start(each)
            await begin_at(each.station, token_in(order), **started_by(order, "TX-1"))
        [session] = await other.emsp.sessions()
        assert await other.emsp.result(await other.emsp.stop_session(session["id"])) == "ACCEPTED"
        assert (await other.station.asked_for("STOP_SESSION"))["transactionId"] == "TX-1"
        assert not place.station.all_asked("RequestStopTransaction")
        await other.station.end("TX-1")
        assert (await sessions(place), await sessions(other)) == (["ACTIVE"], ["COMPLETED"])


@only_1
async def test_csms_e01_fr_08_on_1_6_the_id_is_ours_and_each_start_s_own(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, 2) as place, station_of(gateway, ocpp) as other:
        given = [await running(place, 1), await running(other), await running(place, 2)]
        assert len(set(given)) == 3
        assert all(0 < int(one) < 2**31 for one in given)
