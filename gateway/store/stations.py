"""Stations: every query about the hardware, what it told of itself and of its connectors."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, or_, select, update

from gateway.store.rows import connector_status, station
from gateway.store.statements import put, put_newest


def find(db: Connection, station_id: str) -> RowMapping | None:
    return db.execute(select(station).where(station.c.id == station_id)).mappings().first()


def everyone(db: Connection) -> Sequence[RowMapping]:
    return db.execute(select(station).order_by(station.c.id)).mappings().all()


def put_station(db: Connection, station_id: str, security_profile: int, password: str | None) -> None:
    """A station as imported; what it has told of itself stays."""
    row = {"id": station_id, "security_profile": security_profile, "password": password}
    put(db, station, row, ("id",))


def change(db: Connection, station_id: str, **values: Any) -> None:
    db.execute(update(station).where(station.c.id == station_id).values(**values))


def abilities(db: Connection, station_ids: Collection[str]) -> dict[str, tuple[str | None, dict[str, str] | None]]:
    """``{station: (subprotocol, raw abilities)}``."""
    asked = select(station.c.id, station.c.subprotocol, station.c.abilities).where(station.c.id.in_(station_ids))
    return {row.id: (row.subprotocol, row.abilities) for row in db.execute(asked)}


def put_status(
    db: Connection, station_id: str, spot: tuple[int, int], status: str, error: str, told_at: datetime
) -> bool:
    """The newest status of a connector; one told before what is known already changes nothing."""
    row = {"station": station_id, "evse": spot[0], "connector": spot[1]}
    told = {"status": status, "error": error[:50], "told_at": told_at}
    return put_newest(db, connector_status, row | told, ("station", "evse", "connector"), "told_at")


def statuses(db: Connection, station_id: str) -> Sequence[RowMapping]:
    asked = (
        select(connector_status)
        .where(connector_status.c.station == station_id)
        .order_by(connector_status.c.evse, connector_status.c.connector)
    )
    return db.execute(asked).mappings().all()


def status_at(db: Connection, station_id: str, station_evse: int | None, station_connector: int | None) -> str | None:
    """The last status of an EVSE's (1.6: a connector's) connector; of several, the one that is least Available."""
    asked = select(connector_status.c.status).where(connector_status.c.station == station_id)
    if (station_evse, station_connector) == (None, None):
        return None
    # 1.6 tells connectors only, whether or not the binding names an EVSE as well.
    at_connector = and_(connector_status.c.evse == 0, connector_status.c.connector == station_connector)
    asked = asked.where(or_(connector_status.c.evse == station_evse, at_connector))
    found = list(db.execute(asked).scalars())
    return next((status for status in found if status != "Available"), found[0] if found else None)
