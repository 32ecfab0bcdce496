"""A scripted station: a raw WebSocket that answers exactly as its script says, and checks every frame it is sent."""

import asyncio
import base64
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jsonschema import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.ocpp_bridge.wire import assert_request, assert_response

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}

BOOT = {
    "1.6": {"chargePointVendor": "Scripted", "chargePointModel": "One"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Scripted", "model": "One"}},
    "2.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Scripted", "model": "One"}},
}

#: What each OCPI command becomes at a station.
_ACTIONS_2 = {
    "RESERVE_NOW": "ReserveNow",
    "CANCEL_RESERVATION": "CancelReservation",
    "START_SESSION": "RequestStartTransaction",
    "STOP_SESSION": "RequestStopTransaction",
    "UNLOCK_CONNECTOR": "UnlockConnector",
}
_ACTIONS_1 = _ACTIONS_2 | {"START_SESSION": "RemoteStartTransaction", "STOP_SESSION": "RemoteStopTransaction"}
ACTIONS = {"1.6": _ACTIONS_1, "2.0.1": _ACTIONS_2, "2.1": _ACTIONS_2}

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
    """``async with`` it: connected and booted. ``asked`` is every (action, payload) that it was sent, in order.

    ``timeline`` has the answers too: ("asked" | "answered", action). A frame that the official schema refuses is
    not answered, and fails the test at the end.
    """

    def __init__(
        self,
        url: str,
        id: str,
        ocpp: str,
        script: Script | None = None,
        *,
        boot: bool = True,
        password: str | None = None,
    ) -> None:
        self.url, self.id, self.ocpp, self.subprotocol = url, id, ocpp, SUBPROTOCOLS[ocpp]
        self.script: Script = dict(script or {})
        self.asked: list[tuple[str, dict]] = []
        self.timeline: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.refused: list[list] = []
        #: Of the newest question, by its action.
        self.message_ids: dict[str, str] = {}
        #: What it was told last of a token: 1.6 idTagInfo, 2.x idTokenInfo.
        self.told: dict = {}
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

    async def __aexit__(self, problem: object, *_: object) -> None:
        await self.disconnect()
        assert problem is not None or not self.faults, self.faults

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

    async def reconnect(self) -> None:
        """The socket is lost and there is a new one; what it is about to answer, it answers there."""
        assert self.socket is not None
        self.socket.transport.abort()
        await self.socket.wait_closed()
        await self.connect()

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

    # What stations tell, in the words of their version

    @property
    def is_1(self) -> bool:
        return self.ocpp == "1.6"

    def action(self, command: str) -> str:
        """How an OCPI command is called here."""
        return ACTIONS[self.ocpp][command]

    async def asked_for(self, command: str, count: int = 1, timeout: float = 30) -> dict:
        """``was_asked`` by the OCPI command's name."""
        return await self.was_asked(self.action(command), count, timeout)

    async def tell_status(self, status: str, evse: int = 1, connector: int = 1) -> None:
        if self.is_1:
            told = {"connectorId": connector, "errorCode": "NoError", "status": status, "timestamp": now()}
        else:
            told = {"evseId": evse, "connectorId": connector, "connectorStatus": status, "timestamp": now()}
        await self.call("StatusNotification", told)

    async def authorize(self, token: str, type: str = "Central") -> dict:
        """What it is told of the token."""
        if self.is_1:
            self.told = (await self.call("Authorize", {"idTag": token}))["idTagInfo"]
        else:
            self.told = (await self.call("Authorize", {"idToken": {"idToken": token, "type": type}}))["idTokenInfo"]
        return self.told

    async def begin(self, token: str, *, evse: int = 1, connector: int = 1, at: str | None = None, **more: Any) -> str:
        """A transaction starts; its id. ``more`` are further fields of the message."""
        if self.is_1:
            told = {"connectorId": connector, "idTag": token, "meterStart": 0, "timestamp": at or now()} | more
            answer = await self.call("StartTransaction", told)
            self.told = answer["idTagInfo"]
            return str(answer["transactionId"])
        transaction = f"TX-{uuid.uuid4()}"[:36]
        whom = {"idToken": {"idToken": token, "type": "Central"}, "evse": {"id": evse, "connectorId": connector}}
        answer = await self.call("TransactionEvent", self._event("Started", transaction, 0, at) | whom | more)
        self.told = answer["idTokenInfo"]
        return transaction

    async def end(self, transaction: str, *, at: str | None = None, **more: Any) -> dict:
        """It ends."""
        if self.is_1:
            told = {"transactionId": int(transaction), "meterStop": 1000, "timestamp": at or now()}
            return await self.call("StopTransaction", told | more)
        return await self.call("TransactionEvent", self._event("Ended", transaction, 1, at) | more)

    def _event(self, phase: str, transaction: str, seq: int, at: str | None) -> dict:
        reason = {"Started": "Authorized", "Ended": "RemoteStop"}[phase]
        info = {"transactionId": transaction}
        told = {"eventType": phase, "timestamp": at or now(), "triggerReason": reason, "seqNo": seq}
        return told | {"transactionInfo": info}

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._hear(json.loads(text))
        except ConnectionClosed:
            return

    def _hear(self, message: Any) -> None:
        match message:
            case [2, message_id, action, payload]:
                try:
                    assert_request(self.subprotocol, action, payload)
                except (ValidationError, FileNotFoundError) as fault:
                    self.faults.append(f"{action} {payload}: {fault}")
                    return
                self.asked.append((action, payload))
                self.timeline.append(("asked", action))
                self.message_ids[action] = message_id
                self._news.set()
                self._spawn(self._reply(message_id, action, payload))
            case [3, message_id, payload] if message_id in self.answers:
                self.answers.pop(message_id).set_result(payload)
            case [4, message_id, code, description, _] if message_id in self.answers:
                self.answers.pop(message_id).set_exception(RuntimeError(f"{code}: {description}"))
            case [4, *_]:  # about a frame of ours that nobody could read
                self.refused.append(message)
            case _:
                self.faults.append(f"an answer to nothing: {message}")

    async def _reply(self, message_id: str, action: str, payload: dict) -> None:
        """On the socket that is open then: an answer may come on a newer one than the question."""
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
                assert self.socket is not None
                await self.socket.close()
                return
            case _:
                return
        self.timeline.append(("answered", action))
        await self.send(frame)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def token_in(payload: dict) -> str:
    """The token that the station was told, in a reservation or a start."""
    return payload["idTag"] if "idTag" in payload else payload["idToken"]["idToken"]


def group_in(payload: dict) -> str | None:
    """Its group, in a reservation or in what a station is told of a token."""
    if "groupIdToken" in payload:
        return payload["groupIdToken"]["idToken"]
    return payload.get("parentIdTag")


def number_in(payload: dict) -> int:
    """The reservation's number."""
    return payload["reservationId"] if "reservationId" in payload else payload["id"]
