"""Replacing, the story: a party asks again under a reservation_id that it uses already, at that station or another."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.store import commands, errands, reservations
from gateway.store.abreast import alone
from gateway.store.prepared import Row
from gateway.store.statements import take_number
from ocpi.commands import CommandType
from ocpp_bridge.orders import Order, ReserveNow


def can_be_replaced(db: Connection, held: Row, station: str, now: datetime) -> bool:
    """At its own station, unless a cancellation is on its way there: that one would end what is asked for now."""
    errands.obsolete(db, held["id"], now)
    return held["station"] == station and not _is_being_cancelled(db, held)


def number_at(db: Connection, held: Row | None, station: str) -> int:
    """The key's own integer, except at a station that knows it for another reservation, perhaps being cancelled."""
    if held is not None and reservations.at_station(db, station, held["number"]) is None:
        return int(held["number"])
    return take_number(db, "reservation")


def give_up(db: Connection, held: Row, now: datetime) -> list[tuple[str, int, int]]:
    """The party wants another instead: this one is to be cancelled, if it is not already."""
    reservations.change(db, held["id"], now, superseded=True)
    if _is_being_cancelled(db, held):
        if not errands.cpo_cancels(db, held["id"]):  # what it has cancelled itself it need not be told
            reservations.change(db, held["id"], now, command=None)
        return []
    return [(held["station"], held["number"], held["id"])]


def _is_being_cancelled(db: Connection, held: Row) -> bool:
    return commands.open_for_reservation(db, held["id"], CommandType.CANCEL_RESERVATION)


def newest(db: Connection, held: Row) -> Row:
    """What the party asked for last under the same id."""
    found = reservations.newest(db, held["partner"], held["party_key"], held["reservation_id"])
    assert found is not None
    return found


def is_decided_elsewhere(db: Connection, held: Row) -> bool:
    """It was given up for another, whose station has answered already."""
    return held["superseded"] and not commands.open_for_reservation(db, newest(db, held)["id"], CommandType.RESERVE_NOW)


@dataclass(frozen=True)
class Concerned:
    """The reservation that a command is about."""

    held: Row
    #: It was given up for another, or is the other.
    moved: bool


def concerned(db: Connection, row: Row, order: Order | None) -> Concerned | None:
    """Before anything is written of how the command ended: where two stations answer about one, it is done alone."""
    if row["reservation"] is None:
        return None
    asks = isinstance(order, ReserveNow)
    held = reservations.with_moved(db, row["reservation"]) if asks else reservations.by_id(db, row["reservation"])
    if not (held["superseded"] or (asks and held["has_moved"])):
        return Concerned(held, moved=False)
    return Concerned(with_nobody_beside(db, held), moved=True)


def is_moved(db: Connection, held: Row) -> bool:
    """It was given up for another, or another for it: two stations may tell of what is one to its party."""
    return bool(held["superseded"] or reservations.with_moved(db, held["id"])["has_moved"])


def with_nobody_beside(db: Connection, held: Row) -> Row:
    """The reservation as it is now; until the commit no other work or process changes what its party has."""
    alone(db)
    reservations.lock(db, held)
    return reservations.by_id(db, held["id"])
