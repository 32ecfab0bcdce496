"""Terms: a Session's price and how its place is called, as both were when it began there; no import changes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection

from gateway.domain.addressing import same_spot
from gateway.store import tariffs, topology
from gateway.store.prepared import Row
from ocpi.cdrs import CdrLocation, cdr_location
from ocpi.locations import Location
from ocpi.sessions import NOT_AVAILABLE
from ocpi.types import fold

log = structlog.get_logger(__name__)

#: Of a Session, in OCPI's words.
_PLACE = ("location", "evse_uid", "connector_id")


def beginning(db: Connection, row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The columns of a Session that begins."""
    text = _text(db, row)
    return _kept(text, row) | _price(db, text, row, at)


def price(db: Connection, row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The columns of the tariff in force at a moment where a Session is; none: no price is known."""
    return _price(db, _text(db, row), row, at)


def there(db: Connection, known: Row, where: dict[str, Any], at: datetime) -> dict[str, Any]:
    """``where`` a Session turns out to be from a moment on (``sessions.whereabouts``), and its terms there."""
    here, there_ = ((row["station_evse"], row["station_connector"]) for row in (known, where))
    if where["location"] is None and same_spot(here, there_):  # its binding is gone, and it is where it was
        return {name: value for name, value in where.items() if name not in _PLACE}
    stays = known["tariff"] is not None and _is_within(known, where)
    moved = any(known[name] != where[name] for name in _PLACE)
    if stays and not moved:
        return where
    text = _text(db, where)
    price_ = {} if stays else _instead(known, _price(db, text, {**known, **where}, at))
    return where | price_ | (_kept(text, where) if moved else {})


def of_earlier(db: Connection, known: Row, at: datetime) -> dict[str, Any]:
    """The columns of a charge that began before what was told of it first; what was promised before it stays."""
    promised = known["reservation"] is not None or known["remote_start_id"] is not None
    return {} if promised else _instead(known, price(db, known, at))


def called(location: Mapping[str, Any], evse_uid: str, connector_id: str) -> CdrLocation:
    """An OCPI Location as a CDR has it; of an EVSE or connector that is not in it, only the ids are known."""
    evse = _named(location.get("evses") or [], "uid", evse_uid)
    connector = _named(evse[0]["connectors"], "id", connector_id) if evse else []
    alone = [one | {"connectors": connector or one["connectors"]} for one in evse]
    place = Location.model_validate({**location, "evses": alone})
    told = cdr_location(place, place.evses[0] if evse else None, place.evses[0].connectors[0] if connector else None)
    return told.model_copy(update={"evse_uid": evse_uid, "connector_id": connector_id})


def _text(db: Connection, row: Mapping[str, Any]) -> str | None:
    """The OCPI Location where a Session is."""
    return None if row.get("location") is None else topology.text_of(db, row["location"])


class _Read:
    """A Location that was read once for all that begins there: it may have hundreds of EVSEs."""

    def __init__(self, text: str) -> None:
        self.body: Mapping[str, Any] = orjson.loads(text)
        self._called: dict[tuple[str, str], dict[str, Any]] = {}

    def called(self, evse_uid: str, connector_id: str) -> dict[str, Any]:
        """``called``, in JSON."""
        spot = evse_uid, connector_id
        if spot not in self._called:
            self._called[spot] = called(self.body, *spot).wire()
        return self._called[spot]


_read = lru_cache(maxsize=64)(_Read)


def _price(db: Connection, text: str | None, row: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    if row.get("cpo") is None or text is None:
        return {}
    found = tariffs.in_force(db, row["cpo"], _read(text).body, row["evse_uid"], row["connector_id"], at)
    return {} if found is None else {"tariff": found, "currency": found["currency"]}


def _kept(text: str | None, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of how a place is called."""
    if text is None:
        return {"cdr_location": None, "time_zone": None}
    read = _read(text)
    body = read.body
    try:
        return {"cdr_location": read.called(row["evse_uid"], row["connector_id"]), "time_zone": body["time_zone"]}
    except ValueError as problem:  # imported by an older release: no charge waits for it, and its CDR will say so
        log.error("a place cannot be told", location=body.get("id"), problem=repr(problem))
        return {"cdr_location": None, "time_zone": body.get("time_zone")}


def _named(ones: Sequence[Any], name: str, id_: str) -> list[Any]:
    """The one of that id, if there is one."""
    return [one for one in ones if fold(one[name]) == fold(id_)][:1]


def _is_within(known: Row, where: Mapping[str, Any]) -> bool:
    """The same place, or one of those that it could be."""
    ids = ((known[name], where[name]) for name in ("evse_uid", "connector_id"))
    return known["location"] == where["location"] and all(one in {other, NOT_AVAILABLE} for one, other in ids)


def _instead(known: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Another price than the one that is known; the same tariff stays as it was."""
    if found and known["tariff"] is not None and fold(found["tariff"]["id"]) == fold(known["tariff"]["id"]):
        return {}
    return {"tariff": None} | found
