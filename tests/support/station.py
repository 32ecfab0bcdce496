"""A scripted station: a raw WebSocket that answers exactly as its script says, and checks every frame it is sent."""

import asyncio
import base64
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.ocpp_bridge.wire import assert_request, assert_response

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}

BOOT = {
    "1.6": {"chargePointVendor": "Scripted", "chargePointModel": "One"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Scripted", "model": "One"}},
    "2.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Scripted", "model": "One"}},
}

#: What is answered to what a gateway asks on its own account.
ABILITIES = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "GetVariables": {
        "getVariableResult": [
            {"attributeStatus": "UnknownVariable", "component": {"name": "X"}, "variable": {"name": "Y"}}
        ]
    },
}


@dataclass
class CallError:
    """Answer with a CALLERROR."""

    code: str
    description: str = ""


class Silence:
    """Answer nothing."""


class HangUp:
    """Close the connection instead of answering."""


Reply = dict[str, Any] | CallError | type[Silence] | type[HangUp] | bytes | str
#: A reply, or a coroutine function that is given the station and the payload and returns one.
Script = dict[str, Reply | Callable[["ScriptedStation", dict], Awaitable[Reply]]]


class ScriptedStation:
    """``async with`` it: connected and booted. ``asked`` is every (action, payload) that it was sent, in order."""

    def __init__(
        self, url: str, id: str, ocpp: str, script: Script | None = None, *, boot: bool = True, password: str | None = None
    ) -> None:
        self.url, self.id, self.ocpp, self.subprotocol = url, id, ocpp, SUBPROTOCOLS[ocpp]
        self.script: Script = dict(script or {})
        self.asked: list[tuple[str, dict]] = []
        self.answers: dict[str, asyncio.Future[Any]] = {}
        self._boot, self._password = boot, password
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.socket: ClientConnection | None = None

    async def __aenter__(self) -> "ScriptedStation":
        await self.connect()
        if self._boot:
            await self.boot()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        headers = {}
        if self._password is not None:
            pair = base64.b64encode(f"{self.id}:{self._password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        self.socket = await connect(
            f"{self.url}/{self.id}", subprotocols=[self.subprotocol], additional_headers=headers, open_timeout=30
        )
        self._spawn(self._read(self.socket))

    async def boot(self) -> dict:
        told = await self.call("BootNotification", BOOT[self.ocpp])
        assert told["status"] == "Accepted"
        return told

    async def disconnect(self) -> None:
        if self.socket is not None:
            await self.socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def call(self, action: str, payload: dict, timeout: float = 20) -> dict:
        """Tell or ask the gateway something; its answer, which must be valid; RuntimeError for a CALLERROR."""
        message_id = str(uuid.uuid4())
        future = self.answers[message_id] = asyncio.get_running_loop().create_future()
        await self.send([2, message_id, action, payload])
        answer = await asyncio.wait_for(future, timeout)
        assert_response(self.subprotocol, action, answer)
        return answer

    async def send(self, frame: Any) -> None:
        assert self.socket is not None
        await self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def was_asked(self, action: str, count: int = 1, timeout: float = 30) -> dict:
        """Wait until ``action`` was asked ``count`` times; the payload of that time."""
        async with asyncio.timeout(timeout):
            while len(found := self.all_asked(action)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    def all_asked(self, action: str) -> list[dict]:
        return [payload for name, payload in self.asked if name == action]

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                match json.loads(text):
                    case [2, message_id, action, payload]:
                        assert_request(self.subprotocol, action, payload)
                        self.asked.append((action, payload))
                        self._news.set()
                        self._spawn(self._reply(socket, message_id, action, payload))
                    case [3, message_id, payload]:
                        self.answers.pop(message_id).set_result(payload)
                    case [4, message_id, code, description, _]:
                        self.answers.pop(message_id).set_exception(RuntimeError(f"{code}: {description}"))
        except ConnectionClosed:
            return

    async def _reply(self, socket: ClientConnection, message_id: str, action: str, payload: dict) -> None:
        reply = self.script.get(action, ABILITIES.get(action, CallError("NotImplemented")))
        if callable(reply) and not isinstance(reply, type):
            reply = await reply(self, payload)
        match reply:
            case CallError(code=code, description=description):
                frame: Any = [4, message_id, code, description, {}]
            case bytes() | str():
                frame = reply.replace("{id}", message_id) if isinstance(reply, str) else reply
            case dict():
                frame = [3, message_id, reply]
            case _ if reply is HangUp:
                await socket.close()
                return
            case _:
                return
        await socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
