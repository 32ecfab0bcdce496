"""Ordered: the columns of a reservation that say what its station was asked to hold, for whom and until when."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from gateway.store import topology
from gateway.store.prepared import Row
from ocpp_bridge.orders import ReserveNow


def as_ordered(db: Connection, held: Row, order: ReserveNow) -> dict[str, object]:
    """The columns of what the station has accepted: an update may have changed them."""
    if (order.evse, order.connector) == (held["station_evse"], held["station_connector"]):
        return reserved_as(order, held["station"], held["evse"])
    whole = order.evse is None and order.connector is None
    place = None if whole else topology.place_of(db, held["station"], order.evse, order.connector)
    return reserved_as(order, held["station"], place.evse if place is not None else None)


def other_than(held: Row, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Those that change: a database writes an index anew for a column that is set to what it was."""
    return {name: value for name, value in columns.items() if value != held[name]}


def reserved_as(order: ReserveNow, station: str, evse: int | None) -> dict[str, object]:
    """A reservation's columns that say what is reserved, for whom and until when."""
    return {
        "evse": evse,
        "station": station,
        "station_evse": order.evse,
        "station_connector": order.connector,
        "connector_type": order.connector_type,
        "id_token": order.id_token.value,
        "id_token_type": order.id_token.type,
        "group_id_token": order.group.value if order.group else None,
        "group_id_token_type": order.group.type if order.group else None,
        "expiry_date": order.expiry,
    }
