"""A simulated charging station: real sockets, a real state machine, and whatever faults it is asked to have."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Coroutine
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from gateway.simulators.board import Board, Surroundings
from gateway.simulators.configuration import Configuration, Meaning
from gateway.simulators.controller import Controller, Temper
from gateway.simulators.dialects import NEWEST, spoken
from gateway.simulators.faults import STATION_FAULTS, Faults
from gateway.simulators.hardware import POWER_W, Evse, Token
from gateway.simulators.link import Link
from gateway.simulators.outbox import Outbox
from gateway.simulators.reservations import Condition, Ended
from gateway.simulators.schemas import violations
from gateway.simulators.words import CallError, Payload, Unreachable

Seen = TypeVar("Seen")
Layout = tuple[tuple[str, ...], ...]

#: The pause before another BootNotification when the CSMS names none, in seconds.
BOOT_PAUSE = 5.0
#: An injected clock may jump; the next expiry is looked at no less often than this, in seconds.
LONGEST_LOOK_AWAY = 0.5
STARTS = ("RemoteStartTransaction", "RequestStartTransaction")


def utc_now() -> datetime:
    return datetime.now(UTC)


class SimulatedStation:
    """``async with`` it, or ``start`` and ``stop`` it; ``log`` is every frame it saw."""

    def __init__(
        self,
        url: str = "ws://127.0.0.1:9000/ocpp",
        id: str = "CS-1",
        ocpp: str = NEWEST,
        password: str | bytes | None = None,
        evses: Layout = (("cCCS2",), ("sType2",)),
        faults: Collection[str] = (),
        *,
        non_evse_specific: bool = True,
        authorize_first: bool = False,
        notify_event: bool = False,
        pace: float = 0.3,
        meter_interval: int = 60,
        power_w: int = POWER_W,
        connection_timeout: int = 60,
        back_off: tuple[float, float] = (0.2, 10.0),
        patience: float = 30.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], datetime] = utc_now,
        on_event: Callable[[str, Any], None] = lambda direction, frame: None,
    ) -> None:
        self.id, self.dialect, self.faults = id, spoken(ocpp, notify_event), Faults(faults, STATION_FAULTS)
        #: (direction, frame): "sent", "received", "garbage", or "lost" with a sentence.
        self.log: list[tuple[str, Any]] = []
        #: What the CSMS said that its schema refuses.
        self.complaints: list[str] = []
        self._on_event, self._clock, self._news = on_event, clock, asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._registration, self._boot_reason = "", "PowerUp"
        self._boot_again, self._heartbeat = asyncio.Event(), asyncio.Event()
        self.link = Link(
            url=url, identity=id, subprotocol=self.dialect.subprotocol, answerer=self._answer, logger=self._record,
            faults=self.faults, on_connected=self._connected, on_lost=self._lost, password=password, tls=tls,
            back_off=back_off, patience=patience,
        )  # fmt: skip
        self.outbox = Outbox(self._call)
        self.configuration = Configuration(self.dialect.variables, self.dialect.meanings)
        self.configuration.mean(Meaning.NON_EVSE_SPECIFIC, str(non_evse_specific).lower())
        self.configuration.mean(Meaning.METER_INTERVAL, str(meter_interval))
        self.configuration.mean(Meaning.CONNECTION_TIMEOUT, str(connection_timeout))
        self.configuration.mean(Meaning.CONNECTORS, str(sum(map(len, evses))))
        around = Surroundings(
            identity=id, dialect=self.dialect, outbox=self.outbox, ask=self._ask, spawn=self._spawn, clock=clock,
            configuration=self.configuration, pace=pace,
        )  # fmt: skip
        self.board = Board(evses, around)
        self.mind = Controller(self.board, Temper(authorize_first=authorize_first, no_plug="no-plug" in self.faults))
        for evse in self.evses.values():
            evse.power_w = power_w
            if "faulted" in self.faults:
                evse.out_of_order = Condition.FAULTED
        self.board.settle()

    @property
    def evses(self) -> dict[int, Evse]:
        return self.board.evses

    @property
    def ended(self) -> list[Ended]:
        """Every reservation that ended, and why."""
        return self.board.ended

    @property
    def connected(self) -> bool:
        return self.link.connected

    @property
    def ready(self) -> bool:
        """Connected, and accepted by the CSMS."""
        return self.outbox.gate.is_set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        for task in (self.link.run(), self.outbox.run(), self._watch_expiry(), self._beat()):
            self._spawn(task)

    async def stop(self) -> None:
        """Leave without a word; raises what went wrong inside."""
        await self.go_offline()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.link.stop_answering()
        if self._failures:
            raise self._failures[0]

    async def plug_in(self, evse: int) -> None:
        self.mind.charging.plug_in(self.evses[evse])

    async def unplug(self, evse: int) -> None:
        self.mind.charging.unplug(self.evses[evse])

    async def present(self, evse: int, id_token: str, type: str = "ISO14443") -> bool:
        """Swipe a card; True when it was accepted (to start or to stop)."""
        return await self.mind.present(self.evses[evse], Token(id_token, type))

    async def set_status(self, evse: int, status: str) -> None:
        """Make an EVSE (0: all) Faulted, Unavailable, or Available again."""
        condition = Condition(status)
        for one in self.evses.values():
            if evse in (0, one.number):
                self.mind.set_order(one, None if condition is Condition.AVAILABLE else condition)

    async def reboot(self) -> None:
        """Drop the socket, forget what a reboot forgets, and boot again."""
        self.outbox.shut()
        self.mind.reboot(forget="forget" in self.faults)
        self.mind.accepted, self._boot_reason = False, "LocalReset"
        await self.link.close()

    async def go_offline(self) -> None:
        self.link.wanted.clear()
        self.outbox.shut()
        await self.link.close()

    async def go_online(self) -> None:
        self.link.wanted.set()

    async def wait_for(self, predicate: "Callable[[SimulatedStation], Seen]", timeout: float = 10.0) -> Seen:
        """The first true value of the predicate, asked after every frame and change; TimeoutError when none comes."""
        async with asyncio.timeout(timeout):
            while not (seen := predicate(self)):
                self._news.clear()
                await self._news.wait()
        return seen

    def sent(self, action: str) -> list[Payload]:
        """The payloads of the CALLs of this action that the station made."""
        return [
            frame[3] for direction, frame in self.log if direction == "sent" and frame[0] == 2 and frame[2] == action
        ]

    async def _answer(self, action: str, payload: Payload) -> Payload:
        """Handle one CALL of the CSMS; one that rejected us has no right to any (B03.FR.08)."""
        if self._registration == "Rejected" and action != "TriggerMessage":
            raise CallError("SecurityError", "the CSMS rejected this station")
        handler = self.dialect.answers.get(action)
        if handler is None:
            raise CallError("NotImplemented", action)
        if broken := violations(self.dialect.schemas, action + self.dialect.request_suffix, payload):
            self.complaints += broken
            raise CallError(self.dialect.violation, broken[0][:255])
        answer = await handler(self.mind, payload)
        self._follow_up(action, payload, answer)
        return answer

    def _follow_up(self, action: str, payload: Payload, answer: Payload) -> None:
        if payload.get("requestedMessage") == "BootNotification":
            self._boot_again.set()
        if action == "ReserveNow" and "reboot" in self.faults:
            self._spawn(self._later(self.reboot))
        if action in STARTS and answer["status"] == "Accepted" and "offline-queue" in self.faults:
            self._spawn(self._later(self._absence))

    async def _later(self, deed: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """After the answer has left."""
        await asyncio.sleep(0.05)
        await deed()

    async def _absence(self) -> None:
        await self.go_offline()
        await asyncio.sleep(self.faults.number("offline-queue"))
        await self.go_online()

    async def _call(self, action: str, payload: Payload) -> Payload:
        answer = await self.link.call(action, self.faults.spoil(action, payload))
        self.complaints += violations(self.dialect.schemas, f"{action}Response", answer)
        return answer

    async def _ask(self, action: str, payload: Payload) -> Payload:
        """A question for now or never: Unreachable unless the station is ready."""
        if not self.ready:
            raise Unreachable("not accepted by the CSMS")
        return await self._call(action, payload)

    async def _connected(self) -> None:
        """Boot if need be; a mere reconnection only tells the statuses."""
        while not self.mind.accepted:
            self._boot_again.clear()
            pause = await self._boot()
            if not self.mind.accepted:
                await _rung(self._boot_again, pause)
        self.outbox.gate.set()
        self.board.announce_all()
        self._news.set()

    async def _boot(self) -> float:
        """Seconds to wait before the next attempt."""
        try:
            answer = await self._call("BootNotification", self.dialect.boot(self.id, self._boot_reason))
        except (CallError, Unreachable):
            return BOOT_PAUSE
        interval = answer.get("interval") or 0
        self._registration = str(answer.get("status"))
        self.mind.accepted = self._registration == "Accepted"
        if self.mind.accepted and interval > 0:
            self.configuration.mean(Meaning.HEARTBEAT, str(interval))
            self._heartbeat.set()
        return float(interval or BOOT_PAUSE)

    def _lost(self) -> None:
        self.outbox.shut()

    async def _beat(self) -> None:
        while True:
            self._heartbeat.clear()
            if not await _rung(self._heartbeat, self.configuration.seconds(Meaning.HEARTBEAT) or 300.0):
                self.mind.trigger("Heartbeat", None)

    async def _watch_expiry(self) -> None:
        """H04: an expired reservation ends at once."""
        while True:
            self.board.expire()
            self._news.set()
            self.board.changed.clear()
            soonest = min((reservation.expiry for reservation in self.board.ledger.live.values()), default=None)
            await _rung(self.board.changed, None if soonest is None else self._until(soonest))

    def _until(self, at: datetime) -> float:
        return min(max((at - self._clock()).total_seconds(), 0.0), LONGEST_LOOK_AWAY)

    def _record(self, direction: str, frame: Any) -> None:
        self.log.append((direction, frame))
        self._on_event(direction, frame)
        self._news.set()

    def _spawn(self, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(deed)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)


async def _rung(bell: asyncio.Event, timeout: float | None) -> bool:
    """Wait for the bell; False when the time is up."""
    try:
        async with asyncio.timeout(timeout):
            await bell.wait()
    except TimeoutError:
        return False
    return True
