"""What simulated platforms do otherwise than the specification says: each is what some known implementation does."""

from dataclasses import dataclass

from ocpi.dialects import DIALECTS
from ocpi.status import StatusCode


@dataclass
class Quirks:
    """How it differs from what the specification says."""

    versions: tuple[str, ...] = tuple(DIALECTS)
    #: Which form of the token it understands; None: both.
    encoding: str | None = None
    #: True: its URLs are there only with a slash at the end; False: only without; it tells them the other way round.
    slash: bool | None = None
    #: Seconds before every answer.
    delay: float = 0.0
    lacks: frozenset[str] = frozenset()
    #: The versions URL that it tells, which leads nowhere.
    versions_url: str | None = None
    #: It knows its new token only when the exchange is over, and asks for the one before until then.
    late_token: bool = False
    #: So many exchanges are carried out, and the socket is closed instead of answering.
    losing_answers: int = 0
    #: So many exchanges are answered like this, and change nothing.
    refusing: int = 0
    refusal: tuple[int, int] = (200, StatusCode.SERVER_ERROR)
    #: Its token A is over at once when the exchange is.
    forgets_token_a: bool = True
    #: Its token A is that of a registered client then.
    upgrades_token_a: bool = False
    #: Objects come in a list, as some peers send them.
    wraps: bool = False
