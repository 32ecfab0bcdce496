"""Reservations when stations reboot, lie, forget and let others in: each hard case between real sockets."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.test_hard_cases import ACCEPTED, OCPP, REJECTED, a_place, a_station, every_ocpp, spot
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.gateway import running as running_gateway
from tests.support.scene import willing
from tests.support.station import SUBPROTOCOLS, Reply, ScriptedStation, group_in, now, number_in, token_in
from tests.support.together import together

OCCUPIED = {"status": "Occupied"}
every_2 = pytest.mark.parametrize("ocpp", OCPP[1:])


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory):
    """A gateway whose reservations may be of a few seconds."""
    settings = {
        "GATEWAY_RESERVATION_MIN": "1",
        "GATEWAY_RESERVATION_GRACE": "1",
        "GATEWAY_SWEEP_INTERVAL": "0.3",
        "GATEWAY_RING_AGAIN": "1",
    }
    with running_gateway(tmp_path_factory.mktemp("brief"), **settings) as started:
        yield started


@asynccontextmanager
async def a_reservation(gateway: Gateway, ocpp: str, **more):
    """(eMSP, station, location, the accepted RESERVE_NOW, the order that it became)."""
    async with a_place(gateway, ocpp) as (emsp, station, location):
        told = await emsp.reserve(location, **more)
        assert await emsp.result(told) == "ACCEPTED"
        yield emsp, station, location, told, await station.asked_for("RESERVE_NOW")


async def update(station: ScriptedStation, number: int, status: str) -> None:
    await station.call("ReservationStatusUpdate", {"reservationId": number, "reservationUpdateStatus": status})


def session_of(gateway: Gateway, told) -> dict:
    return gateway.rows("session", reservation=gateway.reservation_of(told)["id"])[-1]


def other_cards(gateway: Gateway, number: int = 0) -> str:
    """A card that no partner has told us of."""
    return f"04FFEE{number:02d}"


# Lost, removed, expired, forgotten


@pytest.mark.parametrize("how", ["it-says-Available", "it-reboots"])
async def test_a_1_6_station_that_lost_a_reservation_is_given_it_again_with_its_number(gateway: Gateway, how: str):
    async with a_reservation(gateway, "1.6") as (emsp, station, _location, told, order):
        if how == "it-says-Available":
            await station.tell_status("Reserved")
        else:
            await station.reconnect()
            await station.boot()
        await station.tell_status("Available")
        again = await station.asked_for("RESERVE_NOW", 2)
        assert again == order
        await station.tell_status("Reserved")
        await eventually(lambda: not gateway.rows("command", station=station.id, result=None))
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert emsp.results(told) == ["ACCEPTED"]
        assert not station.all_asked("CancelReservation")


async def test_a_1_6_station_that_refuses_what_it_lost_has_its_owner_told(gateway: Gateway):
    async with a_reservation(gateway, "1.6") as (emsp, station, _location, told, _order):
        station.script["ReserveNow"] = OCCUPIED
        await station.tell_status("Reserved")
        await station.tell_status("Available")
        await gateway.reservation_becomes(told, "REMOVED")
        await eventually(lambda: emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"])


@every_2
async def test_a_2_x_station_keeps_its_reservations_over_a_reboot(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (_emsp, station, _location, told, _order):
        await station.reconnect()
        await station.boot()
        await station.tell_status("Reserved")
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert len(station.all_asked("ReserveNow")) == 1


@pytest.mark.parametrize("used", [False, True], ids=["cancelled", "used"])
@pytest.mark.parametrize(("before", "after"), [("1.6", "2.0.1"), ("2.0.1", "2.1"), ("2.1", "1.6")])
async def test_a_station_that_comes_back_in_another_version_keeps_its_reservation(
    gateway: Gateway, before: str, after: str, used: bool
):
    """A firmware update: the same station, EVSE and number, in other words."""
    name = gateway.station_name()
    location = gateway.location(Spot(name))
    async with gateway.emsp() as emsp, a_station(gateway, name, before) as station:
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        station.ocpp, station.subprotocol, station.script = after, SUBPROTOCOLS[after], willing(after)
        await station.reconnect()
        await station.boot()
        if used:
            await station.begin(token_in(order), **({"reservationId": number_in(order)} if station.is_1 else {}))
            assert gateway.reservation_of(told)["state"] == "USED"
            await emsp.session_becomes(session_of(gateway, told)["session_id"], "ACTIVE")
            return
        assert await emsp.result(await emsp.cancel()) == "ACCEPTED"
        assert number_in(await station.asked_for("CANCEL_RESERVATION")) == number_in(order)
        assert gateway.reservation_of(told)["state"] == "CANCELLED"


@every_2
async def test_a_removed_reservation_is_told_to_its_owner_once(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (emsp, station, _location, told, order):
        for _ in range(2):
            await update(station, number_in(order), "Removed")
        await eventually(lambda: emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"])
        assert gateway.reservation_of(told)["state"] == "REMOVED"
        assert session_of(gateway, told)["state"] == "COMPLETED"


@pytest.mark.parametrize("connector", [0, 1])
@pytest.mark.parametrize("status", ["Faulted", "Unavailable"])
async def test_a_1_6_connector_or_station_out_of_order_ends_its_reservations(gateway: Gateway, status, connector):
    async with a_reservation(gateway, "1.6") as (emsp, station, _location, told, _order):
        await station.tell_status("Available", connector=2)
        await station.tell_status(status, connector=connector)
        await eventually(lambda: emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"])
        assert gateway.reservation_of(told)["state"] == "REMOVED"
        statuses = {row["connector"]: row["status"] for row in gateway.rows("connector_status", station=station.id)}
        assert statuses == {2: "Available", connector: status}  # connector 0 says nothing of the others


async def test_no_transaction_ends_a_2_1_reservation_unused_and_nobody_is_called_back(gateway: Gateway):
    async with a_reservation(gateway, "2.1") as (_emsp, station, _location, told, order):
        await update(station, number_in(order), "NoTransaction")
        assert gateway.reservation_of(told)["state"] == "EXPIRED"
        assert session_of(gateway, told)["state"] == "COMPLETED"
        assert gateway.rows("callback", command=gateway.command_of(told)["id"])[1:] == []


@every_2
async def test_a_number_of_another_station_or_nonsense_ends_nothing(gateway: Gateway, ocpp: str):
    async with (
        a_reservation(gateway, ocpp) as (_emsp, station, _location, told, order),
        a_place(gateway, ocpp) as (_, other, _),
    ):
        await update(other, number_in(order), "Removed")
        await update(station, 2_000_000_000, "Expired")
        await update(station, -1, "Removed")
        await update(station, number_in(order), "Vanished")
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


async def test_a_reservation_that_runs_out_is_over_by_our_clock_and_nobody_is_told(brief: Gateway):
    async def story(ocpp: str) -> None:
        async with a_reservation(brief, ocpp, minutes=6 / 60) as (emsp, station, _location, told, order):
            if ocpp == "2.1":
                await update(station, number_in(order), "Expired")
            await brief.reservation_becomes(told, "EXPIRED")
            assert len(brief.rows("callback", command=brief.command_of(told)["id"])) == 1
            cancel = await emsp.cancel()
            assert cancel.result == "REJECTED"
            assert not station.all_asked("CancelReservation")

    await together(story, OCPP)


async def test_a_station_whose_clock_is_ahead_says_rejected_and_the_emsp_hears_it(gateway: Gateway):
    async def story(ocpp: str) -> None:
        async with a_place(gateway, ocpp, {"ReserveNow": REJECTED}) as (emsp, _station, location):
            told = await emsp.reserve(location, minutes=2)
            assert await emsp.result(told) == "REJECTED"
            assert emsp.callback_of(told).json["message"]
            assert gateway.reservation_of(told)["state"] == "REFUSED"

    await together(story, OCPP)


@pytest.mark.parametrize("minutes", [-5, 0.5, 25 * 60])
async def test_a_reservation_too_short_or_too_far_ahead_is_refused_at_once(gateway: Gateway, minutes: float):
    async with a_place(gateway, "2.0.1") as (emsp, station, location):
        assert (await emsp.reserve(location, minutes=minutes)).result == "REJECTED"
        assert not station.all_asked("ReserveNow")


# Repeated, overtaken, late


@every_ocpp
async def test_a_reservation_asked_for_twice_has_one_number_and_each_its_result(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        told = [await emsp.reserve(location), await emsp.reserve(location)]
        assert [await emsp.result(one) for one in told] == ["ACCEPTED", "ACCEPTED"]
        assert len({number_in(order) for order in station.all_asked("ReserveNow")}) == 1
        assert len({gateway.reservation_of(one)["id"] for one in told}) == 1


@every_ocpp
async def test_a_cancel_after_use_is_answered_without_asking_the_station(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (emsp, station, _location, _told, order):
        await station.begin(token_in(order), reservationId=number_in(order))
        cancel = await emsp.cancel()
        assert cancel.result == "REJECTED"
        assert not station.all_asked("CancelReservation")


async def test_a_reservation_at_which_somebody_is_preparing_does_not_expire_yet(brief: Gateway):
    async def story(ocpp: str) -> None:
        async with a_reservation(brief, ocpp, minutes=6 / 60) as (_, station, _, told, order):
            await station.tell_status("Reserved")
            await station.tell_status("Preparing" if station.is_1 else "Occupied")
            over = brief.reservation_of(told)["expiry_date"] + timedelta(seconds=2.5)
            await asyncio.sleep((over - datetime.now(UTC)).total_seconds())
            assert brief.reservation_of(told)["state"] == "ACTIVE"
            await station.begin(token_in(order), reservationId=number_in(order))
            assert brief.reservation_of(told)["state"] == "USED"

    await together(story, OCPP)


@every_ocpp
async def test_a_start_told_after_the_expiry_that_was_in_time_used_it(brief: Gateway, ocpp: str):
    async with a_reservation(brief, ocpp, minutes=6 / 60) as (_emsp, station, _location, told, order):
        at = now()
        await brief.reservation_becomes(told, "EXPIRED")
        await station.begin(token_in(order), reservationId=number_in(order), at=at)
        assert brief.reservation_of(told)["state"] == "USED"


# Who may use it


@every_ocpp
async def test_another_card_of_the_group_uses_the_reservation(gateway: Gateway, ocpp: str):
    group = {"group_id": "Fleet-9"}
    async with a_place(gateway, ocpp) as (emsp, station, location):
        told = await emsp.reserve(location, token=emsp.token_body(**group))
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        other = emsp.token_body(uid="SECOND", **group)
        assert await emsp.result(await emsp.start_session(location, token=other)) == "ACCEPTED"
        start = await station.asked_for("START_SESSION")
        assert group_in(start) == group_in(order) or station.is_1
        assert token_in(start) != token_in(order)
        assert group_in(await station.authorize(token_in(start))) == group_in(order)
        await station.begin(token_in(start))
        assert gateway.reservation_of(told)["state"] == "USED"
        assert session_of(gateway, told)["cdr_token"]["uid"] == "SECOND"


@every_ocpp
async def test_a_reservation_of_the_whole_station_is_used_on_any_evse(gateway: Gateway, ocpp: str):
    name = gateway.station_name()
    location = gateway.location(spot(name, ocpp, 1), spot(name, ocpp, 2))
    yes = {"key": "ReserveConnectorZeroSupported", "readonly": True, "value": "true"}
    variable = {
        "attributeStatus": "Accepted",
        "attributeValue": "true",
        "component": {"name": "ReservationCtrlr"},
        "variable": {"name": "NonEvseSpecific"},
    }
    script = {
        "GetConfiguration": {"configurationKey": [yes], "unknownKey": []},
        "GetVariables": {"getVariableResult": [variable]},
    }
    async with gateway.emsp() as emsp, a_station(gateway, name, ocpp, script) as station:
        await eventually(lambda: gateway.rows("station", id=name)[0]["abilities"])
        told = await emsp.reserve(location, None)
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        assert "evseId" not in order
        assert order.get("connectorId", 0) == 0
        place = {"connector": 2} if station.is_1 else {"evse": 2}
        await station.begin(token_in(order), **place)
        assert gateway.reservation_of(told)["state"] == "USED"


@every_2
async def test_a_driver_who_does_not_match_plugs_in_and_the_reservation_stays(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (emsp, station, _location, told, _order):
        known = len(await emsp.sessions())
        event = {"timestamp": now(), "seqNo": 0, "evse": {"id": 1, "connectorId": 1}}
        info = {"transactionInfo": {"transactionId": f"TX-{station.id}", "chargingState": "EVConnected"}}
        started = {"eventType": "Started", "triggerReason": "CablePluggedIn"}
        await station.call("TransactionEvent", event | info | started)
        card = {"idToken": {"idToken": other_cards(gateway), "type": "ISO14443"}}
        updated = {"eventType": "Updated", "triggerReason": "Authorized", "seqNo": 1}
        told_of = await station.call("TransactionEvent", event | info | updated | card)
        assert told_of["idTokenInfo"]["status"] != "Accepted"
        ended = {"eventType": "Ended", "triggerReason": "EVDeparted", "seqNo": 2}
        await station.call("TransactionEvent", event | info | ended)
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
        assert len(await emsp.sessions()) == known
        assert session_of(gateway, told)["state"] == "RESERVATION"


# Starts that are certain to be refused are not sent


@every_ocpp
async def test_a_start_at_an_evse_that_is_reserved_for_another_is_never_sent(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (emsp, station, location, told, order), gateway.emsp() as stranger:
        refused = await stranger.start_session(location)
        assert await stranger.result(refused) == "EVSE_OCCUPIED"
        assert gateway.command_of(refused)["sent_at"] is None
        own = await emsp.start_session(location)
        assert await emsp.result(own) == "ACCEPTED"
        assert [token_in(one) for one in station.all_asked(station.action("START_SESSION"))] == [token_in(order)]
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


@every_ocpp
async def test_the_order_behind_a_start_that_is_not_sent_is_sent_next(gateway: Gateway, ocpp: str):
    released = asyncio.Event()

    async def wait(station: ScriptedStation, order: dict) -> Reply:
        await released.wait()
        return ACCEPTED

    async with a_reservation(gateway, ocpp) as (emsp, station, location, _, _), gateway.emsp() as stranger:
        station.script |= {"ReserveNow": wait, "UnlockConnector": {"status": "Unlocked"}}
        reserve = await emsp.reserve(location, id="R-2")
        await station.asked_for("RESERVE_NOW", 2)
        start, unlock = await stranger.start_session(location), await emsp.unlock(location)
        released.set()
        assert [await emsp.result(one) for one in (reserve, unlock)] == ["ACCEPTED", "ACCEPTED"]
        assert await stranger.result(start) == "EVSE_OCCUPIED"
        assert not station.all_asked(station.action("START_SESSION"))


@every_ocpp
async def test_the_second_of_two_starts_at_one_evse_is_never_sent(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location), gateway.emsp() as stranger:
        first, second = await emsp.start_session(location), await stranger.start_session(location)
        assert await emsp.result(first) == "ACCEPTED"
        assert await stranger.result(second) == "EVSE_OCCUPIED"
        assert len(station.all_asked(station.action("START_SESSION"))) == 1
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"  # its own again: the station's word


@every_ocpp
async def test_a_reservation_always_goes_to_the_station_whatever_the_ledger_says(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (_emsp, station, location, told, _order), gateway.emsp() as stranger:
        station.script["ReserveNow"] = OCCUPIED
        assert await stranger.result(await stranger.reserve(location)) == "EVSE_OCCUPIED"
        assert len(station.all_asked("ReserveNow")) == 2
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


async def test_two_plugs_of_one_1_6_evse_are_reserved_together(gateway: Gateway):
    name = gateway.station_name()
    location = gateway.location(Spot(name, evse=1, connector=1, uid="E1"), Spot(name, evse=1, connector=2, uid="E2"))
    async with gateway.emsp() as emsp, gateway.emsp() as stranger, a_station(gateway, name, "1.6") as station:
        assert await emsp.result(await emsp.reserve(location, "E1")) == "ACCEPTED"
        assert (await station.asked_for("RESERVE_NOW"))["connectorId"] == 1
        assert await stranger.result(await stranger.start_session(location, "E2")) == "EVSE_OCCUPIED"
        assert not station.all_asked("RemoteStartTransaction")


# Confirmed, and shown


@every_ocpp
async def test_what_a_station_tells_of_an_evse_is_its_ocpi_status_and_never_goes_back(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (_emsp, station, location):
        before = datetime.now(UTC) - timedelta(minutes=5)
        await station.tell_status("Reserved")
        assert status_at(gateway, location) == "RESERVED"
        late = before.strftime("%Y-%m-%dT%H:%M:%SZ")
        if station.is_1:
            told = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": late}
        else:
            told = {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": late}
        await station.call("StatusNotification", told)
        assert status_at(gateway, location) == "RESERVED"
        await station.tell_status("Charging" if station.is_1 else "Occupied")
        assert status_at(gateway, location) == "CHARGING"


def status_at(gateway: Gateway, location: str) -> str:
    [known] = gateway.rows("location", location_id=location)
    return gateway.rows("evse", location=known["id"])[0]["status"]


@every_2
async def test_notify_event_tells_of_reserved_as_status_notification_does(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (_emsp, station, location, told, _order):
        data = {
            "eventId": 1,
            "timestamp": now(),
            "trigger": "Delta",
            "actualValue": "Reserved",
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
            "variable": {"name": "AvailabilityState"},
        }
        await station.call("NotifyEvent", {"generatedAt": now(), "seqNo": 0, "eventData": [data]})
        assert status_at(gateway, location) == "RESERVED"
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


@every_ocpp
async def test_a_1_6_or_2_x_station_that_takes_no_reservations_is_not_asked(gateway: Gateway, ocpp: str):
    no = {
        "attributeStatus": "Accepted",
        "attributeValue": "false",
        "component": {"name": "ReservationCtrlr"},
        "variable": {"name": "Enabled"},
    }
    profiles = {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,RemoteTrigger"}
    script = {
        "GetConfiguration": {"configurationKey": [profiles], "unknownKey": []},
        "GetVariables": {"getVariableResult": [no]},
    }
    async with a_place(gateway, ocpp, script) as (emsp, station, location):
        await eventually(lambda: gateway.rows("station", id=station.id)[0]["abilities"])
        assert (await emsp.reserve(location)).result == "NOT_SUPPORTED"
        assert not station.all_asked("ReserveNow")


@every_ocpp
async def test_numbers_and_places_that_are_told_to_stations_are_positive(gateway: Gateway, ocpp: str):
    async with a_reservation(gateway, ocpp) as (_emsp, _station, _location, _told, order):
        assert number_in(order) > 0
        assert order.get("connectorId", order.get("evseId")) == 1
        assert "connectorType" not in order
