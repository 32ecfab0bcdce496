"""The edge: what is true of every exchange, whatever answers it: ids repeated, parties swapped, slashes forgiven."""

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.answers import failure
from ocpi.headers import MessageIds, Routing, message_ids, read_routing
from ocpi.status import OcpiError, ServerError

log = structlog.get_logger(__name__)

#: Requests below this are of functional modules, whose answers are routed (transport_and_format §Message Routing).
FUNCTIONAL = "/ocpi/cpo/"


class Edge:
    """Wraps the whole application, errors of its own machinery included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = scope["path"].rstrip("/") or "/"
        ids = message_ids(headers)
        extra = ids.headers() | (_swapped(headers) if path.startswith(FUNCTIONAL) else {})
        scope = {**scope, "path": path, "raw_path": path.encode(), "message_ids": ids}
        started = False

        async def decorated(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(extra)
            await send(message)

        try:
            await self._app(scope, receive, decorated)
        except ClientDisconnect:
            log.info("a caller hung up in the middle of its request", path=path)
        except Exception:
            log.exception("a request failed", path=path, request_id=ids.request_id)
            if not started:
                await failure(ServerError())(scope, receive, decorated)


def ids_of(scope: Scope) -> MessageIds:
    found = scope["message_ids"]
    assert isinstance(found, MessageIds)
    return found


def _swapped(headers: Headers) -> dict[str, str]:
    try:
        return read_routing(headers).swapped().headers()
    except OcpiError:
        return Routing().headers()
