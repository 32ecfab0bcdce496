import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.simulators.hardware import Grant, Token


@pytest.fixture
async def silence():
    """How long nothing is to be heard; short, since a late frame fails the test only by luck."""
    return 0.2


async def test_mute_never_answers(meet, ocpp, silence):
    station, tongue = await meet(ocpp, "mute")
    with pytest.raises(TimeoutError):
        await tongue.csms.call("ReserveNow", {}, timeout=silence)
    assert station.ready


async def test_slow_thinks_before_it_acts(meet, ocpp):
    station, tongue = await meet(ocpp, "slow=0.3")
    asked = asyncio.create_task(tongue.reserve(1, evse=1))
    await asyncio.sleep(0.1)
    assert not station.board.ledger.live
    assert await asked == "Accepted"


async def test_late_acts_before_it_answers(meet, ocpp):
    station, tongue = await meet(ocpp, "late=0.3")
    asked = asyncio.create_task(tongue.reserve(1, evse=1))
    await tongue.shows(1, "Reserved")
    assert not asked.done()
    assert await asked == "Accepted"
    assert list(station.board.ledger.live) == [1]


async def test_reject_rejects_every_command(meet, ocpp):
    _, tongue = await meet(ocpp, "reject")
    assert await tongue.reserve(1, evse=1) == "Rejected"
    assert await tongue.cancel(1) == "Rejected"
    assert await tongue.start(evse=1) == "Rejected"
    assert await tongue.stop("1") == "Rejected"
    assert await tongue.unlock(1) == "UnlockFailed"


@pytest.mark.parametrize(
    ("fault", "code"), [("call-error", "InternalError"), ("call-error=NotSupported", "NotSupported")]
)
async def test_call_error_is_the_answer_to_every_command(meet, ocpp, fault, code):
    _, tongue = await meet(ocpp, fault)
    assert await tongue.reserve(1, evse=1) == code
    assert await tongue.unlock(1) == code


async def test_drop_loses_the_socket_instead_of_answering_but_has_acted(meet, ocpp):
    station, tongue = await meet(ocpp, "drop")
    unique = await tongue.csms.ask("CancelReservation", {"reservationId": 1})
    await tongue.csms.until(lambda: tongue.csms.sockets == 2)
    assert not tongue.csms.answers_to(unique)
    action, payload = tongue.starting(evse=1)
    await station.wait_for(lambda s: s.ready)
    await tongue.csms.ask(action, payload)
    await tongue.started()


async def test_reboot_comes_after_reserve_now(meet, ocpp):
    station, tongue = await meet(ocpp, "reboot")
    assert await tongue.reserve(1, evse=1) == "Accepted"
    await tongue.csms.until(lambda: len(tongue.csms.heard("BootNotification")) == 2)
    assert list(station.board.ledger.live) == [1]


async def test_forget_loses_reservations_in_a_reboot(meet, ocpp):
    station, tongue = await meet(ocpp, "reboot", "forget")
    await tongue.reserve(1, evse=1)
    await tongue.csms.until(lambda: len(tongue.csms.heard("BootNotification")) == 2)
    assert not station.board.ledger.live
    await station.wait_for(lambda s: s.ready)
    assert await tongue.cancel(1) == "Rejected"


async def test_duplicate_answers_twice(meet, ocpp):
    _, tongue = await meet(ocpp, "duplicate")
    unique = await tongue.csms.ask("CancelReservation", {"reservationId": 1})
    await tongue.csms.until(lambda: len(tongue.csms.answers_to(unique)) == 2)


async def test_offline_queue_tells_the_transaction_after_coming_back(meet, ocpp):
    _, tongue = await meet(ocpp, "offline-queue=0.3", pace=0.2)
    assert await tongue.start(evse=1) == "Accepted"
    started = await tongue.started()
    assert tongue.csms.sockets == 2
    assert tongue.old or started["offline"]


async def test_offline_queue_tells_in_order_and_with_the_times_when_it_happened(meet, ocpp):
    station, tongue = await meet(ocpp, meter_interval=1)
    await station.plug_in(1)
    await station.go_offline()
    began = datetime.now(UTC)
    assert not await station.present(1, "STRANGER")
    station.mind.charging.grant(station.evses[1], Grant(token=Token("CARD-A")))
    await asyncio.sleep(0.2)
    station.mind.charging.finish(station.evses[1], "Local", "StopAuthorized")
    ended = datetime.now(UTC)
    await asyncio.sleep(0.2)
    await station.go_online()
    last = await tongue.ended()
    assert began - timedelta(milliseconds=1) <= datetime.fromisoformat((await tongue.started())["timestamp"]) <= ended
    assert datetime.fromisoformat(last["timestamp"]) <= ended
    told = ("StartTransaction", "StopTransaction", "TransactionEvent")
    times = [payload["timestamp"] for action, payload in tongue.csms.calls if action in told]
    assert times == sorted(times)
    if not tongue.old:
        assert all(event["offline"] for event in tongue.csms.heard("TransactionEvent"))


@pytest.mark.parametrize(("fault", "told"), [("no-reservation-id", []), ("no-reservation-id=0", [0])])
async def test_no_reservation_id_leaves_it_out_or_says_something_else(meet, ocpp, fault, told):
    _, tongue = await meet(ocpp, fault)
    await tongue.reserve(5, evse=1)
    assert await tongue.start(evse=1) == "Accepted"
    await tongue.started()
    assert tongue.reservation_told() == told


async def test_on_1_6_the_reservation_that_is_none_is_often_minus_one(meet):
    _, tongue = await meet("1.6", "no-reservation-id=-1")
    await tongue.reserve(5, evse=1)
    await tongue.start(evse=1)
    assert (await tongue.started())["reservationId"] == -1


async def test_garbage_comes_before_the_answers(meet, ocpp):
    station, tongue = await meet(ocpp, "garbage")
    assert await tongue.reserve(1, evse=1) == "Accepted"
    assert next(frame for direction, frame in station.log if direction == "garbage") == "no JSON"


async def test_faulted_is_faulted_from_the_beginning(meet, ocpp):
    _, tongue = await meet(ocpp, "faulted")
    await tongue.shows(1, "Faulted")
    assert await tongue.reserve(1, evse=1) == "Faulted"
    assert await tongue.start(evse=1) == "Rejected"
