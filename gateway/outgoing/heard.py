"""Heard: what a partner's answer to a message of ours means, by its HTTP status and its OCPI status."""

from collections.abc import Mapping
from enum import StrEnum

from ocpi.envelope import read_envelope
from ocpi.status import StatusCode

_BEYOND_HUBS = 5000


class Heard(StrEnum):
    """What became of a message."""

    TAKEN = "TAKEN"
    #: Nobody answered, or whoever did may do better later.
    TRY_AGAIN = "TRY_AGAIN"
    REFUSED = "REFUSED"
    #: A hub could not hand it on to the party that it is for.
    NOT_ROUTED = "NOT_ROUTED"


#: What hubs say of parties that they cannot reach (status_codes §4xxx), whatever HTTP status they say it with.
_BY_HUBS: Mapping[int, str] = {
    StatusCode.HUB_UNKNOWN_RECEIVER: "The hub does not know the party (4001).",
    StatusCode.HUB_TIMEOUT: "The party did not answer the hub in time (4002).",
    StatusCode.HUB_CONNECTION_PROBLEM: "The party is not connected to the hub (4003).",
}


def heard(http_status: int | None, code: int | None) -> Heard:
    """Tried again: no answer, 5xx, 429, and OCPI 3xxx. A 2xx without a readable envelope was received all the same."""
    if code is not None and StatusCode.HUB_ERROR <= code < _BEYOND_HUBS:
        return Heard.NOT_ROUTED
    if http_status is None or http_status == 429 or http_status >= 500:
        return Heard.TRY_AGAIN
    if not 200 <= http_status < 300:
        return Heard.REFUSED
    if code is None or 1000 <= code < 2000:
        return Heard.TAKEN
    return Heard.TRY_AGAIN if 3000 <= code < 4000 else Heard.REFUSED


def why(code: int | None) -> str:
    """What a hub's code says; empty for every other."""
    if code is None or not StatusCode.HUB_ERROR <= code < _BEYOND_HUBS:
        return ""
    return _BY_HUBS.get(code, f"The hub could not hand it on ({code}).")


def ocpi_status(body: bytes) -> int | None:
    """The envelope's status_code; None when there is none that can be read."""
    try:
        return read_envelope(body).status_code
    except ValueError:
        return None
