"""The node: holds stations' sockets, takes letters about them, and keeps their leases in Redis."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from websockets.frames import CloseCode

from ocpp_bridge import mailbox
from ocpp_bridge.desk import Admission, Desk
from ocpp_bridge.dialect import Dialect
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.held import Held
from ocpp_bridge.line import Pace, Surroundings
from ocpp_bridge.listener import Limits, Listener
from ocpp_bridge.mailbox import Kind, Letter
from ocpp_bridge.registry import Registry
from ocpp_bridge.rhythm import Rhythm
from ocpp_bridge.station import Session
from ocpp_bridge.wire import Wire

log = structlog.get_logger(__name__)

#: What Redis may do to us; sockets stay up whatever it does.
REDIS_TROUBLE = (RedisError, OSError)

#: Stations of which the house is told at once.
SLICE = 256

Undeliverable = Callable[[str], Awaitable[None]]


class Node:
    """``undeliverable`` is told of a station that a letter looked for in vain: whoever wrote is to look again."""

    def __init__(
        self,
        desk: Desk,
        redis: Redis,
        host: str,
        port: int,
        *,
        undeliverable: Undeliverable,
        name: str = "",
        dialects: Mapping[str, Dialect] = DIALECTS,
        rhythm: Rhythm | None = None,
        limits: Limits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name = name or f"node-{uuid4().hex[:12]}"
        self._desk, self._redis, self._address = desk, redis, (host, port)
        self._undeliverable = undeliverable
        self._rhythm = rhythm or Rhythm()
        self._around = Surroundings(desk=desk, pace=pace or Pace())
        self.counts = self._around.counts
        self.registry = Registry(redis, self.name, self._rhythm.lease)
        self._listener = Listener(dialects, desk.admit, self._attend, limits or Limits())
        self._held: dict[str, Held] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._duties: list[asyncio.Task[None]] = []
        self._draining = self._redis_away = False

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def stations(self) -> int:
        """How many are connected."""
        return len(self._held)

    async def start(self) -> None:
        await self._listener.start(*self._address)
        self._duties = [
            asyncio.create_task(self._read_letters()),
            asyncio.create_task(self._keep(self._renew)),
            asyncio.create_task(self._keep(self._notice_loss)),
            asyncio.create_task(self._keep(self._tell_heard)),
        ]

    async def stop(self) -> None:
        """No new station, no new order; running calls may end; then the sockets are closed in slices."""
        self._draining = True
        self._listener.refuse_newcomers()
        give_up = time.monotonic() + self._rhythm.drain
        while time.monotonic() < give_up and any(one.session and one.session.line.busy for one in self._held.values()):
            await asyncio.sleep(0.05)
        await self._listener.stop()
        await end([*self._duties, *self._errands])
        try:
            await self.registry.leave()
        except REDIS_TROUBLE as problem:
            log.warning("The node could not sign off", node=self.name, error=repr(problem))

    # One station's socket, from handshake to end

    async def _attend(self, station: str, dialect: Dialect, wire: Wire) -> None:
        held = Held(wire, dialect)
        older = self._held.get(station)
        self._held[station] = held
        try:
            if older is not None:
                await self._take_over(station, held, older)
            if self._held.get(station) is held:
                await self._register(station, held)
            if not held.lost and self._held.get(station) is held:
                admission = await self._desk.connected(station, dialect.subprotocol)
                wire.settled()
                await self._serve(station, held, admission)
        except Exception:
            log.exception("A station could not be served", station=station)
            wire.settled()
            await wire.close(CloseCode.INTERNAL_ERROR)
        finally:
            wire.settled()
            await self._leave(station, held)

    async def _take_over(self, station: str, held: Held, older: Held) -> None:
        """The newer socket wins; the close handler of the older one removes nothing of ours."""
        self._errand(older.give_way())
        self.counts["take-overs"] += 1
        if time.monotonic() - older.since < self._rhythm.flap:
            log.warning("Two sockets may be fighting for one identity", station=station)
            held.wire.settled()
            await asyncio.sleep(self._rhythm.flap_pause)

    async def _serve(self, station: str, held: Held, admission: Admission) -> None:
        def may_act() -> bool:
            return not self._draining and self._held.get(station) is held and self._ours(station, held)

        held.session = Session(station, held.dialect, held.wire, admission.registration, may_act, self._around)
        line = held.session.line
        if line.accepted and (admission.waiting or admission.ask_abilities):
            line.ring(abilities=admission.ask_abilities)
        await held.session.run()

    def _ours(self, station: str, held: Held) -> bool:
        return held.epoch is not None and self.registry.holds(station, held.epoch)

    async def _leave(self, station: str, held: Held) -> None:
        """Only what is this socket's own is taken away."""
        if self._held.get(station) is held:
            del self._held[station]
        elsewhere = held.lost or not await self._release(station, held)
        if elsewhere or station in self._held:
            return
        try:
            await self._desk.disconnected(station)
        except Exception:
            log.exception("The house was not told that a station is gone", station=station)

    async def _release(self, station: str, held: Held) -> bool:
        """False when a newer socket has the station."""
        if held.epoch is None:
            return True
        try:
            return await self.registry.release(station, held.epoch)
        except REDIS_TROUBLE:
            return True  # the lease will run out

    async def _register(self, station: str, held: Held) -> None:
        """Make the station known as ours; without Redis it is served all the same, and registered later."""
        if self._redis_away:
            return
        try:
            async with asyncio.timeout(self._rhythm.registration):
                age = time.monotonic() - held.since
                acquired = await self.registry.acquire(station, held.dialect.subprotocol, age)
                if acquired is None:
                    self._give_up(held)
                    return
                held.epoch = acquired.epoch
                if acquired.previous_node not in (None, self.name):
                    kick = Letter(str(acquired.previous_node), station, acquired.epoch, Kind.KICK)
                    await mailbox.post(self._redis, [kick])
        except REDIS_TROUBLE as problem:
            self._redis_away = True
            log.warning("A station could not be registered", station=station, error=repr(problem))

    # Duties of the whole node

    async def _keep(self, duty: Callable[[], Coroutine[Any, Any, float]]) -> None:
        """Do ``duty`` again and again; it says after how many seconds. What goes wrong is logged, not passed on."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                pause = await duty()
            except REDIS_TROUBLE:
                pause = self._rhythm.retry
            except Exception:
                log.exception("A duty of the node failed", node=self.name)
                pause = self._rhythm.retry

    async def _renew(self) -> float:
        registered = [station for station, held in self._held.items() if held.epoch is not None]
        try:
            lost = await self.registry.renew(registered)
        except REDIS_TROUBLE as problem:
            self._redis_away = True
            log.warning("Leases could not be renewed", node=self.name, error=repr(problem))
            return self._rhythm.retry
        for station in lost:
            held = self._held.get(station)
            if held is not None and held.epoch is not None and not self._ours(station, held):
                self._give_up(held)
        self._redis_away = False
        await self._catch_up()
        return self._rhythm.retry if self._redis_away else self._rhythm.renewal

    async def _notice_loss(self) -> float:
        """Redis was emptied: it is told at once who is here, not at the next renewal; until then they seem offline."""
        if not await self.registry.is_known():
            await self._renew()
        return self._rhythm.retry

    async def _catch_up(self) -> None:
        """Register who came while Redis was away, and bring the orders that had to wait."""
        for station, held in list(self._held.items()):
            if held.session is None or held.lost:
                continue
            if not self._ours(station, held):
                await self._register(station, held)
            elif not held.session.line.waiting:
                continue
            if held.session.line.accepted:
                held.session.line.ring()

    async def _tell_heard(self) -> float:
        news = [(station, held) for station, held in self._held.items() if held.wire.heard_at > held.told_heard_at]
        for at in range(0, len(news), SLICE):
            part = news[at : at + SLICE]
            heard = [held.wire.heard_at for _, held in part]
            await self._desk.heard([station for station, _ in part])
            for (_, held), at_ in zip(part, heard, strict=True):
                held.told_heard_at = at_
        return self._rhythm.heard

    async def _read_letters(self) -> None:
        async for letters in mailbox.read(self._redis, self.name):
            if in_vain := {letter.station: letter.epoch for letter in letters if not self._delivered(letter)}:
                self._errand(self._look_again(in_vain))

    def _delivered(self, letter: Letter) -> bool:
        held = self._held.get(letter.station)
        if letter.kind is Kind.KICK:
            if held is not None and held.epoch is not None and held.epoch < letter.epoch:
                self._give_up(held)
            return True
        if held is None or held.session is None or held.epoch != letter.epoch:
            return False
        held.session.line.ring()
        return True

    def _give_up(self, held: Held) -> None:
        """Another node has the station now."""
        held.lost = True
        self._errand(held.give_way())

    async def _look_again(self, in_vain: Mapping[str, int]) -> None:
        for station, epoch in in_vain.items():
            try:
                if station not in self._held:
                    # What Redis says of a node that was killed under our name is not true any more.
                    await self.registry.release(station, epoch)
                await self._undeliverable(station)
            except Exception:
                log.exception("A letter could not be returned", station=station)

    def _errand(self, errand: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else, and stay referenced until done."""
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            log.warning("An errand of the node failed", node=self.name, error=repr(problem))


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel ``tasks`` until they are gone: redis-py sends in wait_for, and Python 3.11's may swallow it."""
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.2)
