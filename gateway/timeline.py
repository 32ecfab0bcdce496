"""A command's timeline: every step from the POST to its last callback, in the order of time."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.prepared import Row
from ocpp_bridge.answers import ANSWER

#: As ``gateway.store.callbacks.told_of`` gives them.
Callbacks = Sequence[tuple[Row, Sequence[Row]]]

#: Variables and configuration keys whose values are nobody else's business.
_SECRET = re.compile(r"password|authorizationkey|vpnkey|simpin|secret", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """Something that happened to a command."""

    at: datetime
    name: str
    what: str


def timeline(row: Row, callbacks: Callbacks) -> list[Step]:
    """The steps so far, oldest first; of those at the same moment, in the order in which they follow."""
    steps = [*_command(row)]
    for callback, attempts in callbacks:
        steps += _callback(callback, attempts)
    return sorted(steps, key=lambda step: step.at)


def openly(order: dict[str, Any] | None) -> dict[str, Any] | None:
    """An order as it may be shown: a password that is set with it (1.6 AuthorizationKey) may not."""
    if order is not None and _SECRET.search(str(order.get("key", ""))):
        return order | {"value": "***"}
    return order


def _command(row: Row) -> Iterable[Step]:
    yield Step(row["received_at"], "received", _asked(row))
    if row["dispatched_at"]:
        yield Step(row["dispatched_at"], "dispatched", f"to the node that holds {row['station']}")
    if row["sent_at"]:
        yield Step(row["sent_at"], "sent", f"{row['station']} was asked: {_order(row['order'])}")
    if row["answered_at"]:
        yield Step(row["answered_at"], "answered", _answer(row))
    if row["concluded_at"]:
        yield Step(row["concluded_at"], "concluded", _joined(row["result"], row["result_text"]))


def _callback(callback: Row, attempts: Sequence[Row]) -> Iterable[Step]:
    for number, attempt in enumerate(attempts, 1):
        yield Step(attempt["at"], f"callback {number}", f"{callback['result']} to {callback['url']}: {_ended(attempt)}")
    if callback["ended_at"]:
        yield Step(callback["ended_at"], callback["state"].lower(), f"{callback['result']} to {callback['url']}")


def _asked(row: Row) -> str:
    if row["partner"] is None:
        return f"{row['type']} of the house's own"
    said = _joined(f"answered {row['response']} ({row['response_code']})", row["response_text"])
    return f"{row['type']} of {row['from_country']}*{row['from_party']}, {said}"


def _order(order: dict[str, Any] | None) -> str:
    words = {name: value for name, value in (openly(order) or {}).items() if value is not None}
    kind = words.pop("kind", "")
    return " ".join([kind, *(f"{name}={_word(value)}" for name, value in words.items())])


def _word(value: object) -> str:
    """Of an id token, its value and type."""
    return ":".join(str(each) for each in value.values()) if isinstance(value, dict) else str(value)


def _answer(row: Row) -> str:
    answer = ANSWER.validate_python(row["answer"] or {"ending": row["ending"]})
    told = _joined(f"{answer.status} {answer.reason}".strip(), answer.detail)
    return _joined(answer.ending, told, row["subprotocol"])


def _ended(attempt: Row) -> str:
    http = f"HTTP {attempt['http_status']}" if attempt["http_status"] is not None else ""
    ocpi = f"OCPI {attempt['ocpi_status']}" if attempt["ocpi_status"] is not None else ""
    return _joined(http, ocpi, attempt["error"], f"{attempt['milliseconds']} ms")


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)
