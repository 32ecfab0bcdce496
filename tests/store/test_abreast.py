"""Works about different things go to PostgreSQL together, and each comes to what it comes to alone."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, bindparam, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.each import each
from gateway.store.abreast import Abreast, alone, apart
from gateway.store.engine import way
from gateway.store.prepared import Prepared
from gateway.store.rows import cpo
from tests.support.stores import cpo_row

ADD = Prepared(insert(cpo).returning(cpo.c.id))
NAMED = Prepared(select(cpo.c.name).where(cpo.c.key == bindparam("key_")))
RENAME = Prepared(update(cpo).where(cpo.c.key == bindparam("key_")).values(name=bindparam("name_")))

Work = Callable[[Connection], Any]


def abreast(engine: Engine, *works: Work | tuple[Work, set[str]]) -> list[Any]:
    with engine.begin() as db:
        return Abreast(db, [one if isinstance(one, tuple) else (one, ()) for one in works]).run()


def names(engine: Engine) -> dict[str, str]:
    with engine.begin() as db:
        return {key: name for key, name in db.execute(select(cpo.c.key, cpo.c.name))}


class Steps:
    """Works of three statements each, that note which one they have come to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    def of(self, key: str) -> Work:
        def work(db: Connection) -> str:
            for number, step in enumerate((self._add, self._rename, self._look)):
                step(db, key)
                self.taken.append((key, number))
            return key

        return work

    def _add(self, db: Connection, key: str) -> None:
        ADD.one(db, cpo_row(key))

    def _rename(self, db: Connection, key: str) -> None:
        assert RENAME.run(db, {"key_": key, "name_": f"second of {key}"}) == 1

    def _look(self, db: Connection, key: str) -> None:
        assert NAMED.scalar(db, {"key_": key}) == f"second of {key}"


@pytest.mark.parametrize("many", [1, 2, 3, 40])
def test_they_take_each_step_together(engine: Engine, many: int) -> None:
    steps, keys = Steps(), [f"k{number}" for number in range(many)]
    assert abreast(engine, *(steps.of(key) for key in keys)) == keys
    assert steps.taken == [(key, number) for number in range(3) for key in keys]
    assert names(engine) == {key: f"second of {key}" for key in keys}


def test_the_ways_to_the_server_are_those_of_one(engine: Engine) -> None:
    steps, ways = Steps(), []

    with engine.begin() as db:
        pipeline = way(db)
        asking = pipeline.asking
        pipeline.asking = lambda asked: ways.append(len(asked)) or asking(asked)
        Abreast(db, [(steps.of(f"k{number}"), ()) for number in range(40)]).run()
        del pipeline.asking
    assert ways == [40] * 3


def test_works_about_the_same_thing_follow_one_another_in_order(engine: Engine) -> None:
    steps = Steps()
    abreast(
        engine,
        (steps.of("one"), {"a"}),
        (steps.of("two"), {"a", "b"}),
        (steps.of("three"), {"b"}),
        (steps.of("beside"), {"c"}),
    )
    order = [key for key, _ in steps.taken if key != "beside"]
    assert order == ["one"] * 3 + ["two"] * 3 + ["three"] * 3
    assert steps.taken[:2] == [("one", 0), ("beside", 0)]


def test_one_that_fails_undoes_them_all_and_leaves_the_connection_as_it_was(engine: Engine) -> None:
    steps, ended = Steps(), []

    def stopped(db: Connection) -> None:
        try:
            for number in range(100):
                ADD.one(db, cpo_row(f"s{number}"))
        finally:
            ended.append(True)

    def fail(db: Connection) -> None:
        ADD.one(db, cpo_row("half"))
        raise LookupError("mine alone")

    with pytest.raises(LookupError):
        abreast(engine, steps.of("one"), stopped, fail, steps.of("two"))
    assert ended == [True]
    assert names(engine) == {}
    assert abreast(engine, *map(steps.of, "abc")) == ["a", "b", "c"]


@pytest.mark.parametrize("beside", [0, 1, 10])
def test_a_statement_that_fails_is_told_as_ever(engine: Engine, beside: int) -> None:
    def twice(db: Connection) -> None:
        for _ in range(2):
            ADD.one(db, cpo_row("same"))

    with pytest.raises(IntegrityError) as told:
        abreast(engine, twice, *(Steps().of(f"k{number}") for number in range(beside)))
    assert "same" not in str(told.value.statement)
    assert names(engine) == {}


def test_who_wants_to_be_alone_waits_for_the_others_and_has_nobody_beside_from_there_on(engine: Engine) -> None:
    steps = Steps()

    def last(key: str) -> Work:
        def work(db: Connection) -> None:
            alone(db)
            alone(db)
            steps.of(key)(db)

        return work

    abreast(engine, last("x"), steps.of("a"), last("y"), steps.of("b"))
    assert [key for key, _ in steps.taken] == ["a", "b"] * 3 + ["x"] * 3 + ["y"] * 3


def test_what_is_done_apart_is_undone_alone(engine: Engine) -> None:
    steps = Steps()

    def tries(db: Connection) -> str:
        ADD.one(db, cpo_row("kept"))
        for _ in range(2):
            with pytest.raises(IntegrityError):
                twice_apart(db)
        return "done"

    assert abreast(engine, steps.of("a"), tries, steps.of("b"), tries_none, steps.of("c"))[1] == "done"
    assert sorted(names(engine)) == ["a", "b", "c", "kept", "none"]


def twice_apart(db: Connection) -> None:
    with apart(db):
        ADD.one(db, cpo_row("undone"))
        ADD.one(db, cpo_row("kept"))


def tries_none(db: Connection) -> None:
    with apart(db):
        ADD.one(db, cpo_row("none"))


def test_one_whose_clean_up_fails_leaves_a_connection_that_is_sound(engine: Engine) -> None:
    def unclean(db: Connection) -> None:
        try:
            NAMED.scalar(db, {"key_": "a"})
            NAMED.scalar(db, {"key_": "a"})
        finally:
            raise LookupError

    def twice(db: Connection) -> None:
        ADD.one(db, cpo_row("a"))
        ADD.one(db, cpo_row("a"))

    with pytest.raises(IntegrityError):
        abreast(engine, twice, unclean, unclean)
    for _ in range(3):
        assert names(engine) == {}
        with engine.begin() as db:
            assert NAMED.scalar(db, {"key_": "a"}) is None


def test_what_is_amiss_with_what_came_before_is_not_the_first_row_s_affair(engine: Engine) -> None:
    def work(db: Connection) -> list[str]:
        ADD.send(db, cpo_row("same"))
        ADD.send(db, cpo_row("same"))
        return each(db, "cannot be done", ["a", "b"], lambda key: Steps().of(key)(db))

    for others in ([], [Steps().of("c"), Steps().of("d")]):
        with pytest.raises(IntegrityError):
            abreast(engine, work, *others)
    assert names(engine) == {}


def test_statements_past_it_are_done_where_they_stand(engine: Engine) -> None:
    steps = Steps()

    def plain(db: Connection) -> list[str]:
        ADD.one(db, cpo_row("plain"))
        return list(db.execute(select(cpo.c.name).where(cpo.c.key == "plain")).scalars())

    assert abreast(engine, steps.of("a"), plain, steps.of("b"))[1] == ["first"]


@pytest.mark.parametrize("beside", [0, 10])
def test_a_connection_that_is_lost_is_told_so_and_the_next_one_is_sound(engine: Engine, beside: int) -> None:
    def lose(db: Connection) -> None:
        ADD.one(db, cpo_row("lost"))
        (backend,) = db.execute(text("SELECT pg_backend_pid()")).one()
        with engine.connect() as other:
            other.execute(text(f"SELECT pg_terminate_backend({backend})"))
        ADD.one(db, cpo_row("never"))

    with pytest.raises(DBAPIError) as told:
        abreast(engine, lose, *(Steps().of(f"k{number}") for number in range(beside)))
    assert told.value.connection_invalidated
    assert names(engine) == {}
    assert abreast(engine, *map(Steps().of, "abcd")) == ["a", "b", "c", "d"]
    with engine.begin() as db:
        assert not isinstance(way(db), Abreast)


def test_without_others_nobody_need_be_alone(engine: Engine) -> None:
    with engine.begin() as db:
        alone(db)
        with apart(db):
            ADD.one(db, cpo_row("one"))
    assert names(engine) == {"one": "first"}
