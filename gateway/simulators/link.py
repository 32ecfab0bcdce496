"""The station's end of the WebSocket: framing, one CALL of its own at a time, and coming back after a loss."""

import asyncio
import base64
import json
import random
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from gateway.simulators.faults import Faults
from gateway.simulators.words import CallError, Payload, Unreachable

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4

#: The actions that a partner's command leads to, whatever the version.
COMMANDS = frozenset(
    {
        "ReserveNow",
        "CancelReservation",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "RequestStartTransaction",
        "RequestStopTransaction",
        "UnlockConnector",
    }
)
GARBAGE = ("no JSON", "[]", "{}", '[3,"nobody-asked",{}]', '[3,"too-short"]', '[9,"unknown-type","X",{}]', "[[[[")

Answerer = Callable[[str, Payload], Awaitable[Payload]]
#: Told about every frame: its direction ("sent" or "received") and what was in it (text when it is no JSON).
Logger = Callable[[str, Any], None]


class Link:
    """One identity's connection to its CSMS."""

    def __init__(
        self,
        *,
        url: str,
        identity: str,
        subprotocol: str,
        answerer: Answerer,
        logger: Logger,
        faults: Faults,
        on_connected: Callable[[], Coroutine[Any, Any, None]],
        on_lost: Callable[[], None],
        password: str | bytes | None = None,
        tls: ssl.SSLContext | None = None,
        back_off: tuple[float, float] = (0.2, 10.0),
        patience: float = 30.0,
    ) -> None:
        self._url = f"{url.rstrip('/')}/{quote(identity, safe='')}"
        self._headers = {} if password is None else {"Authorization": _basic(identity, password)}
        self._subprotocol = Subprotocol(subprotocol)
        self._answerer, self._log, self._faults = answerer, logger, faults
        self._on_connected, self._on_lost = on_connected, on_lost
        self._tls, self._back_off, self._patience = tls, back_off, patience
        self._socket: ClientConnection | None = None
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[Payload]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        #: Cleared while the station is to stay away.
        self.wanted = asyncio.Event()
        self.wanted.set()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    async def run(self) -> None:
        """Stay connected until cancelled: back-off doubles, with jitter, up to its maximum."""
        pause, longest = self._back_off
        while True:
            await self.wanted.wait()
            try:
                async with self._dial() as socket:
                    pause = self._back_off[0]
                    await self._serve(socket)
            except (OSError, WebSocketException, TimeoutError) as error:
                self._log("lost", f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, longest)

    async def call(self, action: str, payload: Payload) -> Payload:
        """The CSMS's answer; raises CallError, or Unreachable when none came."""
        async with self._turn:
            unique = str(uuid4())
            answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._waiting[unique] = answer
            try:
                await self._send([CALL, unique, action, payload])
                async with asyncio.timeout(self._patience):
                    return await answer
            except TimeoutError:
                raise Unreachable(f"no answer to {action}") from None
            finally:
                self._waiting.pop(unique, None)

    async def close(self) -> None:
        """Close the socket, if there is one; ``run`` comes back unless ``wanted`` is cleared."""
        if self._socket is not None:
            await self._socket.close()

    async def stop_answering(self) -> None:
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def _dial(self) -> connect:
        return connect(
            self._url,
            subprotocols=[self._subprotocol],
            additional_headers=self._headers,
            ssl=self._tls,
            compression=None,
            proxy=None,
            close_timeout=1,
        )

    async def _serve(self, socket: ClientConnection) -> None:
        if socket.subprotocol != self._subprotocol:
            self._log("lost", f"the CSMS does not speak {self._subprotocol}")
            return
        self._socket = socket
        greeting = asyncio.create_task(self._on_connected())
        try:
            async for text in socket:
                self._hear(text)
        finally:
            self._socket = None
            self._on_lost()
            greeting.cancel()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Unreachable("the connection was lost"))
            await asyncio.gather(greeting, return_exceptions=True)
            self._log("lost", f"closed with {socket.close_code}")

    def _hear(self, text: str | bytes) -> None:
        """The reader never waits for our own answers."""
        frame = _parsed(text)
        self._log("received", frame)
        match frame:
            case [2, str(unique), str(action), dict(payload)]:
                task = asyncio.create_task(self._answer(unique, action, payload))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case [3, str(unique), dict(payload)] if unique in self._waiting:
                _settle(self._waiting[unique], payload)
            case [4, str(unique), str(code), *rest] if unique in self._waiting:
                _settle(self._waiting[unique], CallError(code, str(rest[0]) if rest else ""))

    async def _answer(self, unique: str, action: str, payload: Payload) -> None:
        if "mute" in self._faults:
            return
        commanded = action in COMMANDS
        try:
            frame = await (self._misbehave if commanded else self._obey)(unique, action, payload)
            if frame is None:
                return
            if "garbage" in self._faults:
                await self._babble()
            await self._send(frame)
            if commanded and "duplicate" in self._faults:
                await self._send(frame)
        except Unreachable:
            self._log("lost", f"the answer to {action} could not be sent")

    async def _obey(self, unique: str, action: str, payload: Payload) -> list[Any] | None:
        try:
            return [CALL_RESULT, unique, await self._answerer(action, payload)]
        except CallError as error:
            return [CALL_ERROR, unique, error.code, error.description, {}]

    async def _misbehave(self, unique: str, action: str, payload: Payload) -> list[Any] | None:
        """Obey a command in the way that the faults ask for; None when no answer is to be sent."""
        faults = self._faults
        await asyncio.sleep(faults.number("slow"))
        if "call-error" in faults:
            return [CALL_ERROR, unique, faults.text("call-error", "InternalError"), "as asked", {}]
        if "reject" in faults:
            return [CALL_RESULT, unique, {"status": "UnlockFailed" if action == "UnlockConnector" else "Rejected"}]
        frame = await self._obey(unique, action, payload)
        if "drop" in faults:
            await self.close()
            return None
        await asyncio.sleep(faults.number("late"))
        return frame

    async def _babble(self) -> None:
        for text in GARBAGE:
            await self._write(text)
            self._log("garbage", text)

    async def _send(self, frame: list[Any]) -> None:
        await self._write(json.dumps(frame, separators=(",", ":")))
        self._log("sent", frame)

    async def _write(self, text: str) -> None:
        if self._socket is None:
            raise Unreachable("offline")
        try:
            await self._socket.send(text)
        except WebSocketException as error:
            raise Unreachable(str(error)) from None


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _settle(answer: asyncio.Future[Payload], outcome: Payload | CallError) -> None:
    if answer.done():
        return
    if isinstance(outcome, CallError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _basic(identity: str, password: str | bytes) -> str:
    """OCPP 1.6 keys are raw bytes on the wire, 2.x ones UTF-8."""
    secret = password if isinstance(password, bytes) else password.encode()
    return "Basic " + base64.b64encode(identity.encode() + b":" + secret).decode()
