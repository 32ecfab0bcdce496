"""The ceiling: a bare relay that owes nobody anything, and still writes a command down before it says ACCEPTED.

One process on uvloop: FastAPI takes the POST; one Redis stream entry (append-only file) and one row of the gateway's
kind of database go down in a group commit; the station is called over ``websockets``; its answer is posted with the
gateway's own HTTP client.
What it leaves out is the gateway: credentials, validation, duplicates, lifecycles, queues, deadlines, retries.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response
from redis import Redis
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from gateway.house import utc_now
from gateway.lane import Lane
from gateway.outgoing.client import open_client, post_json
from gateway.settings import read_settings
from ocpi.envelope import envelope
from ocpi.headers import Encoding, authorization
from ocpp_bridge import v16, v201
from workers.bench.scene import COMMANDS, HOST, TOKEN_OUT, spots
from workers.bench.talk import asked, tell
from workers.process import settle_memory
from workers.valkey import running

SUBPROTOCOLS = [Subprotocol(module.DIALECT.subprotocol) for module in (v16, v201)]
#: Entries that the stream keeps, as the gateway's mailboxes do.
LONGEST = 10_000
#: Seconds that a POST may take, as in the gateway.
ATTEMPT = 5.0


def _sqlite(directory: Path) -> tuple[Any, str]:
    """(a connection as durable as the gateway's, the sign for a parameter)."""
    db = sqlite3.connect(directory / "relay.db", check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        db.execute(f"PRAGMA {pragma}")
    return db, "?"


class Book:
    """Where commands are written down: all that wait, in one round trip and one commit."""

    def __init__(self, directory: Path, redis_url: str, database_url: str) -> None:
        self._redis = Redis.from_url(redis_url)
        self._db: Any
        self._db, sign = (psycopg.connect(database_url), "%s") if database_url else _sqlite(directory)
        body = "BYTEA" if database_url else "BLOB"
        self._db.execute(f"CREATE TABLE command (id INTEGER PRIMARY KEY, type TEXT, body {body})")
        self._db.commit()
        self._insert = f"INSERT INTO command VALUES ({sign}, {sign}, {sign})"
        self.write: Lane[tuple[int, str, bytes], None] = Lane("book", self._write)

    def close(self) -> None:
        self.write.close()
        self._db.close()
        self._redis.close()

    def _write(self, commands: Sequence[tuple[int, str, bytes]]) -> Sequence[None]:
        pipe = self._redis.pipeline(transaction=False)
        for number, type_, body in commands:
            pipe.xadd("commands", {"id": number, "type": type_, "body": body}, maxlen=LONGEST, approximate=True)
        pipe.execute()
        self._db.cursor().executemany(self._insert, commands)
        self._db.commit()
        return [None] * len(commands)


class Relay:
    """Carries a command from its POST to its callback."""

    def __init__(self, book: Book, stations: int) -> None:
        self._book = book
        self._numbers = count(1)
        self._client = open_client(allow_private=True)
        self._stations = {spot.evse_uid: spot.station for spot in spots(stations)}
        self._sockets: dict[str, ServerConnection] = {}
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._reservations: dict[str, tuple[str, int]] = {}
        self._carrying: set[asyncio.Task[None]] = set()

    async def receive(self, type_: str, request: Request) -> Response:
        number, body = next(self._numbers), await request.body()
        command = orjson.loads(body)
        await self._book.write((number, type_, body))
        task = asyncio.create_task(self._carry(number, type_, command))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        accepted = envelope(utc_now(), {"result": "ACCEPTED", "timeout": 30})
        return Response(orjson.dumps(accepted), media_type="application/json")

    async def _carry(self, number: int, type_: str, command: dict[str, Any]) -> None:
        answer = await self._call(*self._order(number, type_, command))
        result = {"result": "ACCEPTED" if answer.get("status") == "Accepted" else "REJECTED"}
        ids = {"X-Request-ID": str(uuid4()), "X-Correlation-ID": str(uuid4())}
        headers = {"Authorization": authorization(TOKEN_OUT, Encoding.BASE64), **ids}
        await post_json(self._client, command["response_url"], headers, orjson.dumps(result), ATTEMPT)

    def _order(self, number: int, type_: str, command: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        """(station, action, payload); it says everything in the older version's words, which cost the least."""
        if type_ == "CANCEL_RESERVATION":
            station, reserved = self._reservations.pop(command["reservation_id"])
            return station, "CancelReservation", {"reservationId": reserved}
        station = self._stations[command["evse_uid"]]
        self._reservations[command["reservation_id"]] = station, number
        token, expiry = command["token"]["uid"], command["expiry_date"]
        payload = {"connectorId": 1, "expiryDate": expiry, "idTag": token, "reservationId": number}
        return station, "ReserveNow", payload

    async def _call(self, station: str, action: str, payload: dict[str, Any]) -> Any:
        message_id = str(uuid4())
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self._sockets[station].send(orjson.dumps([2, message_id, action, payload]), text=True)
        return await answer

    async def attend(self, socket: ServerConnection) -> None:
        """A station's socket, as long as it lives."""
        assert socket.request is not None
        self._sockets[socket.request.path.rpartition("/")[2]] = socket
        async for frame in socket:
            match orjson.loads(frame):
                case [3, message_id, payload]:
                    self._answers.pop(message_id).set_result(payload)
                case [2, message_id, _, _]:  # BootNotification, the only thing these stations say
                    told = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300}
                    await socket.send(orjson.dumps([3, message_id, told]), text=True)

    async def close(self) -> None:
        await self._client.aclose()


async def main(directory: Path, redis_url: str, stations: int, database_url: str) -> None:
    """Tells ``{"api_port": …, "ocpp_port": …}``, and relays until its input ends."""
    book = Book(directory, redis_url, database_url)
    relay, app = Relay(book, stations), FastAPI(openapi_url=None)
    app.post(f"{COMMANDS}/{{type_}}")(relay.receive)
    config = uvicorn.Config(
        app,
        host=HOST,
        port=0,
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    async with serve(
        relay.attend, HOST, 0, subprotocols=SUBPROTOCOLS, compression=None, ping_interval=None
    ) as listener:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        settle_memory()
        tell({"api_port": _port(server.servers[0].sockets), "ocpp_port": _port(listener.sockets)})
        async for _ in asked():
            pass
        server.should_exit = True
        await serving
    await relay.close()
    book.close()


def _port(sockets: Any) -> int:
    return int(next(iter(sockets)).getsockname()[1])


if __name__ == "__main__":
    with running(Path(sys.argv[1]) / "valkey") as valkey:
        uvloop.run(main(Path(sys.argv[1]), valkey.url, int(sys.argv[2]), read_settings().database_url))
