"""The tables are the design's, every state is reached, and every path ends."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from gateway.domain.lifecycle import (
    CALLBACK,
    COMMAND,
    LIVE,
    PARTNER,
    RESERVATION,
    SESSION,
    CommandState,
    ReservationState,
    before,
    may_become,
)
from ocpi.sessions import SessionStatus

TABLES = {"command": COMMAND, "callback": CALLBACK, "reservation": RESERVATION, "session": SESSION, "partner": PARTNER}
BEGINNINGS = {
    "command": {"RECEIVED"},
    "callback": {"DUE"},
    "reservation": {"PENDING"},
    "session": {"RESERVATION", "PENDING"},
    "partner": {"INVITED", "ACTIVE"},
}
ENDS = {
    "command": {"CONCLUDED"},
    "callback": {"DELIVERED"},
    "reservation": {"USED", "CANCELLED", "REMOVED", "REFUSED"},
    "session": {"COMPLETED", "INVALID"},
    "partner": {"REMOVED"},
}
#: design.md §6, drawn once more.
ARROWS = {
    "command": (
        "RECEIVED>DISPATCHED RECEIVED>SENT DISPATCHED>SENT RECEIVED>CONCLUDED DISPATCHED>CONCLUDED SENT>CONCLUDED"
    ),
    "callback": "DUE>DELIVERED DUE>ABANDONED ABANDONED>DUE",
    "reservation": (
        "PENDING>ACTIVE PENDING>REFUSED PENDING>UNKNOWN ACTIVE>UNKNOWN ACTIVE>USED ACTIVE>EXPIRED ACTIVE>CANCELLED "
        "ACTIVE>REMOVED UNKNOWN>ACTIVE UNKNOWN>USED UNKNOWN>CANCELLED UNKNOWN>EXPIRED UNKNOWN>REMOVED EXPIRED>USED"
    ),
}


def reached(table: Mapping[StrEnum, frozenset[StrEnum]], beginnings: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = set(beginnings)
    while waiting:
        found.add(state := waiting.pop())
        waiting |= table[next(one for one in table if one == state)] - found
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_state_has_its_row_and_is_reached_from_a_beginning(name: str) -> None:
    table = TABLES[name]
    assert set(table) == set(type(next(iter(table))))
    assert reached(table, BEGINNINGS[name]) == set(table)


@pytest.mark.parametrize("name", TABLES)
def test_from_every_state_an_end_is_reached(name: str) -> None:
    table = TABLES[name]
    assert {state for state, followers in table.items() if not followers} == ENDS[name]
    assert all(reached(table, {state}) & ENDS[name] for state in table)


@pytest.mark.parametrize("name", ARROWS)
def test_the_arrows_are_those_of_the_design(name: str) -> None:
    arrows = {f"{state}>{follower}" for state, followers in TABLES[name].items() for follower in followers}
    assert arrows == set(ARROWS[name].split())


def test_what_may_hold_at_a_station_is_live() -> None:
    over = {state for state in RESERVATION if not RESERVATION[state] or state is ReservationState.EXPIRED}
    assert set(ReservationState) - over == LIVE


def test_a_session_has_ocpi_s_states() -> None:
    assert {str(state) for state in SESSION} == {str(state) for state in SessionStatus}


@pytest.mark.parametrize("name", TABLES)
def test_before_is_the_table_read_backwards(name: str) -> None:
    table = TABLES[name]
    for wanted in table:
        assert {state for state in table if may_become(table, state, wanted)} == set(before(table, wanted))


def test_no_command_is_ever_sent_twice() -> None:
    assert before(COMMAND, CommandState.SENT) == [CommandState.RECEIVED, CommandState.DISPATCHED]
    assert not may_become(COMMAND, CommandState.SENT, CommandState.DISPATCHED)
