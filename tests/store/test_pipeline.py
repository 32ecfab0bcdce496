"""Statements to PostgreSQL past psycopg's cursors: what goes together, when, and what is told of it."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from psycopg import DataError, errors
from sqlalchemy import Connection, Engine, bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from gateway.store.abreast import apart
from gateway.store.engine import pipeline_of, way
from gateway.store.pipeline import Pipeline
from gateway.store.prepared import Prepared
from gateway.store.rows import cpo
from tests.support.stores import cpo_row, ticking

ADD = Prepared(insert(cpo))
NAMED = Prepared(select(cpo.c.name).where(cpo.c.key == bindparam("key_")))
RENAME = Prepared(update(cpo).where(cpo.c.key == bindparam("key_")).values(name=bindparam("name_")))


def keys(engine: Engine) -> list[str]:
    with engine.begin() as db:
        return sorted(db.execute(select(cpo.c.key)).scalars())


class Trips:
    """What went to the server together."""

    def __init__(self, db: Connection) -> None:
        self.taken: list[list[str]] = []
        self._pipeline: Any = pipeline_of(db)
        self._send = self._pipeline._send
        self._pipeline._send = self._note

    def _note(self, asked: Any) -> Any:
        self.taken.append([statement.split()[0] for statement, _ in asked])
        return self._send(asked)


def test_begin_goes_with_the_first_and_what_nobody_waits_for_with_the_commit(engine: Engine) -> None:
    with engine.begin() as db:
        trips = Trips(db)
        assert NAMED.scalar(db, {"key_": "a"}) is None
        ADD.send(db, cpo_row("a"))
        assert RENAME.run(db, {"key_": "a", "name_": "second"}) == 1
        ADD.send(db, cpo_row("b"))
        ADD.send(db, cpo_row("c"))
    assert trips.taken == [["BEGIN", "SELECT"], ["INSERT", "UPDATE"], ["INSERT", "INSERT", "COMMIT"]]
    assert keys(engine) == ["a", "b", "c"]


def test_a_transaction_of_nothing_goes_nowhere(engine: Engine) -> None:
    with engine.begin() as db:
        trips = Trips(db)
    assert trips.taken == []


def test_what_nobody_waits_for_is_seen_by_statements_past_it(engine: Engine) -> None:
    with engine.begin() as db:
        ADD.send(db, cpo_row("a"))
        assert db.execute(select(cpo.c.key)).scalars().all() == ["a"]
        ADD.send(db, cpo_row("b"))
        assert db.execute(select(cpo.c.key)).scalars().all() == ["a", "b"]


def test_it_is_undone_with_the_rest_also_when_it_was_never_sent(engine: Engine) -> None:
    def add_in_vain() -> None:
        with engine.begin() as db:
            ADD.run(db, cpo_row("a"))
            ADD.send(db, cpo_row("b"))
            raise LookupError

    with pytest.raises(LookupError):
        add_in_vain()
    with engine.begin() as db:
        ADD.send(db, cpo_row("c"))
    assert keys(engine) == ["c"]


@pytest.mark.parametrize("then", ["a statement", "a statement past it", "the commit", "the end of what is apart"])
def test_what_is_amiss_with_it_is_told_with_what_follows(engine: Engine, then: str) -> None:
    with engine.begin() as db:
        ADD.run(db, cpo_row("a"))
    with pytest.raises(IntegrityError):
        add_again(engine, then)
    with engine.begin() as db:
        ADD.send(db, cpo_row("b"))
    assert keys(engine) == ["a", "b"]


def add_again(engine: Engine, then: str) -> None:
    with engine.begin() as db:
        if then == "the end of what is apart":
            with pytest.raises(IntegrityError), apart(db):
                ADD.send(db, cpo_row("a"))
            assert NAMED.scalar(db, {"key_": "a"}) == "first"  # the transaction is sound
        ADD.send(db, cpo_row("a"))
        if then == "a statement":
            NAMED.scalar(db, {"key_": "a"})
        if then == "a statement past it":
            db.execute(select(cpo.c.key))


def test_what_has_failed_is_not_called_committed(engine: Engine) -> None:
    def swallow() -> None:
        with engine.begin() as db:
            ADD.run(db, cpo_row("a"))
            with pytest.raises(IntegrityError):
                ADD.run(db, cpo_row("a"))

    with pytest.raises(InternalError):
        swallow()
    assert keys(engine) == []


def test_apart_takes_back_what_it_has_not_sent_and_leaves_what_came_before(engine: Engine) -> None:
    with engine.begin() as db:
        ADD.send(db, cpo_row("before"))
        with pytest.raises(LookupError):
            add_apart_in_vain(db)
        ADD.send(db, cpo_row("after"))
    assert keys(engine) == ["after", "before"]


def add_apart_in_vain(db: Connection) -> None:
    with apart(db):
        ADD.send(db, cpo_row("within"))
        raise LookupError


@pytest.mark.parametrize("lightly", [True, False])
def test_a_light_commit_is_light_and_the_next_one_is_not(engine: Engine, lightly: bool) -> None:
    shown = []
    for options in ({"lightly": lightly}, {}):
        with engine.execution_options(**options).begin() as db:
            shown += way(db).execute("SHOW synchronous_commit", ()).fetchall()[0]
    assert shown == ["off" if lightly else "on", "on"]


def test_a_light_commit_is_light_where_psycopg_begins(engine: Engine) -> None:
    with engine.execution_options(lightly=True).begin() as db:
        db.execute(text("SELECT 1"))
        assert way(db).execute("SHOW synchronous_commit", ()).fetchall() == [("off",)]


def test_without_sqlalchemy_s_begin_it_is_a_transaction_all_the_same(engine: Engine) -> None:
    with engine.connect() as db:
        ADD.run(db, cpo_row("a"))
    assert keys(engine) == []


@pytest.fixture
def pipeline(engine: Engine) -> Iterator[Pipeline]:
    with engine.begin() as db:
        yield pipeline_of(db)


VALUES = [
    None, True, 7, -(2**40), Decimal("12.34"), "it's 100 % \\ $1 ÄÖ 🔌", datetime(2026, 2, 28, 23, 59, 59, 123456, UTC),
    datetime(2026, 2, 28, tzinfo=timezone(timedelta(hours=-5, minutes=-30))), datetime.max.replace(tzinfo=UTC),
    [1, 2, 3], [], ["a,b", '"', "{}", ""],
]  # fmt: skip
TYPES = [
    "BIGINT", "BOOLEAN", "INTEGER", "BIGINT", "NUMERIC", "VARCHAR", "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "BIGINT[]", "BIGINT[]", "VARCHAR[]",
]  # fmt: skip


@pytest.mark.parametrize(("value", "type_"), list(zip(VALUES, TYPES, strict=True)))
def test_a_value_comes_back_as_it_went(pipeline: Pipeline, value: Any, type_: str) -> None:
    for _ in range(7):  # however often it was asked
        assert pipeline.execute(f"SELECT $1::{type_}, 100 % 7", [value]).fetchall() == [(value, 2)]


def test_what_no_database_takes_is_told_before_it_is_sent(pipeline: Pipeline) -> None:
    for value, problem in (("half \ud83d", UnicodeEncodeError), ("no\x00thing", DataError)):
        with pytest.raises(problem):
            pipeline.execute("SELECT $1::VARCHAR", [value])
    assert pipeline.execute("SELECT $1::VARCHAR", ["whole"]).fetchall() == [("whole",)]


def asked(pipeline: Pipeline, statement: str, *values: Any) -> tuple[str, Any]:
    return statement, pipeline.encoded(values)


def test_one_that_fails_fails_all_that_went_with_it_and_what_was_new_is_prepared_again(engine: Engine) -> None:
    with engine.begin() as db:
        pipeline = pipeline_of(db)
        for bad in (0, 1, 2):
            good = [asked(pipeline, f"SELECT $1::INTEGER + {bad + place}", 1) for place in range(3)]
            together = [*good[:bad], asked(pipeline, "SELECT 1 / $1::INTEGER", 0), *good[bad:]]
            with pytest.raises(errors.DivisionByZero):
                pipeline.ask(together)
            db.connection.dbapi_connection.rollback()
            told = pipeline.ask(good)
            assert [one.fetchall() for one in told] == [[(1 + bad + place,)] for place in range(3)]


def test_one_that_cannot_be_prepared_is_told_as_such(engine: Engine) -> None:
    with engine.begin() as db:
        pipeline = pipeline_of(db)
        for _ in range(2):
            with pytest.raises(errors.UndefinedTable):
                pipeline.ask([asked(pipeline, "SELECT 1"), asked(pipeline, "SELECT 1 FROM nowhere")] * 3)
            db.connection.dbapi_connection.rollback()
        assert [one.fetchall() for one in pipeline.ask([asked(pipeline, "SELECT 1")] * 3)] == [[(1,)]] * 3


def test_what_somebody_has_deallocated_is_prepared_again(engine: Engine) -> None:
    with engine.begin() as db:
        NAMED.scalar(db, {"key_": "a"})
        db.execute(text("DEALLOCATE ALL"))
        with pytest.raises(ProgrammingError):
            NAMED.scalar(db, {"key_": "a"})
        db.connection.dbapi_connection.rollback()
        assert NAMED.scalar(db, {"key_": "a"}) is None


def test_a_rollback_leaves_what_was_prepared(engine: Engine) -> None:
    def look_past_it_in_vain() -> None:
        with engine.begin() as db:
            assert NAMED.scalar(db, {"key_": "a"}) is None
            for _ in range(8):  # psycopg would prepare it
                db.execute(select(cpo.c.key))
            raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            look_past_it_in_vain()


LONG = "x" * 200_000


def many(pipeline: Pipeline) -> list[tuple[str, Any]]:
    """More than the sockets hold, each way."""
    return [asked(pipeline, "SELECT $1::VARCHAR", LONG)] * 60


def test_neither_side_waits_for_the_other_to_listen(pipeline: Pipeline) -> None:
    told = pipeline.ask(many(pipeline))
    assert {len(one.fetchall()[0][0]) for one in told} == {len(LONG)}
    assert len(told) == 60


async def test_nor_on_the_loop(pipeline: Pipeline) -> None:
    told = await pipeline.awaited(pipeline.asking(many(pipeline)))
    assert {len(one.fetchall()[0][0]) for one in told} == {len(LONG)}
    assert len(told) == 60


async def test_the_loop_goes_on_meanwhile(pipeline: Pipeline) -> None:
    async with ticking() as ticks:
        await pipeline.awaited(pipeline.asking([asked(pipeline, "SELECT pg_sleep(1.5)")]))
    assert ticks.many > 5


async def test_whoever_gives_up_in_the_middle_leaves_a_connection_that_is_closed(engine: Engine) -> None:
    with engine.connect() as db:
        pipeline = pipeline_of(db)
        asking = asyncio.create_task(pipeline.awaited(pipeline.asking([asked(pipeline, "SELECT pg_sleep(30)")])))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert db.connection.dbapi_connection.closed
        db.invalidate()
    assert keys(engine) == []


def test_a_thread_s_wait_keeps_no_other_thread(engine: Engine) -> None:
    with engine.connect() as db, engine.connect() as other:
        started, slept = threading.Event(), []

        def sleep() -> None:
            started.set()
            way(db).execute("SELECT pg_sleep(1)", ())
            slept.append(1)

        sleeping = threading.Thread(target=sleep)
        sleeping.start()
        started.wait()
        assert way(other).execute("SELECT 1", ()).fetchall() == [(1,)]
        assert not slept
        sleeping.join()
