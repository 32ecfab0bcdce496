"""The envelope around every OCPI answer (transport_and_format §Response format); requests travel without one."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from ocpi.status import StatusCode
from ocpi.types import DateTime, Integer, Model, format_datetime

T = TypeVar("T")


class Envelope(Model, Generic[T]):
    """An answer as the documents describe it."""

    data: T | None = None
    status_code: Integer
    status_message: str | None = None
    timestamp: DateTime


def envelope(
    now: datetime, data: Any = None, status_code: int = StatusCode.SUCCESS, status_message: str | None = None
) -> dict[str, Any]:
    """An answer of ours; where the specification does not say what ``data`` is, it is left out."""
    parts = {
        "data": data,
        "status_code": int(status_code),
        "status_message": status_message,
        "timestamp": format_datetime(now),
    }
    return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Received:
    """What a peer answered; only the code is sure, ``data`` may be anything (§Response format, note of 2.2.1-d2)."""

    status_code: int
    status_message: str | None = None
    data: Any = None

    @property
    def succeeded(self) -> bool:
        return 1000 <= self.status_code < 2000

    @property
    def one(self) -> Any:
        """``data`` where a single object is due; some peers wrap it in a list."""
        match self.data:
            case [single]:
                return single
            case data:
                return data


def read_envelope(body: bytes) -> Received:
    """A peer's answer, read tolerantly; ValueError if it is no envelope at all."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("not an envelope: no JSON") from error
    if not isinstance(answer, dict):
        raise ValueError("not an envelope: no JSON object")
    message = answer.get("status_message")
    return Received(_code(answer.get("status_code")), message if isinstance(message, str) else None, answer.get("data"))


def _code(value: Any) -> int:
    if isinstance(value, str) and len(value) == 4 and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and 0 <= value <= 9999 and not isinstance(value, bool):
        return value
    raise ValueError("not an envelope: no status_code")
