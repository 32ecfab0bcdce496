"""Terms: at what price a Session is, from the moment when it began; no import changes it while it goes on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.store import tariffs
from gateway.store.prepared import Row
from ocpi.types import fold


def price(db: Connection, row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The columns of the tariff in force at a moment where a Session is; none: no price is known."""
    if row.get("cpo") is None or row.get("location") is None:
        return {}
    found = tariffs.in_force(db, row["cpo"], row["location"], row["evse_uid"], row["connector_id"], at)
    return {} if found is None else {"tariff": found, "currency": found["currency"]}


def of_earlier(db: Connection, known: Row, at: datetime) -> dict[str, Any]:
    """The columns of a charge that began before what was told of it first; what was promised before it stays."""
    promised = known["reservation"] is not None or known["remote_start_id"] is not None
    return {} if promised else _instead(known, price(db, known, at))


def _instead(known: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Another price than the one that is known; the same tariff stays as it was."""
    if found and known["tariff"] is not None and fold(found["tariff"]["id"]) == fold(known["tariff"]["id"]):
        return {}
    return {"tariff": None} | found
