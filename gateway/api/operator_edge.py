"""The edge of the operator API: its token, and every mistake told as problem details (RFC 9457)."""

import hashlib
import hmac
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.cdrs import NotPossible
from gateway.paged import NotPulled
from gateway.registering import NotDone
from gateway.reserving import Impossible
from ocpi.status import OcpiError

Answers = dict[int | str, dict[str, Any]]

PROBLEM_JSON = "application/problem+json"
#: What an operator says is short.
LONGEST_BODY = 65_536


class Problem(BaseModel):
    """What was wrong with a request."""

    title: str
    #: A sentence for people.
    detail: str
    status: int


class Guard:
    """Lets nobody in without the operators' token, and no body that is too long; nobody on its way keeps an answer."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._digest = app, _digest(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unkept(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cache-Control"] = "no-store"
            await send(message)

        if scope["type"] != "http" or self._is_theirs(Headers(scope=scope).getlist("authorization")):
            await self._app(scope, _bounded(receive), unkept)
        else:
            told = problem(
                401, "The operators' token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
            )
            await told(scope, receive, unkept)

    def _is_theirs(self, given: list[str]) -> bool:
        """Compared in constant time, whatever its length (RFC 6750 §2.1)."""
        scheme, _, token = given[0].strip().partition(" ") if len(given) == 1 else ("", "", "")
        return hmac.compare_digest(_digest(token.strip()), self._digest) and scheme.lower() == "bearer"


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def next_part() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LONGEST_BODY:
            raise HTTPException(413, f"The body is longer than {LONGEST_BODY} bytes.")
        return message

    return next_part


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    told = Problem(title=HTTPStatus(status).phrase, detail=detail, status=status)
    return Response(orjson.dumps(told.model_dump()), status, headers, PROBLEM_JSON)


def tell_problems(app: FastAPI) -> None:
    """How ``app`` answers what goes wrong."""
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(Impossible, _impossible)
    app.add_exception_handler(NotPossible, _not_possible)
    for refusal in (NotDone, NotPulled, OcpiError):
        app.add_exception_handler(refusal, _not_possible)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)


def answers(model: type[BaseModel], status: int, description: str) -> Answers:
    """What a route's document says of another answer."""
    return {status: {"model": model, "description": description}}


def problems(*statuses: int) -> Answers:
    """What it says of the mistakes that can be made."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}


def known_parameters(request: Request) -> None:
    """A filter that is misspelt would filter nothing."""
    known = {one.alias for one in request.scope["route"].dependant.query_params}
    if unknown := sorted(set(request.query_params) - known):
        raise HTTPException(400, f"{unknown[0] or 'a parameter without a name'}: there is no such parameter.")


async def _unreadable(_: Request, mistake: Exception) -> Response:
    """Which fields, and what is the matter with them; never their values."""
    assert isinstance(mistake, RequestValidationError)
    return problem(400, "; ".join(_field(one) for one in mistake.errors()[:5]))


def _field(error: dict[str, Any]) -> str:
    names = error["loc"][1:]
    if not names or error["type"] == "json_invalid":
        return "The body is to be a JSON object, as Content-Type: application/json."
    return f"{'.'.join(map(str, names))}: {error['msg'].removeprefix('Value error, ')}"


async def _impossible(_: Request, mistake: Exception) -> Response:
    assert isinstance(mistake, Impossible)
    return problem(400, f"{mistake.field}: {mistake}") if mistake.field else problem(409, str(mistake))


async def _not_possible(_: Request, mistake: Exception) -> Response:
    return problem(409, str(mistake))


async def _http_error(_: Request, mistake: Exception) -> Response:
    """Ours, and the router's own 404, 405 and 413."""
    assert isinstance(mistake, HTTPException)
    return problem(mistake.status_code, str(mistake.detail), dict(mistake.headers or {}))


async def _failed(_: Request, mistake: Exception) -> Response:
    """Told to the caller here; the edge of all logs it."""
    return problem(500, "The request could not be carried out; the log says why.")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
