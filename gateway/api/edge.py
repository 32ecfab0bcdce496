"""The edge: what is true of every exchange, whatever answers it: ids repeated, parties swapped, slashes forgiven."""

from collections.abc import Mapping

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.answers import failure
from ocpi.headers import MessageIds, Routing, message_ids, read_routing
from ocpi.status import OcpiError, ServerError
from ocpi.versions import ModuleID

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
        # Read once: they are asked for several times, and starlette decodes all of them each time.
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"].rstrip("/") or "/"
        ids = message_ids(given)
        routing = _routing(given)
        routed = (routing or Routing()).swapped().headers() if _is_functional(path) else {}
        known = {"message_ids": ids, "given": given, "routing": routing, "routed": routed}
        scope = {**scope, "path": path, **known}
        started = False

        async def decorated(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                extra = ids.headers() | routed
                ours = {name.lower().encode(): value.encode("latin-1") for name, value in extra.items()}
                theirs = [(name, value) for name, value in message["headers"] if name not in ours]
                message["headers"] = [*theirs, *ours.items()]
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


def routed_of(request: Request) -> dict[str, str]:
    """The routing headers of the answer, to be completed by who knows more; nobody reads them elsewhere."""
    found = request.scope["routed"]
    assert isinstance(found, dict)
    return found


def given(request: Request) -> Mapping[str, str]:
    """The request's headers, by their names in lower case."""
    found = request.scope["given"]
    assert isinstance(found, dict)
    return found


def _is_functional(path: str) -> bool:
    module = path.removeprefix(FUNCTIONAL).split("/")[1:2]
    return path.startswith(FUNCTIONAL) and module != [str(ModuleID.HUB_CLIENT_INFO)]


def routing_of(request: Request) -> Routing:
    """The parties of a request; raises InvalidParameters."""
    found = request.scope["routing"]
    return found if isinstance(found, Routing) else read_routing(given(request))


def _routing(headers: Mapping[str, str]) -> Routing | None:
    try:
        return read_routing(headers)
    except OcpiError:  # whoever needs it is told when it is read again
        return None
