"""Pushes, the story: partners are told of their Sessions and CDRs, and of the Locations that they see.

mod_sessions §Push, mod_cdrs §Push, mod_locations §Flow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from urllib.parse import quote

import structlog
from sqlalchemy import Connection

from gateway.house import utc_now
from gateway.location_pushes import tell_location
from gateway.office import Office
from gateway.outgoing.guard import UrlRefused, plain_host
from gateway.outgoing.heard import Heard
from gateway.sessions import view
from gateway.store import announcements, cdrs, evses, pushes, sessions
from gateway.store.pushes import Attempt, Due
from gateway.telling import MARGIN, REQUESTS, Told, Wire, judged, put_after_doubt, send
from ocpi.cdrs import CDR
from ocpi.dialects import DIALECTS
from ocpi.sessions import SessionStatus
from ocpi.versions import ModuleID

log = structlog.get_logger(__name__)

#: Messages to one partner at a time: one that is slow fills its own share and nobody else's.
AT_A_TIME = 16
#: mod_sessions §SessionStatus: no more changes.
_FINAL = frozenset({SessionStatus.COMPLETED, SessionStatus.INVALID})


class Pusher:
    """One for a process: it tells each partner side by side, and no partner twice at the same time."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._at: set[int] = set()

    async def deliver(self) -> None:
        """Tell what is due, each on its own; what fails is due again after its pause, or left to the partner's pull."""
        if await self._office.store.read(evses.has_news):
            await self._office.store.note(_announce)
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
        return await self._office.store.write(_take, partner, attempt * REQUESTS + MARGIN, most) if most else []

    async def _deliver_one(self, due: Due) -> None:
        try:
            attempt = await _TELL[ModuleID(due.module)](self._office, due) if not due.away else _not_now(due)
            await self._office.store.note(pushes.record, due, attempt, utc_now())
        except Exception as problem:
            log.error("a partner could not be told", partner=due.partner_name, module=due.module, problem=repr(problem))


def _take(db: Connection, partner: int, hold: timedelta, most: int) -> list[Due]:
    """Held from now on, however long the store was busy."""
    return pushes.take_due(db, partner, utc_now(), hold, most)


def _announce(db: Connection) -> None:
    """What changed at Locations is owed to all who see them."""
    announcements.announce(db, evses.take_news(db), utc_now())


def _not_now(due: Due) -> Attempt:
    """Nothing is sent to a party that its hub says is away, nor kept for it (mod_hub_client_info §Scenarios)."""
    return Attempt(told=due.told, error=due.away, attempts=due.attempts + 1)


async def _tell_session(office: Office, due: Due) -> Attempt:
    now = await office.store.read(_session, due)
    if now is None:
        return Attempt(told=due.told)
    method, body = message(due.told, now)
    if body is None:
        return Attempt(told=due.told)
    below = "".join(f"/{quote(part, safe='')}" for part in (*due.from_party, now["id"]))
    told = Told(await send(office, due, method, body, below), has=now)
    if method == "PATCH" and told.outcome is Heard.REFUSED:
        told = await put_after_doubt(office, due, below, now, has=now)
    return judged(office, due, told)


async def _tell_cdr(office: Office, due: Due) -> Attempt:
    """POSTed until it is taken once. An answer that was lost leaves doubt: the same id is sent again."""
    if due.told is not None:
        return Attempt(told=due.told)
    body = await office.store.read(_cdr, due)
    posted = await send(office, due, "POST", body)
    told = Told(posted, has={"id": body["id"]})
    kept_at = _plain(posted.location)
    if told.outcome is Heard.TAKEN and kept_at is None:
        log.info("a partner does not say where it keeps a CDR", partner=due.partner_name, cdr_id=body["id"])
    return judged(office, due, told, kept_at)


_TELL: Mapping[ModuleID, Callable[[Office, Due], Awaitable[Attempt]]] = {
    ModuleID.SESSIONS: _tell_session,
    ModuleID.CDRS: _tell_cdr,
    ModuleID.LOCATIONS: tell_location,
}


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


def _plain(url: str | None) -> str | None:
    """A URL that can be kept; whoever calls it later is guarded like any other call."""
    try:
        return url if url and plain_host(url) else None
    except UrlRefused:
        return None
