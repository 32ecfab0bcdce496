"""Two stations tell of one reservation in the same moment: it ends as if one of them had been first."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Table, select, update

from gateway import charging, conclusions, reservations, reserving
from gateway.domain.parties import Partner
from gateway.store import commands, topology
from gateway.store.abreast import Abreast
from gateway.store.commands import Sendable
from gateway.store.prepared import Prepared
from gateway.store.rows import command, cpo, evse, reservation
from ocpi.types import fold
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.orders import IdToken
from tests.support.gateway import Spot
from tests.support.indoors import ACCEPTED, REJECTED, Indoors

Work = Callable[[Connection], Any]
#: Statements that a judgement has, about.
MOST = 24

_NOTHING = Prepared(select(cpo.c.id).limit(1))

MUTE = Answer(ending=Ending.NO_ANSWER)

#: How the two answers are judged: each in its own transaction, in either order, or both in one.
Way = Callable[[Indoors, Work, Work], None]


def _in_turn(house: Indoors, first: Work, second: Work) -> None:
    house.run(first)
    house.run(second)


def _the_other_first(house: Indoors, first: Work, second: Work) -> None:
    _in_turn(house, second, first)


def _abreast(house: Indoors, first: Work, second: Work, later: int) -> None:
    """``second`` begins so many statements later; fewer than none: ``first`` does."""
    with house.db() as db:
        Abreast(db, [(_later(-later, first), {"first"}), (_later(later, second), {"second"})]).run()


def _later(statements: int, work: Work) -> Work:
    def begun(db: Connection) -> Any:
        for _ in range(statements):
            _NOTHING.scalar(db, {})
        return work(db)

    return begun


def _moved(house: Indoors, left: Answer, came: Answer, before: str, way: Way) -> Sequence[Any]:
    """A reservation moves from a station to another, and both answer; what it has come to.

    ``before``: whether the first one had answered before, and whether the CPO has cancelled it there since.
    """
    partner, here, there = house.partner(), house.station(), house.station("ocpp2.0.1")
    location = house.location(Spot(here, uid="E1", evse=None, connector=1), Spot(there, uid="E2", evse=1, connector=1))
    house.reserve(partner, location, evse_uid="E1")
    claimed = house.claim(here) if before == "unanswered" else None
    if claimed is None:
        house.next(here)
    if before == "cancelled":
        errand = house.run(reserving.cancel, house.reservation()["number"], "roadworks", house.rules, house.now)
        house.run(commands.dispatch, [errand], house.now)
    house.reserve(partner, location, evse_uid="E2")
    way(house, _judged(house, here, left, claimed), _judged(house, there, came))
    return _outcome(house, partner, here, there)


def _judged(house: Indoors, station: str, answer: Answer, claimed: Sendable | None = None) -> Work:
    claimed = claimed or house.claim(station)
    assert claimed is not None
    told = claimed.id, station, house.online[station], answer, house.rules, house.now
    return lambda db: conclusions.judge(db, *told)


def _outcome(house: Indoors, partner: Partner, *stations: str) -> Sequence[Any]:
    held = house.rows("reservation", partner=partner.id)
    return (
        sorted(row["result"] for row in house.rows("callback", partner=partner.id)),
        [(row["state"], row["superseded"], row["command"] is not None) for row in held],
        [row["state"] for row in house.rows("session", partner=partner.id)],
        [(row["type"], row["state"]) for one in stations for row in house.rows("command", station=one)],
        [row["status"] for row in house.rows("evse")[-2:]],
    )


@pytest.mark.parametrize("before", ["unanswered", "answered", "cancelled"])
@pytest.mark.parametrize("came", [ACCEPTED, REJECTED, MUTE])
@pytest.mark.parametrize("left", [ACCEPTED, REJECTED])
def test_a_move_ends_as_if_one_answer_had_been_first(
    postgres_url: str, left: Answer, came: Answer, before: str
) -> None:
    house = Indoors(postgres_url)
    ends = partial(_moved, house, left, came, before)
    in_turn = [ends(_in_turn), ends(_the_other_first)]
    for later in range(-MOST, MOST + 1):
        assert ends(partial(_abreast, later=later)) in in_turn, later
    house.close()


def _in_two_processes(house: Indoors, first: Work, second: Work) -> None:
    """``first`` is judged while ``second`` is not committed."""
    with ThreadPoolExecutor(1) as other:
        with house.db() as db:
            second(db)
            judged = other.submit(house.run, first)
            wait([judged], timeout=0.5)
        judged.result(timeout=30)


def _in_two_processes_the_other_first(house: Indoors, first: Work, second: Work) -> None:
    _in_two_processes(house, second, first)


@pytest.mark.parametrize("way", [_in_two_processes, _in_two_processes_the_other_first])
@pytest.mark.parametrize("before", ["unanswered", "answered", "cancelled"])
@pytest.mark.parametrize("came", [ACCEPTED, REJECTED, MUTE])
@pytest.mark.parametrize("left", [ACCEPTED, REJECTED])
def test_so_it_does_when_two_processes_judge(
    postgres_url: str, left: Answer, came: Answer, before: str, way: Way
) -> None:
    house = Indoors(postgres_url)
    ends = partial(_moved, house, left, came, before)
    assert ends(way) in [ends(_in_turn), ends(_the_other_first)]
    house.close()


def _at_one_evse(house: Indoors, way: Way) -> Sequence[Any]:
    """An EVSE with a connector at each of two stations: a reservation ends at one of them, and begins at the other."""
    partner, here, there = house.partner(), house.station("ocpp2.0.1"), house.station("ocpp2.0.1")
    location = house.location(Spot(here, uid="E1", evse=1, connector=1), Spot(here, uid="E0", evse=2, connector=1))
    unplaced = house.reserve_body(partner, location, id="UNPLACED")
    house.ask(partner, "RESERVE_NOW", {name: value for name, value in unplaced.items() if name != "evse_uid"})
    house.next(here)
    nowhere = {"evse": None, "station_evse": None, "station_connector": None}
    house.run(_change, reservation, "UNPLACED", partner, **nowhere)
    house.reserve(partner, location, id="ENDS")
    house.next(here)
    house.cancel(partner, id="ENDS")
    ends = _judged(house, here, ACCEPTED)
    house.reserve(partner, location, id="BEGINS")
    held = house.run(_change, reservation, "BEGINS", partner, station=there)
    with house.db() as db:
        (e1,) = db.execute(select(evse.c.id).where(evse.c.id == held["evse"])).one()
        topology.bind(db, e1, "2", there, (1, 1))
        db.execute(update(command).where(command.c.reservation == held["id"]).values(station=there))
    way(house, ends, _judged(house, there, ACCEPTED))
    return _outcome(house, partner, here, there)


def _change(db: Connection, table: Table, key: str, partner: Partner, **values: Any) -> Any:
    here = table.c.reservation_key == fold(key), table.c.partner == partner.id
    return db.execute(update(table).where(*here).values(**values).returning(table)).mappings().one()


def test_what_two_stations_do_to_one_evse_is_shown_as_if_one_had_been_first(postgres_url: str) -> None:
    house = Indoors(postgres_url)
    in_turn = [_at_one_evse(house, _in_turn), _at_one_evse(house, _the_other_first)]
    for later in range(-MOST, MOST + 1):
        assert _at_one_evse(house, partial(_abreast, later=later)) in in_turn, later
    house.close()


def test_so_it_is_when_two_processes_do_it(postgres_url: str) -> None:
    house = Indoors(postgres_url)
    in_turn = [_at_one_evse(house, _in_turn), _at_one_evse(house, _the_other_first)]
    assert _at_one_evse(house, _in_two_processes) in in_turn
    assert _at_one_evse(house, _in_two_processes_the_other_first) in in_turn
    house.close()


def _two_of_2x(house: Indoors) -> tuple[Partner, str, str, str]:
    """(an eMSP, a Location, its station with E1, its station with E2)."""
    partner, here, there = house.partner(), house.station("ocpp2.0.1"), house.station("ocpp2.0.1")
    location = house.location(Spot(here, uid="E1", evse=1, connector=1), Spot(there, uid="E2", evse=1, connector=1))
    house.reserve(partner, location, evse_uid="E1")
    return partner, location, here, there


def _with_sessions(house: Indoors, partner: Partner, here: str, there: str) -> Sequence[Any]:
    held = [row["id"] for row in house.rows("reservation", partner=partner.id)]
    return _outcome(house, partner, here, there), [
        (row["state"], row["station"] == here, row["transaction_id"] is not None, held.index(row["reservation"]))
        for row in house.rows("session", partner=partner.id)
    ]


def _removed_there(house: Indoors, came: Answer, way: Way) -> Sequence[Any]:
    """The first station, which did not answer the cancellation, says Removed while the other one answers."""
    partner, location, here, there = _two_of_2x(house)
    house.next(here)
    number = house.reservation()["number"]
    house.reserve(partner, location, evse_uid="E2")
    house.next(here, MUTE)
    way(
        house,
        lambda db: reservations.ended(db, here, number, "Removed", house.rules, house.now),
        _judged(house, there, came),
    )
    return _with_sessions(house, partner, here, there)


def _used_there(house: Indoors, came: Answer, way: Way) -> Sequence[Any]:
    """A charge begins at the first station while the other one answers."""
    partner, location, here, there = _two_of_2x(house)
    house.next(here)
    held = house.reservation()
    house.reserve(partner, location, evse_uid="E2")
    begun = TransactionChanged(
        phase=Phase.STARTED,
        transaction_id="TX",
        at=house.now,
        seq=0,
        evse=1,
        connector=1,
        id_token=IdToken(value=held["id_token"], type=held["id_token_type"]),
        reservation=held["number"],
    )
    way(house, lambda db: charging.transaction(db, here, begun, house.rules, house.now), _judged(house, there, came))
    return _with_sessions(house, partner, here, there)


@pytest.mark.parametrize("way", [_in_two_processes, _in_two_processes_the_other_first])
@pytest.mark.parametrize("came", [ACCEPTED, REJECTED, MUTE])
@pytest.mark.parametrize("told", [_removed_there, _used_there])
def test_what_a_station_tells_of_a_reservation_that_moves_is_told_first_or_last(
    postgres_url: str, told: Callable[[Indoors, Answer, Way], Sequence[Any]], came: Answer, way: Way
) -> None:
    house = Indoors(postgres_url)
    assert told(house, came, way) in [told(house, came, _in_turn), told(house, came, _the_other_first)]
    house.close()


def test_one_that_is_moved_and_answered_for_while_its_own_answer_is_judged(postgres_url: str) -> None:
    house = Indoors(postgres_url)

    def answers_first() -> Sequence[Any]:
        partner, location, here, there = _two_of_2x(house)
        claimed = house.claim(here)
        house.reserve(partner, location, evse_uid="E2")
        house.run(_judged(house, there, ACCEPTED))
        house.run(_judged(house, here, ACCEPTED, claimed))
        return _with_sessions(house, partner, here, there)

    partner, location, here, there = _two_of_2x(house)
    claimed = house.claim(here)
    assert claimed is not None
    with ThreadPoolExecutor(1) as other:
        with house.db() as db:
            db.execute(select(command.c.id).where(command.c.id == claimed.id).with_for_update())
            judged = other.submit(house.run, _judged(house, here, ACCEPTED, claimed))
            wait([judged], timeout=0.5)  # it has looked, and waits to write
            house.reserve(partner, location, evse_uid="E2")
            house.run(_judged(house, there, ACCEPTED))
        judged.result(timeout=30)
    assert _with_sessions(house, partner, here, there) == answers_first()
    house.close()
