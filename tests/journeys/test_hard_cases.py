"""Orders, answers and events that cross each other, between real stations' sockets and real eMSPs' callbacks."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.gateway import Gateway, Spot, eventually
from tests.support.station import HangUp, Reply, ScriptedStation, Silence, group_in, number_in, token_in
from tests.support.together import together

OCPP = ("1.6", "2.0.1", "2.1")
ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}

every_ocpp = pytest.mark.parametrize("ocpp", OCPP)


def spot(station: str, ocpp: str, number: int = 1) -> Spot:
    """EVSE number so-and-so of a station: an evseId on 2.x, a connectorId on 1.6."""
    place = (None, number) if ocpp == "1.6" else (number, 1)
    return Spot(station, *place, uid=f"E{number}")


@asynccontextmanager
async def a_place(gateway: Gateway, ocpp: str, script: dict | None = None):
    """(eMSP, station, location) with one EVSE; what the script leaves out is Accepted."""
    name = gateway.station_name()
    location = gateway.location(spot(name, ocpp))
    async with gateway.emsp() as emsp, a_station(gateway, name, ocpp, script) as station:
        yield emsp, station, location


def a_station(gateway: Gateway, name: str, ocpp: str, script: dict | None = None) -> ScriptedStation:
    station = ScriptedStation(gateway.ocpp, name, ocpp)
    verbs = ("RESERVE_NOW", "CANCEL_RESERVATION", "START_SESSION", "STOP_SESSION")
    station.script = {station.action(verb): ACCEPTED for verb in verbs} | (script or {})
    return station


# The station's own words while our order is out


@every_ocpp
async def test_a_station_may_ask_before_it_answers_and_is_told_the_same_group(gateway: Gateway, ocpp: str):
    async def ask_first(station: ScriptedStation, order: dict) -> Reply:
        await station.call("Heartbeat", {})
        await station.tell_status("Reserved")
        told = await station.authorize(token_in(order))
        assert told["status"] == "Accepted"
        assert group_in(told) == group_in(order) is not None
        return ACCEPTED

    async with a_place(gateway, ocpp, {"ReserveNow": ask_first}) as (emsp, station, location):
        told = await emsp.reserve(location, token=emsp.token_body(group_id="Fleet-1"))
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        started = await emsp.start_session(location, token=emsp.token_body(group_id="Fleet-1"))
        assert await emsp.result(started) == "ACCEPTED"
        start = await station.asked_for("START_SESSION")
        assert token_in(start) == token_in(order)
        await station.begin(token_in(order), reservationId=number_in(order))
        assert station.told["status"] == "Accepted"
        assert group_in(station.told) == group_in(order)
        assert gateway.reservation_of(told)["state"] == "USED"


@every_ocpp
async def test_a_cancel_sent_right_after_its_reservation_was_accepted_waits_its_turn(gateway: Gateway, ocpp: str):
    cancelled = asyncio.Event()

    async def wait_for_the_cancel(station: ScriptedStation, order: dict) -> Reply:
        await cancelled.wait()
        return ACCEPTED

    async with a_place(gateway, ocpp, {"ReserveNow": wait_for_the_cancel}) as (emsp, station, location):
        reserve = await emsp.reserve(location)
        cancel = await emsp.cancel()
        assert cancel.result == "ACCEPTED"
        cancelled.set()
        assert [await emsp.result(reserve), await emsp.result(cancel)] == ["ACCEPTED", "ACCEPTED"]
        both = [("asked", "ReserveNow"), ("answered", "ReserveNow"), ("asked", "CancelReservation")]
        assert [one for one in station.timeline if one[1] in ("ReserveNow", "CancelReservation")][:3] == both
        numbers = {number_in(await station.asked_for(one)) for one in ("RESERVE_NOW", "CANCEL_RESERVATION")}
        assert len(numbers) == 1
        assert gateway.reservation_of(reserve)["state"] == "CANCELLED"


@every_ocpp
async def test_one_call_is_out_at_a_time_and_orders_keep_their_order(gateway: Gateway, ocpp: str):
    async def think(station: ScriptedStation, order: dict) -> Reply:
        await asyncio.sleep(0.05)
        return ACCEPTED

    async with a_place(gateway, ocpp, {"ReserveNow": think, "CancelReservation": think}) as (emsp, station, location):
        told = [await emsp.reserve(location, id=f"R-{number}") for number in range(6)]
        assert [await emsp.result(one) for one in told] == ["ACCEPTED"] * 6
        numbers = [gateway.reservation_of(one)["number"] for one in told]
        assert [number_in(order) for order in station.all_asked("ReserveNow")] == numbers == sorted(set(numbers))
        steps = [kind for kind, action in station.timeline if action == "ReserveNow"]
        assert steps == ["asked", "answered"] * 6


async def test_a_mute_station_costs_the_others_nothing(gateway: Gateway):
    names = [gateway.station_name() for _ in range(21)]
    locations = [gateway.location(spot(name, "2.0.1")) for name in names]
    async with gateway.emsp() as emsp, AsyncExitStack() as stack:
        mute, *_others = [await stack.enter_async_context(a_station(gateway, name, "2.0.1")) for name in names]
        mute.script["ReserveNow"] = Silence
        unanswered = await emsp.reserve(locations[0], id="mute")
        await mute.asked_for("RESERVE_NOW")
        told = await asyncio.gather(*(emsp.reserve(one, id=one) for one in locations[1:]))
        assert set(await asyncio.gather(*(emsp.result(one) for one in told))) == {"ACCEPTED"}
        assert gateway.command_of(unanswered)["state"] == "SENT"
        assert emsp.results(unanswered) == []


# A reservation of unknown fate is cancelled until it is known to be dead (P5)


async def test_a_mute_stations_reservation_is_cancelled_at_once_and_again_until_it_answers(hasty: Gateway):
    async def story(ocpp: str) -> None:
        async def hear_the_second(station: ScriptedStation, order: dict) -> Reply:
            return Silence if len(station.all_asked("CancelReservation")) == 1 else REJECTED

        script = {"ReserveNow": Silence, "CancelReservation": hear_the_second}
        async with a_place(hasty, ocpp, script) as (emsp, station, location):
            told = await emsp.reserve(location)
            assert await emsp.result(told) == "TIMEOUT"
            number = number_in(await station.asked_for("RESERVE_NOW"))
            assert number_in(await station.asked_for("CANCEL_RESERVATION")) == number
            assert number_in(await station.asked_for("CANCEL_RESERVATION", 2)) == number
            await hasty.reservation_becomes(told, "CANCELLED")
            assert emsp.results(told) == ["TIMEOUT"]
            assert len(station.all_asked("ReserveNow")) == 1

    await together(story, OCPP)


@pytest.mark.parametrize("back", ["before-the-deadline", "after-it"])
async def test_a_reservation_whose_socket_was_lost_is_cancelled_when_the_station_is_there_again(
    hasty: Gateway, back: str
):
    async def story(ocpp: str) -> None:
        async with a_place(hasty, ocpp, {"ReserveNow": HangUp}) as (emsp, station, location):
            told = await emsp.reserve(location)
            if back == "before-the-deadline":
                await station.asked_for("RESERVE_NOW")
                await station.reconnect()
            assert await emsp.result(told) == "TIMEOUT"
            if back == "after-it":
                assert hasty.reservation_of(told)["state"] == "UNKNOWN"
                await station.reconnect()
            number = number_in(await station.asked_for("RESERVE_NOW"))
            assert number_in(await station.asked_for("CANCEL_RESERVATION")) == number
            await hasty.reservation_becomes(told, "CANCELLED")
            assert emsp.results(told) == ["TIMEOUT"]
            assert len(station.all_asked("ReserveNow")) == 1

    await together(story, OCPP)


async def test_accepted_after_timeout_is_no_second_result_and_cancelled_at_the_station(hasty: Gateway):
    async def story(ocpp: str) -> None:
        late = asyncio.Event()

        async def answer_late(station: ScriptedStation, order: dict) -> Reply:
            await late.wait()
            return ACCEPTED

        script = {"ReserveNow": answer_late, "CancelReservation": REJECTED}
        async with a_place(hasty, ocpp, script) as (emsp, station, location):
            told = await emsp.reserve(location)
            assert await emsp.result(told) == "TIMEOUT"
            await hasty.reservation_becomes(told, "CANCELLED")
            station.script["CancelReservation"] = ACCEPTED
            late.set()
            order = await station.asked_for("CANCEL_RESERVATION", 2)
            assert number_in(order) == number_in(await station.asked_for("RESERVE_NOW"))
            await eventually(lambda: not hasty.rows("command", station=station.id, result=None))
            assert emsp.results(told) == ["TIMEOUT"]
            assert len(hasty.rows("callback", command=hasty.command_of(told)["id"])) == 1

    await together(story, OCPP)


@every_ocpp
async def test_an_answer_on_the_new_socket_before_the_deadline_counts(gateway: Gateway, ocpp: str):
    async def reconnect_first(station: ScriptedStation, order: dict) -> Reply:
        await station.reconnect()
        await eventually(lambda: gateway.rows("command", station=station.id)[0]["ending"] == "CONNECTION_LOST")
        return ACCEPTED

    async with a_place(gateway, ocpp, {"ReserveNow": reconnect_first}) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert [action for action, _ in station.asked if action != "GetConfiguration"].count("ReserveNow") == 1
        assert not station.all_asked("CancelReservation")


@every_ocpp
async def test_the_first_of_two_answers_counts(gateway: Gateway, ocpp: str):
    async def answer_twice(station: ScriptedStation, order: dict) -> Reply:
        await station.send([3, station.message_ids["ReserveNow"], ACCEPTED])
        return REJECTED

    async with a_place(gateway, ocpp, {"ReserveNow": answer_twice}) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        # One more exchange in each direction, so that everything said before has been heard.
        await station.call("Heartbeat", {})
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert emsp.results(told) == ["ACCEPTED"]


# Changed reservations


@every_ocpp
async def test_an_accepted_change_keeps_its_number_and_a_refused_one_ends_both(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        first = await emsp.reserve(location, id="Ab-1")
        assert await emsp.result(first) == "ACCEPTED"
        second = await emsp.reserve(location, id="aB-1", minutes=90)
        assert await emsp.result(second) == "ACCEPTED"
        station.script["ReserveNow"] = {"status": "Occupied"}
        third = await emsp.reserve(location, id="AB-1", minutes=120)
        assert await emsp.result(third) == "EVSE_OCCUPIED"
        await station.asked_for("CANCEL_RESERVATION")
        orders = [*station.all_asked("ReserveNow"), *station.all_asked("CancelReservation")]
        assert len({number_in(order) for order in orders}) == 1
        await eventually(lambda: len(emsp.results(second)) == 2)
        assert emsp.results(first) == ["ACCEPTED"]
        assert emsp.results(second) == ["ACCEPTED", "CANCELED_RESERVATION"]
        assert emsp.results(third) == ["EVSE_OCCUPIED"]
        await gateway.reservation_becomes(third, "CANCELLED")


@every_ocpp
async def test_a_change_that_moves_to_another_station_cancels_at_the_old_one(gateway: Gateway, ocpp: str):
    names = gateway.station_name(), gateway.station_name()
    location = gateway.location(spot(names[0], ocpp, 1), spot(names[1], ocpp, 2))
    async with (
        gateway.emsp() as emsp,
        a_station(gateway, names[0], ocpp) as old,
        a_station(gateway, names[1], ocpp) as new,
    ):
        first = await emsp.reserve(location, "E1")
        assert await emsp.result(first) == "ACCEPTED"
        second = await emsp.reserve(location, "E2")
        assert await emsp.result(second) == "ACCEPTED"
        number = number_in(await old.asked_for("RESERVE_NOW"))
        assert number_in(await old.asked_for("CANCEL_RESERVATION")) == number
        assert number_in(await new.asked_for("RESERVE_NOW")) == number
        await gateway.reservation_becomes(first, "CANCELLED")
        assert gateway.reservation_of(second)["state"] == "ACTIVE"
        assert (emsp.results(first), emsp.results(second)) == (["ACCEPTED"], ["ACCEPTED"])
        assert not new.all_asked("CancelReservation")


async def test_a_change_that_moves_away_from_an_offline_station_cancels_when_it_is_there_again(hasty: Gateway):
    async def story(ocpp: str) -> None:
        names = hasty.station_name(), hasty.station_name()
        location = hasty.location(spot(names[0], ocpp, 1), spot(names[1], ocpp, 2))
        async with (
            hasty.emsp() as emsp,
            a_station(hasty, names[0], ocpp) as old,
            a_station(hasty, names[1], ocpp),
        ):
            first = await emsp.reserve(location, "E1")
            assert await emsp.result(first) == "ACCEPTED"
            await old.disconnect()
            await eventually(lambda: hasty.rows("station", id=names[0])[0]["disconnected_at"])
            assert await emsp.result(await emsp.reserve(location, "E2")) == "ACCEPTED"
            await old.connect()
            await old.asked_for("CANCEL_RESERVATION")
            await hasty.reservation_becomes(first, "CANCELLED")

    await together(story, OCPP)


# The door


async def test_an_unknown_station_is_not_found(gateway: Gateway):
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{gateway.ocpp}/nobody-{gateway.station_name()}", subprotocols=["ocpp1.6"])
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("offered", [["ocpp1.5", "ocpp9"], None])
async def test_without_a_common_version_the_socket_is_closed_after_the_handshake(gateway: Gateway, offered):
    name = gateway.station_name()
    gateway.location(Spot(name))
    async with connect(f"{gateway.ocpp}/{name}", subprotocols=offered) as socket:
        assert socket.subprotocol is None
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd.code == 1002


async def test_the_stations_first_choice_of_version_is_taken(gateway: Gateway):
    name = gateway.station_name()
    gateway.location(Spot(name))
    async with connect(f"{gateway.ocpp}/{name}", subprotocols=["ocpp9", "ocpp2.0.1", "ocpp1.6"]) as socket:
        assert socket.subprotocol == "ocpp2.0.1"


async def test_a_newer_socket_of_a_station_takes_over_and_the_order_goes_there(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, old, location), a_station(gateway, old.id, "1.6") as new:
        assert await emsp.result(await emsp.reserve(location)) == "ACCEPTED"
        assert (len(new.all_asked("ReserveNow")), old.all_asked("ReserveNow")) == (1, [])
