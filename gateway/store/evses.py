"""EVSEs as partners see them: every query about their status, what they offer, and that something changed."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, or_, select, update

from gateway.domain.lifecycle import ReservationState, SessionState
from gateway.store.prepared import Prepared, Row
from gateway.store.reservations import IS_LIVE
from gateway.store.rows import binding, evse, location_news, reservation, session, station
from gateway.store.statements import hold

# Whoever is away is shown to be away after a while; until then it may only have lost its connection.
_IS_THERE = and_(
    station.c.connected_at.is_not(None), or_(station.c.disconnected_at.is_(None), station.c.offline_at.is_not(None))
)
_BOUND = binding.alias("bound")
_BINDING_OF = _BOUND.c.evse == evse.c.id
_IS_ACTIVE = and_(IS_LIVE, reservation.c.state == ReservationState.ACTIVE)
_HERE = select(binding.c.evse).where(binding.c.station == bindparam("station_"))

_RESERVED = exists().where(reservation.c.evse == evse.c.id, _IS_ACTIVE).correlate(evse)
# A 1.6 station tells of connectors only, whether or not its binding names an EVSE as well.
_CHARGING = (
    exists(select(session.c.id).join(_BOUND, _BOUND.c.station == session.c.station))
    .where(_BINDING_OF, session.c.state == SessionState.ACTIVE)
    .where(
        or_(
            session.c.station_evse == _BOUND.c.station_evse,
            and_(session.c.station_evse.is_(None), session.c.station_connector == _BOUND.c.station_connector),
        )
    )
    .correlate(evse)
)
_REACHABLE = (
    exists(select(_BOUND.c.id).join(station, station.c.id == _BOUND.c.station)).where(_BINDING_OF, _IS_THERE)
).correlate(evse)
_IS_BOUND = exists().where(_BINDING_OF).correlate(evse)
#: A reservation that names no EVSE may need any of them.
_UNPLACED = (
    exists()
    .where(reservation.c.station == bindparam("station_"), reservation.c.evse.is_(None), _IS_ACTIVE)
    .correlate(None)
)
_FACTS = select(
    evse.c.id,
    evse.c.location,
    evse.c.imported_status,
    evse.c.told_status,
    evse.c.status,
    _RESERVED.label("reserved"),
    _CHARGING.label("charging"),
)
_SHARED = exists().where(_BINDING_OF, _BOUND.c.station != bindparam("station_")).correlate(evse)
_FACTS_AT = Prepared(
    _FACTS.add_columns((~_REACHABLE).label("offline"), _UNPLACED.label("unplaced"), _SHARED.label("shared"))
    .where(evse.c.id.in_(_HERE))
    .order_by(evse.c.id)
)
_FACTS_OF = Prepared(
    _FACTS.add_columns(_IS_BOUND.label("bound"), (_IS_BOUND & ~_REACHABLE).label("offline"))
    .where(evse.c.location == bindparam("location_"))
    .order_by(evse.c.id)
)
_SHOW = Prepared(
    update(evse)
    .where(evse.c.id == bindparam("id_"), evse.c.status == bindparam("before"))
    .values(status=bindparam("status_"), last_updated=bindparam("now"))
)
_NEWS = Prepared(insert(location_news))
_ANY_NEWS = Prepared(select(location_news.c.id).limit(1))
_TAKE_NEWS = Prepared(delete(location_news).returning(location_news.c.location))
_TOLD = Prepared(
    update(evse)
    .where(evse.c.id == bindparam("id_"))
    .where(or_(evse.c.status_at.is_(None), evse.c.status_at <= bindparam("at")))
    .values(told_status=bindparam("status_"), status_at=bindparam("at"))
)
_SPOTS = Prepared(
    select(binding.c.evse, binding.c.station_evse, binding.c.station_connector).where(
        binding.c.station == bindparam("station_")
    )
)


def facts_at(db: Connection, station_id: str) -> Sequence[Row]:
    """What is known of the status of every EVSE that is bound to a station."""
    return _FACTS_AT.all(db, {"station_": station_id})


def lock(db: Connection, facts: Sequence[Row]) -> None:
    """Until the commit no other process follows what is ``shared`` of these."""
    for row in facts:
        if row["shared"]:
            hold(db, f"evse {row['id']}")


def numbers_at(db: Connection, station_id: str) -> dict[int, set[int]]:
    """``{EVSE: its numbers at the station}``; on 1.6 connectors are the EVSEs."""
    numbers: defaultdict[int, set[int]] = defaultdict(set)
    for row in _SPOTS.all(db, {"station_": station_id}):
        numbers[row["evse"]].add(row["station_connector"] if row["station_evse"] is None else row["station_evse"])
    return numbers


def facts_of(db: Connection, location_pk: int) -> Sequence[Row]:
    """Likewise of every EVSE of a Location."""
    return _FACTS_OF.all(db, {"location_": location_pk})


def show(db: Connection, seen: Row, status: str, now: datetime) -> bool:
    """Partners see another status; False when another process has changed it since it was ``seen``."""
    changed = {"id_": seen["id"], "before": seen["status"], "status_": status, "now": now}
    if _SHOW.run(db, changed) == 0:
        return False
    note(db, seen["location"], now)
    return True


def note(db: Connection, location_pk: int, now: datetime) -> None:
    """Partners are to be told of a Location what is new at it."""
    _NEWS.send(db, {"location": location_pk, "at": now})


def has_news(db: Connection) -> bool:
    return _ANY_NEWS.first(db, {}) is not None


def take_news(db: Connection) -> list[int]:
    """The Locations of which something is new; who takes it tells it."""
    return sorted(set(_TAKE_NEWS.scalars(db, {})))


def told(db: Connection, evse_pk: int, status: str, at: datetime) -> None:
    """What its station tells of an EVSE, never back in time."""
    _TOLD.send(db, {"id_": evse_pk, "status_": status, "at": at})


def ways_at(db: Connection, station_id: str) -> Sequence[Row]:
    """The bindings of every EVSE that is bound to a station, with what is known of the stations they lead to."""
    return db.execute(_WAYS.where(evse.c.id.in_(_HERE)), {"station_": station_id}).mappings().all()


def ways_of(db: Connection, location_pk: int) -> Sequence[Row]:
    """Likewise of every EVSE of a Location; without a station where an EVSE is bound to none."""
    return db.execute(_WAYS.where(evse.c.location == location_pk)).mappings().all()


def offer(db: Connection, seen: Row, capabilities: Collection[str], now: datetime) -> None:
    """Partners are told other capabilities of an EVSE."""
    changed: dict[str, Any] = {"offered": list(capabilities), "last_updated": now}
    db.execute(update(evse).where(evse.c.id == seen["id"]).values(**changed))
    note(db, seen["location"], now)


_WAYS = (
    select(
        evse.c.id,
        evse.c.location,
        evse.c.capabilities,
        evse.c.offered,
        binding.c.connector_key,
        binding.c.station,
        binding.c.station_evse,
        binding.c.station_connector,
        station.c.subprotocol,
        station.c.abilities,
    )
    .join(binding, binding.c.evse == evse.c.id, isouter=True)
    .join(station, station.c.id == binding.c.station, isouter=True)
    .order_by(evse.c.id, binding.c.connector_key)
)


def fading(db: Connection, now: datetime) -> list[str]:
    """Stations that have been away for so long that they are shown to be, from now on."""
    gone = update(station).where(station.c.offline_at <= now).values(offline_at=None).returning(station.c.id)
    return list(db.execute(gone).scalars())
