"""Bindings, for those who write and list them: every query about which EVSE is where at which station."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, and_, exists, func, or_, select

from gateway.store.prepared import Row
from gateway.store.rows import binding, connector, cpo, evse, location
from ocpi.types import fold

#: An EVSE of this status is gone for good (mod_locations §Flow).
_REMOVED = "REMOVED"


def locations_named(db: Connection, location_id: str) -> list[int]:
    """The Locations of that id: each of our parties may have one."""
    return list(db.execute(select(location.c.id).where(location.c.location_key == fold(location_id))).scalars())


def locations(db: Connection) -> Sequence[Row]:
    """Every Location, with its party."""
    asked = select(location, cpo.c.country_code, cpo.c.party_id).join(cpo, cpo.c.id == location.c.cpo_id)
    return db.execute(asked.order_by(location.c.id)).mappings().all()


def evses(db: Connection) -> Sequence[Row]:
    return db.execute(select(evse).order_by(evse.c.id)).mappings().all()


def connectors(db: Connection) -> Sequence[Row]:
    return db.execute(select(connector).order_by(connector.c.id)).mappings().all()


def bindings(db: Connection, station: str | None = None) -> Sequence[Row]:
    """Every binding, or a station's, by the partners' names; ``connector_id`` is None where the whole EVSE is bound."""
    asked = (
        select(binding, evse.c.location, location.c.location_id, evse.c.evse_uid, connector.c.connector_id)
        .join(evse, evse.c.id == binding.c.evse)
        .join(location, location.c.id == evse.c.location)
        .join(connector, _CONNECTOR, isouter=True)
        .order_by(binding.c.station, binding.c.station_evse, binding.c.station_connector, binding.c.id)
    )
    if station is not None:
        asked = asked.where(binding.c.station == station)
    return db.execute(asked).mappings().all()


def unbind_others(db: Connection, evse_pk: int, connector_keys: Collection[str]) -> None:
    """An EVSE has these bindings and no other."""
    others = binding.delete().where(binding.c.evse == evse_pk, binding.c.connector_key.not_in(connector_keys))
    db.execute(others)


def unbind_gone(db: Connection, location_pk: int) -> None:
    """What is not there any more is nowhere: EVSEs that were removed, and connectors that left their EVSE."""
    mine = select(evse.c.id).where(evse.c.location == location_pk)
    removed = mine.where(evse.c.status == _REMOVED)
    left = and_(binding.c.connector_key != "", ~exists().where(_CONNECTOR).correlate(binding))
    db.execute(binding.delete().where(binding.c.evse.in_(mine), or_(binding.c.evse.in_(removed), left)))


def unbound(db: Connection) -> int:
    """How many EVSEs are at no station, so that no command for them can be carried out."""
    nowhere = ~exists().where(binding.c.evse == evse.c.id).correlate(evse)
    asked = select(func.count()).select_from(evse).where(evse.c.status != _REMOVED, nowhere)
    return int(db.execute(asked).scalar_one())


_CONNECTOR = and_(connector.c.evse == binding.c.evse, connector.c.connector_key == binding.c.connector_key)
