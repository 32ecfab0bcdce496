"""What a station answers, or does not, and the one CommandResult that the eMSP gets for it: every row of the tables."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.store import stations
from tests.support.emsp import Emsp, Told
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.station import CallError, HangUp, Reply, ScriptedStation, Silence, number_in, token_in
from tests.support.together import together

ONE = ("1.6",)
TWO = ("2.0.1", "2.1")
ALL = ONE + TWO

COMMANDS = ("RESERVE_NOW", "CANCEL_RESERVATION", "START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR")
FINE = {name: {"status": "Unlocked" if name == "UNLOCK_CONNECTOR" else "Accepted"} for name in COMMANDS}


@dataclass(frozen=True)
class Row:
    """``reply`` to ``command`` is ``result``; ``status``: what the station told of the connector before."""

    command: str
    says: str
    reply: Reply
    result: str
    versions: tuple[str, ...] = ALL
    status: str | None = None
    #: A reservation that may hold is cancelled at the station (P5).
    cleaned: bool = False


@dataclass
class Scene:
    """An eMSP, a station with one EVSE, and what led up to the command under test."""

    gateway: Gateway
    emsp: Emsp
    station: ScriptedStation
    location: str

    async def ask(self, command: str) -> Told:
        return await _ASK[command](self)

    async def reserved(self) -> Told:
        self.station.script |= {"ReserveNow": {"status": "Accepted"}}
        told = await self.emsp.reserve(self.location)
        assert await self.emsp.result(told) == "ACCEPTED"
        return told

    async def charging(self) -> str:
        """A session is running; its OCPI id."""
        await self.transaction()
        return (await self.emsp.sessions())[0]["id"]

    async def transaction(self) -> str:
        """The same; the station's id of it."""
        self.station.script |= {self.station.action("START_SESSION"): {"status": "Accepted"}}
        assert await self.emsp.result(await self.emsp.start_session(self.location)) == "ACCEPTED"
        return await self.station.begin(token_in(await self.station.asked_for("START_SESSION")))


async def _cancel(scene: Scene) -> Told:
    await scene.reserved()
    return await scene.emsp.cancel()


async def _stop(scene: Scene) -> Told:
    return await scene.emsp.stop_session(await scene.charging())


_ASK: dict[str, Callable[[Scene], Awaitable[Told]]] = {
    "RESERVE_NOW": lambda scene: scene.emsp.reserve(scene.location),
    "CANCEL_RESERVATION": _cancel,
    "START_SESSION": lambda scene: scene.emsp.start_session(scene.location),
    "STOP_SESSION": _stop,
    "UNLOCK_CONNECTOR": lambda scene: scene.emsp.unlock(scene.location),
}


@asynccontextmanager
async def a_scene(gateway: Gateway, ocpp: str, script: dict | None = None, boot: bool = True):
    name = gateway.station_name()
    location = gateway.location(Spot(name, None if ocpp == "1.6" else 1, 1))
    async with gateway.emsp() as emsp, ScriptedStation(gateway.ocpp, name, ocpp, script, boot=boot) as station:
        yield Scene(gateway, emsp, station, location)


def a(status: str, reason: str | None = None, **more: object) -> dict:
    return {"status": status} | ({"statusInfo": {"reasonCode": reason}} if reason else {}) | more


def reserve(says: str, reply: Reply, result: str, versions: tuple[str, ...] = ALL, **more) -> Row:
    return Row("RESERVE_NOW", says, reply, result, versions, **more)


def cancel(says: str, reply: Reply, result: str, versions: tuple[str, ...] = ALL) -> Row:
    return Row("CANCEL_RESERVATION", says, reply, result, versions)


def start(says: str, reply: Reply, result: str, versions: tuple[str, ...] = ALL, status: str | None = None) -> Row:
    return Row("START_SESSION", says, reply, result, versions, status)


def stop(says: str, reply: Reply, result: str, versions: tuple[str, ...] = ALL) -> Row:
    return Row("STOP_SESSION", says, reply, result, versions)


def unlock(says: str, reply: Reply, result: str, versions: tuple[str, ...] = ALL) -> Row:
    return Row("UNLOCK_CONNECTOR", says, reply, result, versions)


STATUS_WORDS = [
    reserve("Accepted", a("Accepted"), "ACCEPTED"),
    reserve("Occupied", a("Occupied"), "EVSE_OCCUPIED"),
    reserve("Faulted", a("Faulted"), "EVSE_INOPERATIVE"),
    reserve("Unavailable", a("Unavailable"), "EVSE_INOPERATIVE"),
    reserve("Rejected", a("Rejected"), "REJECTED"),
    reserve("Rejected-NotEnabled", a("Rejected", "NotEnabled"), "NOT_SUPPORTED", TWO),
    reserve("Rejected-UnsupportedRequest", a("Rejected", "UnsupportedRequest"), "NOT_SUPPORTED", TWO),
    reserve("Rejected-InternalError", a("Rejected", "InternalError"), "FAILED", TWO),
    reserve("Rejected-OutOfMemory", a("Rejected", "OutOfMemory"), "FAILED", TWO),
    reserve("Rejected-UnknownEvse", a("Rejected", "UnknownEvse"), "REJECTED", TWO),
    reserve("Rejected-notenabled", a("Rejected", "notenabled"), "NOT_SUPPORTED", TWO),
    cancel("Accepted", a("Accepted"), "ACCEPTED"),
    cancel("Rejected", a("Rejected"), "UNKNOWN_RESERVATION"),
    start("Accepted", a("Accepted"), "ACCEPTED"),
    start("Rejected", a("Rejected"), "REJECTED"),
    start("Rejected-TxInProgress", a("Rejected", "TxInProgress"), "EVSE_OCCUPIED", TWO),
    start("Rejected-NotEnabled", a("Rejected", "NotEnabled"), "NOT_SUPPORTED", TWO),
    start("Rejected-UnsupportedRequest", a("Rejected", "UnsupportedRequest"), "NOT_SUPPORTED", TWO),
    stop("Accepted", a("Accepted"), "ACCEPTED"),
    stop("Rejected", a("Rejected"), "REJECTED"),
    unlock("Unlocked", a("Unlocked"), "ACCEPTED"),
    unlock("UnlockFailed", a("UnlockFailed"), "FAILED"),
    unlock("UnlockFailed-FixedCable", a("UnlockFailed", "FixedCable"), "NOT_SUPPORTED", TWO),
    unlock("UnlockFailed-NoCable", a("UnlockFailed", "NoCable"), "FAILED", TWO),
    unlock("NotSupported", a("NotSupported"), "NOT_SUPPORTED", ONE),
    unlock("OngoingAuthorizedTransaction", a("OngoingAuthorizedTransaction"), "REJECTED", TWO),
    unlock("UnknownConnector", a("UnknownConnector"), "REJECTED", TWO),
]

REFUSED_START = [
    *(
        start(f"Rejected-while-{status}", a("Rejected"), "EVSE_OCCUPIED", ONE, status)
        for status in ("Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved")
    ),
    *(
        start(f"Rejected-while-{status}", a("Rejected"), "EVSE_OCCUPIED", TWO, status)
        for status in ("Occupied", "Reserved")
    ),
    *(
        start(f"Rejected-while-{status}", a("Rejected"), "EVSE_INOPERATIVE", ALL, status)
        for status in ("Unavailable", "Faulted")
    ),
    start("Rejected-while-Available", a("Rejected"), "REJECTED", ALL, "Available"),
    start("Rejected-while-Preparing", a("Rejected"), "REJECTED", ONE, "Preparing"),
]

ERROR_CODES = {
    "NotImplemented": "NOT_SUPPORTED",
    "NotSupported": "NOT_SUPPORTED",
    "InternalError": "FAILED",
    "GenericError": "FAILED",
    "FormatViolation": "FAILED",
    "FormationViolation": "FAILED",
    "ProtocolError": "FAILED",
    "PropertyConstraintViolation": "FAILED",
    "OccurrenceConstraintViolation": "FAILED",
    "OccurenceConstraintViolation": "FAILED",
    "TypeConstraintViolation": "FAILED",
    "SecurityError": "FAILED",
    "RpcFrameworkError": "FAILED",
    "MessageTypeNotSupported": "FAILED",
    "SomethingNew": "FAILED",
    "notimplemented": "NOT_SUPPORTED",
}
#: The station may have reserved before it failed.
UNCERTAIN = {"InternalError", "GenericError"}

ERRORS = [
    *(
        reserve(f"CALLERROR-{code}", CallError(code, "so it is"), result, cleaned=code in UNCERTAIN)
        for code, result in ERROR_CODES.items()
    ),
    *(
        Row(command, f"CALLERROR-{code}", CallError(code), ERROR_CODES[code])
        for command in COMMANDS[1:]
        for code in ("NotImplemented", "NotSupported", "InternalError", "SecurityError")
    ),
    reserve("CALLERROR-cut-short", '[4,"{id}","NotImplemented"]', "NOT_SUPPORTED"),
    reserve("CALLERROR-without-code", '[4,"{id}"]', "FAILED"),
    reserve("CALLERROR-null-code", '[4,"{id}",null,null,null]', "FAILED"),
    reserve("CALLERROR-minus-1", '[4,"-1","RpcFrameworkError","",{}]', "FAILED", TWO),
]

ODD = [
    *(
        Row(command, f"{says}", reply, "FAILED", cleaned=command == "RESERVE_NOW")
        for command in COMMANDS
        for says, reply in (
            ("unknown-status", a("Whatever")),
            ("no-status", {}),
            ("null-payload", '[3,"{id}",null]'),
        )
    ),
    *(
        Row(command, says, reply, "ACCEPTED")
        for command in COMMANDS
        for says, reply in (
            ("other-case", a(FINE[command]["status"].upper())),
            ("lower-case-more-fields", a(FINE[command]["status"].lower(), more={"than": ["expected"]})),
        )
    ),
    reserve("status-of-another-type", {"status": 1}, "FAILED", cleaned=True),
    reserve("payload-is-a-list", '[3,"{id}",["Accepted"]]', "FAILED", cleaned=True),
    reserve("payload-is-text", '[3,"{id}","Accepted"]', "FAILED", cleaned=True),
    reserve("payload-missing", '[3,"{id}"]', "FAILED", cleaned=True),
    reserve("json-cut-short", '[3,"{id}",{"status":"Acc', "FAILED", cleaned=True),
    reserve("more-elements", '[3,"{id}",{"status":"Accepted"},"and more"]', "ACCEPTED"),
    reserve("statusInfo-is-text", a("Rejected", statusInfo="InternalError"), "REJECTED", TWO),
]


def cases(rows: list[Row]):
    return [
        pytest.param(row, ocpp, id=f"{ocpp}-{row.command}-{row.says}-is-{row.result}")
        for row in rows
        for ocpp in row.versions
    ]


async def told_once(scene: Scene, row: Row) -> None:
    """The command ends as the row says, with one result, and leaves the reservation as it must."""
    scene.station.script |= {scene.station.action(name): reply for name, reply in FINE.items()}
    if row.status is not None:
        await scene.station.tell_status(row.status)
    if row.command == "CANCEL_RESERVATION":
        await scene.reserved()
    elif row.command == "STOP_SESSION":
        session = await scene.charging()
    scene.station.script[scene.station.action(row.command)] = row.reply
    match row.command:
        case "CANCEL_RESERVATION":
            told = await scene.emsp.cancel()
        case "STOP_SESSION":
            told = await scene.emsp.stop_session(session)
        case command:
            told = await scene.ask(command)
    assert await scene.emsp.result(told) == row.result
    if row.command == "RESERVE_NOW":
        await _reservation_is_right(scene, row, told)
    assert scene.emsp.results(told) == [row.result]
    assert len(scene.station.all_asked(scene.station.action(row.command))) == 1


async def _reservation_is_right(scene: Scene, row: Row, told: Told) -> None:
    if row.cleaned:
        asked = await scene.station.asked_for("CANCEL_RESERVATION")
        assert number_in(asked) == number_in(scene.station.all_asked("ReserveNow")[0])
        await scene.gateway.reservation_becomes(told, "CANCELLED")
        return
    expected = {"ACCEPTED": "ACTIVE", "TIMEOUT": "UNKNOWN"}.get(row.result, "REFUSED")
    assert scene.gateway.reservation_of(told)["state"] == expected
    assert not scene.station.all_asked("CancelReservation")


@pytest.mark.parametrize(("row", "ocpp"), cases(STATUS_WORDS))
async def test_an_answer_is_the_result_that_the_table_names(gateway: Gateway, row: Row, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        await told_once(scene, row)


@pytest.mark.parametrize(("row", "ocpp"), cases(REFUSED_START))
async def test_the_connectors_last_status_says_why_a_start_was_refused(gateway: Gateway, row: Row, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        await told_once(scene, row)


@pytest.mark.parametrize(("row", "ocpp"), cases(ERRORS))
async def test_a_callerror_says_whether_it_was_done(gateway: Gateway, row: Row, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        await told_once(scene, row)


@pytest.mark.parametrize(("row", "ocpp"), cases(ODD))
async def test_an_odd_answer_is_understood_or_known_to_be_unknown(gateway: Gateway, row: Row, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        await told_once(scene, row)


@pytest.mark.parametrize("ocpp", ALL)
async def test_a_stop_that_is_rejected_because_the_session_ended_meanwhile_is_accepted(gateway: Gateway, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        transaction = await scene.transaction()

        async def ends_first(station: ScriptedStation, payload: dict) -> Reply:
            await station.end(transaction)
            return a("Rejected")

        scene.station.script[scene.station.action("STOP_SESSION")] = ends_first
        told = await scene.emsp.stop_session((await scene.emsp.sessions())[0]["id"])
        assert await scene.emsp.result(told) == "ACCEPTED"
        assert (await scene.emsp.sessions())[0]["status"] == "COMPLETED"


@pytest.mark.parametrize("ocpp", ALL)
async def test_a_cancel_that_is_rejected_because_the_reservation_was_used_is_rejected_and_says_so(
    gateway: Gateway, ocpp: str
):
    async with a_scene(gateway, ocpp) as scene:
        reserved = await scene.reserved()
        order = await scene.station.asked_for("RESERVE_NOW")

        async def used_first(station: ScriptedStation, payload: dict) -> Reply:
            await station.begin(token_in(order), reservationId=number_in(order))
            return a("Rejected")

        scene.station.script["CancelReservation"] = used_first
        told = await scene.emsp.cancel()
        assert await scene.emsp.result(told) == "REJECTED"
        assert "used" in scene.emsp.callback_of(told).json["message"][0]["text"]
        assert scene.gateway.reservation_of(reserved)["state"] == "USED"


# Silence, lost sockets and what is never sent: the clock speaks, so all of a version's commands wait together


UNREADABLE: dict[str, Reply] = {
    "garbage-frame": "this is no JSON",
    "answer-to-another-id": '[3,"somebody-elses",{"status":"Accepted"}]',
    "binary-garbage": b"\xff\xfe\x00",
    "empty-array": "[]",
}


async def all_told_once(gateway: Gateway, ocpp: str, rows: list[Row]) -> None:
    """All of them at once, each in a scene of its own."""

    async def one(row: Row) -> None:
        async with a_scene(gateway, ocpp) as scene:
            await told_once(scene, row)

    await together(one, rows)


@pytest.mark.parametrize("ocpp", ALL)
async def test_no_answer_until_the_deadline_is_timeout(hasty: Gateway, ocpp: str):
    rows = [Row(command, "silence", Silence, "TIMEOUT", cleaned=True) for command in COMMANDS]
    rows += [Row("RESERVE_NOW", says, reply, "TIMEOUT", cleaned=True) for says, reply in UNREADABLE.items()]
    await all_told_once(hasty, ocpp, rows)


@pytest.mark.parametrize("ocpp", ALL)
async def test_a_socket_that_is_lost_after_the_order_was_sent_is_timeout(hasty: Gateway, ocpp: str):
    await all_told_once(hasty, ocpp, [Row(command, "hang-up", HangUp, "TIMEOUT") for command in COMMANDS])


@pytest.mark.parametrize("ocpp", ALL)
async def test_a_station_that_is_known_to_be_offline_is_rejected_at_once(gateway: Gateway, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        await scene.station.disconnect()
        await eventually(lambda: gateway.rows("station", id=scene.station.id)[0]["disconnected_at"])
        for command in ("RESERVE_NOW", "START_SESSION", "UNLOCK_CONNECTOR"):
            told = await scene.ask(command)
            assert (told.code, told.result) == (1000, "REJECTED"), command
            assert "offline" in told.text, command


async def test_a_station_that_goes_before_its_order_is_dispatched_is_failed_and_not_asked(hasty: Gateway):
    async with a_scene(hasty, "1.6", FINE) as scene:
        hasty.freeze("worker-1")
        try:
            told = await scene.emsp.reserve(scene.location)
            assert told.result == "ACCEPTED"
            await scene.station.disconnect()
            await eventually(lambda: hasty.rows("station", id=scene.station.id)[0]["disconnected_at"])
        finally:
            hasty.thaw("worker-1")
        assert await scene.emsp.result(told) == "FAILED"
        assert "offline" in scene.emsp.callback_of(told).json["message"][0]["text"]
        assert hasty.reservation_of(told)["state"] == "REFUSED"
        assert not scene.station.all_asked("ReserveNow")


async def test_a_full_queue_is_failed_at_once_and_not_asked(gateway: Gateway):
    answer = asyncio.Event()

    async def wait(station: ScriptedStation, order: dict) -> Reply:
        await answer.wait()
        return a("Accepted")

    async with a_scene(gateway, "2.0.1", {"RequestStartTransaction": wait}) as scene:
        told = [await scene.emsp.start_session(scene.location) for _ in range(12)]
        for one in told[8:]:
            assert await scene.emsp.result(one) == "FAILED"
            assert "Too many" in scene.emsp.callback_of(one).json["message"][0]["text"]
        answer.set()
        assert [await scene.emsp.result(one) for one in told[:8]] == ["ACCEPTED"] * 8
        assert len(scene.station.all_asked("RequestStartTransaction")) == 8


async def test_a_deadline_that_passes_in_the_queue_is_failed_and_not_asked(hasty: Gateway):
    async with a_scene(hasty, "2.0.1", {"RequestStartTransaction": Silence}) as scene:
        # At once, so that none has the time left for which the first one kept the station waiting.
        told = await asyncio.gather(*(scene.emsp.start_session(scene.location) for _ in range(8)))
        results = [await scene.emsp.result(one) for one in told]
        # Those that still had time when their turn came were asked, and only they may have been carried out.
        assert set(results) == {"TIMEOUT", "FAILED"}
        assert results.count("TIMEOUT") == len(scene.station.all_asked("RequestStartTransaction"))
        assert all(scene.emsp.results(one) == [result] for one, result in zip(told, results, strict=True))


@pytest.mark.parametrize("registration", [None, "Pending", "Rejected"])
@pytest.mark.parametrize("ocpp", ALL)
async def test_a_station_that_has_not_booted_is_failed_and_not_asked(gateway: Gateway, ocpp: str, registration: str):
    name = gateway.station_name()
    location = gateway.location(Spot(name, None if ocpp == "1.6" else 1, 1))
    if registration is not None:
        with gateway.database() as db:
            stations.change(db, name, registration=registration)
    async with gateway.emsp() as emsp, ScriptedStation(gateway.ocpp, name, ocpp, boot=False) as station:
        await eventually(lambda: gateway.rows("station", id=name)[0]["connected_at"])
        for told in (await emsp.reserve(location), await emsp.start_session(location)):
            assert await emsp.result(told) == "FAILED"
        assert station.asked == []


# What ends a reservation afterwards


@pytest.mark.parametrize("ocpp", TWO)
async def test_a_reservation_that_the_station_removes_is_called_back_a_second_time(gateway: Gateway, ocpp: str):
    async with a_scene(gateway, ocpp) as scene:
        told = await scene.reserved()
        update = {"reservationId": number_in(await scene.station.asked_for("RESERVE_NOW"))}
        for _ in range(2):  # a repetition changes nothing
            await scene.station.call("ReservationStatusUpdate", update | {"reservationUpdateStatus": "Removed"})
        await eventually(lambda: len(scene.emsp.results(told)) > 1)
        assert gateway.reservation_of(told)["state"] == "REMOVED"
        assert scene.emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"]
        assert all(one.problems == () for one in scene.emsp.callbacks)
        assert len(gateway.rows("callback", command=gateway.command_of(told)["id"])) == 2


@pytest.mark.parametrize(("status", "connector"), [("Faulted", 1), ("Unavailable", 1), ("Faulted", 0)])
async def test_a_1_6_connector_out_of_order_ends_its_reservation(gateway: Gateway, status: str, connector: int):
    async with a_scene(gateway, "1.6") as scene:
        told = await scene.reserved()
        await scene.station.tell_status(status, connector=connector)
        await eventually(lambda: len(scene.emsp.results(told)) > 1)
        assert gateway.reservation_of(told)["state"] == "REMOVED"
        assert scene.emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"]


async def test_another_connector_out_of_order_leaves_a_reservation_alone(gateway: Gateway):
    async with a_scene(gateway, "1.6") as scene:
        told = await scene.reserved()
        await scene.station.tell_status("Faulted", connector=2)
        await scene.station.tell_status("Reserved")
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


@pytest.mark.parametrize(("ocpp", "update"), [("2.0.1", "Expired"), ("2.1", "Expired"), ("2.1", "NoTransaction")])
async def test_an_expired_or_unused_reservation_is_not_called_back(gateway: Gateway, ocpp: str, update: str):
    async with a_scene(gateway, ocpp) as scene:
        told = await scene.reserved()
        number = number_in(await scene.station.asked_for("RESERVE_NOW"))
        await scene.station.call(
            "ReservationStatusUpdate", {"reservationId": number, "reservationUpdateStatus": update}
        )
        assert gateway.reservation_of(told)["state"] == "EXPIRED"
        assert len(gateway.rows("callback", command=gateway.command_of(told)["id"])) == 1
