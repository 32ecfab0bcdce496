"""The hot queries read what they need and no more: no plan of theirs looks through a table that only ever grows."""

import re
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from gateway.store import (
    asked_again,
    callbacks,
    cdrs,
    client_infos,
    commands,
    errands,
    evses,
    partner_tokens,
    partners,
    pushes,
    queues,
    reservations,
    sessions,
    stations,
    stops,
    tokens,
    topology,
    transactions,
)
from ocpi.headers import Party
from ocpp_bridge.orders import RequestStop
from tests.support.indoors import EMSP, START, Indoors
from tests.support.overheard import overhear

SOON = timedelta(seconds=6)
QUERIES = {
    "duplicate": (commands.duplicate, ("key", START)),
    "waits": (commands.waits, ("CS",)),
    "heard": (stations.heard, (["CS"], START)),
    "claim": (commands.claim, ("CS", START)),
    "dispatch": (commands.dispatch, ([1], START)),
    "queue_of": (queues.queue_of, ([1],)),
    "waiting_at": (queues.waiting_at, ("CS",)),
    "is_waiting": (queues.is_waiting, ("CS",)),
    "to_conclude": (commands.to_conclude, ([1], START, SOON)),
    "due": (commands.due, (START, SOON, START, 500)),
    "answered_at": (commands.answered_at, ("CS",)),
    "open_for_reservation": (commands.open_for_reservation, (1, "RESERVE_NOW")),
    "obsolete": (errands.obsolete, (1, START)),
    "cpo_cancels": (errands.cpo_cancels, (1,)),
    "to_judge": (commands.to_judge, (1, "CS")),
    "take_all": (callbacks.take_all, (START, SOON)),
    "take": (callbacks.take, ([1], START, SOON)),
    "held": (callbacks.held, ([1], START, SOON)),
    "of_commands": (callbacks.of_commands, ([1],)),
    "live": (reservations.live, (1, "nl*one", "R-1")),
    "newest": (reservations.newest, (1, "nl*one", "R-1")),
    "at_station": (reservations.at_station, ("CS", 1)),
    "live_for_token": (reservations.live_for_token, ("CS", ["T"])),
    "to_clean": (reservations.to_clean, (START,)),
    "to_clean at a station": (reservations.to_clean, (START, "CS")),
    "expired": (reservations.expired, (START,)),
    "by_id": (transactions.by_id, ("CS", "1")),
    "by_start_key": (transactions.by_start_key, ("key",)),
    "running_at": (transactions.running_at, ("CS", None, 1)),
    "asked_for": (transactions.asked_for, ("CS", 1)),
    "asked_at": (transactions.asked_at, ("CS", (None, 1), ["t"], START, START)),
    "of_reservation": (transactions.of_reservation, (1,)),
    "messages": (transactions.messages, (1,)),
    "lapsed": (transactions.lapsed, (START,)),
    "to_close": (transactions.to_close, (START,)),
    "of_command": (sessions.of_command, (1,)),
    "give_orders": (stops.give_orders, (1, RequestStop(transaction_id="1"))),
    "failed": (stops.failed, (1, 1)),
    "brought_by": (tokens.brought_by, ("CS",)),
    "authorized": (tokens.authorized, ("CS", "T")),
    "places": (topology.places, (1, "E1", "1")),
    "all places": (topology.places, (1,)),
    "a reservation moves on": (reservations.become, (1, "CANCELLED", START)),
    "a Session moves on": (sessions.become, (1, "COMPLETED", START)),
    "place_of": (topology.place_of, ("CS", None, 1)),
    "of_party": (client_infos.of_party, (1, Party("NL", "ONE"))),
    "has_news": (evses.has_news, ()),
    "told": (evses.told, (1, "AVAILABLE", START)),
    "facts_at": (evses.facts_at, ("CS",)),
    "ways_at": (evses.ways_at, ("CS",)),
    "fading": (evses.fading, (START,)),
    "before": (cdrs.before, (1,)),
    "partners_due": (pushes.partners_due, (START,)),
    "take_due of a partner": (pushes.take_due, (1, START, SOON, 16)),
    "owe a push": (pushes.owe, (1, "sessions", 1, START)),
    "whose a token is": (partner_tokens.holder, (["a", "b"], START)),
    "the party that is named": (partners.parties, (1, EMSP)),
    "a command that is asked about again": (asked_again.newest, (1, EMSP, "id")),
    "the results of a command": (asked_again.results, (1,)),
    "status_at": (stations.status_at, ("CS", None, 1)),
}
#: Indexes of the few rows that are open or live: to go through them is what they are for.
SMALL = (
    "command_open",
    "command_waiting",
    "callback_due",
    "push_due",
    "reservation_live_",
    "session_pending",
    "session_closing",
    "station_fading",
    "location_news",
)


@pytest.fixture
def plans(indoors: Indoors) -> list[str]:
    found: list[str] = []

    def explain(cursor: sqlite3.Cursor, statement: str, parameters: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "INSERT")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            # A list that is given is looked through, of course.
            found.extend(row[-1] for row in cursor if not row[-1].startswith(("SCAN json_each", "SCAN CONSTANT ROW")))

    overhear(indoors.engine, explain)
    return found


@pytest.mark.parametrize("name", QUERIES)
def test_no_hot_query_looks_through_a_growing_table(indoors: Indoors, plans: list[str], name: str) -> None:
    function, arguments = QUERIES[name]
    indoors.run(function, *arguments)
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and not any(small in plan for small in SMALL)] == []
    assert [plan for plan in plans if "AUTOMATIC" in plan] == []


def test_postgresql_takes_an_index_before_it_knows_how_much_there_is(engine: Engine) -> None:
    """What it has planned for a table that is new, it keeps to until it has counted its rows."""
    ours: list[tuple[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def hear(_db: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        ours.append((statement, parameters))

    with engine.connect() as db:
        for function, arguments in QUERIES.values():
            with db.begin():
                function(db, *arguments)
        prepared = [(f"(GENERIC_PLAN) {one}", {}) for one in db.execute(_PREPARED).scalars()]
        plans = {
            one: "\n".join(db.exec_driver_sql(f"EXPLAIN {one}", values).scalars())
            for one, values in [*ours, *prepared]
            if re.match(r"(\(GENERIC_PLAN\) )?(SELECT|UPDATE|INSERT|DELETE)", one) and _PREPARED.text not in one
        }
        # Where an index does not serve, the plan seems so dear that it would be compiled, which takes half a second.
        assert db.exec_driver_sql("SHOW jit").scalar() == "off"
    assert len(ours) > 10
    assert len(plans) > 60
    assert [one for one, plan in plans.items() if re.search(r"Seq Scan on (?!location_news)", plan)] == []


def test_postgresql_plans_what_is_prepared_a_few_times_and_not_each_time(engine: Engine) -> None:
    """A plan costs as much as what it is for, or more. PostgreSQL tries five for the values that it is given."""
    with engine.connect() as db:
        for _ in range(8):
            for function, arguments in QUERIES.values():
                with db.begin():
                    function(db, *arguments)
        assert len(db.execute(_PREPARED).scalars().all()) > 40
        assert db.execute(_PLANNED_ANEW).scalars().all() == []


_PLANNED_ANEW = text("SELECT statement FROM pg_prepared_statements WHERE custom_plans > 5 AND generic_plans = 0")
_PREPARED = text("SELECT statement FROM pg_prepared_statements")
