"""Pulls of tokens: every query about where they stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, bindparam, insert, literal, select, update

from gateway.domain.lifecycle import PartnerState
from gateway.store.rows import partner, partner_endpoint, token_sync
from gateway.store.statements import put_once

_FIND = select(token_sync).where(token_sync.c.partner == bindparam("partner_"))
_CHANGE = update(token_sync).where(token_sync.c.partner == bindparam("partner_"))


@dataclass(frozen=True, kw_only=True)
class Pull:
    """Where one goes on: at a page, or at the beginning of what has changed since then (None: of everything)."""

    page: str | None
    since: datetime | None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What one has brought, its earlier parts included."""

    taken: int
    skipped: int


def find(db: Connection, partner_id: int) -> RowMapping | None:
    """None: no token of the partner's was ever pulled."""
    return db.execute(_FIND, {"partner_": partner_id}).mappings().first()


def begin(db: Connection, partner_id: int, now: datetime, overlap: timedelta, *, again: bool) -> Pull:
    """Go on with the pull that broke off; else with what was changed since the last one, or with everything."""
    put_once(db, token_sync, {"partner": partner_id, "taken": 0, "skipped": 0, "error": ""})
    row = find(db, partner_id)
    assert row is not None
    if row["page"] is not None and not again:
        return Pull(page=row["page"], since=row["since"])
    since = None if again or row["synced_at"] is None else row["synced_at"] - overlap
    fresh = {"page": None, "began_at": now, "since": since, "taken": 0, "skipped": 0, "error": ""}
    db.execute(_CHANGE.values(fresh), {"partner_": partner_id})
    return Pull(page=None, since=since)


def note_page(db: Connection, partner_id: int, following: str | None, *, taken: int, skipped: int) -> None:
    """A page was read; the next pull begins with the following one, if this does not come to it."""
    sums = {"taken": token_sync.c.taken + taken, "skipped": token_sync.c.skipped + skipped}
    db.execute(_CHANGE.values(page=following, **sums), {"partner_": partner_id})


def failed(db: Connection, partner_id: int, problem: str, *, keeps_page: bool) -> None:
    """A pull broke off; the next one goes on there, or begins anew."""
    changed = {"error": problem[:500].replace("\x00", "")} | ({} if keeps_page else {"page": None})
    db.execute(_CHANGE.values(changed), {"partner_": partner_id})


def finish(db: Connection, partner_id: int, now: datetime) -> Finished:
    """All pages were read: the next pull asks for what has changed since this one began."""
    db.execute(_CHANGE.values(page=None, synced_at=token_sync.c.began_at, error=""), {"partner_": partner_id})
    row = find(db, partner_id)
    assert row is not None
    return Finished(taken=row["taken"], skipped=row["skipped"])


def plan(db: Connection, module: str, at: datetime) -> None:
    """Partners that can be asked and never were are pulled for the first time then."""
    asked = (
        select(partner.c.id, literal(at, token_sync.c.due_at.type), literal(0), literal(0), literal(""))
        .join(partner_endpoint, partner_endpoint.c.partner == partner.c.id)
        .where(partner_endpoint.c.identifier == module, partner_endpoint.c.role == "SENDER")
        .where(partner.c.state == PartnerState.ACTIVE)
        .where(~select(token_sync.c.partner).where(token_sync.c.partner == partner.c.id).exists())
    )
    db.execute(insert(token_sync).from_select(["partner", "due_at", "taken", "skipped", "error"], asked))
    unplanned = token_sync.c.due_at.is_(None) & token_sync.c.partner.in_(
        select(partner.c.id).where(partner.c.state == PartnerState.ACTIVE)
    )
    db.execute(update(token_sync).where(unplanned).values(due_at=at))


def take_due(db: Connection, now: datetime, again_at: datetime) -> int | None:
    """A partner whose tokens are to be pulled now, by whoever asked; it is due again at ``again_at``."""
    ripe = (
        select(token_sync.c.partner)
        .join(partner, partner.c.id == token_sync.c.partner)
        .where(token_sync.c.due_at <= now, partner.c.state == PartnerState.ACTIVE)
        .order_by(token_sync.c.due_at)
        .limit(1)
    )
    found = db.execute(ripe).scalar()
    if found is None:
        return None
    taken = update(token_sync).where(token_sync.c.partner == found, token_sync.c.due_at <= now)
    return int(found) if db.execute(taken.values(due_at=again_at)).rowcount == 1 else None


def stop(db: Connection, partner_id: int) -> None:
    """The partner is not asked for its tokens any more."""
    db.execute(update(token_sync).where(token_sync.c.partner == partner_id).values(due_at=None, page=None))
