"""Stations: every query about the hardware, what it told of itself and of its connectors."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from gateway.store.prepared import Prepared, Row, among
from gateway.store.rows import binding, connector_status, evse, location, station
from gateway.store.statements import put, put_newest


def find(db: Connection, station_id: str) -> Row | None:
    return _FIND.first(db, {"id_": station_id})


def everyone(db: Connection) -> Sequence[Row]:
    return db.execute(select(station).order_by(station.c.id)).mappings().all()


def listed(db: Connection, *, after: str = "", most: int = 100) -> Sequence[Row]:
    """In the order of their identities, ``after`` that one."""
    asked = select(station).where(station.c.id > after).order_by(station.c.id).limit(most)
    return db.execute(asked).mappings().all()


def put_station(db: Connection, station_id: str, security_profile: int, password: str | None) -> None:
    """A station as imported; what it has told of itself stays."""
    row = {"id": station_id, "security_profile": security_profile, "password": password}
    put(db, station, row, ("id",))


def change(db: Connection, station_id: str, **values: Any) -> None:
    db.execute(update(station).where(station.c.id == station_id).values(**values))


def heard(db: Connection, station_ids: Collection[str], now: datetime) -> None:
    """Signs of life; of a station that others are writing about, the next one will do: nobody waits for each other."""
    _HEARD.run(db, {"ids": list(station_ids), "now": now})


def abilities(db: Connection, station_ids: Collection[str]) -> dict[str, tuple[str | None, dict[str, str] | None]]:
    """``{station: (subprotocol, raw abilities)}``."""
    found = _ABILITIES.all(db, {"ids": list(station_ids)})
    return {row["id"]: (row["subprotocol"], row["abilities"]) for row in found}


def put_status(
    db: Connection, station_id: str, spot: tuple[int, int], status: str, error: str, told_at: datetime
) -> bool:
    """The newest status of a connector; one told before what is known already changes nothing."""
    row = {"station": station_id, "evse": spot[0], "connector": spot[1]}
    told = {"status": status, "error": error[:50], "told_at": told_at}
    return put_newest(db, connector_status, row | told, ("station", "evse", "connector"), "told_at")


def told(db: Connection, station_id: str, spot: tuple[int, int]) -> str | None:
    """The last status of a connector."""
    known = {"station": station_id, "evse": spot[0], "connector": spot[1]}
    found: str | None = _TOLD.scalar(db, known)
    return found


def evses_at(db: Connection, station_id: str, spot: tuple[int, int]) -> list[int]:
    """The OCPI EVSEs of which a status of (evse, connector) tells."""
    asked = _EVSES_AT_EVSE if spot[0] else _EVSES_AT_CONNECTOR
    return asked.scalars(db, {"station": station_id, "number": spot[0] or spot[1]})


def told_of(db: Connection, evse_pk: int) -> Sequence[Row]:
    """All that stations have told of an OCPI EVSE: of its connectors, and (connector 0) of it as a whole."""
    return _TOLD_OF.all(db, {"evse": evse_pk})


def online(db: Connection) -> dict[str, str]:
    """``{station: subprotocol}`` of those that are connected, as far as the database has been told."""
    asked = select(station.c.id, station.c.subprotocol).where(
        station.c.connected_at.is_not(None), station.c.disconnected_at.is_(None), station.c.subprotocol.is_not(None)
    )
    return {row.id: row.subprotocol for row in db.execute(asked)}


def places(db: Connection, station_id: str) -> Sequence[Row]:
    """What is bound to a station: its number there, what is known of its OCPI EVSE, and the Location's body."""
    return _PLACES.all(db, {"station": station_id})


def statuses(db: Connection, station_id: str) -> Sequence[Row]:
    asked = (
        select(connector_status)
        .where(connector_status.c.station == station_id)
        .order_by(connector_status.c.evse, connector_status.c.connector)
    )
    return db.execute(asked).mappings().all()


def status_at(db: Connection, station_id: str, station_evse: int | None, station_connector: int | None) -> str | None:
    """The last status of an EVSE's (1.6: a connector's) connector; of several, the one that is least Available."""
    if (station_evse, station_connector) == (None, None):
        return None
    found = _STATUS_AT.scalars(db, {"station": station_id, "evse_": station_evse, "connector_": station_connector})
    return next((status for status in found if status != "Available"), found[0] if found else None)


# A 1.6 station tells of connectors only (evse 0), whether or not its binding names an EVSE as well.
_IS_OF_BINDING = or_(
    and_(connector_status.c.evse != 0, connector_status.c.evse == binding.c.station_evse),
    and_(connector_status.c.evse == 0, connector_status.c.connector == binding.c.station_connector),
)
_FIND = Prepared(select(station).where(station.c.id == bindparam("id_")))
_ABILITIES = Prepared(
    select(station.c.id, station.c.subprotocol, station.c.abilities).where(among(station.c.id, "ids"))
)
_FREE = station.alias()
_HEARD = Prepared(
    update(station)
    .where(
        station.c.id.in_(
            select(_FREE.c.id).where(among(_FREE.c.id, "ids")).with_for_update(skip_locked=True, key_share=True)
        )
    )
    .values(heard_at=bindparam("now"))
)
_TOLD = Prepared(
    select(connector_status.c.status).where(
        *(connector_status.c[name] == bindparam(name) for name in ("station", "evse", "connector"))
    )
)
_EVSES = select(binding.c.evse).where(binding.c.station == bindparam("station")).distinct()
_EVSES_AT_EVSE = Prepared(_EVSES.where(binding.c.station_evse == bindparam("number")))
_EVSES_AT_CONNECTOR = Prepared(_EVSES.where(binding.c.station_connector == bindparam("number")))
_STATUS_AT = Prepared(
    select(connector_status.c.status).where(
        connector_status.c.station == bindparam("station"),
        or_(
            connector_status.c.evse == bindparam("evse_"),
            # 1.6 tells connectors only, whether or not the binding names an EVSE as well.
            and_(connector_status.c.evse == 0, connector_status.c.connector == bindparam("connector_")),
        ),
    )
)
_TOLD_OF = Prepared(
    select(connector_status)
    .distinct()
    .join(binding, and_(binding.c.station == connector_status.c.station, _IS_OF_BINDING))
    .where(binding.c.evse == bindparam("evse"))
)
_PLACES = Prepared(
    select(
        binding.c.station_evse,
        binding.c.station_connector,
        binding.c.connector_key,
        evse.c.evse_key,
        evse.c.imported_status,
        evse.c.told_status,
        location.c.body,
    )
    .join(evse, evse.c.id == binding.c.evse)
    .join(location, location.c.id == evse.c.location)
    .where(binding.c.station == bindparam("station"))
    .order_by(binding.c.id)
)
