"""Reading: what a station's JSON says, taken field by field, so that one bad field never costs the others."""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import isfinite
from typing import Any

#: OCPP integers are 32-bit signed.
INT32 = 2**31 - 1

#: Longer text than any field of any version that we keep; a station's frame may hold much more.
LONGEST = 512


def part(value: Any, name: str) -> dict[str, Any]:
    """The object at ``name``; empty when there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def parts(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects in the list at ``name``; what is no object is left out."""
    found = value.get(name) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(value: Any, name: str) -> str:
    """The text at ``name``, also when sent as a number; NUL, which no database stores, is dropped."""
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found).replace("\0", "").strip()[:LONGEST]


def measure(value: Any, name: str) -> float | None:
    """The finite number at ``name``, also when sent as text (as 1.6 does in MeterValues)."""
    try:
        return finite(float(text(value, name)))
    except ValueError:
        return None


def finite(number: float) -> float | None:
    """``number`` if it is one: what is too large for a float has become infinite."""
    return number if isfinite(number) else None


def whole(value: Any, name: str, least: int = 0) -> int | None:
    """The integer at ``name`` between ``least`` and int32's end; stations send -1 for "I have none"."""
    number = measure(value, name)
    if number is None or not number.is_integer() or not least <= number <= INT32:
        return None
    return int(number)


def moment(value: Any, name: str) -> datetime | None:
    """The time at ``name`` in UTC: any offset, any fraction, and UTC when no zone is said."""
    try:
        told = datetime.fromisoformat(text(value, name).upper())
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def flag(value: Any, name: str) -> bool:
    """The boolean at ``name``, also when sent as text; false when there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found is True or truth(found if isinstance(found, str) else None) is True


def truth(raw: str | None) -> bool | None:
    """A configuration value read as a boolean; None when it is neither."""
    return {"true": True, "false": False}.get((raw or "").strip().casefold())


def spelled(word: str, known: Iterable[str]) -> str:
    """``word`` in the schema's spelling if only its case differs; else as it came."""
    return next((str(one) for one in known if one.casefold() == word.casefold()), word)
