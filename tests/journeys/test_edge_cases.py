"""Reservations, Sessions and transactions at stations that are late, forget, or say things twice or too early."""

import asyncio
import uuid

import pytest

from tests.journeys.test_hard_cases import ACCEPTED, OCPP, a_place, every_ocpp
from tests.journeys.test_reservations_hard import a_reservation, session_of
from tests.support.gateway import Gateway
from tests.support.station import Reply, ScriptedStation, Silence, now, number_in, token_in
from tests.support.together import together

every_2 = pytest.mark.parametrize("ocpp", OCPP[1:])


class Late:
    """An answer that is given when it is let go."""

    def __init__(self, reply: Reply = ACCEPTED) -> None:
        self.let_go, self.reply = asyncio.Event(), reply

    async def __call__(self, station: ScriptedStation, order: dict) -> Reply:
        await self.let_go.wait()
        return self.reply


async def statuses(emsp) -> list[str]:
    return [one["status"] for one in await emsp.sessions()]


async def begun(emsp, station: ScriptedStation, location: str) -> str:
    """A transaction that a START_SESSION began, told as stations that know its number tell it; its id."""
    assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
    return await as_asked(station, await station.asked_for("START_SESSION"))


async def as_asked(station: ScriptedStation, order: dict) -> str:
    if station.is_1:
        return await station.begin(token_in(order))
    info = {"transactionId": f"TX-{uuid.uuid4()}"[:36], "remoteStartId": order["remoteStartId"]}
    await station.begin(token_in(order), transactionInfo=info)
    return info["transactionId"]


# Answers that come after TIMEOUT was told


async def test_a_start_that_is_accepted_late_is_a_session_all_the_same(hasty: Gateway):
    async def story(ocpp: str) -> None:
        late = Late()
        async with a_place(hasty, ocpp) as (emsp, station, location):
            station.script[station.action("START_SESSION")] = late
            told = await emsp.start_session(location)
            assert await emsp.result(told) == "TIMEOUT"
            late.let_go.set()
            transaction = await as_asked(station, await station.asked_for("START_SESSION"))
            assert station.told["status"] == "Accepted"
            assert await statuses(emsp) == ["ACTIVE"]
            await station.end(transaction)
            assert await statuses(emsp) == ["COMPLETED"]
            assert emsp.results(told) == ["TIMEOUT"]

    await together(story, OCPP)


async def test_a_stop_that_is_accepted_late_ends_the_session_and_is_told_once(hasty: Gateway):
    async def story(ocpp: str) -> None:
        late = Late()
        async with a_place(hasty, ocpp) as (emsp, station, location):
            transaction = await begun(emsp, station, location)
            station.script[station.action("STOP_SESSION")] = late
            [session] = await emsp.sessions()
            told = await emsp.stop_session(session["id"])
            assert await emsp.result(told) == "TIMEOUT"
            assert await statuses(emsp) == ["ACTIVE"]
            late.let_go.set()
            await station.end(transaction)
            assert await statuses(emsp) == ["COMPLETED"]
            assert emsp.results(told) == ["TIMEOUT"]

    await together(story, OCPP)


async def test_a_cancellation_that_is_accepted_late_ends_the_reservation_and_is_told_once(hasty: Gateway):
    async def story(ocpp: str) -> None:
        late = Late()
        async with a_reservation(hasty, ocpp) as (emsp, station, _, reserve, _):
            station.script["CancelReservation"] = late
            told = await emsp.cancel()
            assert await emsp.result(told) == "TIMEOUT"
            assert hasty.reservation_of(reserve)["state"] == "UNKNOWN"
            late.let_go.set()
            await hasty.reservation_becomes(reserve, "CANCELLED")
            assert session_of(hasty, reserve)["state"] == "COMPLETED"
            assert emsp.results(told) == ["TIMEOUT"]

    await together(story, OCPP)


async def test_a_stop_that_is_not_answered_is_done_when_its_transaction_ends(hasty: Gateway):
    async def story(ocpp: str) -> None:
        async with a_place(hasty, ocpp) as (emsp, station, location):
            transaction = await begun(emsp, station, location)
            station.script[station.action("STOP_SESSION")] = Silence
            [session] = await emsp.sessions()
            told = await emsp.stop_session(session["id"])
            await station.asked_for("STOP_SESSION")
            await station.end(transaction)
            assert await statuses(emsp) == ["COMPLETED"]
            assert await emsp.result(told) == "ACCEPTED"

    await together(story, OCPP)


# Orders that cross each other


@every_ocpp
async def test_a_cancellation_behind_a_reservation_that_waits_its_turn_has_its_say(gateway: Gateway, ocpp: str):
    late = Late({"status": "Unlocked"})
    async with a_place(gateway, ocpp, {"UnlockConnector": late}) as (emsp, station, location):
        unlock = await emsp.unlock(location)
        await station.was_asked("UnlockConnector")
        reserve, cancel = await emsp.reserve(location), await emsp.cancel()
        late.let_go.set()
        assert await emsp.result(unlock) == "ACCEPTED"
        assert [await emsp.result(reserve), await emsp.result(cancel)] == ["ACCEPTED", "ACCEPTED"]
        assert gateway.reservation_of(reserve)["state"] == "CANCELLED"
        assert [action for action, _ in station.asked][-2:] == ["ReserveNow", "CancelReservation"]
        assert await statuses(emsp) == ["COMPLETED"]


@every_ocpp
async def test_a_stop_before_the_transaction_is_known_waits_for_it(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        [session] = await emsp.sessions()
        stop = await emsp.stop_session(session["id"])
        assert stop.result == "ACCEPTED"
        assert not station.all_asked(station.action("STOP_SESSION"))
        transaction = await as_asked(station, await station.asked_for("START_SESSION"))
        assert str((await station.asked_for("STOP_SESSION"))["transactionId"]) == transaction
        assert await emsp.result(stop) == "ACCEPTED"
        await station.end(transaction)
        assert await statuses(emsp) == ["COMPLETED"]


async def test_a_stop_of_what_did_not_begin_fails_and_what_begins_late_is_stopped_at_once(hasty: Gateway):
    async def story(ocpp: str) -> None:
        async with a_place(hasty, ocpp) as (emsp, station, location):
            assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
            [session] = await emsp.sessions()
            stop = await emsp.stop_session(session["id"])
            assert await emsp.result(stop) == "FAILED"
            transaction = await as_asked(station, await station.asked_for("START_SESSION"))
            assert str((await station.asked_for("STOP_SESSION"))["transactionId"]) == transaction
            await station.end(transaction)
            assert await statuses(emsp) == ["COMPLETED"]
            assert emsp.results(stop) == ["FAILED"]

    await together(story, OCPP)


# What is said too early, twice, or out of order


@every_ocpp
async def test_a_status_before_the_answer_that_makes_it_so_is_believed(gateway: Gateway, ocpp: str):
    async def tell_first(station: ScriptedStation, order: dict) -> Reply:
        await station.tell_status("Reserved")
        return ACCEPTED

    async with a_place(gateway, ocpp, {"ReserveNow": tell_first}) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert len(station.all_asked("ReserveNow")) == 1


@every_2
async def test_an_end_that_is_told_before_its_beginning_is_the_same_transaction(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        order = await station.asked_for("START_SESSION")
        info = {"transactionInfo": {"transactionId": f"TX-{station.id}", "remoteStartId": order["remoteStartId"]}}
        begun_at, over_at = now(), now()
        ended = {"eventType": "Ended", "triggerReason": "RemoteStop", "seqNo": 1, "timestamp": over_at, "offline": True}
        await station.call("TransactionEvent", info | ended)
        assert await statuses(emsp) == ["ACTIVE"]  # its beginning is still to come
        place = {"evse": {"id": 1, "connectorId": 1}, "idToken": order["idToken"]}
        started = {"eventType": "Started", "triggerReason": "RemoteStart", "seqNo": 0, "timestamp": begun_at}
        told = await station.call("TransactionEvent", info | started | place)
        assert told["idTokenInfo"]["status"] == "Accepted"
        assert await statuses(emsp) == ["COMPLETED"]


@every_ocpp
async def test_a_call_that_is_sent_again_under_its_old_id_is_answered_alike_and_happens_once(gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        token = token_in(await station.asked_for("START_SESSION"))
        if station.is_1:
            action = "StartTransaction"
            told = {"connectorId": 1, "idTag": token, "meterStart": 0, "timestamp": now()}
        else:
            action = "TransactionEvent"
            whom = {"idToken": {"idToken": token, "type": "Central"}, "evse": {"id": 1, "connectorId": 1}}
            told = station._event("Started", "TX-1", 0, None) | whom
        answers = []
        for _ in range(2):
            station.answers["the same"] = asyncio.get_running_loop().create_future()
            waiting = station.answers["the same"]
            await station.send([2, "the same", action, told])
            answers.append(await asyncio.wait_for(waiting, 20))
        assert answers[0] == answers[1]
        assert await statuses(emsp) == ["ACTIVE"]


@every_ocpp
async def test_an_end_that_is_told_twice_is_answered_and_changes_nothing(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        transaction = await begun(emsp, station, location)
        at = now()
        await station.end(transaction, at=at)
        [before] = await emsp.sessions()
        await station.reconnect()
        await station.end(transaction, at=at)
        assert await emsp.sessions() == [before]
        assert before["status"] == "COMPLETED"


# Reservations that are not what they seem


@every_2
async def test_a_2_x_reservation_holds_until_its_station_says_that_it_does_not(gateway: Gateway, ocpp: str):
    """Available may be the token that was presented; Removed and Expired are told in words."""
    async with a_reservation(gateway, ocpp) as (emsp, station, _, told, order):
        await station.tell_status("Reserved")
        await station.tell_status("Available")
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        await station.begin(token_in(order), reservationId=number_in(order))
        assert gateway.reservation_of(told)["state"] == "USED"
        assert len(station.all_asked("ReserveNow")) == 1
        assert emsp.results(told) == ["ACCEPTED"]


@every_2
async def test_a_car_that_only_parks_at_a_reserved_evse_uses_nothing_up(gateway: Gateway, ocpp: str):
    """TxStartPoint ParkingBayOccupancy: a transaction without a driver, that ends when the car leaves."""
    async with a_reservation(gateway, ocpp) as (emsp, station, _, told, _):
        info = {"transactionInfo": {"transactionId": f"TX-{station.id}"}, "evse": {"id": 1}}
        for seq, (phase, why) in enumerate([("Started", "EVDetected"), ("Ended", "EVDeparted")]):
            event = {"eventType": phase, "triggerReason": why, "seqNo": seq, "timestamp": now()}
            assert await station.call("TransactionEvent", event | info) == {}
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert await statuses(emsp) == ["RESERVATION"]


@every_ocpp
async def test_a_status_of_the_station_as_a_whole_is_not_that_of_its_connectors(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (_, station, location, told, _):
        await station.tell_status("Reserved")
        if station.is_1:
            await station.tell_status("Available", connector=0)
        else:
            await station.tell_status("Available", evse=0, connector=0)
        [known] = gateway.rows("location", location_id=location)
        assert gateway.rows("evse", location=known["id"])[0]["status"] == "RESERVED"
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert len(station.all_asked("ReserveNow")) == 1


async def test_a_station_that_does_not_boot_again_after_our_restart_takes_orders(hasty: Gateway):
    async def before_and_after(ocpp: str, again: asyncio.Event, ready: asyncio.Event) -> None:
        async with a_place(hasty, ocpp) as (emsp, station, location):
            assert await emsp.result(await emsp.reserve(location)) == "ACCEPTED"
            ready.set()
            await again.wait()
            await station.disconnect()
            await station.connect()
            assert await emsp.result(await emsp.cancel()) == "ACCEPTED"

    again, ready = asyncio.Event(), [asyncio.Event() for _ in OCPP]
    stories = [asyncio.create_task(before_and_after(ocpp, again, one)) for ocpp, one in zip(OCPP, ready, strict=True)]
    for one in ready:
        await one.wait()
    await hasty.replace("bridge")
    again.set()
    await asyncio.gather(*stories)
