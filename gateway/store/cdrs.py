"""CDRs: every query about what was billed, to whom, and what was taken back."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from gateway.store.prepared import Prepared, Row
from gateway.store.rows import binding, cdr, command, cpo, evse, location, session
from gateway.store.statements import following, put_once
from ocpi.commands import CommandResultType, CommandType
from ocpi.paging import Page
from ocpi.types import fold


def add(db: Connection, row: dict[str, Any]) -> int | None:
    """A new CDR's key; None when there is one of that id, or the CDR that it credits is credited already."""
    if not put_once(db, cdr, row):
        return None
    asked = select(cdr.c.id).where(cdr.c.cpo == row["cpo"], cdr.c.cdr_id == row["cdr_id"])
    return int(db.execute(asked).scalar_one())


def by_pk(db: Connection, cdr_pk: int) -> Row:
    return db.execute(_LISTED.where(cdr.c.id == cdr_pk)).mappings().one()


def named(db: Connection, cdr_id: str) -> Sequence[Row]:
    """The CDRs of that id: each of our parties may have one."""
    return db.execute(_LISTED.where(func.lower(cdr.c.cdr_id) == fold(cdr_id)).order_by(cdr.c.id)).mappings().all()


def of_session(db: Connection, session_pk: int) -> Sequence[Row]:
    """A Session's CDRs, but for Credit CDRs, oldest first; ``credited_by`` is None for the one that stands."""
    return _OF_SESSION.all(db, {"session_": session_pk})


def before(db: Connection, cdr_pk: int) -> Sequence[int]:
    """The keys of all earlier CDRs of its Session, Credit CDRs too."""
    return _BEFORE.scalars(db, {"id_": cdr_pk})


def of_reservation(db: Connection, reservation_id: int) -> Sequence[Row]:
    """Likewise, of all Sessions that a reservation has to do with."""
    asked = _LISTED.where(session.c.reservation == reservation_id, cdr.c.credits.is_(None))
    return db.execute(asked.order_by(cdr.c.id)).mappings().all()


def listed(db: Connection, partner: int | None = None, most: int = 100, after: int | None = None) -> Sequence[Row]:
    """The newest first, ``after`` that row, of one connection or of all."""
    asked = _LISTED if partner is None else _LISTED.where(cdr.c.partner == partner)
    asked = asked.where(*following(cdr.c.id, after))
    return db.execute(asked.order_by(cdr.c.id.desc()).limit(most)).mappings().all()


def page(
    db: Connection, partner: int, party: tuple[str, str] | None, cpo_ids: Collection[int], wanted: Page
) -> tuple[int, Sequence[dict[str, Any]]]:
    """A connection's CDRs with these of our parties, of one eMSP when ``party`` names it: (how many, the page's)."""
    mine = [cdr.c.partner == partner, cdr.c.cpo.in_(cpo_ids)]
    if wanted.date_from is not None:
        mine.append(cdr.c.last_updated >= wanted.date_from)
    if wanted.date_to is not None:
        mine.append(cdr.c.last_updated < wanted.date_to)
    if party is not None:
        mine.append(func.lower(cdr.c.from_country) == fold(party[0]))
        mine.append(func.lower(cdr.c.from_party) == fold(party[1]))
    total = db.execute(select(func.count()).select_from(cdr).where(*mine)).scalar_one()
    asked = select(cdr.c.body).where(*mine).order_by(cdr.c.id).offset(wanted.offset).limit(wanted.limit)
    return int(total), db.execute(asked).scalars().all()


def location_of(db: Connection, of: Row) -> dict[str, Any] | None:
    """The OCPI Location where a Session was; of a spot that is bound to nothing, the one where its station stands."""
    asked = select(location.c.body).where(location.c.id.in_([of["location"]] if of["location"] else _stands(of)))
    bodies = db.execute(asked).scalars().all()
    return bodies[0] if len(bodies) == 1 else None


def cancelled_by_partner(db: Connection, reservation_id: int) -> bool:
    """Whether it was an eMSP's CANCEL_RESERVATION that ended a reservation at its station."""
    asked = select(command.c.id).where(
        command.c.reservation == reservation_id,
        command.c.type == CommandType.CANCEL_RESERVATION,
        command.c.partner.is_not(None),
        command.c.result == CommandResultType.ACCEPTED,
    )
    return db.execute(asked.limit(1)).first() is not None


def party(db: Connection, cpo_id: int) -> Row:
    return db.execute(select(cpo).where(cpo.c.id == cpo_id)).mappings().one()


def _stands(of: Row) -> Select[Any]:
    at_station = select(evse.c.location).join(binding, binding.c.evse == evse.c.id)
    return at_station.where(binding.c.station == of["station"])


_TAKEN_BACK = cdr.alias("taken_back")
_LISTED = (
    select(
        cdr,
        session.c.session_id,
        _TAKEN_BACK.c.cdr_id.label("credited_by"),
    )
    .join(session, session.c.id == cdr.c.session)
    .join(_TAKEN_BACK, _TAKEN_BACK.c.credits == cdr.c.id, isouter=True)
)
_OF_SESSION = Prepared(
    _LISTED.where(cdr.c.session == bindparam("session_"), cdr.c.credits.is_(None)).order_by(cdr.c.id)
)
_this = cdr.alias("this")
_BEFORE = Prepared(
    select(cdr.c.id)
    .join(_this, and_(_this.c.session == cdr.c.session, _this.c.id > cdr.c.id))
    .where(_this.c.id == bindparam("id_"))
    .order_by(cdr.c.id)
)
