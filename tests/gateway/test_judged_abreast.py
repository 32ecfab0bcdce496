"""Two stations answer about one reservation in the same moment: it ends as if one of them had been first."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select

from gateway import conclusions, reserving
from gateway.domain.parties import Partner
from gateway.store import commands
from gateway.store.abreast import Abreast
from gateway.store.prepared import Prepared
from gateway.store.rows import cpo
from ocpp_bridge.answers import Answer
from tests.support.gateway import Spot
from tests.support.indoors import ACCEPTED, REJECTED, Indoors

Work = Callable[[Connection], Any]
#: Statements that a judgement has, about.
MOST = 24

_NOTHING = Prepared(select(cpo.c.id).limit(1))

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


def _moved(house: Indoors, left: Answer, came: Answer, by_cpo: bool, way: Way) -> Sequence[Any]:
    """A reservation moves from a station to another, and both answer; what it has come to.

    ``by_cpo``: the CPO has cancelled it at the first one just before.
    """
    partner, here, there = house.partner(), house.station(), house.station("ocpp2.0.1")
    location = house.location(Spot(here, uid="E1", evse=None, connector=1), Spot(there, uid="E2", evse=1, connector=1))
    house.reserve(partner, location, evse_uid="E1")
    house.next(here)
    if by_cpo:
        errand = house.run(reserving.cancel, house.reservation()["number"], "roadworks", house.rules, house.now)
        house.run(commands.dispatch, [errand], house.now)
    house.reserve(partner, location, evse_uid="E2")
    way(house, _judged(house, here, left), _judged(house, there, came))
    return _outcome(house, partner, here, there)


def _judged(house: Indoors, station: str, answer: Answer) -> Work:
    claimed = house.claim(station)
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


@pytest.mark.parametrize("by_cpo", [False, True])
@pytest.mark.parametrize("came", [ACCEPTED, REJECTED])
@pytest.mark.parametrize("left", [ACCEPTED, REJECTED])
def test_a_move_ends_as_if_one_answer_had_been_first(
    postgres_url: str, left: Answer, came: Answer, by_cpo: bool
) -> None:
    house = Indoors(postgres_url)
    ends = partial(_moved, house, left, came, by_cpo)
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
@pytest.mark.parametrize("by_cpo", [False, True])
@pytest.mark.parametrize("came", [ACCEPTED, REJECTED])
@pytest.mark.parametrize("left", [ACCEPTED, REJECTED])
def test_so_it_does_when_two_processes_judge(
    postgres_url: str, left: Answer, came: Answer, by_cpo: bool, way: Way
) -> None:
    house = Indoors(postgres_url)
    ends = partial(_moved, house, left, came, by_cpo)
    assert ends(way) in [ends(_in_turn), ends(_the_other_first)]
    house.close()
