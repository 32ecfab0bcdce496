"""One station's session on one socket: a reader that never waits for our calls, a worker that answers in order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from websockets.exceptions import ConnectionClosed

from ocpp_bridge import rpc
from ocpp_bridge.bucket import Bucket
from ocpp_bridge.dialect import Dialect, Malformed
from ocpp_bridge.events import Registration
from ocpp_bridge.line import Line, Reply, Surroundings
from ocpp_bridge.memory import Asked
from ocpp_bridge.rpc import Call, CallError, CallResult, Send, Unreadable
from ocpp_bridge.wire import Wire

log = structlog.get_logger(__name__)

BOOT = "BootNotification"
#: A retry repeats the newest messages; older answers need no memory.
REMEMBERED_ANSWERS = 4


@dataclass(frozen=True, slots=True)
class Late:
    """An answer that nobody waits for any more."""

    asked: Asked
    reply: Reply


class Session:
    """The station's own words are answered here; ``line`` carries ours."""

    def __init__(
        self,
        station: str,
        dialect: Dialect,
        wire: Wire,
        registration: Registration | None,
        may_act: Callable[[], bool],
        around: Surroundings,
    ) -> None:
        self.station, self.dialect, self.wire = station, dialect, wire
        self.line = Line(station, dialect, wire, registration, may_act, around)
        self._desk, self._memory, self._counts, self._pace = around.desk, around.memory, around.counts, around.pace
        self._bucket = Bucket(self._pace.rate, self._pace.burst)
        #: No queue and no task while the station is idle: there are thousands of idle stations.
        self._inbound: list[Call | Send | Unreadable | Late] = []
        self._worker: asyncio.Task[None] | None = None
        self._answers: dict[tuple[rpc.MessageId, int], bytes] = {}
        self._boot_answer = registration
        self._lost = False

    async def run(self) -> None:
        """Serve the station until its socket is gone and the house knows how everything we asked of it ended."""
        try:
            await self._read()
        except ConnectionClosed:
            pass
        finally:
            self._lost = True
            await self.line.close()
            await self._worked_off()

    async def _read(self) -> None:
        while True:
            # Undecoded: RFC 6455 would end the socket over one wrong byte of UTF-8, orjson only refuses the message.
            frame = await self.wire.recv(decode=False)
            if pause := self._bucket.take():
                await asyncio.sleep(pause)
            await self._take_in(rpc.parse(frame))

    async def _take_in(self, message: rpc.Message) -> None:
        if not isinstance(message, CallResult | CallError):
            await self._hand_over(message)
        elif self.line.hears(message):
            return
        elif asked := self._memory.take(self.station, message.message_id):
            await self._hand_over(Late(asked, message))
        else:
            self._counts["answers to nothing"] += 1

    async def _hand_over(self, message: Call | Send | Unreadable | Late) -> None:
        """To the worker; the socket is not read on while it has too much to do."""
        self._inbound.append(message)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        if len(self._inbound) >= self._pace.inbound:
            await self._worked_off()

    async def _worked_off(self) -> None:
        if self._worker is not None:
            await asyncio.wait({self._worker})

    async def _work(self) -> None:
        while self._inbound:
            message = self._inbound.pop(0)
            try:
                await self._attend(message)
            except Exception:
                log.exception("A message of a station could not be handled", station=self.station)
        self._worker = None

    async def _attend(self, message: Call | Send | Unreadable | Late) -> None:
        match message:
            case Late():
                await self.line.tell_late(message.asked, message.reply)
            case _ if self._lost:
                # Unanswered, so the station says it again on its next socket, where the order is sure.
                self._counts["messages of lost sockets"] += 1
            case Call():
                await self._answer(message)
            case Send():
                await self._listen(message)
            case Unreadable():
                await self._refuse(message)

    async def _answer(self, call: Call) -> None:
        key = (call.message_id, call.fingerprint)
        if repeated := self._answers.get(key):
            self._counts["repeated calls"] += 1
            await self._write(repeated)
            return
        frame = self._answers[key] = await self._hear(call)
        if len(self._answers) > REMEMBERED_ANSWERS:
            del self._answers[next(iter(self._answers))]
        await self._write(frame)
        if call.action == BOOT:
            self._booted()

    async def _hear(self, call: Call) -> bytes:
        """The answer to ``call``; whatever goes wrong in the house is an answer too."""
        ear = self.dialect.ears.get(call.action)
        if ear is None:
            # OCPP-J: NotImplemented is an unknown action, NotSupported a known one that we do not take.
            code = rpc.NOT_SUPPORTED if call.action in self.dialect.known else rpc.NOT_IMPLEMENTED
            return rpc.error(call.message_id, code)
        try:
            async with asyncio.timeout(self._pace.ear):
                reply = await ear(self._desk, self.station, call.payload)
            frame = rpc.result(call.message_id, reply)
        except Malformed as problem:
            return rpc.error(call.message_id, problem.code, problem.description)
        except Exception:
            log.exception("An answer to a station could not be made", station=self.station, action=call.action)
            return rpc.error(call.message_id, rpc.INTERNAL_ERROR)
        if call.action == BOOT:
            self._boot_answer = Registration(reply["status"])
        return frame

    def _booted(self) -> None:
        """The boot answer is written: only now may orders follow it."""
        self.line.registration = self._boot_answer
        if self.line.accepted:
            self.line.ring(abilities=True)

    async def _listen(self, send: Send) -> None:
        if not self.dialect.sends:
            await self._refuse(Unreadable(send.message_id, rpc.MESSAGE_TYPE_NOT_SUPPORTED, "SEND is not known"))
        elif ear := self.dialect.sends.get(send.action):
            async with asyncio.timeout(self._pace.ear):
                await ear(self._desk, self.station, send.payload)

    async def _refuse(self, fault: Unreadable) -> None:
        self._counts["unreadable messages"] += 1
        message_id = self.dialect.unreadable_id if fault.message_id is None else fault.message_id
        code = self._spelled(fault.code)
        if message_id is not None and code is not None:
            await self._write(rpc.error(message_id, code, fault.why))

    def _spelled(self, code: str) -> str | None:
        """How this version says ``code``; None where it wants silence."""
        if code == rpc.MESSAGE_TYPE_NOT_SUPPORTED:
            return self.dialect.type_not_supported
        if code == rpc.RPC_FRAMEWORK_ERROR and self.dialect.unreadable_id is not None:
            return code
        return self.dialect.format_violation  # 1.6 has no word for a broken frame

    async def _write(self, frame: bytes) -> None:
        await self.wire.write(frame, self._pace.send)
