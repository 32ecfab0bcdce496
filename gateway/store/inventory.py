"""The inventory: everything that an import may bring, as it is kept, to see what an import has changed."""

from collections.abc import Collection, Hashable, Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, select

from gateway.domain.changes import Change, Thing
from gateway.store import bindings
from gateway.store.rows import cpo, location, station, tariff
from ocpi.headers import Party

_REMOVED = "REMOVED"
_LOCATIONS = select(location, cpo.c.country_code, cpo.c.party_id).join(cpo, cpo.c.id == location.c.cpo_id)
_TARIFFS = select(tariff, cpo.c.country_code, cpo.c.party_id).join(cpo, cpo.c.id == tariff.c.cpo)


def snapshot(db: Connection) -> dict[Thing, Hashable]:
    """What there is, and what is known of each; what was removed is not there any more."""
    places = db.execute(_LOCATIONS.order_by(location.c.id)).mappings().all()
    return dict([*_places(places), *_bindings(db, places), *_tariffs(db), *_stations(db)])


def locations_of(db: Connection, found: Collection[Change]) -> list[int]:
    """The Locations at which something is other than it was."""
    wanted = {(one.thing.party, one.thing.ids[0]) for one in found if one.thing.kind in ("location", "evse", "binding")}
    rows = db.execute(_LOCATIONS.order_by(location.c.id)).mappings() if wanted else ()
    return [row["id"] for row in rows if (_party(row), row["location_id"]) in wanted]


def _places(rows: Collection[RowMapping]) -> Iterator[tuple[Thing, Hashable]]:
    for row in rows:
        body, name, party = row["body"], row["location_id"], _party(row)
        given = body.get("evses") or []
        there = [one for one in given if one["status"] != _REMOVED]
        if there or not given:  # else it has expired (mod_locations §Flow)
            yield Thing("location", (name,), party), _content(body, without=("evses", "last_updated"))
        for one in there:
            yield Thing("evse", (name, one["uid"]), party), _content(one, without=("last_updated",))


def _bindings(db: Connection, places: Collection[RowMapping]) -> Iterator[tuple[Thing, Hashable]]:
    owners = {row["id"]: _party(row) for row in places}
    for row in bindings.bindings(db):
        ids = (row["location_id"], row["evse_uid"], *((row["connector_id"],) if row["connector_id"] else ()))
        spot = (row["station"], row["station_evse"], row["station_connector"])
        yield Thing("binding", ids, owners[row["location"]]), spot


def _tariffs(db: Connection) -> Iterator[tuple[Thing, Hashable]]:
    for row in db.execute(_TARIFFS.order_by(tariff.c.id)).mappings():
        yield Thing("tariff", (row["tariff_id"],), _party(row)), _content(row["body"], without=())


def _stations(db: Connection) -> Iterator[tuple[Thing, Hashable]]:
    for row in db.execute(select(station).order_by(station.c.id)).mappings():
        yield Thing("station", (row["id"],)), (row["security_profile"], row["password"])


def _party(row: RowMapping) -> str:
    return str(Party(row["country_code"], row["party_id"]))


def _content(body: dict[str, Any], without: Collection[str]) -> bytes:
    """``without`` these fields, however deep."""
    return orjson.dumps(_timeless(body, without), option=orjson.OPT_SORT_KEYS)


def _timeless(value: Any, without: Collection[str]) -> Any:
    match value:
        case dict():
            return {name: _timeless(one, without) for name, one in value.items() if name not in without}
        case list():
            return [_timeless(one, without) for one in value]
    return value
