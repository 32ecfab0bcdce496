"""The load: an eMSP that sends commands and hears their results, on one clock, in a process of its own.

Every station is reserved and the reservation cancelled, in turn, one command at a time: stations accept all of them.
A command counts when its callback has arrived.
"""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import orjson
import uvloop

from ocpi.commands import CommandType
from ocpi.headers import Encoding, Routing, authorization
from ocpi.types import format_datetime
from workers.bench.http11 import Connection, Hearing
from workers.bench.scene import COMMANDS, CPO, EMSP, HOST, LOCATION, TOKEN_IN, Spot, spots
from workers.bench.talk import asked, tell
from workers.process import settle_memory

#: Seconds after which a callback is lost: the gateway promises 30.
PATIENCE = 40.0

_ALWAYS = {"Authorization": authorization(TOKEN_IN, Encoding.BASE64), "Content-Type": "application/json"}
_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in (_ALWAYS | Routing(to=CPO, from_=EMSP).headers()).items())


@dataclass(slots=True)
class Station:
    """A station and the reservation that it holds."""

    spot: Spot
    reservation: str = ""

    def next(self, name: str, url: str) -> tuple[CommandType, dict[str, Any]]:
        """The next command for it and its body."""
        if self.reservation:
            body, self.reservation = {"response_url": url, "reservation_id": self.reservation}, ""
            return CommandType.CANCEL_RESERVATION, body
        self.reservation = f"R-{name}"
        return CommandType.RESERVE_NOW, {
            "response_url": url,
            "token": _token(f"APP-{self.spot.number}"),
            "expiry_date": format_datetime(datetime.now(UTC) + timedelta(hours=1)),
            "reservation_id": self.reservation,
            "location_id": LOCATION,
            "evse_uid": self.spot.evse_uid,
        }


@dataclass(frozen=True, slots=True)
class Timing:
    """Monotonic seconds of one command."""

    began: float
    acknowledged: float
    called_back: float


class Emsp:
    """Sends commands, each on a connection of its own, and hears callbacks on ``port``."""

    def __init__(self, api_port: int, stations: int) -> None:
        self._api_port = api_port
        self._names = count(1)
        self._idle: asyncio.Queue[Station] = asyncio.Queue()
        for spot in spots(stations):
            self._idle.put_nowait(Station(spot))
        self._connections: list[Connection] = []
        self._awaited: dict[str, asyncio.Future[float]] = {}
        self._timings: list[Timing] = []
        self._faults: Counter[str] = Counter()

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: Hearing(self.heard), HOST, 0)
        self._callbacks = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}/callbacks/"

    def stop(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.close()

    def heard(self, path: str, body: bytes) -> None:
        awaited = self._awaited.pop(path.rpartition("/")[2], None)
        if awaited is None:
            self._faults["duplicate"] += 1
            return
        if orjson.loads(body).get("result") != "ACCEPTED":
            self._faults["failed"] += 1
        awaited.set_result(time.perf_counter())

    async def run(self, seconds: float, in_flight: int = 0, rate: int = 0) -> dict[str, Any]:
        """A closed loop of ``in_flight`` commands, or an open one of ``rate`` a second; what came of it."""
        self._timings = []
        began = time.perf_counter()
        await (self._closed_loop(began + seconds, in_flight) if in_flight else self._open_loop(began, seconds, rate))
        in_time = sum(1 for one in self._timings if one.called_back <= began + seconds)
        faults, self._faults = self._faults, Counter()  # a duplicate that comes later is told with the next run
        return {
            "per_second": in_time / seconds,
            "commands": len(self._timings),
            "called_back_ms": [1000 * (one.called_back - one.began) for one in self._timings],
            "acknowledged_ms": [1000 * (one.acknowledged - one.began) for one in self._timings],
            "faults": faults,
        }

    async def _closed_loop(self, end: float, in_flight: int) -> None:
        async def one_after_the_other() -> None:
            while time.perf_counter() < end:
                await self._command(time.perf_counter())

        await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))

    async def _open_loop(self, began: float, seconds: float, rate: int) -> None:
        """A command's time begins when it is due, whether or not the ones before it are done."""
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * rate)):
                due = began + number / rate
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(self._command(due))

    async def _command(self, began: float) -> None:
        station, name = await self._idle.get(), str(next(self._names))
        type_, body = station.next(name, self._callbacks + name)
        called_back = self._awaited[name] = asyncio.get_running_loop().create_future()
        if await self._accepted(type_, body):
            acknowledged = time.perf_counter()
            await asyncio.wait({called_back}, timeout=PATIENCE)
            if called_back.done():
                self._timings.append(Timing(began, acknowledged, called_back.result()))
            else:
                self._faults["lost"] += 1
        else:
            self._faults["refused"] += 1
        self._idle.put_nowait(station)

    async def _accepted(self, type_: CommandType, body: dict[str, Any]) -> bool:
        connection = await self._connection()
        headers = f"{_HEADERS}X-Request-ID: {uuid4()}\r\nX-Correlation-ID: {uuid4()}\r\n"
        status, answer = await connection.post(f"{COMMANDS}/{type_}", headers, orjson.dumps(body))
        self._connections.append(connection)
        accepted = status == 200 and (orjson.loads(answer).get("data") or {}).get("result") == "ACCEPTED"
        if not accepted and not self._faults["refused"]:  # one tells enough
            sys.stderr.write(f"{type_}: HTTP {status} {answer.decode(errors='replace')}\n")
        return accepted

    async def _connection(self) -> Connection:
        while self._connections:
            if (connection := self._connections.pop()).usable:
                return connection
        return await Connection.open(HOST, self._api_port)


def _token(uid: str) -> dict[str, Any]:
    return {
        "country_code": EMSP.country_code,
        "party_id": EMSP.party_id,
        "uid": uid,
        "type": "APP_USER",
        "contract_id": f"C-{uid}",
        "issuer": "Bench",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": "2026-01-01T00:00:00Z",
    }


async def main(api_port: int, stations: int) -> None:
    """Runs what it is asked, ``{"seconds": …, "in_flight" or "rate": …}``, and tells what came of it."""
    emsp = Emsp(api_port, stations)
    await emsp.start()
    settle_memory()
    async for words in asked():
        tell(await emsp.run(**words))
    emsp.stop()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
