"""How every OCPI answer is written: an envelope, with the HTTP status that the specification wants."""

from typing import Any

import orjson
from starlette.responses import Response

from gateway.house import utc_now
from ocpi.envelope import envelope
from ocpi.status import OcpiError, StatusCode


def answer(
    data: Any = None, code: int = StatusCode.SUCCESS, message: str | None = None, *, http: int = 200
) -> Response:
    body = orjson.dumps(envelope(utc_now(), data, code, message))
    return Response(body, status_code=http, media_type="application/json")


def failure(problem: OcpiError, *, http: int = 200) -> Response:
    """An OCPI error. Valid JSON of a known caller for an existing resource is never answered with an HTTP error."""
    return answer(problem.data, problem.status_code, str(problem), http=http)
