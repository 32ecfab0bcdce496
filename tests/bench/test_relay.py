"""The ceiling is no straw man: it writes a command down, asks the station and posts what it said."""

import asyncio
import json
import sqlite3
import sys

import pytest
from aiohttp import ClientSession, web
from redis import Redis
from websockets.asyncio.client import connect

from gateway.simulators.serving import Serving
from workers.bench.scene import COMMANDS, HOST, Spot
from workers.bench.sides import environment
from workers.bench.talk import started
from workers.valkey import Valkey

STATION = Spot(1)


@pytest.fixture
async def relay(tmp_path):
    """Its ports."""
    argv = [*environment(), sys.executable, "-m", "workers.bench.relay", str(tmp_path), "1"]
    async with started("the relay", argv, tmp_path / "relay.log") as process:
        yield await process.hear()


@pytest.fixture
async def sink():
    """(URL, a queue of the bodies that were posted to it)."""
    posted = asyncio.Queue()

    async def heard(request):
        posted.put_nowait((request.path, await request.json()))
        return web.json_response({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"})

    application = web.Application()
    application.router.add_post("/{name}", heard)
    serving = Serving(application)
    yield f"http://{HOST}:{await serving.start(HOST)}", posted
    await serving.stop()


@pytest.fixture
async def station(relay):
    url = f"ws://{HOST}:{relay['ocpp_port']}/ocpp/{STATION.station}"
    async with connect(url, subprotocols=[STATION.subprotocol], open_timeout=30) as socket:
        await socket.send(json.dumps([2, "1", "BootNotification", {}]))
        assert json.loads(await socket.recv())[2]["status"] == "Accepted"
        yield socket


async def send(relay, command, body):
    url = f"http://{HOST}:{relay['api_port']}{COMMANDS}/{command}"
    async with ClientSession() as client, client.post(url, json=body) as answer:
        return (await answer.json())["data"]["result"]


def reservation(url):
    return {
        "response_url": f"{url}/reserved",
        "token": {"uid": "APP-1"},
        "expiry_date": "2026-01-01T01:00:00Z",
        "reservation_id": "R-1",
        "evse_uid": STATION.evse_uid,
    }


@pytest.mark.parametrize(("says", "result"), [("Accepted", "ACCEPTED"), ("Occupied", "REJECTED")])
async def test_what_the_station_says_is_posted(relay, station, sink, says, result):
    url, posted = sink
    assert await send(relay, "RESERVE_NOW", reservation(url)) == "ACCEPTED"
    _, message_id, action, payload = json.loads(await station.recv())
    assert (action, payload["idTag"]) == ("ReserveNow", "APP-1")
    assert posted.empty()
    await station.send(json.dumps([3, message_id, {"status": says}]))
    async with asyncio.timeout(30):
        assert await posted.get() == ("/reserved", {"result": result})


async def test_a_cancellation_names_the_number_that_was_reserved(relay, station, sink):
    url, posted = sink
    await send(relay, "RESERVE_NOW", reservation(url))
    _, message_id, _, reserved = json.loads(await station.recv())
    await station.send(json.dumps([3, message_id, {"status": "Accepted"}]))
    await send(relay, "CANCEL_RESERVATION", {"response_url": f"{url}/cancelled", "reservation_id": "R-1"})
    _, message_id, action, cancelled = json.loads(await station.recv())
    assert (action, cancelled) == ("CancelReservation", {"reservationId": reserved["reservationId"]})
    await station.send(json.dumps([3, message_id, {"status": "Accepted"}]))
    async with asyncio.timeout(30):
        assert [await posted.get() for _ in range(2)][1] == ("/cancelled", {"result": "ACCEPTED"})


async def test_a_command_is_written_down_twice_before_it_is_accepted(relay, station, sink, tmp_path):
    url, _ = sink
    assert await send(relay, "RESERVE_NOW", reservation(url)) == "ACCEPTED"
    database = sqlite3.connect(tmp_path / "relay.db")
    assert database.execute("SELECT count(*) FROM command").fetchone() == (1,)
    database.close()
    with Redis.from_url(Valkey(tmp_path / "valkey").url) as redis:
        assert redis.xlen("commands") == 1
