"""What an imported Tariff must not say, because it would be billed otherwise than it was meant."""

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ocpi.tariffs import Tariff
from ocpi.types import Model

#: The place of what is wrong, within the Tariff, and the sentence that says what.
Wrong = tuple[str, str]

_CURRENCY = re.compile(r"[A-Z]{3}")
#: Nothing in them is a price.
_FOR_PEOPLE = frozenset({"tariff_alt_text", "energy_mix"})


def broken_rules(given: Any, tariff: Tariff) -> Iterator[Wrong]:
    """``given``: the Tariff as it was written, for what is misspelt there is not in what was read of it."""
    if not _CURRENCY.fullmatch(tariff.currency):
        yield "currency", "a currency is three capital letters (ISO 4217)"
    yield from _unmeant(given, tariff, "")


def _unmeant(given: Any, read: Any, place: str) -> Iterator[Wrong]:
    match given, read:
        case dict(), Model():
            known = type(read).model_fields
            for name, value in given.items():
                inner = f"{place}.{name}".removeprefix(".")
                if name not in known:
                    yield inner, f"not known; known are {', '.join(known)}"
                elif name not in _FOR_PEOPLE:
                    yield from _unmeant(value, getattr(read, name), inner)
        case list(), tuple():
            for number, (one, other) in enumerate(zip(given, read, strict=True)):
                yield from _unmeant(one, other, f"{place}[{number}]")
        case _, Decimal() if (Fraction(read) * 10_000).denominator != 1:
            yield place, "a number has four decimals at most (types §number)"
