"""Saying: the rules for what we send that the official schemas do not hold."""

from datetime import UTC, datetime
from string import ascii_letters, digits
from typing import Any

from ocpp_bridge.orders import IdToken
from ocpp_bridge.reading import INT32

#: 2.x identifierString.
IDENTIFIER = frozenset(ascii_letters + digits + "*-_=:+|@.")


class Unsayable(ValueError):
    """The order cannot be said in this OCPP version; nothing was sent."""


def stated(**fields: Any) -> dict[str, Any]:
    """``fields`` without those that are None: OCPP leaves out what it does not say."""
    return {name: value for name, value in fields.items() if value is not None}


def positive(name: str, value: int) -> int:
    """``value``, if every station can take it as an id: neither the schemas' integers nor ours are bounded."""
    if not 0 < value <= INT32:
        raise Unsayable(f"{name} must be between 1 and {INT32}.")
    return value


def token_text(token: IdToken, alphabet: frozenset[str]) -> str:
    """The token's text, if it is one in this version; its length is the schema's to judge."""
    if not token.value or not alphabet.issuperset(token.value):
        raise Unsayable("A token is empty or has characters that OCPP does not allow in one.")
    return token.value


def zulu(at: datetime, timespec: str = "seconds") -> str:
    """``at`` as RFC 3339 in UTC; a time without zone is UTC."""
    known = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return known.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
