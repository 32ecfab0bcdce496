"""Pushes, the story: partners are told of their Sessions and CDRs (mod_sessions §Push, mod_cdrs §Push)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy import Connection

from gateway.calling import Line, call
from gateway.house import utc_now
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.outgoing.guard import UrlRefused, plain_host
from gateway.outgoing.heard import Heard, heard, ocpi_status
from gateway.sessions import view
from gateway.store import cdrs, pushes, sessions
from gateway.store.pushes import Attempt, Due
from ocpi.cdrs import CDR
from ocpi.dialects import DIALECTS
from ocpi.envelope import read_envelope
from ocpi.headers import Encoding, Party, Routing
from ocpi.sessions import SessionStatus
from ocpi.versions import ModuleID

log = structlog.get_logger(__name__)

#: Messages to one partner at a time: one that is slow fills its own share and nobody else's.
AT_A_TIME = 16
#: Requests that one message may take: PATCH, GET, PUT.
_REQUESTS = 3
#: Between the end of an attempt and the moment another process may think that it never ended.
_MARGIN = timedelta(seconds=1)
#: mod_sessions §SessionStatus: no more changes.
_FINAL = frozenset({SessionStatus.COMPLETED, SessionStatus.INVALID})
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


class Pusher:
    """One for a process: it tells each partner side by side, and no partner twice at the same time."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._at: set[int] = set()

    async def deliver(self) -> None:
        """Tell what is due, each on its own; what fails is due again after its pause, or left to the partner's pull."""
        found = await self._office.store.read(pushes.partners_due, utc_now())
        partners = [one for one in found if one not in self._at]
        self._at.update(partners)
        await asyncio.gather(*(self._deliver_to(one) for one in partners))

    async def _deliver_to(self, partner: int) -> None:
        """What is due, and what becomes due meanwhile; a message without an answer takes up only its own place."""
        look_again = self._office.rules.settings.sweep_interval.total_seconds()
        flying: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    due = await self._take(partner, AT_A_TIME - len(flying))
                    flying |= {group.create_task(self._deliver_one(one)) for one in due}
                    if not flying:
                        return
                    _, flying = await asyncio.wait(flying, timeout=look_again, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._at.discard(partner)

    async def _take(self, partner: int, most: int) -> list[Due]:
        """Held on disk before anything is said: after a power failure too, it is known that it may have been said."""
        attempt = self._office.rules.settings.callback_attempt_timeout
        return await self._office.store.write(_take, partner, attempt * _REQUESTS + _MARGIN, most) if most else []

    async def _deliver_one(self, due: Due) -> None:
        try:
            attempt = await _TELL[ModuleID(due.module)](self._office, due)
            await self._office.store.note(pushes.record, due, attempt, utc_now())
        except Exception as problem:
            log.error("a partner could not be told", partner=due.partner_name, module=due.module, problem=repr(problem))


def _take(db: Connection, partner: int, hold: timedelta, most: int) -> list[Due]:
    """Held from now on, however long the store was busy."""
    return pushes.take_due(db, partner, utc_now(), hold, most)


async def _tell_session(office: Office, due: Due) -> Attempt:
    now = await office.store.read(_session, due)
    if now is None:
        return Attempt(told=due.told)
    method, body = message(due.told, now)
    if body is None:
        return Attempt(told=due.told)
    below = "".join(f"/{quote(part, safe='')}" for part in (*due.from_party, now["id"]))
    told = Told(await _send(office, due, method, body, below), has=now)
    if method == "PATCH" and told.outcome is Heard.REFUSED:
        told = await _put_after_doubt(office, due, below, now)
    return _judged(office, due, told)


async def _put_after_doubt(office: Office, due: Due, below: str, now: Wire) -> Told:
    """A PATCH failed: see what the partner has, and give it all of what it should have (transport §PATCH)."""
    looked = await _send(office, due, "GET", None, below)
    if heard(looked.http_status, ocpi_status(looked.body)) is Heard.TAKEN and _data(looked) == now:
        return Told(looked, has=now)
    return Told(await _send(office, due, "PUT", now, below), has=now)


async def _tell_cdr(office: Office, due: Due) -> Attempt:
    """POSTed until it is taken once. An answer that was lost leaves doubt: the same id is sent again."""
    if due.told is not None:
        return Attempt(told=due.told)
    body = await office.store.read(_cdr, due)
    posted = await _send(office, due, "POST", body)
    told = Told(posted, has={"id": body["id"]})
    kept_at = _plain(posted.location)
    if told.outcome is Heard.TAKEN and kept_at is None:
        log.info("a partner does not say where it keeps a CDR", partner=due.partner_name, cdr_id=body["id"])
    return _judged(office, due, told, kept_at)


_TELL = {ModuleID.SESSIONS: _tell_session, ModuleID.CDRS: _tell_cdr}


def message(told: Wire | None, now: Wire) -> tuple[str, Wire | None]:
    """The method and body that make ``now`` of what was told; no body: nothing is new (mod_sessions §PATCH).

    A PATCH leaves out what stays, and its charging_periods are appended; what it cannot say is said by PUT.
    """
    if told is None:
        return "PUT", now
    if told.get("status") in _FINAL:
        return "PATCH", None
    before, periods = told.get("charging_periods", []), now.get("charging_periods", [])
    if told.keys() - now.keys() - {"charging_periods"} or periods[: len(before)] != before:
        return "PUT", now
    changed = {name: value for name, value in now.items() if name != "charging_periods" and told.get(name) != value}
    if added := periods[len(before) :]:
        changed["charging_periods"] = added
    if not changed.keys() - {"last_updated"}:
        return "PATCH", None
    return "PATCH", changed | {"last_updated": now["last_updated"]}


def _session(db: Connection, due: Due) -> Wire | None:
    row = sessions.whole(db, due.object)
    return None if row is None else DIALECTS[due.version].render_session(view(db, row))


def _cdr(db: Connection, due: Due) -> Wire:
    return DIALECTS[due.version].render_cdr(CDR.model_validate(cdrs.by_pk(db, due.object)["body"]))


async def _send(office: Office, due: Due, method: str, body: Wire | None, below: str = "") -> Posted:
    settings = office.rules.settings
    limit = min(settings.callback_attempt_timeout, due.held_until - _MARGIN - utc_now())
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


def _judged(office: Office, due: Due, told: Told, kept_at: str | None = None) -> Attempt:
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
        error=told.posted.error or "",
        due_at=again,
        attempts=attempts,
    )


def _data(posted: Posted) -> Any:
    try:
        return read_envelope(posted.body).one
    except ValueError:
        return None


def _plain(url: str | None) -> str | None:
    """A URL that can be kept; whoever calls it later is guarded like any other call."""
    try:
        return url if url and plain_host(url) else None
    except UrlRefused:
        return None
