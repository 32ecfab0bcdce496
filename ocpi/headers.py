"""The headers of OCPI messages: who calls, from which party to which, and the ids of the message."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from string import whitespace
from typing import Self
from uuid import uuid4

from ocpi.status import InvalidParameters
from ocpi.types import fold

REQUEST_ID = "X-Request-ID"
CORRELATION_ID = "X-Correlation-ID"

_AUTHORIZATION = re.compile(r"token[ \t]+(\S.*)", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"[ -~]{1,128}")


class Encoding(StrEnum):
    """How a credentials token is written into the Authorization header."""

    #: What the texts since 2.2-d2 ask for.
    BASE64 = "base64"
    #: What many peers of 2.1.1 and 2.2 send and expect.
    RAW = "raw"


def authorization(token: str, encoding: Encoding) -> str:
    """The header's value. White space around ``token`` is not part of it: a line feed slips in with every ``echo``."""
    token = token.strip(whitespace)
    if encoding is Encoding.BASE64:
        return f"Token {base64.b64encode(token.encode()).decode()}"
    if not re.fullmatch("[!-~]+", token):
        raise ValueError("only printable ASCII without spaces can be sent raw")
    return f"Token {token}"


def token_candidates(header: str | None) -> tuple[str, ...]:
    """What the caller's token may be: the value decoded, if it can be, and as it stands; () without a Token scheme.

    A raw token can be valid Base64 by chance, so both are to be looked up (transport_and_format §Authorization header).
    """
    match = _AUTHORIZATION.fullmatch((header or "").strip(whitespace))
    if match is None:
        return ()
    value = match[1]
    decoded = _decoded(value)
    return (decoded, value) if decoded else (value,)


def _decoded(value: str) -> str:
    """The specification's sample headers hide a line feed; older ones are binary, which no token is."""
    try:
        return base64.b64decode(value, validate=True).decode().strip(whitespace)
    except ValueError:
        return ""


@dataclass(frozen=True, eq=False)
class Party:
    """A party as it spells itself; the same party in any case."""

    country_code: str
    party_id: str

    @cached_property
    def key(self) -> str:
        """``nl*tnm``. The country is padded: ids may contain any sign, and no two parties may share a key."""
        return fold(f"{self.country_code:<2}*{self.party_id}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Party) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return f"{self.country_code}*{self.party_id}"


@dataclass(frozen=True)
class Routing:
    """Which party a message is for and which it is from (transport_and_format §Message Routing Headers)."""

    to: Party | None = None
    from_: Party | None = None

    def swapped(self) -> Self:
        """As the answer carries it, and the asynchronous result."""
        return type(self)(to=self.from_, from_=self.to)

    def headers(self) -> dict[str, str]:
        return _written("to", self.to) | _written("from", self.from_)


def _written(direction: str, party: Party | None) -> dict[str, str]:
    if party is None:
        return {}
    return {f"OCPI-{direction}-country-code": party.country_code, f"OCPI-{direction}-party-id": party.party_id}


def read_routing(headers: Mapping[str, str]) -> Routing:
    """The parties of a message; InvalidParameters, naming the header, for half a party or an impossible one."""
    given = _by_lower_name(headers)
    return Routing(to=_read_party(given, "to"), from_=_read_party(given, "from"))


def _read_party(given: Mapping[str, str], direction: str) -> Party | None:
    country_code = _read_id(given, f"OCPI-{direction}-country-code", 2)
    party_id = _read_id(given, f"OCPI-{direction}-party-id", 3)
    if country_code and party_id:
        return Party(country_code, party_id)
    if country_code or party_id:
        missing = "party-id" if country_code else "country-code"
        raise InvalidParameters(f"Missing header: OCPI-{direction}-{missing}")
    return None


def _read_id(given: Mapping[str, str], name: str, length: int) -> str:
    value = given.get(name.lower(), "").strip(whitespace)
    if len(value) > length or not re.fullmatch("[ -~]*", value):
        raise InvalidParameters(f"Invalid header: {name}")
    return value


@dataclass(frozen=True)
class MessageIds:
    """The ids that an answer repeats."""

    request_id: str
    correlation_id: str

    def headers(self) -> dict[str, str]:
        return {REQUEST_ID: self.request_id, CORRELATION_ID: self.correlation_id}


def message_ids(headers: Mapping[str, str]) -> MessageIds:
    """The caller's ids; the specification has no word for a missing one, so we make it and go on."""
    given = _by_lower_name(headers)
    return MessageIds(*(_usable_id(given.get(name.lower(), "")) for name in (REQUEST_ID, CORRELATION_ID)))


def _usable_id(value: str) -> str:
    value = value.strip(whitespace)
    return value if _MESSAGE_ID.fullmatch(value) else str(uuid4())


def _by_lower_name(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
