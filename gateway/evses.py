"""EVSEs, the story: what partners see of them follows what stations tell, what is reserved and who charges."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from gateway.domain.evse_status import shown_status
from gateway.domain.offers import Way, offered
from gateway.holding import held_up_until_ended
from gateway.house import Rules
from gateway.store import evses
from gateway.store.abreast import alone
from gateway.store.prepared import Row
from gateway.store.topology import stations_of
from ocpi.locations import Status
from ocpp_bridge.dialects import DIALECTS

#: Another process changed what was read, in this very moment: it is read again.
_TRIES = 3


def follow(db: Connection, station: str, now: datetime) -> None:
    """Something happened at a station: its EVSEs are shown as they are now, and whoever sees them is to be told."""
    for _ in range(_TRIES):
        if _show(db, _with_unplaced(db, station, _facts(db, station)), now):
            return


def _facts(db: Connection, station: str) -> Sequence[Row]:
    facts = evses.facts_at(db, station)
    if not any(row["shared"] for row in facts):
        return facts
    alone(db)  # something may be happening at the other station of an EVSE, too
    evses.lock(db, facts)
    return evses.facts_at(db, station)


def follow_all(db: Connection, location_pk: int, now: datetime) -> None:
    """Likewise of a Location, all of which may be new."""
    _offer(db, evses.ways_of(db, location_pk), now)
    _show(db, [(row, False) for row in evses.facts_of(db, location_pk) if not row["bound"]], now)
    for station in sorted(stations_of(db, location_pk, None)):
        follow(db, station, now)


def learned(db: Connection, station: str, now: datetime) -> None:
    """A station told what it is able to: what its EVSEs are told to offer follows."""
    ways = evses.ways_at(db, station)
    if any(row["station"] != station for row in ways):
        alone(db)
        ways = evses.ways_at(db, station)
    _offer(db, ways, now)


def fade(db: Connection, _: Rules, now: datetime) -> None:
    """Nothing is known of EVSEs whose stations do not come back (mod_locations §Status)."""
    for station in evses.fading(db, now):
        follow(db, station, now)


def _show(db: Connection, facts: Sequence[tuple[Row, bool]], now: datetime) -> bool:
    """False when what was read is not true any more."""
    current = True
    for row, reserved in facts:
        told = row["told_status"]
        status = shown_status(
            Status(row["imported_status"]),
            Status(told) if told is not None else None,
            reserved=reserved,
            charging=bool(row["charging"]),
            offline=bool(row["offline"]),
        )
        if status != row["status"]:
            current &= evses.show(db, row, status, now)
    return current


def _with_unplaced(db: Connection, station: str, rows: Sequence[Row]) -> list[tuple[Row, bool]]:
    """Whether each EVSE is reserved: by name, or needed for reservations that name none."""
    if not any(row["unplaced"] for row in rows):
        return [(row, bool(row["reserved"])) for row in rows]
    needed, numbers = held_up_until_ended(db, station), evses.numbers_at(db, station)
    return [(row, bool(row["reserved"] or numbers[row["id"]] & needed)) for row in rows]


def _offer(db: Connection, rows: Sequence[Row], now: datetime) -> None:
    for _, bound in groupby(rows, key=lambda row: row["id"]):
        first, *others = list(bound)
        ways = [_way(row) for row in (first, *others) if row["station"] is not None]
        capabilities = offered(first["capabilities"], ways)
        if capabilities != first["offered"]:
            evses.offer(db, first, capabilities, now)


def _way(row: Row) -> Way:
    dialect, abilities = DIALECTS.get(row["subprotocol"] or ""), row["abilities"]
    return Way(
        connector_key=row["connector_key"],
        station_connector=row["station_connector"],
        refuses_reservations=dialect is not None and abilities is not None and dialect.reserves(abilities) is False,
        starts_connectors=dialect.starts_connectors if dialect is not None else row["station_evse"] is None,
    )
