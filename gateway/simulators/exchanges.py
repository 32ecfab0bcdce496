"""What a simulated eMSP receives, and the envelope that it answers with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from gateway.simulators.verdicts import MESSAGE_IDS

#: Where a request's routing headers go in its answer.
SWAPPED = {
    "OCPI-from-country-code": "OCPI-to-country-code",
    "OCPI-from-party-id": "OCPI-to-party-id",
    "OCPI-to-country-code": "OCPI-from-country-code",
    "OCPI-to-party-id": "OCPI-from-party-id",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One request that came in, and what is wrong with it."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    #: The parsed body; None when it is no JSON.
    json: Any
    at: datetime
    problems: tuple[str, ...] = ()


def envelope(
    request: web.Request,
    status_code: int,
    *,
    data: Any = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Both message ids, and the routing headers the other way round; without ``data`` there is none."""
    echoed = {name: request.headers[name] for name in MESSAGE_IDS if name in request.headers}
    swapped = {answer: request.headers[asked] for asked, answer in SWAPPED.items() if asked in request.headers}
    body = {"status_code": status_code, "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    told = body if data is None else body | {"data": data}
    return web.json_response(told, status=status, headers=echoed | swapped | dict(headers or {}))


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
