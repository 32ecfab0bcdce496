"""Short transactions on the loop's own thread: alone, together, and where they are none of its business."""

import asyncio
import fcntl
import sqlite3
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text

from gateway.store import at_once
from gateway.store.at_once import AtOnce, NotNow, Pace
from gateway.store.engine import open_engine, turn_file
from gateway.store.store import Store


@pytest.fixture
def engine(tmp_path):
    made = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with made.begin() as db:
        db.exec_driver_sql("CREATE TABLE one (id INTEGER PRIMARY KEY)")
    yield made
    made.dispose()


@pytest.fixture
def writer(engine, monkeypatch):
    monkeypatch.setattr(at_once, "LONG", 60.0)  # one commit is slow now and then where tests run
    made = AtOnce(engine)
    yield made
    made.close()


@contextmanager
def somebody_else_s_turn(engine):
    with turn_file(engine) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(number: int, seen: list[int] | None = None):
    def work(db: Connection) -> int:
        db.connection.dbapi_connection.execute("INSERT INTO one VALUES (?)", (number,))
        if seen is not None:
            seen.append(threading.get_ident())
        return number

    return work


def put_by_sqlalchemy(db: Connection) -> str:
    db.execute(text("INSERT INTO one VALUES (77)"))
    return "done"


def numbers(engine) -> list[int]:
    with engine.connect() as db:
        return [row[0] for row in db.exec_driver_sql("SELECT id FROM one ORDER BY id")]


async def test_it_is_done_here_and_now(engine, writer) -> None:
    seen: list[int] = []
    assert await writer.write(put(1, seen), lasting=True) == 1
    assert seen == [threading.get_ident()]
    assert numbers(engine) == [1]
    assert await writer.read(lambda db: db.connection.dbapi_connection.execute("SELECT id FROM one").fetchall()) == [
        (1,)
    ]


@pytest.fixture
def began(writer, monkeypatch) -> list[int]:
    """How many works each transaction had."""
    works: list[int] = []
    in_turn = writer._in_turn
    monkeypatch.setattr(writer, "_in_turn", lambda entries: (works.append(len(entries)), in_turn(entries))[1])
    return works


async def test_what_is_asked_for_in_one_moment_shares_a_commit(engine, writer, began) -> None:
    assert await asyncio.gather(*(writer.write(put(number), lasting=True) for number in (1, 2, 3))) == [1, 2, 3]
    assert began == [3]
    assert numbers(engine) == [1, 2, 3]


async def test_what_comes_in_somebody_else_s_turn_waits_and_shares_a_commit(engine, writer, began) -> None:
    with somebody_else_s_turn(engine):
        asked = [asyncio.create_task(writer.write(put(number), lasting=False)) for number in (1, 2, 3)]
        await asyncio.sleep(0.05)
        assert numbers(engine) == []
    assert await asyncio.gather(*asked) == [1, 2, 3]
    assert began == [3]
    assert numbers(engine) == [1, 2, 3]


async def test_statements_of_sqlalchemy_s_are_committed_with_the_rest(engine, writer) -> None:
    assert await writer.write(put_by_sqlalchemy, lasting=True) == "done"
    assert numbers(engine) == [77]
    with pytest.raises(NotNow):
        await writer.write(put_by_sqlalchemy, lasting=True)
    assert await writer.write(put(78), lasting=True) == 78


async def test_what_fails_leaves_nothing_and_keeps_nobody(engine, writer) -> None:
    def fails(db: Connection) -> None:
        put(5)(db)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await writer.write(fails, lasting=True)
    assert await writer.write(put(6), lasting=True) == 6
    assert numbers(engine) == [6]


async def test_nobody_is_told_somebody_else_s_failure(engine, writer) -> None:
    """Who came together with a failure does it again, alone; nothing of it was done."""
    await writer.write(put(1), lasting=True)
    told = await asyncio.gather(*(writer.write(put(n), lasting=True) for n in (2, 1, 3)), return_exceptions=True)
    assert [type(one) for one in told] == [NotNow, NotNow, NotNow]
    assert numbers(engine) == [1]


async def test_what_came_with_a_failure_is_done_once_and_off_the_loop(engine) -> None:
    threads: list[int] = []

    def fails(db: Connection) -> None:
        raise LookupError("no")

    store = Store(engine)
    try:
        asked = [store.write_briefly(work) for work in (put(1, threads), fails, put(2, threads))]
        told = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        store.close()
    assert [type(one) for one in told] == [int, LookupError, int]
    assert numbers(engine) == [1, 2]
    assert threads[-1] != threading.get_ident()


async def test_what_no_future_takes_is_told_all_the_same(writer) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await writer.write(lambda db: next(iter(())), lasting=True)


async def test_who_is_cancelled_before_it_began_keeps_nobody(engine, writer) -> None:
    asked = asyncio.create_task(writer.write(put(1), lasting=True))
    await asyncio.sleep(0)  # it is asked for, and nothing has begun
    writer._waits.cancel()
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await writer.write(put(2), lasting=True) == 2
        assert await asked == 1
    assert numbers(engine) == [1, 2]


async def test_a_writer_that_takes_no_turns_is_not_waited_for(engine, writer) -> None:
    other = sqlite3.connect(engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(NotNow):
            await writer.write(put(1), lasting=True)
    finally:
        other.close()
    assert await writer.write(put(1), lasting=True) == 1


async def test_while_the_disk_is_slow_others_write(engine, writer, monkeypatch) -> None:
    monkeypatch.setattr(at_once, "LONG", 0.0)
    assert await writer.write(put(1), lasting=True) == 1
    with pytest.raises(NotNow):
        await writer.write(put(2), lasting=True)


def test_one_long_commit_is_no_slow_disk_and_several_are() -> None:
    pace = Pace()
    for _ in range(20):
        pace.took(0.001)
    pace.took(0.05)
    assert not pace.is_slow()
    pace.took(0.05)
    assert pace.is_slow()


@pytest.mark.parametrize(("then", "slow"), [(0.001, False), (0.03, True)])
def test_after_a_slow_time_the_first_commit_tells(monkeypatch, then: float, slow: bool) -> None:
    monkeypatch.setattr(at_once, "SHARE", 1)
    pace = Pace()
    pace.took(2.0)
    assert pace.is_slow()
    while pace.is_slow():
        time.sleep(0.01)
    pace.took(then)
    assert pace.is_slow() is slow


async def test_who_gave_up_waiting_keeps_nobody(engine, writer) -> None:
    with somebody_else_s_turn(engine):
        given_up, patient = (asyncio.create_task(writer.write(put(number), lasting=True)) for number in (1, 2))
        await asyncio.sleep(0.02)
        given_up.cancel()
    assert await patient == 2
    assert 2 in numbers(engine)


async def test_what_was_asked_for_is_done_before_it_is_closed(engine) -> None:
    writer = AtOnce(engine)
    with somebody_else_s_turn(engine):
        asked = asyncio.create_task(writer.write(put(1), lasting=True))
        await asyncio.sleep(0.02)
    writer.close()
    assert await asked == 1
    assert numbers(engine) == [1]


async def test_no_transaction_keeps_the_loop_for_all_that_wait(engine, writer, monkeypatch) -> None:
    monkeypatch.setattr(at_once, "MOST", 2)
    with somebody_else_s_turn(engine):
        asked = [asyncio.create_task(writer.write(put(number), lasting=True)) for number in range(5)]
        await asyncio.sleep(0.02)
    assert await asyncio.gather(*asked) == [0, 1, 2, 3, 4]


async def test_the_loop_is_heard_between_two_transactions(engine, writer, monkeypatch) -> None:
    monkeypatch.setattr(at_once, "MOST", 1)
    order: list[object] = []
    with somebody_else_s_turn(engine):
        asked = [asyncio.create_task(writer.write(put(number), lasting=False)) for number in range(3)]
        for number, task in enumerate(asked):
            task.add_done_callback(lambda _, number=number: order.append(number))
        await asyncio.sleep(0.02)

    async def heard() -> None:
        while not all(task.done() for task in asked):
            order.append("heard")
            await asyncio.sleep(0)

    await asyncio.gather(heard(), *asked)
    assert "heard" in order[order.index(0) : order.index(2)]


async def test_while_the_disk_is_slow_nobody_waits_here(engine, writer, monkeypatch) -> None:
    monkeypatch.setattr(at_once, "LONG", 0.0)
    monkeypatch.setattr(at_once, "MOST", 1)
    with somebody_else_s_turn(engine):
        asked = [asyncio.create_task(writer.write(put(number), lasting=True)) for number in range(3)]
        await asyncio.sleep(0.02)
    first, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert first == 0
    assert [type(one) for one in others] == [NotNow, NotNow]


async def test_whatever_ends_a_transaction_everybody_is_told(engine, writer) -> None:
    def breaks(db: Connection) -> None:
        raise asyncio.CancelledError

    with somebody_else_s_turn(engine):
        asked = [asyncio.create_task(writer.write(work, lasting=True)) for work in (breaks, put(1))]
        await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told] == [NotNow, NotNow]
    assert await writer.write(put(2), lasting=True) == 2
    assert numbers(engine) == [2]
