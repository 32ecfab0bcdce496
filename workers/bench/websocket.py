"""A bare RFC 6455 client on asyncio, so that thousands of stations take as little of the machine as they can."""

import asyncio
import struct
from collections.abc import Callable
from typing import Self, cast

#: Nobody between these two processes is to be kept from reading what is sent, so the mask changes nothing.
_MASK, _NO_KEY = 0x80, b"\0\0\0\0"
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
#: The key's sixteen bytes are the same for all: nobody caches these handshakes.
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
)


class TurnedAway(Exception):
    """The server has no socket for us now; ``after``: the seconds after which it wants us to come again."""

    def __init__(self, status: int, after: float) -> None:
        super().__init__(f"HTTP {status}")
        self.after = after


class Socket(asyncio.Protocol):
    """One end of an open socket: whole text messages, no extensions."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._data = bytearray()
        self._answer: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, host: str, port: int, path: str, subprotocol: str, heard: Callable[[bytes], None]) -> Self:
        """Raises TurnedAway, or OSError."""
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(lambda: cls(heard), host, port)
        asked = _HANDSHAKE.format(path=path, host=f"{host}:{port}", subprotocol=subprotocol)
        socket._transport.write(asked.encode())
        assert socket._answer is not None
        await socket._answer
        socket._answer = None
        return socket

    def send(self, text: bytes) -> None:
        self._write(_TEXT, text)

    def abort(self) -> None:
        """As when the power fails: the server is told nothing."""
        self._transport.abort()

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, problem: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(problem or ConnectionResetError("the handshake was not answered"))

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._answer is not None and not self._answer.done() and not self._shaken():
            return
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _shaken(self) -> bool:
        """The handshake's answer is there, and it is yes."""
        assert self._answer is not None
        head, end, rest = bytes(self._data).partition(b"\r\n\r\n")
        if not end:
            return False
        self._data = bytearray(rest)
        status, *headers = head.decode("latin-1").split("\r\n")
        if status.split()[1] == "101":
            self._answer.set_result(None)
            return True
        told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
        self._answer.set_exception(TurnedAway(int(status.split()[1]), float(told.get("retry-after", "1"))))
        self._transport.close()
        return False

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame; a server masks nothing."""
        data = self._data
        if len(data) < 2:
            return None
        length, at = data[1], 2
        if length == 126:
            length, at = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10]), 10
        if len(data) < at + length:
            return None
        frame = data[0], bytes(data[at : at + length])
        del data[: at + length]
        return frame

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == _TEXT:
            self._heard(payload)
        elif kind == _PING:
            self._write(_PONG, payload)
        elif kind == _CLOSE:
            self._write(_CLOSE, payload[:2])
            self._transport.close()
        elif kind != _PONG:
            raise ValueError(f"a frame that begins with {kind:#x}")

    def _write(self, kind: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB4s", kind, _MASK | length, _NO_KEY)
        else:
            head = struct.pack("!BBH4s", kind, _MASK | 126, length, _NO_KEY)
        self._transport.write(head + payload)
