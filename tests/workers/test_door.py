"""The door of the api process: what no server of HTTP should put up with ends there."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn

from workers.door import LONGEST_HEAD, Door

GET = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"


class HastyDoor(Door):
    patience = 0.5


async def hello(scope, receive, send):
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def hello_at_once(scope, receive, send):
    """As who is refused by its token is answered: its body is not waited for."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@asynccontextmanager
async def caller(door: type[Door], application=hello):
    """(reader, writer) of a connection to a server behind the door."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, http=door, lifespan="off", log_level="critical"))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await server.shutdown()


async def hangs_up(reader: asyncio.StreamReader) -> bytes:
    """What is said before the connection ends."""
    said = b""
    async with asyncio.timeout(20):
        try:
            while part := await reader.read(65_536):
                said += part
        except ConnectionResetError:
            pass
    return said


@pytest.mark.parametrize(
    "endless",
    [
        (b"GET / HTTP/1.1\r\n", b"X-More: more\r\n" * 100),
        (b"GET / HTTP/1.1\r\nX-Long: ", b"x" * 1400),
        (b"GET /", b"x" * 1400),
    ],
)
async def test_a_head_without_end_is_cut(endless: tuple[bytes, bytes]):
    async with caller(Door) as (reader, writer):
        writer.write(GET)
        assert await reader.readuntil(b"hello")
        beginning, more = endless
        writer.write(beginning)
        with suppress(ConnectionError):
            for _ in range(2 * LONGEST_HEAD // len(more)):
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0)
        assert (await hangs_up(reader)).partition(b"\r\n")[0] in (b"HTTP/1.1 400 Bad Request", b"")


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HTTP/1.1\r\nHost:", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nslow"]
)
async def test_a_request_that_does_not_end_is_not_waited_for(beginning: bytes):
    async with caller(HastyDoor) as (reader, writer):
        writer.write(beginning)
        assert await hangs_up(reader) == b""


async def test_who_is_answered_before_its_body_has_come_is_heard_again():
    async with caller(Door, hello_at_once) as (reader, writer):
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: 200000\r\n\r\n" + b"x" * 50_000)
            assert await reader.readuntil(b"hello")
            writer.write(b"x" * 150_000)
            await writer.drain()


async def test_a_connection_is_kept_between_requests_and_each_has_its_time():
    async with caller(HastyDoor) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            assert await reader.readuntil(b"hello")
            await asyncio.sleep(0.3)
        assert not reader.at_eof()
