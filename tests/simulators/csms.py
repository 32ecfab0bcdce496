"""A raw CSMS for tests: accepts stations, answers what it must, asks what the test wants, and checks every frame."""

import asyncio
import itertools
import json
from contextlib import suppress
from importlib.resources import files

import jsonschema
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

PACKAGES = {"ocpp1.6": ("ocpp.v16", ""), "ocpp2.0.1": ("ocpp.v201", "Request"), "ocpp2.1": ("ocpp.v21", "Request")}
NOW = "2030-01-01T00:00:00Z"
#: Some of what tests wait for happens inside the station, where no frame tells of it.
POLL = 0.02


def schema_check(subprotocol: str, name: str, payload: object) -> None:
    package, _ = PACKAGES[subprotocol]
    text = files(package).joinpath("schemas", f"{name}.json").read_text(encoding="utf-8-sig")
    jsonschema.validate(payload, json.loads(text))


class RawCsms:
    def __init__(self, *subprotocols: str, password: str | None = None) -> None:
        self.subprotocols = subprotocols
        self.password = password
        self.calls: list[tuple[str, dict]] = []
        self.answers: list[list] = []
        self.broken: list[str] = []
        self.refused: list[str] = []
        self.sockets = 0
        self.socket: ServerConnection | None = None
        #: What a token is answered: {token: (status, group)}; others are Accepted.
        self.tokens: dict[str, tuple[str, str | None]] = {}
        self.boots: list[dict] = []
        self.hold: set[str] = set()
        self._ids = itertools.count(1)
        self._transactions = itertools.count(7001)
        self._asked: dict[str, str] = {}
        self._news = asyncio.Event()

    async def __aenter__(self) -> "RawCsms":
        self.server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            subprotocols=[Subprotocol(one) for one in self.subprotocols],
            process_request=self._admit,
            compression=None,
        )
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/ocpp"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()
        assert not self.broken, self.broken

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.path, self.authorization = request.path, request.headers.get("Authorization")
        if self.password is not None and self.authorization != self.password:
            self.refused.append(str(self.authorization))
            return Response(401, "Unauthorized", Headers())
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.sockets += 1
        self._ring()
        with suppress(ConnectionClosed):
            async for text in socket:
                await self._hear(socket, str(text))
                self._ring()

    async def _hear(self, socket: ServerConnection, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            return
        try:
            match frame:
                case [2, unique, action, payload]:
                    schema_check(str(socket.subprotocol), action + PACKAGES[str(socket.subprotocol)][1], payload)
                    self.calls.append((action, payload))
                    if action not in self.hold:
                        await socket.send(json.dumps([3, unique, self._reply(action, payload)]))
                case [3, unique, payload] if unique in self._asked:
                    schema_check(str(socket.subprotocol), f"{self._asked[unique]}Response", payload)
                    self.answers.append(frame)
                case [4, unique, _, _, _] if unique in self._asked:
                    self.answers.append(frame)
        except jsonschema.ValidationError as error:
            self.broken.append(f"{frame}: {error.message}")

    def _reply(self, action: str, payload: dict) -> dict:
        match action:
            case "BootNotification":
                return self.boots.pop(0) if self.boots else {"status": "Accepted", "currentTime": NOW, "interval": 300}
            case "Heartbeat":
                return {"currentTime": NOW}
            case "Authorize" if "idTag" in payload:
                return {"idTagInfo": self._info(payload["idTag"])}
            case "Authorize":
                return {"idTokenInfo": self._info2(payload["idToken"]["idToken"])}
            case "StartTransaction":
                return {"transactionId": next(self._transactions), "idTagInfo": self._info(payload["idTag"])}
            case "TransactionEvent" if "idToken" in payload:
                return {"idTokenInfo": self._info2(payload["idToken"]["idToken"])}
        return {}

    def _info(self, token: str) -> dict:
        status, group = self.tokens.get(token, ("Accepted", None))
        return {"status": status} | ({"parentIdTag": group} if group else {})

    def _info2(self, token: str) -> dict:
        status, group = self.tokens.get(token, ("Accepted", None))
        return {"status": status} | ({"groupIdToken": {"idToken": group, "type": "Central"}} if group else {})

    def _ring(self) -> None:
        self._news.set()

    async def until(self, predicate, timeout: float = 15.0):
        async with asyncio.timeout(timeout):
            while not (seen := predicate()):
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._news.wait()
        return seen

    async def ask(self, action: str, payload: dict) -> str:
        """Send a CALL without waiting for its answer."""
        unique = f"csms-{next(self._ids)}"
        self._asked[unique] = action
        await self.socket.send(json.dumps([2, unique, action, payload]))
        return unique

    def answers_to(self, unique: str) -> list[list]:
        return [frame for frame in self.answers if frame[1] == unique]

    async def call(self, action: str, payload: dict, timeout: float = 15.0) -> dict | str:
        """The answer's payload, or the CALLERROR's code."""
        unique = await self.ask(action, payload)
        frame = (await self.until(lambda: self.answers_to(unique), timeout))[0]
        return frame[2]

    def heard(self, action: str) -> list[dict]:
        return [payload for name, payload in self.calls if name == action]

    async def hears(self, action: str, timeout: float = 15.0, **fields: object) -> dict:
        """The first CALL of this action that has these fields."""

        def found() -> list[dict]:
            return [p for p in self.heard(action) if all(p.get(name) == value for name, value in fields.items())]

        return (await self.until(found, timeout))[0]
