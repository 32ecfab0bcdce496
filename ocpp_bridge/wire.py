"""The wire: one station's WebSocket, which knows when it last heard something and never waits for ever."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event, State

log = structlog.get_logger(__name__)

#: Written but unacknowledged for so long: the peer is gone. Finds half-open sockets, answered pings or not.
UNACKNOWLEDGED = 60_000  # milliseconds
#: Bytes that wait for a peer which talks and does not listen: pongs are written without asking whether it reads them.
UNREAD = 1_048_576

_SPENT = Request("", Headers())


def _nobody_waits() -> None:
    pass


class Wire(ServerConnection):
    """``identity`` is known once the handshake was allowed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.identity = ""
        #: To be called when the house knows the station, or is not asked for a while.
        self.settled: Callable[[], None] = _nobody_waits
        #: Monotonic; every frame counts, pongs too.
        self.heard_at = time.monotonic()
        #: Some stations never answer a ping; those are not judged by it.
        self.answers_pings = False

    @property
    def open(self) -> bool:
        return self.state is State.OPEN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
        super().connection_made(transport)

    def process_event(self, event: Event) -> None:
        self.heard_at = time.monotonic()
        self.answers_pings |= isinstance(event, Frame) and event.opcode is Opcode.PONG
        super().process_event(event)
        if self.transport.get_write_buffer_size() > UNREAD and not self.transport.is_closing():
            log.warning("A station pings and does not read", station=self.identity)
            self.transport.abort()

    def forget_handshake(self) -> None:
        """Headers hold the station's password, and more memory than its session does."""
        self.request, self.response = _SPENT, None

    async def write(self, frame: bytes, patience: float) -> None:
        """Write one message; a socket that does not take it within ``patience`` seconds is cut. Never raises."""
        try:
            async with asyncio.timeout(patience):
                await self.send(frame, text=True)
        except TimeoutError:
            log.warning("A station does not read its socket", station=self.identity)
            self.transport.abort()
        except ConnectionClosed:
            pass

    def beat(self) -> None:
        """Ping without waiting: nothing piles up for a station that never answers."""
        if self.open:
            self.protocol.send_ping(b"")
            self.send_data()
