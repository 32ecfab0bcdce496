"""Bare HTTP/1.1 on asyncio, both ends, so that the load takes as little of the machine as it can."""

import asyncio
from collections.abc import Callable
from typing import Self, cast

from httptools import HttpRequestParser, HttpResponseParser

_ANSWER = b'{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z"}'
_THANKS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_ANSWER), _ANSWER)


class Connection(asyncio.Protocol):
    """A client's connection, one request at a time."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._parser = HttpResponseParser(self)
        self._body = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        return (await asyncio.get_running_loop().create_connection(lambda: cls(f"{host}:{port}"), host, port))[1]

    async def post(self, path: str, headers: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; raises ConnectionError. ``headers`` are whole lines."""
        self._answer = asyncio.get_running_loop().create_future()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)
        return await self._answer

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer, self._body = bytes(self._body), bytearray()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), answer))

    def connection_lost(self, problem: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(problem or ConnectionError("the connection was closed before the answer"))


class Hearing(asyncio.Protocol):
    """A server's connection: every request is told to ``heard`` as (path, body) and thanked for in an envelope.

    Unless it ``answers``: then nothing follows, for ever.
    """

    def __init__(self, heard: Callable[[str, bytes], None], answers: bool = True) -> None:
        self._heard, self._answers = heard, answers
        self._parser = HttpRequestParser(self)
        self._url, self._body = bytearray(), bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        url, body = self._url.decode(), bytes(self._body)
        self._url, self._body = bytearray(), bytearray()
        self._heard(url, body)
        if self._answers:
            self._transport.write(_THANKS)
