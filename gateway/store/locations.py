"""Locations for partners: every query about what they see of them, and which of them they see."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)

from gateway.domain.parties import Partner
from gateway.store.prepared import Prepared
from gateway.store.rows import cpo, evse, location, partner, partner_sight
from ocpi.paging import Page
from ocpi.types import fold

_CHANGED = select(func.max(evse.c.last_updated)).where(evse.c.location == location.c.id).scalar_subquery()
#: A child's update is its parents' too (mod_locations §GET List).
LAST_UPDATED = case((location.c.last_updated < _CHANGED, _CHANGED), else_=location.c.last_updated)

_SIGHT = and_(
    partner_sight.c.partner == partner.c.id,
    partner_sight.c.cpo == location.c.cpo_id,
    or_(partner_sight.c.location.is_(None), partner_sight.c.location == location.c.id),
)
#: A partner sees a Location: all of them, or it is among what is named to it.
SEES = or_(partner.c.sees_all, exists().where(_SIGHT).correlate(partner, location))
_SEEN = select(location.c.id).join(partner, partner.c.id == bindparam("partner_")).where(SEES)
_IS_SEEN = Prepared(_SEEN.where(location.c.id == bindparam("location_")))
_CPOS_SEEN = Prepared(select(partner_sight.c.cpo).where(partner_sight.c.partner == bindparam("partner_")))
_EVSES = select(evse).where(evse.c.location.in_(bindparam("locations", expanding=True))).order_by(evse.c.id)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A Location as it is kept: what was imported, and what moves."""

    row: RowMapping
    evses: Sequence[RowMapping]


def page(db: Connection, one: Partner, cpo_ids: Collection[int], wanted: Page) -> tuple[int, list[Kept]]:
    """What a partner sees of these parties of ours, the oldest first: (how many, the page's)."""
    where = [wanted.date_from <= LAST_UPDATED] if wanted.date_from is not None else []
    where += [wanted.date_to > LAST_UPDATED] if wanted.date_to is not None else []
    where += [location.c.cpo_id.in_(cpo_ids), *_seen_by(one)]
    total = int(db.execute(select(func.count()).select_from(location).where(*where)).scalar_one())
    asked = select(location).where(*where).order_by(location.c.id).offset(wanted.offset).limit(wanted.limit)
    return total, _whole(db, asked)


def named(db: Connection, one: Partner, cpo_ids: Collection[int], location_id: str) -> list[Kept]:
    """Those of that id that a partner sees; each of our parties may have one."""
    where = [location.c.location_key == fold(location_id), location.c.cpo_id.in_(cpo_ids), *_seen_by(one)]
    return _whole(db, select(location).where(*where).order_by(location.c.id))


def by_pk(db: Connection, one: Partner, location_pk: int) -> Kept | None:
    """A Location, if the partner sees it."""
    found = _whole(db, select(location).where(location.c.id == location_pk, *_seen_by(one)))
    return found[0] if found else None


def sees(db: Connection, one: Partner, location_pk: int) -> bool:
    return one.sees_all or _IS_SEEN.first(db, {"partner_": one.id, "location_": location_pk}) is not None


def seen_by(db: Connection, partner_id: int) -> list[int]:
    return list(db.execute(_SEEN.order_by(location.c.id), {"partner_": partner_id}).scalars())


def cpos_seen(db: Connection, partner_id: int) -> set[int]:
    """The parties of ours of which a partner that does not see everything sees anything."""
    return set(_CPOS_SEEN.scalars(db, {"partner_": partner_id}))


def sights(db: Connection, partner_id: int) -> Sequence[RowMapping]:
    """What was named to a partner, by the partners' names; ``location_id`` is None for all of a party's."""
    asked = (
        select(cpo.c.country_code, cpo.c.party_id, location.c.location_id)
        .select_from(partner_sight)
        .join(cpo, cpo.c.id == partner_sight.c.cpo)
        .join(location, location.c.id == partner_sight.c.location, isouter=True)
        .where(partner_sight.c.partner == partner_id)
        .order_by(partner_sight.c.cpo, partner_sight.c.location)
    )
    return db.execute(asked).mappings().all()


def show_only(db: Connection, partner_id: int, named_: Sequence[tuple[int, int | None]]) -> None:
    """These, (party, Location or None for all of them), and no others are what a partner's sight names."""
    db.execute(delete(partner_sight).where(partner_sight.c.partner == partner_id))
    for cpo_id, location_pk in dict.fromkeys(named_):
        db.execute(insert(partner_sight).values(partner=partner_id, cpo=cpo_id, location=location_pk))


def _seen_by(one: Partner) -> list[ColumnElement[bool]]:
    return [] if one.sees_all else [location.c.id.in_(_SEEN.params(partner_=one.id))]


def _whole(db: Connection, asked: Select[tuple[object, ...]]) -> list[Kept]:
    rows = db.execute(asked).mappings().all()
    evses: dict[int, list[RowMapping]] = {row["id"]: [] for row in rows}
    for each in db.execute(_EVSES, {"locations": list(evses)}).mappings() if rows else ():
        evses[each["location"]].append(each)
    return [Kept(row=row, evses=evses[row["id"]]) for row in rows]
