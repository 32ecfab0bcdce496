"""What is asked with every command costs as much at a station with a long history as at one without."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select

from gateway.domain.lifecycle import ReservationState
from gateway.store import commands, evses, queues, reservations, rows, tokens, topology, transactions
from tests.support.indoors import START, Indoors

#: Instructions of SQLite's machine between two counts; reservations that are over; and how much more may be asked.
STEP, HISTORY, MORE = 10, 2_000, 1.5

QUESTIONS: dict[str, Callable[[Connection, str], object]] = {
    "facts_at": evses.facts_at,
    "live_for_token": lambda db, station: reservations.live_for_token(db, station, ["T"]),
    "to_clean": lambda db, station: reservations.to_clean(db, START, station),
    "at_station": lambda db, station: reservations.at_station(db, station, 1),
    "place_of": lambda db, station: topology.place_of(db, station, None, 1),
    "authorized": lambda db, station: tokens.authorized(db, station, "T"),
    "running_at": lambda db, station: transactions.running_at(db, station, None, 1),
    "claim": lambda db, station: commands.claim(db, station, START),
    "to_judge": lambda db, station: commands.to_judge(db, 1, station),
    "waiting_at": queues.waiting_at,
}


def steps(db: Connection, question: Callable[[Connection, str], object], station: str) -> int:
    """How long SQLite's machine runs for it, in STEPs."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    question(db, station)  # what is prepared and read for the first time does not count
    driver = db.connection.dbapi_connection
    driver.set_progress_handler(count, STEP)
    try:
        question(db, station)
    finally:
        driver.set_progress_handler(None, STEP)
    return counted[0]


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_over_at_a_station_is_not_gone_through(indoors: Indoors, name: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    indoors.next(station)
    indoors.cancel(partner)
    indoors.next(station)
    with indoors.db() as db:
        before = steps(db, QUESTIONS[name], station)
        _grow(db)
        after = steps(db, QUESTIONS[name], station)
    assert after <= MORE * before + 5, f"{before} became {after}"


def _grow(db: Connection) -> None:
    """Copies of all that the cancelled reservation has left."""
    [old] = db.execute(select(rows.reservation)).mappings().all()
    assert old["state"] == ReservationState.CANCELLED
    left = {rows.command: ("duplicate_key",), rows.session: ("session_id",)}
    for number in range(1, HISTORY):
        over = dict(old) | {"id": old["id"] + number, "number": old["number"] + number}
        over |= {"reservation_key": f"r-{number}", "expiry_date": old["expiry_date"] - timedelta(days=number)}
        db.execute(insert(rows.reservation).values(**over))
        for table, unique in left.items():
            for row in db.execute(select(table).where(table.c.reservation == old["id"])).mappings().all():
                copy = dict(row) | {"reservation": over["id"]} | {one: f"{row[one]}-{number}"[-36:] for one in unique}
                copy.pop("id")
                db.execute(insert(table).values(**copy))
