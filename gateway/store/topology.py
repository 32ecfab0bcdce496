"""Locations, EVSEs, connectors and their bindings to stations: every query about what is where."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, and_, bindparam, cast, exists, or_, select, update

from gateway.domain.addressing import Place
from gateway.domain.evse_status import DECIDED
from gateway.domain.lifecycle import SessionState
from gateway.store.prepared import Prepared, Row
from gateway.store.reservations import IS_LIVE
from gateway.store.rows import binding, connector, connector_status, cpo, evse, location, reservation, session, station
from gateway.store.statements import put
from ocpi.headers import Party
from ocpi.locations import Location
from ocpi.types import fold

#: An EVSE of this status is gone for good (mod_locations §Flow).
_REMOVED = "REMOVED"


@dataclass(frozen=True, kw_only=True)
class FoundLocation:
    """A Location of one of our parties."""

    id: int
    location_id: str


def find_location(db: Connection, cpo_id: int, location_id: str) -> FoundLocation | None:
    row = _LOCATION.first(db, {"cpo": cpo_id, "location_key": fold(location_id)})
    return None if row is None else FoundLocation(id=row["id"], location_id=row["location_id"])


def cpo_at(db: Connection, location_pk: int) -> int:
    """Our party whose Location it is."""
    return int(_CPO_AT.scalar(db, {"location": location_pk}))


def text_of(db: Connection, location_pk: int) -> str:
    """The OCPI Location as imported, in JSON."""
    return str(_TEXT.scalar(db, {"id_": location_pk}))


def has_evse(db: Connection, location_pk: int, evse_uid: str) -> bool:
    return _EVSE.first(db, {"location": location_pk, "evse_key": fold(evse_uid)}) is not None


def has_connector(db: Connection, location_pk: int, evse_uid: str, connector_id: str) -> bool:
    known = {"location": location_pk, "evse_key": fold(evse_uid), "connector_key": fold(connector_id)}
    return _CONNECTOR.first(db, known) is not None


def capabilities(db: Connection, location_pk: int, evse_uid: str) -> frozenset[str]:
    asked = select(evse.c.capabilities).where(evse.c.location == location_pk, evse.c.evse_key == fold(evse_uid))
    return frozenset(db.execute(asked).scalar_one())


def places(
    db: Connection, location_pk: int, evse_uid: str | None = None, connector_id: str | None = None
) -> list[Place]:
    """Where the Location's EVSEs (or the one named) are at stations; an EVSE without a binding is nowhere.

    A connector's own binding comes before its EVSE's; without a connector named, the EVSE's own comes first.
    """
    asked = _AT_LOCATION if evse_uid is None else _AT_EVSE
    known = {"location": location_pk} if evse_uid is None else {"location": location_pk, "evse_key": fold(evse_uid)}
    by_evse: dict[int, Place] = {}
    for row in asked.all(db, known):
        own = row["connector_key"] != ""
        if connector_id is not None and own and row["connector_key"] != fold(connector_id):
            continue
        if row["evse"] not in by_evse or (connector_id is not None and own):
            free = bool(row["free"]) if evse_uid is None else True
            told = {"subprotocol": row["subprotocol"] or "", "abilities": row["abilities"]}
            by_evse[row["evse"]] = _place(row, free=free, **told)
    return list(by_evse.values())


def stations_of(db: Connection, location_pk: int, evse_uid: str | None) -> set[str]:
    """The stations that the Location's EVSEs, or the one named, are bound to."""
    if evse_uid is None:
        return set(_STATIONS.scalars(db, {"location": location_pk}))
    known = {"location": location_pk, "evse_key": fold(evse_uid)}
    return set(_STATIONS_OF_EVSE.scalars(db, known))


def place_of(db: Connection, station: str, station_evse: int | None, station_connector: int | None) -> Place | None:
    """The EVSE that a station means; on 1.6 (``station_evse`` None) the connector alone tells."""
    found = [_place(row) for row in _AT_STATION.all(db, {"station": station})]
    exact = [p for p in found if (p.station_evse, p.station_connector) == (station_evse, station_connector)]
    if station_evse is None:
        near = [p for p in found if p.station_connector == station_connector]
    else:
        near = [p for p in found if p.station_evse == station_evse]
    return next(iter(exact or near), None)


def chosen(db: Connection, evse_pk: int, now: datetime) -> None:
    """An EVSE was picked for a command that named none: the others come first next time."""
    _CHOSEN.send(db, {"id_": evse_pk, "now": now})


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A Location of one of our parties as it was imported, with the EVSEs that have left it."""

    id: int
    location: Location


def imported(db: Connection, cpo_id: int, location_id: str) -> Imported | None:
    mine = select(location).where(location.c.cpo_id == cpo_id, location.c.location_key == fold(location_id))
    row = db.execute(mine).mappings().first()
    return None if row is None else _imported(row)


def all_imported(db: Connection, cpo_id: int) -> list[Imported]:
    """Every Location of a party of ours."""
    mine = select(location).where(location.c.cpo_id == cpo_id).order_by(location.c.id)
    return [_imported(row) for row in db.execute(mine).mappings().all()]


def _imported(row: Row) -> Imported:
    return Imported(id=row["id"], location=Location.model_validate(row["body"]))


def put_location(db: Connection, cpo_id: int, one: Location, body: dict[str, object]) -> int:
    """A Location as imported; its EVSEs and connectors as they are in it now, those that left it REMOVED.

    What partners see of an EVSE that was there before follows later, unless it is ours to say.
    """
    row = {"cpo_id": cpo_id, "location_id": one.id, "location_key": fold(one.id), "body": body}
    put(db, location, row | {"last_updated": one.last_updated}, ("cpo_id", "location_key"))
    found = find_location(db, cpo_id, one.id)
    assert found is not None
    known = {row.evse_key: row for row in db.execute(select(evse).where(evse.c.location == found.id))}
    here = {fold(e.uid) for e in one.evses}
    gone = {"imported_status": _REMOVED, "status": _REMOVED, "last_updated": one.last_updated}
    left = update(evse).where(evse.c.location == found.id, evse.c.evse_key.not_in(here), evse.c.status != _REMOVED)
    db.execute(left.values(**gone))
    for each in one.evses:
        before = known.get(fold(each.uid))
        follows = before is not None and not {each.status, before.status} & DECIDED
        row = {
            "location": found.id,
            "evse_uid": each.uid,
            "evse_key": fold(each.uid),
            "capabilities": list(each.capabilities),
            "offered": list(before.offered if before is not None else each.capabilities),
            "imported_status": each.status,
            "status": before.status if before is not None and follows else each.status,
            "last_updated": max(each.last_updated, before.last_updated if before is not None else each.last_updated),
        }
        put(db, evse, row, ("location", "evse_key"))
        _put_connectors(db, evse_id(db, found.id, each.uid), [c.id for c in each.connectors])
    return found.id


def evse_id(db: Connection, location_pk: int, evse_uid: str) -> int:
    asked = select(evse.c.id).where(evse.c.location == location_pk, evse.c.evse_key == fold(evse_uid))
    return int(db.execute(asked).scalar_one())


def _put_connectors(db: Connection, evse_pk: int, ids: Iterable[str]) -> None:
    keys = {fold(one): one for one in ids}
    db.execute(connector.delete().where(connector.c.evse == evse_pk, connector.c.connector_key.not_in(keys)))
    for key, one in keys.items():
        put(db, connector, {"evse": evse_pk, "connector_id": one, "connector_key": key}, ("evse", "connector_key"))


def bind(
    db: Connection, evse_pk: int, connector_id: str | None, station: str, at: tuple[int | None, int | None]
) -> None:
    """Say where an EVSE (or one of its connectors) is: ``at`` is the station's own (evseId, connectorId)."""
    row = {"evse": evse_pk, "connector_key": fold(connector_id or ""), "station": station}
    put(db, binding, row | {"station_evse": at[0], "station_connector": at[1]}, ("evse", "connector_key"))


def cpo_of(db: Connection, country_code: str, party_id: str) -> int | None:
    found: int | None = _CPO.scalar(db, {"key_": Party(country_code, party_id).key})
    return found


# A 1.6 station tells of connectors only, whether or not its binding names an EVSE as well.
_TAKEN = exists().where(reservation.c.evse == evse.c.id, IS_LIVE).correlate(evse)
_CHARGING = (
    exists()
    .where(session.c.station == binding.c.station, session.c.state == SessionState.ACTIVE)
    .where(
        or_(
            session.c.station_evse == binding.c.station_evse,
            and_(session.c.station_evse.is_(None), session.c.station_connector == binding.c.station_connector),
        )
    )
    .correlate(binding)
)
_BUSY_STATUS = (
    exists()
    .where(connector_status.c.station == binding.c.station, connector_status.c.status != "Available")
    .where(
        or_(
            connector_status.c.evse == binding.c.station_evse,
            and_(connector_status.c.evse == 0, connector_status.c.connector == binding.c.station_connector),
        )
    )
    .correlate(binding)
)
_PLACES = (
    select(
        evse.c.id.label("evse"),
        evse.c.location,
        location.c.location_id,
        evse.c.evse_uid,
        evse.c.capabilities,
        evse.c.offered,
        evse.c.chosen_at,
        binding.c.connector_key,
        select(connector.c.connector_id)
        .where(connector.c.evse == evse.c.id)
        .where(or_(binding.c.connector_key == "", connector.c.connector_key == binding.c.connector_key))
        .order_by(connector.c.id)
        .limit(1)
        .scalar_subquery()
        .label("connector_id"),
        binding.c.station,
        binding.c.station_evse,
        binding.c.station_connector,
    )
    .select_from(evse)
    .join(binding, binding.c.evse == evse.c.id)
    .join(location, location.c.id == evse.c.location)
    .order_by(evse.c.id, binding.c.connector_key)
)


_PRESENT = (
    _PLACES.add_columns(station.c.subprotocol, station.c.abilities)
    .join(station, station.c.id == binding.c.station)
    .where(evse.c.location == bindparam("location"), evse.c.status != _REMOVED)
)
_AT_LOCATION = Prepared(_PRESENT.add_columns((~_TAKEN & ~_CHARGING & ~_BUSY_STATUS).label("free")))
_AT_EVSE = Prepared(_PRESENT.where(evse.c.evse_key == bindparam("evse_key")))
_AT_STATION = Prepared(_PLACES.where(binding.c.station == bindparam("station")))
_LOCATION = Prepared(
    select(location.c.id, location.c.location_id).where(
        location.c.cpo_id == bindparam("cpo"), location.c.location_key == bindparam("location_key")
    )
)
_CPO_AT = Prepared(select(location.c.cpo_id).where(location.c.id == bindparam("location")))
_TEXT = Prepared(select(cast(location.c.body, Text).label("text")).where(location.c.id == bindparam("id_")))
_EVSE = Prepared(
    select(evse.c.id).where(
        evse.c.location == bindparam("location"), evse.c.evse_key == bindparam("evse_key"), evse.c.status != _REMOVED
    )
)
_CONNECTOR = Prepared(
    select(connector.c.id)
    .join(evse, evse.c.id == connector.c.evse)
    .where(evse.c.location == bindparam("location"), evse.c.evse_key == bindparam("evse_key"))
    .where(connector.c.connector_key == bindparam("connector_key"))
)
_BOUND = (
    select(binding.c.station).join(evse, evse.c.id == binding.c.evse).where(evse.c.location == bindparam("location"))
)
_STATIONS = Prepared(_BOUND)
_STATIONS_OF_EVSE = Prepared(_BOUND.where(evse.c.evse_key == bindparam("evse_key")))
_CHOSEN = Prepared(update(evse).where(evse.c.id == bindparam("id_")).values(chosen_at=bindparam("now")))
_CPO = Prepared(select(cpo.c.id).where(cpo.c.key == bindparam("key_")))


def _place(row: Row, **more: Any) -> Place:
    return Place(
        location=row["location"],
        location_id=row["location_id"],
        evse=row["evse"],
        evse_uid=row["evse_uid"],
        connector_id=row["connector_id"] or "#NA",
        station=row["station"],
        station_evse=row["station_evse"],
        station_connector=row["station_connector"],
        capabilities=frozenset(row["capabilities"]),
        offered=frozenset(row["offered"]),
        **more,
        chosen_at=row["chosen_at"],
    )
