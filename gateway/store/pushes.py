"""Pushes: every query about what partners are to be told of our objects, and what they have been told."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, literal, null, or_, select, update

from gateway.domain.lifecycle import PartnerState
from gateway.store import client_infos
from gateway.store.prepared import Prepared, Row, among
from gateway.store.rows import cdr, cpo, location, partner, partner_endpoint, push, session
from gateway.store.statements import insert_into
from ocpi.headers import Party
from ocpi.types import fold
from ocpi.versions import ModuleID


@dataclass(frozen=True, kw_only=True)
class Due:
    """A message to be sent now, and everything that it needs."""

    id: int
    module: str
    #: session.id, cdr.id or location.id.
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
    is_hub: bool
    #: Why the party behind the hub is told nothing now; empty: it is.
    away: str = ""
    #: (country, party): our own, and the eMSP's; what is for all behind a hub goes to the hub.
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
    due = not_before or now
    known = {"partner_": partner_id, "module_": module, "object_": object_, "due": due, "now": now}
    _owe(db.dialect.name).send(db, known)


def owe_untold(db: Connection, partner_id: int, module: str, object_: int, now: datetime) -> None:
    """``owe`` what the partner is not known to have."""
    if not _IS_TOLD.scalars(db, {"module_": module, "object_": object_}):
        owe(db, partner_id, module, object_, now)


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
    return [_looked_for(db, one) if one.is_hub else one for one in found]


def _looked_for(db: Connection, due: Due) -> Due:
    """Nothing is sent to a party that its hub says is away (mod_hub_client_info §Scenarios)."""
    return replace(due, away=client_infos.away(db, due.partner, Party(*due.to_party)))


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


def resume(db: Connection, partner_id: int, party: Party, now: datetime) -> None:
    """A party behind a hub can be told again of what it was not told: its Sessions and CDRs."""
    for owned, module in ((session, ModuleID.SESSIONS), (cdr, ModuleID.CDRS)):
        its = select(owned.c.id).where(
            owned.c.partner == partner_id,
            func.lower(owned.c.from_country) == fold(party.country_code),
            func.lower(owned.c.from_party) == fold(party.party_id),
        )
        missed = update(push).where(push.c.partner == partner_id, push.c.module == module, push.c.attempts > 0)
        db.execute(missed.where(push.c.due_at.is_(None), push.c.object.in_(its)).values(due_at=now, attempts=0))


def failing(db: Connection, partner_id: int) -> int:
    """How many objects a partner did not take when it was last told of them."""
    asked = select(func.count()).select_from(push).where(push.c.partner == partner_id, push.c.attempts > 0)
    return int(db.execute(asked).scalar_one())


_OWED = select(
    partner_endpoint.c.partner,
    partner_endpoint.c.identifier,
    bindparam("object_", type_=push.c.object.type, required=True),
    bindparam("due", type_=push.c.due_at.type, required=True),
    bindparam("now", type_=push.c.created_at.type, required=True),
    literal(1),
    literal(0),
    literal(""),
).where(
    partner_endpoint.c.partner == bindparam("partner_"),
    partner_endpoint.c.identifier == bindparam("module_"),
    partner_endpoint.c.role == "RECEIVER",
)


@cache
def _owe(dialect: str) -> Prepared:
    columns = ("partner", "module", "object", "due_at", "created_at", "revision", "attempts", "error")
    statement = insert_into(dialect, push).from_select(columns, _OWED)
    due = statement.excluded.due_at
    sooner = case((or_(push.c.due_at.is_(None), push.c.due_at > due), due), else_=push.c.due_at)
    again = {"revision": push.c.revision + 1, "due_at": sooner}
    return Prepared(statement.on_conflict_do_update(index_elements=["module", "object", "partner"], set_=again))


_IS_TOLD = Prepared(
    select(push.c.id).where(
        push.c.module == bindparam("module_"), push.c.object == bindparam("object_"), push.c.told.is_not(None)
    )
)
_FREE = and_(push.c.due_at <= bindparam("now"), or_(push.c.held_until.is_(None), push.c.held_until <= bindparam("now")))
# A Session's CDRs are told in the order in which they were made, or a charge would be billed twice for a while.
_this, _earlier, _untold = cdr.alias("this"), cdr.alias("earlier"), push.alias("untold")
_ITS_TURN = or_(
    push.c.module != ModuleID.CDRS,
    ~(
        select(_untold.c.id)
        .join(_earlier, _earlier.c.id == _untold.c.object)
        .join(_this, and_(_this.c.session == _earlier.c.session, _this.c.id > _earlier.c.id))
        .where(_this.c.id == push.c.object, _untold.c.module == ModuleID.CDRS, _untold.c.told.is_(None))
    ).exists(),
)
_PARTNERS_DUE = Prepared(
    select(push.c.partner)
    .distinct()
    .join(partner, partner.c.id == push.c.partner)
    .where(_FREE, _ITS_TURN, partner.c.state == PartnerState.ACTIVE)
)
_RIPE = Prepared(
    select(push.c.id)
    .join(partner, partner.c.id == push.c.partner)
    .where(_FREE, _ITS_TURN, push.c.partner == bindparam("partner_"), partner.c.state == PartnerState.ACTIVE)
    # A Session waits for no Location: those are many at once, and said again when they change again.
    .order_by(push.c.module == ModuleID.LOCATIONS, push.c.due_at)
    .limit(bindparam("most"))
)
# Whoever held it is dead, and may have told it: what the partner has is not certain. A CDR's is noted only when taken.
_CERTAIN = or_(push.c.held_until.is_(None), push.c.module == ModuleID.CDRS)
_HOLD = Prepared(
    update(push)
    .where(among(push.c.id, "ids"), _FREE, _ITS_TURN)
    .values(held_until=bindparam("until"), told=case((_CERTAIN, push.c.told), else_=null()))
    .returning(push.c.id)
)
_DUE = Prepared(
    select(
        push,
        partner_endpoint.c.url,
        partner.c.name,
        partner.c.role,
        partner.c.version,
        partner.c.token_out,
        partner.c.token_out_encoding,
        partner.c.keep_pushing,
        partner.c.trailing_slash,
        cpo.c.country_code.label("cpo_country"),
        cpo.c.party_id.label("cpo_party"),
        func.coalesce(session.c.from_country, cdr.c.from_country, partner.c.country_code).label("from_country"),
        func.coalesce(session.c.from_party, cdr.c.from_party, partner.c.party_id).label("from_party"),
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
    .join(location, and_(push.c.module == ModuleID.LOCATIONS, location.c.id == push.c.object), isouter=True)
    .join(cpo, cpo.c.id == func.coalesce(session.c.cpo, cdr.c.cpo, location.c.cpo_id))
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
        is_hub=seen["role"] == "HUB",
        trailing_slash=seen["trailing_slash"],
        from_party=(seen["cpo_country"], seen["cpo_party"]),
        to_party=(seen["from_country"], seen["from_party"]),
    )
