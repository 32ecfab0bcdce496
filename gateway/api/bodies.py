"""Bodies of requests: JSON, read once."""

from typing import Any

import orjson
from fastapi import Request

from ocpi.status import InvalidParameters

#: The JSON that partners send is a few hundred bytes; what is longer is not read.
LONGEST_BODY = 65_536


class NotJson(Exception):
    """The body is not JSON (HTTP 400)."""


async def read_json(request: Request) -> Any:
    """Raises NotJson, InvalidParameters."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LONGEST_BODY:
            raise InvalidParameters(f"The body is longer than {LONGEST_BODY} bytes")
    try:
        body = orjson.loads(received)
    except orjson.JSONDecodeError:
        raise NotJson from None
    try:
        orjson.dumps(body)  # as the record will be written: deeper than that is not asked by anybody
    except orjson.JSONEncodeError:
        raise InvalidParameters("The body is nested too deeply") from None
    return body
