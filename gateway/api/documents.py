"""The OpenAPI documents: one per OCPI version, read off the routes and the dialect's models."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ocpi.charging_preferences import ChargingPreferences
from ocpi.commands import CommandResult
from ocpi.credentials import Credentials
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS
from ocpi.envelope import Envelope
from ocpi.headers import CORRELATION_ID, REQUEST_ID
from ocpi.hub_client_info import ClientInfo
from ocpi.types import Model

_REF = "#/components/schemas/{model}"
_ERROR = {"application/json": {"schema": {"$ref": _REF.format(model="Envelope")}}}
_MESSAGE_IDS = (REQUEST_ID, CORRELATION_ID)
#: Paths of configuration modules (transport_and_format §Message Routing Headers).
_UNROUTED = tuple(f"/ocpi/{one}" for one in ("versions", *DIALECTS, *(f"cpo/{one}/hubclientinfo" for one in DIALECTS)))
_ROUTING = ("OCPI-to-country-code", "OCPI-to-party-id", "OCPI-from-country-code", "OCPI-from-party-id")

_REFUSED = {
    "404": "There is no such object",
    "405": "Not for a caller that is registered, or not for one that is not",
}

_SAME_TOKEN = {name: f"$request.path.{name}" for name in ("country_code", "party_id", "token_uid")}
_TOKEN_LINKS = {
    "Seen": {"operationId": "get_token", "parameters": _SAME_TOKEN | {"type": "$request.query.type"}},
    "Changed": {"operationId": "patch_token", "parameters": _SAME_TOKEN | {"type": "$request.query.type"}},
}
#: What names a Location, and below it an EVSE and a Connector.
PLACE = ("location_id", "evse_uid", "connector_id")

_DATE_FROM = {"name": "date_from", "in": "query", "schema": {"type": "string", "format": "date-time"}}
_PAGE = [
    {"name": "date_to", "in": "query", "schema": {"type": "string", "format": "date-time"}},
    {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0}},
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}},
]
#: What every list GET takes (transport_and_format §Paginated Request).
PAGED: dict[str, Any] = {"parameters": [_DATE_FROM, *_PAGE]}
_WISH = {"operationId": "charging_preferences", "parameters": {"session_id": "$response.body#/data/0/id"}}
#: Sessions alone insists on ``date_from`` (mod_sessions §GET).
PAGED_FROM: dict[str, Any] = {
    "parameters": [_DATE_FROM | {"required": True}, *_PAGE],
    "responses": {"200": {"links": {"Wished": _WISH}}},
}


def command(model: type[Model]) -> dict[str, Any]:
    """What a command's route says of its body, which we read ourselves, and of the result that follows."""
    result = _content(CommandResult) | {"required": True}
    answer = {"200": {"description": "Received", "content": _ERROR}}
    return {
        "requestBody": _content(model) | {"required": True},
        "callbacks": {
            "result": {"{$request.body#/response_url}": {"post": {"requestBody": result, "responses": answer}}}
        },
    }


def taking(model: type[Model]) -> dict[str, Any]:
    """What a route says of its body."""
    return {"requestBody": _content(model) | {"required": True}}


def refusing(*statuses: str, **more: Any) -> dict[str, Any]:
    """What a route says of answers that are HTTP's."""
    return more | {"responses": {status: {"description": _REFUSED[status], "content": _ERROR} for status in statuses}}


def in_path(name: str) -> dict[str, Any]:
    """A part of a path that is read by hand."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def of_token(model: type[Model] | None = None, *, creates: bool = False) -> dict[str, Any]:
    """What a route says of one Token: its place, for a change its body, and where to go on from there."""
    parts = [in_path(name) for name in ("country_code", "party_id", "token_uid")]
    kind = {"name": "type", "in": "query", "schema": {"$ref": _REF.format(model="TokenType"), "default": "RFID"}}
    said = refusing("404", parameters=[*parts, kind], **(taking(model) if model is not None else {}))
    if creates:
        said["responses"] |= {
            status: {"description": what, "content": _ERROR, "links": _TOKEN_LINKS}
            for status, what in (("200", "It is as told, unless a newer one is known"), ("201", "It is new"))
        }
    return said


def of_party(model: type[Model] | None = None) -> dict[str, Any]:
    """What a route says of one party behind a hub, and for a change of its body."""
    parts = [in_path(name) for name in ("country_code", "party_id")]
    return refusing("404", parameters=parts, **(taking(model) if model is not None else {}))


def of_place(names: Sequence[str]) -> dict[str, Any]:
    """What a route says of a Location, or of a part of one."""
    return refusing("404", parameters=[in_path(name) for name in names])


def of_session(model: type[Model]) -> dict[str, Any]:
    """What a route below a Session says of its path and its body, and of an answer that is HTTP's."""
    return {
        "parameters": [in_path("session_id")],
        "requestBody": _content(model) | {"required": True},
        "responses": {"404": {"description": "No such Session, or nothing to steer", "content": _ERROR}},
    }


def document(dialect: Dialect, routers: Iterable[APIRouter]) -> dict[str, Any]:
    """The document of everything that ``dialect`` offers."""
    told: list[type[Model]] = [*dialect.commands.values(), ChargingPreferences, ClientInfo, CommandResult]
    return _document("OCPI commands gateway", dialect.version, routers, [*told, Credentials, dialect.token])


def extension(router: APIRouter) -> dict[str, Any]:
    """The document of what partners may use beside OCPI."""
    return _document("Extension for partners", "1", [router], [])


def _document(title: str, version: str, routers: Iterable[APIRouter], told: Iterable[type[Model]]) -> dict[str, Any]:
    routes = [route for router in routers for route in router.routes]
    made = get_openapi(title=title, version=version, routes=routes)
    models: list[type[Model]] = [*told, Envelope]
    _, bodies = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    defined = bodies.get("$defs", {})
    schemas |= {name: schema for name, schema in defined.items() if name not in schemas}
    for path, operations in made["paths"].items():
        for operation in operations.values():
            _complete(operation, routed=not path.startswith(_UNROUTED))
    made["components"]["securitySchemes"] = {
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token`, a space, and the credentials token in Base64.",
        }
    }
    made["security"] = [{"token": []}]
    return made


def _content(model: type[Model]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}}


def _complete(operation: dict[str, Any], *, routed: bool) -> None:
    """What is true of every operation: message ids, parties, and the two errors that are HTTP's."""
    names = _MESSAGE_IDS + (_ROUTING if routed else ())
    headers = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in names]
    operation.setdefault("parameters", []).extend(headers)
    operation["responses"]["401"] = {"description": "No valid credentials token", "content": _ERROR}
    if "requestBody" in operation:
        operation["responses"]["400"] = {"description": "The body is not JSON", "content": _ERROR}
