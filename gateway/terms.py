"""Terms: the price of a Session, which is that of its connector when it began; no import changes it afterwards."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.addressing import same_spot
from gateway.store import tariffs
from gateway.store.prepared import Row
from ocpi.sessions import NOT_AVAILABLE
from ocpi.types import fold


def price(db: Connection, row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The columns of the tariff in force at a moment where a Session is; none: no price is known."""
    if row.get("cpo") is None or row.get("location") is None:
        return {}
    found = tariffs.in_force(db, row["cpo"], row["location"], row["evse_uid"], row["connector_id"], at)
    return {} if found is None else {"tariff": found, "currency": found["currency"]}


def there(db: Connection, known: Row, where: dict[str, Any], at: datetime) -> dict[str, Any]:
    """``where`` a Session turns out to be from a moment on (``sessions.whereabouts``), and what it costs there."""
    here, there_ = ((row["station_evse"], row["station_connector"]) for row in (known, where))
    if where["location"] is None and same_spot(here, there_):  # its binding is gone, and it is where it was
        return {name: value for name, value in where.items() if name not in _PLACE}
    stays = known["tariff"] is not None and _is_within(known, where)
    return where | ({} if stays else _instead(known, price(db, {**known, **where}, at)))


def of_earlier(db: Connection, known: Row, at: datetime) -> dict[str, Any]:
    """The columns of a charge that began before what was told of it first; what was promised before it stays."""
    promised = known["reservation"] is not None or known["remote_start_id"] is not None
    return {} if promised else _instead(known, price(db, known, at))


#: Of a Session: in OCPI's words, and in the station's.
_PLACE = ("location", "evse_uid", "connector_id")


def _is_within(known: Row, where: Mapping[str, Any]) -> bool:
    """The same place, or one of those that it could be."""
    ids = ((known[name], where[name]) for name in ("evse_uid", "connector_id"))
    return known["location"] == where["location"] and all(one in {other, NOT_AVAILABLE} for one, other in ids)


def _instead(known: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Another price than the one that is known; the same tariff stays as it was."""
    if found and known["tariff"] is not None and fold(found["tariff"]["id"]) == fold(known["tariff"]["id"]):
        return {}
    return {"tariff": None} | found
