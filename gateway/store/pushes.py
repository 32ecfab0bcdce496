"""Pushes: every query about what partners are to be told of our objects, and what they have been told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, null, or_, select, update

from gateway.domain.lifecycle import PartnerState
from gateway.store.prepared import Prepared, Row, among
from gateway.store.rows import cdr, cpo, partner, partner_endpoint, push, session
from gateway.store.statements import put_once
from ocpi.versions import ModuleID


@dataclass(frozen=True, kw_only=True)
class Due:
    """A message to be sent now, and everything that it needs."""

    id: int
    module: str
    #: session.id or cdr.id.
    object: int
    revision: int
    #: Nobody else sends it before.
    held_until: datetime
    told: dict[str, Any] | None
    attempts: int
    #: Where the partner wants it, and in which version.
    url: str
    version: str
    partner: int
    partner_name: str
    #: Sealed.
    token_out: str
    encoding: str
    keep_pushing: bool
    trailing_slash: bool
    #: (country, party): our own, and the eMSP's.
    from_party: tuple[str, str]
    to_party: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How one message ended."""

    #: What the partner has now; None: that is not certain.
    told: dict[str, Any] | None
    kept_at: str | None = None
    http_status: int | None = None
    ocpi_status: int | None = None
    error: str = ""
    #: When to try again; None: not before the next change.
    due_at: datetime | None = None
    #: Since the last success.
    attempts: int = 0


def owe(
    db: Connection,
    partner_id: int,
    module: str,
    object_: int,
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> None:
    """A partner is to be told of an object, if it has said where; the earlier of two times counts."""
    if _WANTED.first(db, {"partner_": partner_id, "module_": module}) is None:
        return
    due = not_before or now
    again = {"module_": module, "object_": object_, "due": due}
    if _AGAIN.run(db, again) == 1:
        return
    row = {"partner": partner_id, "module": module, "object": object_, "due_at": due, "created_at": now}
    if not put_once(db, push, row | {"revision": 1, "attempts": 0, "error": ""}):  # another process was quicker
        _AGAIN.run(db, again)


def partners_due(db: Connection, now: datetime) -> list[int]:
    """Those that something is to be told."""
    return _PARTNERS_DUE.scalars(db, {"now": now})


def take_due(db: Connection, partner_id: int, now: datetime, hold: timedelta, most: int) -> list[Due]:
    """What a partner is to be told, oldest first, held for ``hold`` so that nobody else tells it meanwhile."""
    ids = _RIPE.scalars(db, {"partner_": partner_id, "now": now, "most": most})
    if not ids:
        return []
    mine = _HOLD.scalars(db, {"ids": ids, "now": now, "until": now + hold})
    found = [_due(row) for row in _DUE.all(db, {"ids": mine})] if mine else []
    nothing = set(mine) - {one.id for one in found}
    if nothing:  # nobody wants it any more, or it has lost its owner
        db.execute(update(push).where(push.c.id.in_(nothing)).values(due_at=None, held_until=None))
    return found


def record(db: Connection, due: Due, attempt: Attempt, now: datetime) -> None:
    """Write down how a message ended, unless another took it over; what has changed since is due at once."""
    as_taken = push.c.revision == due.revision
    noted = {
        "told": attempt.told,
        "kept_at": attempt.kept_at or push.c.kept_at,
        "http_status": attempt.http_status,
        "ocpi_status": attempt.ocpi_status,
        "error": attempt.error[:500].replace("\x00", ""),
        "attempts": attempt.attempts,
        "attempted_at": now,
        "held_until": None,
        "due_at": case((as_taken, attempt.due_at), else_=now),
    }
    db.execute(update(push).where(push.c.id == due.id, push.c.held_until == due.held_until).values(noted))


def drop(db: Connection, partner_id: int) -> int:
    """The partner is told of nothing any more; of how many objects it would have been."""
    waiting = update(push).where(push.c.partner == partner_id, push.c.due_at.is_not(None))
    return db.execute(waiting.values(due_at=None, error="The partner was removed.")).rowcount


def failing(db: Connection, partner_id: int) -> int:
    """How many objects a partner did not take when it was last told of them."""
    asked = select(func.count()).select_from(push).where(push.c.partner == partner_id, push.c.attempts > 0)
    return int(db.execute(asked).scalar_one())


_WANTED = Prepared(
    select(partner_endpoint.c.id).where(
        partner_endpoint.c.partner == bindparam("partner_"),
        partner_endpoint.c.identifier == bindparam("module_"),
        partner_endpoint.c.role == "RECEIVER",
    )
)
_due_at: Any = bindparam("due", type_=push.c.due_at.type)
_AGAIN = Prepared(
    update(push)
    .where(push.c.module == bindparam("module_"), push.c.object == bindparam("object_"))
    .values(
        revision=push.c.revision + 1,
        due_at=case((or_(push.c.due_at.is_(None), push.c.due_at > _due_at), _due_at), else_=push.c.due_at),
    )
)
_FREE = and_(push.c.due_at <= bindparam("now"), or_(push.c.held_until.is_(None), push.c.held_until <= bindparam("now")))
_PARTNERS_DUE = Prepared(
    select(push.c.partner)
    .distinct()
    .join(partner, partner.c.id == push.c.partner)
    .where(_FREE, partner.c.state == PartnerState.ACTIVE)
)
_RIPE = Prepared(
    select(push.c.id)
    .join(partner, partner.c.id == push.c.partner)
    .where(_FREE, push.c.partner == bindparam("partner_"), partner.c.state == PartnerState.ACTIVE)
    .order_by(push.c.due_at)
    .limit(bindparam("most"))
)
# Whoever held it is dead, and may have told it: what the partner has is not certain. A CDR's is noted only when taken.
_CERTAIN = or_(push.c.held_until.is_(None), push.c.module == ModuleID.CDRS)
_HOLD = Prepared(
    update(push)
    .where(among(push.c.id, "ids"), _FREE)
    .values(held_until=bindparam("until"), told=case((_CERTAIN, push.c.told), else_=null()))
    .returning(push.c.id)
)
_DUE = Prepared(
    select(
        push,
        partner_endpoint.c.url,
        partner.c.name,
        partner.c.version,
        partner.c.token_out,
        partner.c.token_out_encoding,
        partner.c.keep_pushing,
        partner.c.trailing_slash,
        cpo.c.country_code.label("cpo_country"),
        cpo.c.party_id.label("cpo_party"),
        func.coalesce(session.c.from_country, cdr.c.from_country).label("from_country"),
        func.coalesce(session.c.from_party, cdr.c.from_party).label("from_party"),
    )
    .join(partner, partner.c.id == push.c.partner)
    .join(
        partner_endpoint,
        and_(
            partner_endpoint.c.partner == push.c.partner,
            partner_endpoint.c.identifier == push.c.module,
            partner_endpoint.c.role == "RECEIVER",
        ),
    )
    .join(session, and_(push.c.module == ModuleID.SESSIONS, session.c.id == push.c.object), isouter=True)
    .join(cdr, and_(push.c.module == ModuleID.CDRS, cdr.c.id == push.c.object), isouter=True)
    .join(cpo, cpo.c.id == func.coalesce(session.c.cpo, cdr.c.cpo))
    .where(among(push.c.id, "ids"))
    .order_by(push.c.id)
)


def _due(seen: Row) -> Due:
    return Due(
        id=seen["id"],
        module=seen["module"],
        object=seen["object"],
        revision=seen["revision"],
        held_until=seen["held_until"],
        told=seen["told"],
        attempts=seen["attempts"],
        url=seen["url"],
        version=seen["version"],
        partner=seen["partner"],
        partner_name=seen["name"],
        token_out=seen["token_out"],
        encoding=seen["token_out_encoding"],
        keep_pushing=seen["keep_pushing"],
        trailing_slash=seen["trailing_slash"],
        from_party=(seen["cpo_country"], seen["cpo_party"]),
        to_party=(seen["from_country"], seen["from_party"]),
    )
