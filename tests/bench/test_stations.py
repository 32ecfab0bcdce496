"""The simulated stations speak RFC 6455 well enough for a strict server, and tell what they have waited for."""

import asyncio
import json
from http import HTTPStatus

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from workers.bench.scene import HOST, Spot, spots
from workers.bench.stations import Station, heartbeats, wave
from workers.bench.websocket import Socket, TurnedAway


class Csms:
    """Answers every call of a station, and keeps what it was told and its sockets."""

    def __init__(self, refuse: int = 0) -> None:
        #: Handshakes that are turned away first.
        self.refuse = refuse
        self.heard: list[list[object]] = []
        self.sockets: dict[str, object] = {}

    async def __aenter__(self):
        subprotocols = [Spot(number).subprotocol for number in (1, 2)]
        self._server = await serve(self._attend, HOST, 0, subprotocols=subprotocols, process_request=self._knock)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    def _knock(self, connection, request):
        if self.refuse == 0:
            return None
        self.refuse -= 1
        response = connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "")
        response.headers["Retry-After"] = "0.01"
        return response

    async def _attend(self, connection):
        self.sockets[connection.request.path.rpartition("/")[2]] = connection
        try:
            async for frame in connection:
                self.heard.append(message := json.loads(frame))
                if message[0] == 2:
                    await connection.send(json.dumps([3, message[1], {"status": "Accepted"}]))
        except ConnectionClosed:
            return


async def eventually(true):
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


async def test_every_station_boots_in_its_own_version():
    async with Csms() as csms:
        assert [await Station(csms.port, spot).connect() > 0 for spot in spots(2)] == [True, True]
        assert [message[2] for message in csms.heard] == ["BootNotification"] * 2
        assert [csms.sockets[spot.station].subprotocol for spot in spots(2)] == [spot.subprotocol for spot in spots(2)]


async def test_a_station_that_is_told_to_come_again_does():
    async with Csms(refuse=3) as csms:
        station = Station(csms.port, Spot(1))
        await station.connect()
        assert station.turned_away == 3


async def test_a_station_accepts_at_once_and_a_mute_one_never_answers():
    async with Csms() as csms:
        for spot, mute in zip(spots(2), (False, True), strict=True):
            await Station(csms.port, spot, mute).connect()
        csms.heard.clear()
        for spot in (Spot(2), Spot(1)):
            await csms.sockets[spot.station].send(json.dumps([2, spot.station, "ReserveNow", {}]))
        await eventually(lambda: csms.heard)
        await (await csms.sockets[Spot(2).station].ping())  # whatever it was to say it has said
        assert csms.heard == [[3, Spot(1).station, {"status": "Accepted"}]]


async def test_what_a_station_does_not_know_it_says():
    async with Csms() as csms:
        await Station(csms.port, Spot(1)).connect()
        await csms.sockets[Spot(1).station].send(json.dumps([2, "x", "DataTransfer", {}]))
        await eventually(lambda: len(csms.heard) == 2)
        assert csms.heard[1][:3] == [4, "x", "NotImplemented"]


async def test_heartbeats_are_sent_in_turn_and_all_waited_for():
    async with Csms() as csms:
        stations = [Station(csms.port, spot) for spot in spots(2)]
        for one in stations:
            await one.connect()
        told = await heartbeats(stations, seconds=0.2, rate=50)
        assert told["heartbeats"] == len(told["waits_ms"]) == 10
        assert [message[2] for message in csms.heard].count("Heartbeat") == 10


async def test_a_wave_is_over_when_all_have_booted_again():
    async with Csms() as csms:
        stations = [Station(csms.port, spot) for spot in spots(4)]
        for one in stations:
            await one.connect()
        csms.refuse = 2
        told = await wave(stations)
        assert told["turned_away"] == 2
        assert 0 < told["longest_answer_s"] <= told["all_booted_s"]
        assert [message[2] for message in csms.heard] == ["BootNotification"] * 8


async def test_a_disconnected_station_says_so():
    async with Csms() as csms:
        station = Station(csms.port, Spot(1))
        await station.connect()
        await csms.sockets[Spot(1).station].close()
        with pytest.raises(ConnectionResetError, match="was disconnected"):
            await station.call("Heartbeat", {})


@pytest.mark.parametrize("size", [1, 125, 126, 60_000])
async def test_frames_of_every_length_come_whole(size):
    async with serve(lambda connection: echo(connection), HOST, 0, compression=None) as server:
        heard = asyncio.Queue()
        port = server.sockets[0].getsockname()[1]
        socket = await Socket.open(HOST, port, "/", "ocpp1.6", heard.put_nowait)
        for text in (b"x" * size, b"y" * size):
            socket.send(text)
        async with asyncio.timeout(20):
            assert [await heard.get(), await heard.get()] == [b"x" * size, b"y" * size]
        socket.abort()


async def echo(connection):
    try:
        async for frame in connection:
            await connection.send(frame)
    except ConnectionClosed:
        return


async def test_a_close_is_answered():
    async def bye(connection):
        await connection.close(1001)

    async with serve(bye, HOST, 0) as server:
        socket = await Socket.open(HOST, server.sockets[0].getsockname()[1], "/", "ocpp1.6", print)
        await eventually(lambda: socket.closed)


async def test_who_is_turned_away_hears_when_to_come_again():
    async with Csms(refuse=1) as csms:
        with pytest.raises(TurnedAway) as told:
            await Socket.open(HOST, csms.port, "/", "ocpp1.6", print)
        assert told.value.after == 0.01
