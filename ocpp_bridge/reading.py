"""Reading: what a station's JSON says, taken field by field, so that one bad field never costs the others."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

#: OCPP integers are 32-bit signed.
INT32 = 2**31 - 1

#: Longer text than any field of any version that we keep; a station's frame may hold much more.
LONGEST = 512

#: No meter of a charging station counts so far, nor so finely; within it, another unit's number is exact, too.
LARGEST = Decimal(10**15)
MOST_DIGITS = 24


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


def measure(value: Any, name: str) -> Decimal | None:
    """The exact number at ``name``, also when sent as text (as 1.6 does in MeterValues); None if it cannot be true."""
    try:
        number = Decimal(text(value, name))
    except InvalidOperation:
        return None
    if not number.is_finite() or len(number.as_tuple().digits) > MOST_DIGITS:
        return None
    return number if -MOST_DIGITS <= number.adjusted() <= LARGEST.adjusted() else None


def whole(value: Any, name: str, least: int = 0) -> int | None:
    """The integer at ``name`` between ``least`` and int32's end; stations send -1 for "I have none"."""
    number = measure(value, name)
    if number is None or number != number.to_integral_value() or not least <= number <= INT32:
        return None
    return int(number)


def moment(value: Any, name: str) -> datetime | None:
    """The time at ``name`` in UTC: any offset, any fraction, and UTC when no zone is said."""
    try:
        told = datetime.fromisoformat(text(value, name).upper())
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def flag(value: Any, name: str) -> bool | None:
    """The boolean at ``name``, also when sent as text; None when there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, bool) else truth(found if isinstance(found, str) else None)


def truth(raw: str | None) -> bool | None:
    """A configuration value read as a boolean; None when it is neither."""
    return {"true": True, "false": False}.get((raw or "").strip().casefold())


def spelled(word: str, known: Iterable[str]) -> str:
    """``word`` in the schema's spelling if only its case differs; else as it came."""
    return next((str(one) for one in known if one.casefold() == word.casefold()), word)
