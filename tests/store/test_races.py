"""Compare-and-set under concurrency: two nodes, two workers, many threads, and each thing happens once."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from gateway import conclusions
from gateway.commands import receive
from gateway.domain.lifecycle import CallbackState, SessionState
from gateway.store import callbacks, commands, queues, rows, sessions, stations
from gateway.store.callbacks import Attempt
from gateway.store.engine import open_engine, turn
from gateway.store.statements import take_number
from gateway.store.store import Store
from ocpp_bridge.answers import Answer, Ending
from tests.support.indoors import ACCEPTED, OCCUPIED, START, Indoors

HOLD = timedelta(seconds=6)
ATTEMPT = timedelta(seconds=5)


@pytest.fixture
def processes(anywhere: Indoors) -> Iterator[list[Engine]]:
    """Engines of their own, as other processes have them."""
    engines = [open_engine(anywhere.rules.settings.database) for _ in range(4)]
    yield engines
    for engine in engines:
        engine.dispose()


def at_once(engines: list[Engine], work: Callable[..., Any]) -> list[Any]:
    """``work(db)`` in every process at the same moment; what each returned."""
    together = threading.Barrier(len(engines))

    def one(engine: Engine) -> Any:
        together.wait(30)
        with turn(engine), engine.begin() as db:
            return work(db)

    with ThreadPoolExecutor(len(engines)) as pool:
        return list(pool.map(one, engines))


def commands_of(indoors: Indoors, count: int) -> tuple[str, list[int]]:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    ids = [indoors.start(partner, location).dispatch[-1] for _ in range(count)]
    return station, ids


def test_each_order_is_claimed_once_and_the_oldest_first(anywhere: Indoors, processes: list[Engine]) -> None:
    station, ids = commands_of(anywhere, 6)
    claimed: list[list[int]] = []
    while True:
        got = [found.id for found in at_once(processes, lambda db: commands.claim(db, station, START)) if found]
        if not got:
            break
        claimed.append(got)
    assert [one for got in claimed for one in sorted(got)] == ids


def test_a_claim_is_for_one_station(anywhere: Indoors) -> None:
    _, (second, ids) = commands_of(anywhere, 2), commands_of(anywhere, 2)
    assert anywhere.run(commands.claim, second, START).id == ids[0]
    assert anywhere.rows("command", id=ids[0])[0]["sent_at"] == START
    assert anywhere.run(commands.claim, "nobody", START) is None


def test_an_older_command_that_nobody_was_rung_for_comes_first(anywhere: Indoors) -> None:
    partner, (location, station) = anywhere.partner(), anywhere.one_evse()
    ids = []
    for _ in range(3):
        body = anywhere.reserve_body(partner, location)
        asked = anywhere.asked(partner, "RESERVE_NOW", body)
        ids.append(anywhere.run(receive, asked, anywhere.rules, anywhere.online).dispatch[-1])
    queue = anywhere.run(queues.queue_of, [ids[1]])
    assert [(one.id, one.station, one.unsent) for one in queue] == [(one, station, True) for one in ids]
    anywhere.run(commands.dispatch, [ids[1]], START)
    assert [row["state"] for row in anywhere.rows("command")] == ["RECEIVED", "DISPATCHED", "RECEIVED"]
    assert anywhere.run(commands.claim, station, START + timedelta(seconds=1)).id == ids[0]
    first, at = anywhere.rows("command")[0], START + timedelta(seconds=1)
    assert (first["state"], first["dispatched_at"], first["sent_at"]) == ("SENT", at, at)
    assert anywhere.run(commands.claim, station, START + timedelta(seconds=2)).id == ids[1]
    second = anywhere.rows("command")[1]
    assert (second["dispatched_at"], second["sent_at"]) == (START, START + timedelta(seconds=2))
    assert [one.unsent for one in anywhere.run(queues.queue_of, [ids[2]])] == [False, False, True]


def test_the_first_of_many_results_wins(anywhere: Indoors, processes: list[Engine]) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    anywhere.claim(station)
    anywhere.now += timedelta(minutes=1)
    moved = at_once(processes, lambda db: conclusions.conclude(db, [command_id], anywhere.rules, anywhere.now))
    assert anywhere.told() == ["TIMEOUT"]
    assert {one for each in moved for one in each.callbacks} == {1}


def test_of_two_answers_one_is_written_down(anywhere: Indoors, processes: list[Engine]) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    anywhere.claim(station)
    answers = iter([ACCEPTED, OCCUPIED, ACCEPTED, OCCUPIED])
    told = at_once(processes, lambda db: commands.answered(db, command_id, "ocpp1.6", next(answers), START))
    assert sorted(told) == [False, False, False, True]


def test_an_order_that_a_node_has_taken_is_not_called_offline(anywhere: Indoors) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    offline = {command_id: Answer(ending=Ending.NOT_SENT, detail="It is offline.")}
    anywhere.claim(station)
    assert anywhere.run(commands.never_sent, offline, START) == []
    anywhere.answer(station, command_id, ACCEPTED)
    assert anywhere.told() == ["ACCEPTED"]


def test_an_order_that_was_called_offline_is_taken_by_no_node(anywhere: Indoors) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    offline = {command_id: Answer(ending=Ending.NOT_SENT, detail="It is offline.")}
    assert anywhere.run(commands.never_sent, offline, START) == [command_id]
    assert anywhere.claim(station) is None
    anywhere.conclude(command_id)
    assert anywhere.told() == ["FAILED"]


def waits(other: Engine, work: Callable[..., Any]) -> tuple[threading.Thread, list[Any]]:
    """``work(db)`` in another process, which comes upon a row that is being changed."""
    found: list[Any] = []

    def run() -> None:
        with other.begin() as db:
            found.append(work(db))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.3)
    return thread, found


def test_nobody_claims_what_is_called_offline_at_the_same_moment(anywhere: Indoors, processes: list[Engine]) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    offline = {command_id: Answer(ending=Ending.NOT_SENT, detail="It is offline.")}
    with processes[0].begin() as db:
        assert commands.never_sent(db, offline, START) == [command_id]
        thread, found = waits(processes[1], lambda db: commands.claim(db, station, START))
    thread.join(30)
    assert found == [None]


def test_a_command_is_concluded_only_as_it_was_judged(anywhere: Indoors) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    judged = anywhere.run(commands.by_id, command_id)
    anywhere.claim(station)  # meanwhile
    assert anywhere.run(commands.conclude, judged, "FAILED", "", START) is False
    judged = anywhere.run(commands.by_id, command_id)
    assert anywhere.run(commands.answered, command_id, "ocpp1.6", ACCEPTED, START)
    assert anywhere.run(commands.conclude, judged, "TIMEOUT", "", START) is False
    judged = anywhere.run(commands.by_id, command_id)
    assert anywhere.run(commands.conclude, judged, "ACCEPTED", "", START) is True
    assert anywhere.run(commands.conclude, judged, "ACCEPTED", "", START) is False


def test_of_two_that_conclude_and_answer_at_the_same_moment_both_are_right(
    anywhere: Indoors, processes: list[Engine]
) -> None:
    """The clock judges TIMEOUT while the answer is being written down: the answer counts."""
    station, [command_id] = commands_of(anywhere, 1)
    anywhere.claim(station)
    late = START + timedelta(minutes=1)
    with processes[0].begin() as db:
        assert commands.answered(db, command_id, "ocpp1.6", ACCEPTED, late)
        thread, _ = waits(processes[1], lambda db: conclusions.conclude(db, [command_id], anywhere.rules, late))
    thread.join(30)
    anywhere.conclude(command_id)
    assert anywhere.told() == ["ACCEPTED"]


def test_each_callback_is_taken_by_one_worker(anywhere: Indoors, processes: list[Engine]) -> None:
    station, ids = commands_of(anywhere, 8)
    for _ in ids:
        anywhere.next(station)
    taken = at_once(processes, lambda db: callbacks.take_all(db, START, ATTEMPT))
    assert sorted(due.id for each in taken for due in each) == list(range(1, 9))
    assert anywhere.run(callbacks.take_all, START, ATTEMPT) == []
    again = anywhere.run(callbacks.take_all, START + HOLD, ATTEMPT)
    assert len(again) == 8  # whoever took them never came back


def test_a_taken_callback_says_all_that_its_post_needs(anywhere: Indoors) -> None:
    station, _ = commands_of(anywhere, 1)
    anywhere.next(station)
    [due] = anywhere.run(callbacks.take, [1, 99], START, ATTEMPT)
    assert (due.from_party, due.to_party) == (("NL", "CPO"), ("DE", "ONE"))
    assert (due.result, due.url, due.attempts) == ("ACCEPTED", "https://127.0.0.1/callback", 0)
    assert due.expires_at == START + anywhere.rules.settings.command_timeout


def test_a_callback_ends_once_and_its_attempts_are_kept(anywhere: Indoors) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    anywhere.next(station)
    attempt = {
        "callback": 1, "at": START, "request_id": "r", "ocpi_status": None, "error": "bad\x00byte", "milliseconds": 3,
        "due_at": START + timedelta(seconds=1),
    }  # fmt: skip
    for status, state in ((500, CallbackState.DUE), (200, CallbackState.DELIVERED), (500, CallbackState.ABANDONED)):
        anywhere.run(callbacks.record, [Attempt(http_status=status, state=state, **attempt)])
    [(callback, attempts)] = anywhere.run(callbacks.told_of, command_id)
    assert (callback["state"], callback["attempts"], callback["ended_at"]) == ("DELIVERED", 2, START)
    assert [one["http_status"] for one in attempts] == [500, 200, 500]


def test_the_promise_over_a_callback_is_abandoned_and_may_be_replayed(anywhere: Indoors) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    anywhere.next(station)
    over = START + anywhere.rules.settings.command_timeout
    assert anywhere.run(callbacks.take_all, over, ATTEMPT) == []
    assert anywhere.rows("callback")[0]["state"] == "ABANDONED"
    assert anywhere.run(callbacks.replay, command_id, over, over + HOLD) == [1]
    assert anywhere.run(callbacks.replay, command_id, over, over + HOLD) == []
    assert [due.id for due in anywhere.run(callbacks.take, [1], over, ATTEMPT)] == [1]


def test_a_replayed_result_has_as_many_attempts_as_a_new_one(anywhere: Indoors) -> None:
    station, [command_id] = commands_of(anywhere, 1)
    anywhere.next(station)
    failed = Attempt(
        callback=1, at=START, request_id="r", http_status=500, ocpi_status=None, error="", milliseconds=3,
        state=CallbackState.ABANDONED, due_at=START,
    )  # fmt: skip
    anywhere.run(callbacks.record, [failed])
    assert anywhere.run(callbacks.replay, command_id, START, START + HOLD) == [1]
    [due] = anywhere.run(callbacks.take, [1], START, ATTEMPT)
    assert due.attempts == 0


def test_a_post_in_flight_is_not_abandoned_under_it(anywhere: Indoors) -> None:
    station, _ = commands_of(anywhere, 1)
    anywhere.next(station)
    over = START + anywhere.rules.settings.command_timeout
    anywhere.run(callbacks.take_all, over - timedelta(seconds=1), ATTEMPT)
    assert anywhere.run(callbacks.expire, over) == 0
    assert anywhere.run(callbacks.expire, over + HOLD) == 1


def test_numbers_taken_at_once_are_all_different(anywhere: Indoors, processes: list[Engine]) -> None:
    taken = at_once(processes, lambda db: [take_number(db, "n") for _ in range(25)])
    assert sorted(number for numbers in taken for number in numbers) == list(range(1, 101))


def test_the_same_post_is_one_command_within_a_day(anywhere: Indoors) -> None:
    partner, (location, _) = anywhere.partner(), anywhere.one_evse()
    body = anywhere.reserve_body(partner, location, minutes=1200)
    first = anywhere.ask(partner, "RESERVE_NOW", body, request_id="same")
    anywhere.pass_(hours=12)
    again = anywhere.ask(partner, "RESERVE_NOW", body, request_id="same")
    assert (again.response, again.timeout, again.dispatch) == (first.response, first.timeout, ())
    assert len(anywhere.rows("command")) == 1
    assert anywhere.ask(partner, "RESERVE_NOW", body | {"reservation_id": "R-2"}, request_id="same").dispatch
    anywhere.pass_(hours=12, seconds=1)
    assert anywhere.ask(partner, "RESERVE_NOW", body, request_id="same").response == "REJECTED"  # it has expired by now
    assert len(anywhere.rows("command")) == 3


def test_the_same_post_at_the_same_moment_is_one_command(anywhere: Indoors) -> None:
    partner, (location, _) = anywhere.partner(), anywhere.one_evse()
    asked = anywhere.asked(partner, "RESERVE_NOW", anywhere.reserve_body(partner, location), request_id="same")
    stores = [Store(open_engine(anywhere.rules.settings.database)) for _ in range(3)]

    async def ask() -> list[Any]:
        each = (store.write(receive, asked, anywhere.rules, anywhere.online) for store in stores for _ in range(4))
        return await asyncio.gather(*each)

    said = asyncio.run(ask())
    for store in stores:
        store.close()
    assert [one.response for one in said] == ["ACCEPTED"] * 12
    assert len([one for one in said if one.dispatch]) == 1
    assert len(anywhere.rows("command")) == len(anywhere.rows("reservation")) == 1


def test_a_status_told_earlier_changes_nothing_that_was_told_later(anywhere: Indoors) -> None:
    station = anywhere.station()

    def tell(status: str, seconds: int) -> bool:
        at = START + timedelta(seconds=seconds)
        return bool(anywhere.run(stations.put_status, station, (0, 1), status, "", at))

    assert tell("Preparing", 10) is True
    assert tell("Available", 5) is False
    assert tell("Charging", 10) is True  # the same second: by arrival
    assert anywhere.run(stations.status_at, station, None, 1) == "Charging"
    assert anywhere.run(stations.status_at, station, None, 2) is None
    assert anywhere.run(stations.status_at, station, None, None) is None


def test_a_status_that_comes_from_two_sockets_is_the_newest(anywhere: Indoors, processes: list[Engine]) -> None:
    station = anywhere.station()
    seconds = iter([3, 1, 4, 2])

    def tell(db: Any) -> None:
        second = next(seconds)
        stations.put_status(db, station, (1, 1), f"S{second}", "", START + timedelta(seconds=second))

    at_once(processes, tell)
    assert [row["status"] for row in anywhere.rows("connector_status")] == ["S4"]


def test_an_order_that_its_node_did_not_send_any_more_is_failed_though_the_clock_looks_first(anywhere: Indoors) -> None:
    partner, (location, station) = anywhere.partner(), anywhere.one_evse()
    [said] = anywhere.start(partner, location).dispatch
    anywhere.claim(station)
    anywhere.now = START + anywhere.rules.settings.station_timeout
    anywhere.conclude(said)
    assert anywhere.told() == []
    unsent = Answer(ending=Ending.NOT_SENT, detail="the deadline passed while the order was waiting")
    anywhere.run(commands.answered, said, "ocpp1.6", unsent, anywhere.now)
    anywhere.conclude(said)
    assert anywhere.told() == ["FAILED"]


def test_no_command_stays_open_for_ever(anywhere: Indoors) -> None:
    """Whatever a command's state, its deadline makes it ripe."""
    partner, (location, station) = anywhere.partner(), anywhere.one_evse()
    said = [anywhere.start(partner, location).dispatch[-1] for _ in range(4)]
    anywhere.claim(station)
    anywhere.run(commands.answered, said[0], "ocpp1.6", Answer(ending=Ending.CONNECTION_LOST), START)
    anywhere.claim(station)
    with anywhere.db() as db:
        db.execute(update(rows.command).where(rows.command.c.id == said[3]).values(state="RECEIVED"))
    settings = anywhere.rules.settings
    deadline = START + settings.station_timeout
    late = deadline + settings.node_patience

    def due(now: datetime, most: int = 10) -> tuple[list[int], list[int]]:
        return anywhere.run(commands.due, now, settings.node_patience, START, most)

    assert due(deadline - timedelta(seconds=1)) == (said[2:], [])
    # The second one is at its node, which may just be writing down that it did not send it any more.
    assert due(deadline) == ([], [said[0], *said[2:]])
    assert due(late) == ([], said)
    assert due(late, 2) == ([], said[:2])
    anywhere.now = late
    anywhere.conclude(*said)
    assert anywhere.told() == ["TIMEOUT", "TIMEOUT", "FAILED", "FAILED"]
    with anywhere.db() as db:
        assert db.execute(select(func.count()).where(rows.command.c.state != "CONCLUDED")).scalar() == 0


def test_no_session_was_last_updated_earlier_than_somebody_was_told(anywhere: Indoors) -> None:
    """Processes read their clocks before they wait for their turn to write."""
    partner, (location, station) = anywhere.partner(), anywhere.one_evse()
    anywhere.start(partner, location)
    anywhere.next(station)
    [session] = anywhere.rows("session")
    late = anywhere.now + timedelta(seconds=5)
    anywhere.run(sessions.change, session["id"], late, kwh=1)
    anywhere.run(sessions.change, session["id"], anywhere.now, kwh=2)
    [changed] = anywhere.rows("session")
    assert (changed["last_updated"], changed["kwh"]) == (late, 2)
    anywhere.run(sessions.become, session["id"], SessionState.INVALID, anywhere.now)
    [ended] = anywhere.rows("session")
    assert (ended["last_updated"], ended["state"]) == (late, "INVALID")


def judged(indoors: Indoors) -> int:
    """A command whose station has accepted it; its callback, held for a worker that was not told yet."""
    station, [command_id] = commands_of(indoors, 1)
    indoors.claim(station)
    told = command_id, station, "ocpp1.6", ACCEPTED, indoors.rules, indoors.now
    [held] = indoors.run(conclusions.judge, *told).held
    return held


def test_a_held_result_is_whoever_s_that_hears_of_it(anywhere: Indoors) -> None:
    held = judged(anywhere)
    assert anywhere.run(callbacks.take_all, START, ATTEMPT) == []
    soon = START + timedelta(seconds=1)
    [due] = anywhere.run(callbacks.held, [held, 4711], soon, ATTEMPT)
    assert (due.id, due.until) == (held, START + ATTEMPT)
    assert anywhere.run(callbacks.held, [held], START + HOLD, ATTEMPT) == []


def test_a_held_result_that_another_has_taken_since_is_nobody_else_s(anywhere: Indoors) -> None:
    held, later = judged(anywhere), START + HOLD
    assert [due.id for due in anywhere.run(callbacks.take_all, later, ATTEMPT)] == [held]
    assert anywhere.run(callbacks.held, [held], later + timedelta(seconds=1), ATTEMPT) == []


def test_a_result_of_which_nobody_hears_is_due_while_there_is_time(anywhere: Indoors) -> None:
    """However long an attempt may last: here longer than all that is promised."""
    settings = anywhere.rules.settings.model_copy(update={"callback_attempt_timeout": timedelta(minutes=5)})
    anywhere.rules = replace(anywhere.rules, settings=settings)
    held = judged(anywhere)
    [row] = anywhere.rows("callback", id=held)
    assert START < row["due_at"] <= START + (row["expires_at"] - START) / 2
    assert [due.id for due in anywhere.run(callbacks.held, [held], START, timedelta(minutes=5))] == [held]
    assert [due.id for due in anywhere.run(callbacks.take_all, row["due_at"], timedelta(minutes=5))] == [held]
