"""The line: our calls on one station's socket, one at a time, in order, each with an exact ending."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from ocpp_bridge import rpc
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.desk import Claimed, Desk
from ocpp_bridge.dialect import Dialect, Unsayable
from ocpp_bridge.events import Registration
from ocpp_bridge.memory import Asked, Memory
from ocpp_bridge.orders import AskAbilities
from ocpp_bridge.rpc import CallError, CallResult
from ocpp_bridge.wire import Wire

log = structlog.get_logger(__name__)

Reply = CallResult | CallError

LONGEST_DETAIL = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long a session waits, in seconds, and how much it takes in."""

    #: A message that the socket does not take for so long ends the socket.
    send: float = 10.0
    #: The house's time to answer a station.
    ear: float = 30.0
    #: The station's time to say its abilities.
    abilities: float = 30.0
    #: Pauses between attempts to tell the house how an order ended.
    tell_again: tuple[float, ...] = (0.2, 1.0, 3.0)
    #: Messages of the station that wait for the house; the socket is not read while there are more.
    inbound: int = 16
    #: Messages a second, and at once; the socket is read no faster.
    rate: float = 50.0
    burst: float = 500.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all sessions of a node share."""

    desk: Desk
    memory: Memory = field(default_factory=Memory)
    counts: Counter[str] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)


class Line:
    """``may_act`` says whether the station is still ours: without it no order is claimed and none is sent."""

    def __init__(
        self,
        station: str,
        dialect: Dialect,
        wire: Wire,
        registration: Registration | None,
        may_act: Callable[[], bool],
        around: Surroundings,
    ) -> None:
        self.registration = registration
        self._station, self._dialect, self._wire = station, dialect, wire
        self._may_act = may_act
        self._desk, self._memory, self._pace = around.desk, around.memory, around.pace
        #: The CALL that is out, and what ends it: an answer, or None for the end of the socket.
        self._out: tuple[Asked, asyncio.Future[Reply | None]] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._rung = self._abilities_due = self._lost = False

    @property
    def busy(self) -> bool:
        """An order is being carried out."""
        return self._pump is not None and not self._pump.done()

    @property
    def waiting(self) -> bool:
        """It was rung for orders that could not be claimed yet."""
        return self._rung and not self.busy

    @property
    def accepted(self) -> bool:
        return self.registration is Registration.ACCEPTED

    def ring(self, *, abilities: bool = False) -> None:
        """Orders may be waiting; with ``abilities``, the station's are to be asked when it is idle."""
        self._rung = True
        self._abilities_due |= abilities
        if not self.busy and not self._lost:
            self._pump = asyncio.create_task(self._carry_orders())

    def hears(self, reply: Reply) -> bool:
        """``reply`` ends the CALL that is out."""
        if self._out is None or self._out[1].done():
            return False
        asked, future = self._out
        # 2.x: a station that could not read our message id answers "-1"; only one CALL can be meant.
        nameless = isinstance(reply, CallError) and reply.message_id == self._dialect.unreadable_id
        if reply.message_id != asked.message_id and not nameless:
            return False
        future.set_result(reply)
        return True

    async def close(self) -> None:
        """The socket is gone: whoever waits is woken at once, and the house is told before this returns."""
        self._lost = True
        if self._out is not None and not self._out[1].done():
            self._out[1].set_result(None)
        if self._pump is not None:
            await asyncio.wait({self._pump})

    async def tell_late(self, asked: Asked, reply: Reply) -> None:
        """Tell the house an answer that nobody waits for any more, after it was told the first ending."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.told.wait(), self._pace.ear)
        await self._tell(asked, understand(asked, reply))

    async def _carry_orders(self) -> None:
        try:
            while self._rung and self._fit():
                self._rung = False
                while self._fit() and (claimed := await self._desk.claim(self._station)):
                    await self._ask_and_tell(self._asked(claimed))
                if self._abilities_due and not self._rung and self.accepted and self._fit():
                    await self._ask_abilities()
        except Exception:
            log.exception("Orders could not be carried out", station=self._station)

    def _fit(self) -> bool:
        return not self._lost and self._may_act()

    def _asked(self, claimed: Claimed) -> Asked:
        left = (claimed.deadline - datetime.now(UTC)).total_seconds()
        return Asked(
            station=self._station,
            dialect=self._dialect,
            order=claimed.order,
            order_id=claimed.id,
            deadline=time.monotonic() + left,
        )

    async def _ask_abilities(self) -> None:
        self._abilities_due = False
        deadline = time.monotonic() + self._pace.abilities
        order = AskAbilities()
        await self._ask_and_tell(
            Asked(station=self._station, dialect=self._dialect, order=order, order_id=None, deadline=deadline)
        )

    async def _ask_and_tell(self, asked: Asked) -> None:
        try:
            await self._tell(asked, await self._ask(asked))
        finally:
            asked.told.set()

    async def _ask(self, asked: Asked) -> Answer:
        try:
            frame = rpc.call(asked.message_id, *self._dialect.say(asked.order))
        except Unsayable as problem:
            return Answer(ending=Ending.NOT_SENT, detail=str(problem)[:LONGEST_DETAIL])
        except Exception:
            log.exception("An order could not be said", station=self._station, order_id=asked.order_id)
            return Answer(ending=Ending.NOT_SENT, detail="the order cannot be said")
        if why := self._unfit(asked):
            return Answer(ending=Ending.NOT_SENT, detail=why)
        return await self._send_and_wait(asked, frame)

    def _unfit(self, asked: Asked) -> str:
        """Why nothing may be written for ``asked``; empty when it may."""
        if not self.accepted:
            return f"station is not accepted (boot {self.registration or 'not seen'})"
        if time.monotonic() >= asked.deadline:
            return "the deadline passed while the order was waiting"
        if not self._may_act():
            return "the station is no longer held by this node"
        # From here to the write nothing is awaited: what is open now is open then.
        return "" if self._wire.open else "the socket is closed"

    async def _send_and_wait(self, asked: Asked, frame: bytes) -> Answer:
        future: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._memory.keep(asked)
        self._out = asked, future
        try:
            await self._wire.write(frame, self._pace.send)
            # Not wait_for: an answer that comes together with the deadline is not thrown away.
            await asyncio.wait({future}, timeout=max(0.0, asked.deadline - time.monotonic()))
        finally:
            self._out = None
        if not future.done():
            return Answer(ending=Ending.NO_ANSWER)
        if (reply := future.result()) is None:
            return Answer(ending=Ending.CONNECTION_LOST)
        self._memory.take(self._station, asked.message_id)
        return understand(asked, reply)

    async def _tell(self, asked: Asked, answer: Answer) -> None:
        """Tell the house; a house that stumbles is told again."""
        for pause in self._pace.tell_again:
            try:
                return await self._tell_once(asked, answer)
            except Exception as problem:
                log.warning("The house did not take an answer", order_id=asked.order_id, error=repr(problem))
            await asyncio.sleep(pause)
        await self._tell_once(asked, answer)

    def _tell_once(self, asked: Asked, answer: Answer) -> Awaitable[None]:
        subprotocol = asked.dialect.subprotocol
        if asked.order_id is None:
            return self._desk.abilities(self._station, subprotocol, answer)
        return self._desk.answered(asked.order_id, self._station, subprotocol, answer)


def understand(asked: Asked, reply: Reply) -> Answer:
    """What ``reply`` says about ``asked``; whatever cannot be read is a BAD_RESULT."""
    if isinstance(reply, CallError):
        detail = reply.description[:LONGEST_DETAIL]
        return Answer(ending=Ending.CALL_ERROR, status=reply.code, detail=detail)
    try:
        if reply.payload is not None:
            return asked.dialect.read(asked.order, reply.payload)
    except Exception:
        log.exception("An answer of a station could not be read", station=asked.station, order_id=asked.order_id)
    return Answer(ending=Ending.BAD_RESULT, detail="the answer cannot be read")
