"""The listener: the WebSocket server that stations knock at, ws://host:port/ocpp/{identity}."""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers, MultipleValuesError
from websockets.exceptions import InvalidHeaderFormat
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ocpp_bridge.desk import Refused
from ocpp_bridge.dialect import Dialect
from ocpp_bridge.gate import Full, Gate
from ocpp_bridge.wire import Wire

log = structlog.get_logger(__name__)

PATH = "/ocpp/"
#: 2.x identifierString; 1.6 stations are held to it too.
LONGEST_IDENTITY = 48

#: 2.x part 4 wants RFC 7692 of a CSMS. Nothing is kept from one message to the next, so that an idle station costs
#: nothing more, and windows are 4 KiB: 35 KiB a station less than with the defaults of either.
DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)

#: Seconds after which a station may come again when the house is in trouble.
AGAIN = 10

#: websockets writes whole frames to its log at DEBUG; idTags do not belong there.
_quiet = logging.getLogger("ocpp_bridge.websockets")
_quiet.setLevel(logging.WARNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one listener takes on; times in seconds."""

    frame: int = 256 * 1024
    #: Stations at once between their knock and their place in the house.
    accept: int = 64
    #: A handshake that would wait longer is told to come again.
    accept_wait: float = 15.0
    ping_interval: float = 50.0
    #: Silence after which a station that answers pings is gone.
    silence: float = 120.0
    #: The same for a station that never answered one, but sends Heartbeats.
    patient_silence: float = 900.0
    #: Sockets closed at once, and the pause before the next ones, when the node goes away.
    drain_slice: int = 50
    drain_pause: float = 1.0


Admit = Callable[[str, str | None, bytes | None], Awaitable[str]]
Serve = Callable[[str, Dialect, Wire], Awaitable[None]]


class Listener:
    """``admit`` decides at the door and may raise Refused; ``attend`` lives as long as the socket, and says
    ``wire.settled()`` when the house knows the station: then the next one may come in.
    """

    def __init__(self, dialects: Mapping[str, Dialect], admit: Admit, attend: Serve, limits: Limits) -> None:
        self._dialects, self._admit, self._attend, self._limits = dialects, admit, attend, limits
        self._gate = Gate(limits.accept, limits.accept_wait)
        self._server: Server | None = None
        self._pulse: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        self._server = await serve(
            self._connected,
            host,
            port,
            process_request=self._knock,
            process_response=self._said,
            select_subprotocol=self._choose,
            compression=None,  # decided per station, in _knock
            create_connection=Wire,
            server_header=None,
            open_timeout=self._limits.accept_wait + 15,
            ping_interval=None,  # one task pings all: _beat
            close_timeout=5,
            max_size=self._limits.frame,
            logger=_quiet,
            backlog=4096,
        )
        self._pulse = asyncio.create_task(self._beat())

    @property
    def port(self) -> int:
        """The port in use, also when any was asked for."""
        if self._server is None:
            raise RuntimeError("the listener was not started")
        return int(self._server.sockets[0].getsockname()[1])

    def refuse_newcomers(self) -> None:
        if self._server is not None:
            self._server.close(close_connections=False)

    async def stop(self) -> None:
        """Close every socket, a slice at a time, so that the stations come back to other nodes in slices too."""
        self.refuse_newcomers()
        if self._pulse is not None:
            self._pulse.cancel()
        if self._server is not None:
            await self._drain(self._server)
            await self._server.wait_closed()

    async def _drain(self, server: Server) -> None:
        while leaving := list(server.connections)[: self._limits.drain_slice]:
            await asyncio.gather(*(wire.close(CloseCode.GOING_AWAY, "node stops") for wire in leaving))
            if server.connections:
                await asyncio.sleep(self._limits.drain_pause)

    # The handshake

    async def _knock(self, wire: ServerConnection, request: Request) -> Response | None:
        """None lets the station in; else how it is turned away (OCPP-J: 404 unknown identity, 401 credentials)."""
        if (identity := identity_in(request.path)) is None:
            return wire.respond(HTTPStatus.NOT_FOUND, "")
        try:
            leave = await self._gate.enter()
        except Full as full:
            return _come_again(wire, full.again)
        _leave_at_the_latest_with(asyncio.current_task(), leave)
        if isinstance(wire, Wire):
            wire.settled = leave
        try:
            registered = await self._admitted(identity, request.headers)
        except Refused as refusal:
            log.info("A station was refused", station=identity, status=refusal.http_status)
            return _turned_away(wire, refusal.http_status)
        except Exception:
            log.exception("A station could not be admitted", station=identity)
            return _come_again(wire)
        self._prepare(wire, registered, request.headers)
        return None

    def _said(self, wire: ServerConnection, _: Request, response: Response) -> None:
        """Whoever is turned away, by us or by the library, may be slow to go."""
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS and isinstance(wire, Wire):
            wire.settled()

    async def _admitted(self, identity: str, headers: Headers) -> str:
        username, password = credentials_in(headers)
        # OCPP security whitepaper A00.FR.204: the username is the identity in the URL.
        if username is not None and username != identity:
            raise Refused(HTTPStatus.UNAUTHORIZED)
        return await self._admit(identity, username, password)

    def _prepare(self, wire: ServerConnection, identity: str, headers: Headers) -> None:
        if isinstance(wire, Wire):
            wire.identity = identity
        dialect = self._dialects.get(self._first_spoken(_offered(headers)) or "")
        # Whoever has an id for unreadable messages is 2.x, where compression is wanted; in 1.6 it upsets stations.
        if dialect is not None and dialect.unreadable_id is not None:
            wire.protocol.available_extensions = [DEFLATE]

    def _choose(self, wire: ServerConnection, offered: Iterable[Subprotocol]) -> Subprotocol | None:
        chosen = self._first_spoken(offered)
        return None if chosen is None else Subprotocol(chosen)

    def _first_spoken(self, offered: Iterable[str]) -> str | None:
        """The station's order of preference counts."""
        return next((name for name in offered if name in self._dialects), None)

    async def _connected(self, wire: ServerConnection) -> None:
        dialect = self._dialects.get(wire.subprotocol or "")
        if not isinstance(wire, Wire):
            return
        wire.forget_handshake()
        if dialect is None:
            # OCPP-J: without a common version the handshake is completed without the header, then closed.
            log.info("A station speaks no version of ours", station=wire.identity)
            wire.settled()
            await wire.close(CloseCode.PROTOCOL_ERROR, "no common subprotocol")
            return
        await self._attend(wire.identity, dialect, wire)

    # Life signs

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._limits.ping_interval)
            for wire in self._server.connections if self._server else ():
                if isinstance(wire, Wire):
                    self._judge(wire)
                await asyncio.sleep(0)

    def _judge(self, wire: Wire) -> None:
        allowed = self._limits.silence if wire.answers_pings else self._limits.patient_silence
        try:
            if time.monotonic() - wire.heard_at > allowed:
                log.info("A station fell silent", station=wire.identity)
                wire.transport.abort()
            else:
                wire.beat()
        except Exception:
            log.exception("A station could not be pinged", station=wire.identity)


def identity_in(path: str) -> str | None:
    """The station's identity: the last segment, percent-decoded once; None when there is none or it is too long."""
    path = path.partition("?")[0]
    segment = path.removeprefix(PATH)
    if segment == path or "/" in segment:
        return None
    try:
        identity = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return None
    return identity if 0 < len(identity) <= LONGEST_IDENTITY and identity.isprintable() else None


def credentials_in(headers: Headers) -> tuple[str | None, bytes | None]:
    """Basic credentials; the password as raw bytes, since 1.6 keys need not be text. Raises Refused when broken."""
    try:
        header = headers.get("Authorization")
        if header is None:
            return None, None
        scheme, _, encoded = header.partition(" ")
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        if scheme.lower() != "basic" or not colon:
            raise Refused(HTTPStatus.UNAUTHORIZED)
        return username.decode(), password
    except (MultipleValuesError, binascii.Error, ValueError) as problem:
        raise Refused(HTTPStatus.UNAUTHORIZED) from problem


def _offered(headers: Headers) -> list[Subprotocol]:
    """What the handshake will offer to _choose; a broken header is refused there."""
    try:
        return [name for line in headers.get_all("Sec-WebSocket-Protocol") for name in parse_subprotocol(line)]
    except InvalidHeaderFormat:
        return []


def _turned_away(wire: ServerConnection, status: int) -> Response:
    response = wire.respond(status, "")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
    return response


def _leave_at_the_latest_with(task: asyncio.Task[Any] | None, leave: Callable[[], None]) -> None:
    """The task of a connection ends with it, however far it came."""
    assert task is not None
    task.add_done_callback(lambda _: leave())


def _come_again(wire: ServerConnection, seconds: int = AGAIN) -> Response:
    response = wire.respond(HTTPStatus.SERVICE_UNAVAILABLE, "")
    response.headers["Retry-After"] = str(seconds)
    return response
