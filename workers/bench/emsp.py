"""An eMSP: it sends commands and hears their results, on one clock.

Every station of its own is reserved and the reservation cancelled, in turn, one command at a time: stations accept all
of them. A command counts when its callback has arrived.
"""

import asyncio
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any
from uuid import uuid4

import orjson

from ocpi.commands import CommandType
from ocpi.headers import Encoding, Routing, authorization
from ocpi.types import format_datetime
from workers.bench.http11 import Connection, Hearing
from workers.bench.scene import COMMANDS, CPO, HOST, Spot, emsp_party, token_in

#: Seconds after which a callback is lost: the gateway promises 30.
PATIENCE = 40.0


class Ears(StrEnum):
    """What becomes of callbacks at an eMSP."""

    WELL = "well"
    #: A tar-pit: they are taken, and never answered.
    NEVER = "never"
    #: Nothing listens at its port.
    CLOSED = "closed"


@dataclass(slots=True)
class Station:
    """A station and the reservation that it holds."""

    spot: Spot
    reservation: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """Monotonic seconds of one command."""

    began: float
    acknowledged: float
    called_back: float


class Emsp:
    """Sends commands, each on a connection of its own, and hears callbacks on a port of its own."""

    def __init__(self, api_port: int, number: int, at: Sequence[Spot], ears: Ears = Ears.WELL) -> None:
        self._api_port, self._ears = api_port, ears
        self._party = emsp_party(number)
        self._headers = _headers(number)
        self._names = (f"{number}-{name}" for name in count(1))
        self._idle: asyncio.Queue[Station] = asyncio.Queue()
        for spot in at:
            self._idle.put_nowait(Station(spot))
        self._connections: list[Connection] = []
        self._awaited: dict[str, asyncio.Future[float]] = {}
        #: Of the run that is on.
        self.timings: list[Timing] = []
        self.faults: Counter[str] = Counter()
        self.acknowledged = 0

    async def start(self) -> None:
        self._closed, self._server = socket.socket(), None
        if self._ears is Ears.CLOSED:
            self._closed.bind((HOST, 0))  # bound and not listening: it is nobody else's, and refuses
            port = self._closed.getsockname()[1]
        else:
            answers, loop = self._ears is Ears.WELL, asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: Hearing(self.heard, answers), HOST, 0)
            port = self._server.sockets[0].getsockname()[1]
        self._callbacks = f"http://{HOST}:{port}/callbacks/"

    def stop(self) -> None:
        self._closed.close()
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.close()

    def heard(self, path: str, body: bytes) -> None:
        awaited = self._awaited.pop(path.rpartition("/")[2], None)
        if awaited is None:
            self.faults["duplicate"] += 1
            return
        if orjson.loads(body).get("result") != "ACCEPTED":
            self.faults["failed"] += 1
        if not awaited.done():
            awaited.set_result(time.perf_counter())

    async def command(self, began: float, waits: bool = True) -> None:
        """The next one; unless it ``waits``, it is over when it is answered, and its callback nobody's concern."""
        station, name = await self._idle.get(), next(self._names)
        called_back = self._awaited[name] = asyncio.get_running_loop().create_future()
        held = station.reservation
        if not await self._accepted(*self._next(station, name)):
            station.reservation = held
            self.faults["refused"] += 1
            del self._awaited[name]
        else:
            acknowledged = time.perf_counter()
            self.acknowledged += 1
            if waits:
                await asyncio.wait({called_back}, timeout=PATIENCE)
            if called_back.done():
                self.timings.append(Timing(began, acknowledged, called_back.result()))
            elif waits:
                self.faults["lost"] += 1
        self._idle.put_nowait(station)

    def _next(self, station: Station, name: str) -> tuple[CommandType, dict[str, Any]]:
        """The next command for a station, and its body."""
        url = self._callbacks + name
        if station.reservation:
            body, station.reservation = {"response_url": url, "reservation_id": station.reservation}, ""
            return CommandType.CANCEL_RESERVATION, body
        station.reservation = f"R-{name}"
        return CommandType.RESERVE_NOW, {
            "response_url": url,
            "token": self._token(f"APP-{station.spot.number}"),
            "expiry_date": format_datetime(datetime.now(UTC) + timedelta(hours=1)),
            "reservation_id": station.reservation,
            "location_id": station.spot.location,
            "evse_uid": station.spot.evse_uid,
        }

    async def _accepted(self, type_: CommandType, body: dict[str, Any]) -> bool:
        try:
            status, answer = await self._post(f"{COMMANDS}/{type_}", orjson.dumps(body))
        except OSError as problem:
            status, answer = 0, str(problem).encode()
        accepted = status == 200 and (orjson.loads(answer).get("data") or {}).get("result") == "ACCEPTED"
        if not accepted and not self.faults["refused"]:  # one tells enough
            sys.stderr.write(f"{type_}: HTTP {status} {answer.decode(errors='replace')}\n")
        return accepted

    async def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        connection = await self._connection()
        headers = f"{self._headers}X-Request-ID: {uuid4()}\r\nX-Correlation-ID: {uuid4()}\r\n"
        answer = await connection.post(path, headers, body)
        self._connections.append(connection)
        return answer

    async def _connection(self) -> Connection:
        while self._connections:
            if (connection := self._connections.pop()).usable:
                return connection
        return await Connection.open(HOST, self._api_port)

    def _token(self, uid: str) -> dict[str, Any]:
        return {
            "country_code": self._party.country_code,
            "party_id": self._party.party_id,
            "uid": uid,
            "type": "APP_USER",
            "contract_id": f"C-{uid}",
            "issuer": "Bench",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-01-01T00:00:00Z",
        }


def _headers(number: int) -> str:
    """What stands above every command."""
    routing = Routing(to=CPO, from_=emsp_party(number)).headers()
    always = {"Authorization": authorization(token_in(number), Encoding.BASE64), "Content-Type": "application/json"}
    return "".join(f"{name}: {value}\r\n" for name, value in (always | routing).items())
