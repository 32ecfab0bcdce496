"""Heard: what a partner's answer to a message of ours means, by its HTTP status and its OCPI status."""

from enum import StrEnum

from ocpi.envelope import read_envelope


class Heard(StrEnum):
    """What became of a message."""

    TAKEN = "TAKEN"
    #: Nobody answered, or whoever did may do better later.
    TRY_AGAIN = "TRY_AGAIN"
    REFUSED = "REFUSED"


def heard(http_status: int | None, code: int | None) -> Heard:
    """Tried again: no answer, 5xx, 429, and OCPI 3xxx. A 2xx without a readable envelope was received all the same."""
    if http_status is None or http_status == 429 or http_status >= 500:
        return Heard.TRY_AGAIN
    if not 200 <= http_status < 300:
        return Heard.REFUSED
    if code is None or 1000 <= code < 2000:
        return Heard.TAKEN
    return Heard.TRY_AGAIN if 3000 <= code < 4000 else Heard.REFUSED


def ocpi_status(body: bytes) -> int | None:
    """The envelope's status_code; None when there is none that can be read."""
    try:
        return read_envelope(body).status_code
    except ValueError:
        return None
