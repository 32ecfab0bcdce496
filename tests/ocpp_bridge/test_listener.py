import asyncio
import base64
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from ocpp_bridge.desk import Admission
from ocpp_bridge.listener import Limits, credentials_in, identity_in
from tests.ocpp_bridge.house import Door, House, Station, station, until


def basic(username: str, password: bytes) -> dict[str, Any]:
    token = base64.b64encode(username.encode() + b":" + password).decode()
    return {"additional_headers": {"Authorization": f"Basic {token}"}}


async def status_of(door: Door, identity: str, **options: Any) -> tuple[int, Any]:
    """The status and headers that turned the station away."""
    url = f"ws://127.0.0.1:{door.listener.port}/ocpp/{identity}"
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(url, subprotocols=["ocpp1.6"], proxy=None, **options):
            pass
    return refusal.value.response.status_code, refusal.value.response.headers


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/CS-1", "CS-1"),
        ("/ocpp/CS%201", "CS 1"),
        ("/ocpp/CS%2F1", "CS/1"),
        ("/ocpp/CS%252F1", "CS%2F1"),
        ("/ocpp/CS+1", "CS+1"),
        ("/ocpp/CS-1?token=x", "CS-1"),
        ("/ocpp/%C3%BC", "ü"),
        ("/ocpp/" + "x" * 48, "x" * 48),
        ("/ocpp/" + "x" * 49, None),
        ("/ocpp/%FF", None),
        ("/ocpp/%00", None),
        ("/ocpp/", None),
        ("/ocpp", None),
        ("/ocpp/a/b", None),
        ("/", None),
        ("/other/CS-1", None),
    ],
)
def test_the_identity_is_the_last_segment_decoded_once(path: str, identity: str | None) -> None:
    assert identity_in(path) == identity


async def test_an_unknown_station_gets_404(house: House) -> None:
    async with Door(house) as door:
        assert (await status_of(door, "CS-9"))[0] == 404
        assert (await status_of(door, "CS-1/more"))[0] == 404


@pytest.mark.parametrize(
    "options",
    [
        {},
        basic("CS-1", b"wrong"),
        basic("CS-2", b"\xff\x00secret"),
        {"additional_headers": {"Authorization": "Basic ???"}},
        {"additional_headers": {"Authorization": "Bearer abc"}},
        {"additional_headers": {"Authorization": "Basic"}},
        {"additional_headers": {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()}},
        {"additional_headers": [("Authorization", "Basic QTpC"), ("Authorization", "Basic QTpC")]},
    ],
)
async def test_wrong_credentials_get_401_and_are_asked_for(house: House, options: dict[str, Any]) -> None:
    house.passwords["CS-1"] = b"\xff\x00secret"
    async with Door(house) as door:
        status, headers = await status_of(door, "CS-1", **options)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic ")


async def test_a_password_is_bytes_and_may_hold_a_colon(house: House) -> None:
    house.passwords["CS-1"] = b"\xff\x00:secret"
    async with Door(house) as door, door.station(**basic("CS-1", b"\xff\x00:secret")) as cs:
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


def test_no_header_is_no_credentials() -> None:
    from websockets.datastructures import Headers

    assert credentials_in(Headers()) == (None, None)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["ocpp1.6", "ocpp2.1"], "ocpp1.6"),
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], "ocpp2.1"),
        (["ocpp2.0", "ocpp2.0.1", "ocpp1.6"], "ocpp2.0.1"),
    ],
)
async def test_the_stations_order_of_preference_counts(house: House, offered: list[str], chosen: str) -> None:
    async with Door(house) as door, door.station("CS-1", *offered) as cs:
        assert cs.socket.subprotocol == chosen


@pytest.mark.parametrize("offered", [None, ["ocpp1.5"]])
async def test_without_a_common_version_the_handshake_completes_and_the_socket_closes(
    house: House, offered: Any
) -> None:
    async with Door(house) as door:
        url = f"ws://127.0.0.1:{door.listener.port}/ocpp/CS-1"
        async with connect(url, subprotocols=offered, proxy=None) as socket:
            assert socket.subprotocol is None
            assert await Station(socket).gone() == 1002
    assert not door.sessions


@pytest.mark.parametrize(("subprotocol", "compressed"), [("ocpp1.6", False), ("ocpp2.0.1", True), ("ocpp2.1", True)])
async def test_compression_is_for_2x_only(house: House, subprotocol: str, compressed: bool) -> None:
    async with Door(house) as door, door.station("CS-1", subprotocol) as cs:
        assert cs.socket.response is not None
        assert ("Sec-WebSocket-Extensions" in cs.socket.response.headers) is compressed
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


async def test_a_message_beyond_the_limit_ends_the_socket(house: House) -> None:
    async with Door(house) as door, door.station() as cs:
        await cs.socket.send("x" * (256 * 1024 + 1))
        assert await cs.gone() == 1009


async def test_a_station_that_pings_and_does_not_read_is_cut(house: House) -> None:
    async with Door(house) as door:
        url = f"ws://127.0.0.1:{door.listener.port}/ocpp/CS-1"
        async with connect(url, subprotocols=["ocpp1.6"], proxy=None, ping_interval=None) as socket:
            socket.transport.pause_reading()
            pings = b"".join(Frame(Opcode.PING, b"p" * 125).serialize(mask=True) for _ in range(1000))
            async with asyncio.timeout(30):
                while not socket.transport.is_closing():
                    socket.transport.write(pings)
                    await asyncio.sleep(0.01)


async def test_a_reconnect_wave_is_slowed_down_and_nobody_is_lost(house: House) -> None:
    for number in range(30):
        house.know(f"CS-{number}")
    async with (
        Door(house, limits=Limits(accept=5)) as door,
        contextlib.AsyncExitStack() as stack,
    ):
        await asyncio.gather(*(stack.enter_async_context(door.station(f"CS-{number}")) for number in range(30)))
        assert len(door.sessions) == 30


@contextlib.contextmanager
def busy(house: House) -> Iterator[asyncio.Event]:
    """The house takes nobody on until the event is set."""
    free, connected = asyncio.Event(), house.connected

    async def later(identity: str, subprotocol: str) -> Admission:
        await free.wait()
        return await connected(identity, subprotocol)

    house.connected = later  # type: ignore[method-assign]  # one that takes its time
    try:
        yield free
    finally:
        free.set()


async def test_who_would_wait_too_long_is_told_to_come_again(house: House) -> None:
    house.know("CS-2")
    async with Door(house, limits=Limits(accept=1, accept_wait=0.5)) as door:
        with busy(house) as free:
            async with station(door.listener.port):
                status, headers = await status_of(door, "CS-2")
                assert status == 503
                assert int(headers["Retry-After"]) >= 1
                free.set()
                async with door.station("CS-2"):
                    assert len(door.sessions) == 2


KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize(
    ("identity", "lines", "status"),
    [
        (b"CS-9", KEY, b"404"),
        (b"CS-1", KEY, b"401"),
        (b"CS-2", b"", b"400"),  # no key: the library refuses what we had let in
        (b"CS-2", KEY + b"Sec-WebSocket-Protocol: ocpp1.5\r\n", b"101"),  # no version of ours: it is closed at once
    ],
)
async def test_whoever_is_turned_away_and_stays_keeps_nobody_waiting(
    house: House, identity: bytes, lines: bytes, status: bytes
) -> None:
    house.passwords["CS-1"] = b"secret"
    house.know("CS-2")
    house.know("CS-3")
    async with Door(house, limits=Limits(accept=1, accept_wait=1)) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
        writer.write(
            b"GET /ocpp/" + identity + b" HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\n" + lines + b"\r\n"
        )
        assert status in await reader.readline()
        async with door.station("CS-3") as cs:
            assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]
        writer.close()
        await writer.wait_closed()


async def test_whoever_is_taken_on_makes_room_and_stays(house: House) -> None:
    house.know("CS-2")
    async with Door(house, limits=Limits(accept=1, accept_wait=5)) as door, door.station(), door.station("CS-2") as cs:
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]


async def test_a_house_in_trouble_asks_the_station_to_come_again(house: House) -> None:
    async def stumble(*_: object) -> str:
        raise OSError("the database is away")

    house.admit = stumble  # type: ignore[method-assign]
    async with Door(house) as door:
        assert (await status_of(door, "CS-1"))[0] == 503


async def test_a_silent_station_that_used_to_answer_pings_is_given_up(house: House) -> None:
    limits = Limits(ping_interval=0.05, silence=0.2, patient_silence=60)
    async with Door(house, limits=limits) as door, door.station() as cs:
        await until(lambda: door.sessions["CS-1"].wire.answers_pings)
        cs.socket.transport.pause_reading()
        await until(lambda: door.ended == 1)


async def test_a_station_that_never_answers_pings_is_kept(house: House) -> None:
    limits = Limits(ping_interval=0.02, silence=0.1, patient_silence=60)
    async with Door(house, limits=limits) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
        writer.write(
            b"GET /ocpp/CS-1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        pings = await reader.readexactly(2 * 20)
        assert pings == b"\x89\x00" * 20
        assert door.ended == 0
        writer.close()
        await writer.wait_closed()


async def test_stopping_closes_every_socket_in_slices(house: House) -> None:
    for number in range(12):
        house.know(f"CS-{number}")
    async with (
        Door(house, limits=Limits(drain_slice=5, drain_pause=0.01)) as door,
        contextlib.AsyncExitStack() as stack,
    ):
        stations = [await stack.enter_async_context(door.station(f"CS-{number}")) for number in range(12)]
        stopping = asyncio.create_task(door.listener.stop())
        assert await asyncio.gather(*(one.gone() for one in stations)) == [1001] * 12
        await stopping
        assert door.ended == 12
