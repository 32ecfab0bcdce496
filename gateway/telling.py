"""Telling: one message about one object to a partner, and what becomes of it (decision 11)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from gateway.calling import Line, call
from gateway.house import utc_now
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.outgoing.heard import Heard, heard, ocpi_status, why
from gateway.store.pushes import Attempt, Due
from ocpi.envelope import read_envelope
from ocpi.headers import Encoding, Party, Routing

log = structlog.get_logger(__name__)

#: Requests that one message may take: PATCH, GET, PUT.
REQUESTS = 3
#: Between the end of an attempt and the moment another process may think that it never ended.
MARGIN = timedelta(seconds=1)
#: The longest pause before a partner that wants it is told again.
_LONGEST_PAUSE = timedelta(hours=1)

#: An OCPI object as it goes into JSON.
Wire = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What became of telling a partner, and what it has now (None: not certain)."""

    posted: Posted
    has: Wire | None

    @property
    def outcome(self) -> Heard:
        return heard(self.posted.http_status, ocpi_status(self.posted.body))


async def put_after_doubt(office: Office, due: Due, below: str, now: Wire, *, has: Wire) -> Told:
    """A PATCH failed: see what the partner has, and give it all of what it should have (transport §PATCH)."""
    looked = Told(await send(office, due, "GET", None, below), has=has)
    if looked.outcome is Heard.TAKEN and _data(looked.posted) == now:
        return looked
    return Told(await send(office, due, "PUT", now, below), has=has)


async def send(office: Office, due: Due, method: str, body: Wire | None, below: str = "") -> Posted:
    settings = office.rules.settings
    limit = min(settings.callback_attempt_timeout, due.held_until - MARGIN - utc_now())
    if limit <= timedelta(0):  # this process was held up, and another may be about to say it
        return Posted(http_status=None, body=b"", error="There was no time left to say it.", milliseconds=0)
    line = Line(
        url=due.url,
        token_out=due.token_out,
        encoding=Encoding(due.encoding),
        routing=Routing(to=Party(*due.to_party), from_=Party(*due.from_party)),
        trailing_slash=due.trailing_slash,
    )
    return await call(office, line, method, body, limit, below=below)


def judged(office: Office, due: Due, told: Told, kept_at: str | None = None) -> Attempt:
    """What the partner is known to have now, and whether it is told again without anything new."""
    taken = told.outcome is Heard.TAKEN
    attempts = 0 if taken else due.attempts + 1
    pauses = office.rules.settings.callback_pauses
    again: datetime | None = None
    if not taken and due.keep_pushing:
        again = utc_now() + min(_LONGEST_PAUSE, timedelta(seconds=2 ** min(due.attempts, 12)))
    elif told.outcome is Heard.TRY_AGAIN and due.attempts < len(pauses):
        again = utc_now() + pauses[due.attempts]
    if not taken and again is None:
        log.warning(
            "a partner was not told, and is left to ask",
            partner=due.partner_name,
            module=due.module,
            http_status=told.posted.http_status,
            problem=told.posted.error,
        )
    return Attempt(
        told=told.has if taken else None,
        kept_at=kept_at,
        http_status=told.posted.http_status,
        ocpi_status=ocpi_status(told.posted.body),
        error=told.posted.error or why(ocpi_status(told.posted.body)),
        due_at=again,
        attempts=attempts,
    )


def _data(posted: Posted) -> Any:
    try:
        return read_envelope(posted.body).one
    except ValueError:
        return None
