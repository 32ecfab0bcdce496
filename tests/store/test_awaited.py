"""Short transactions on the loop's own thread, which goes on while PostgreSQL is at work."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError

from gateway.lane import Closed
from gateway.store.abreast import alone
from gateway.store.engine import open_engine
from gateway.store.prepared import Prepared
from gateway.store.rows import cpo
from gateway.store.store import Store
from tests.support.indoors import Indoors
from tests.support.stores import cpo_row, ticking

ADD = Prepared(insert(cpo).returning(cpo.c.id))
SEND = Prepared(insert(cpo))
COUNT = Prepared(select(func.count().label("many")).select_from(cpo).where(cpo.c.key.like(bindparam("like"))))
BY_WHOM = Prepared(select(func.pg_backend_pid().label("pid")))
IN_WHICH = Prepared(select(func.txid_current().label("id")))
SLEEP = Prepared(select(func.pg_sleep(0.3).label("slept")))
BROKEN = Prepared(select(cpo.c.id).where(literal_column("1 / (id - id)") == 1))

Work = Callable[[Connection], Any]


def add(key: str, *then: Prepared) -> Work:
    def work(db: Connection) -> tuple[int, int]:
        ADD.one(db, cpo_row(key))
        for one in then:
            one.all(db, {})
        return IN_WHICH.scalar(db, {}), threading.get_ident()

    return work


def many(db: Connection) -> int:
    return int(COUNT.scalar(db, {"like": "k%"}))


@pytest.fixture
async def indoors(postgres_url: str) -> AsyncIterator[Indoors]:
    made = Indoors(postgres_url)
    yield made
    made.close()


@pytest.fixture
async def store(indoors: Indoors) -> AsyncIterator[Store]:
    made = Store(open_engine(indoors.rules.settings.database))
    yield made
    await made.settled()
    made.close()


def kill(indoors: Indoors, backend: int) -> None:
    indoors.run(lambda db: db.execute(text(f"SELECT pg_terminate_backend({backend}, 10000)")))


async def test_it_is_done_here(store: Store) -> None:
    _, thread = await store.write_briefly(add("k"))
    assert thread == threading.get_ident()
    assert await store.glance(lambda db: (many(db), threading.get_ident())) == (1, thread)


async def test_the_loop_goes_on_meanwhile_and_what_comes_then_goes_together(store: Store) -> None:
    await store.write_briefly(add("k"))
    first = asyncio.create_task(store.write_briefly(add("k-first", SLEEP)))
    await asyncio.sleep(0.05)
    assert not first.done()
    others = [asyncio.create_task(store.about(str(place)).write_briefly(add(f"k{place}"))) for place in range(9)]
    assert await store.glance(many) == 1  # readers wait for no writer
    transactions = {number for number, _ in await asyncio.gather(*others)}
    assert len(transactions) == 1
    assert (await first)[0] not in transactions
    assert await store.glance(many) == 11


@pytest.mark.parametrize("first", ["write", "write_briefly"])
async def test_of_one_process_one_writes_at_a_time_on_the_loop_or_beside_it(store: Store, first: str) -> None:
    def slowly(db: Connection) -> int:
        seen = many(db)
        add(f"k{seen}", SLEEP)(db)
        return seen

    await store.write_briefly(many)
    async with ticking() as ticks:
        works = [getattr(store, name)(slowly) for name in (first, *["write", "write_briefly", "write"] * 2)]
        assert sorted(await asyncio.gather(*works)) == list(range(7))
    assert ticks.many > 10


@pytest.mark.parametrize("about", [True, False])
async def test_of_those_that_went_together_only_the_guilty_one_is_told(store: Store, about: bool) -> None:
    await store.write_briefly(add("k"))

    def refuse(db: Connection) -> None:
        many(db)
        raise LookupError

    def careful(db: Connection) -> Any:
        alone(db)
        return add("k2")(db)

    def write(work: Work, name: str) -> Any:
        return (store.about(name) if about else store).write_briefly(work)

    works = {"1": add("k1"), "bad": add("k"), "worse": refuse, "2": careful, "worst": add("k3", BROKEN), "4": add("k4")}
    told = await asyncio.gather(*(write(work, name) for name, work in works.items()), return_exceptions=True)
    assert [type(one) for one in told] == [tuple, IntegrityError, LookupError, tuple, DataError, tuple]
    assert await store.glance(many) == 4


async def test_one_alone_that_fails_is_told_and_undone(store: Store) -> None:
    def refuse(db: Connection) -> None:
        add("k-undone")(db)
        raise LookupError

    with pytest.raises(LookupError):
        await store.write_briefly(refuse)
    assert await store.glance(many) == 0
    await store.write_briefly(add("k"))
    assert await store.glance(many) == 1


async def test_a_reader_s_failure_is_its_own(store: Store) -> None:
    await store.write_briefly(add("k"))
    works: list[Work] = [many, lambda db: BROKEN.all(db, {}), many, lambda db: {}["nothing"], many]
    told = await asyncio.gather(*(store.glance(work) for work in works), return_exceptions=True)
    assert [told[0], told[2], told[4]] == [1, 1, 1]
    assert isinstance(told[1], DataError)
    assert isinstance(told[3], KeyError)


async def test_a_connection_that_was_lost_before_is_replaced(store: Store, indoors: Indoors) -> None:
    for key in ("k1", "k2"):
        for of in (store.write_briefly, store.glance):
            kill(indoors, await of(BY_WHOM.scalar, {}))
        await store.write_briefly(add(key))
        assert await store.glance(many) == int(key[1])
    assert (await store.write_briefly(add("k3")))[1] == threading.get_ident()  # and here again


async def test_what_may_have_been_committed_is_not_done_again(store: Store, indoors: Indoors) -> None:
    done = []

    def cut_off(db: Connection) -> None:
        done.append(add("k")(db))
        kill(indoors, BY_WHOM.scalar(db, {}))

    with pytest.raises(OperationalError):
        await store.write_briefly(cut_off)
    assert len(done) == 1
    await store.write_briefly(add("k-later"))


@pytest.mark.parametrize("name", ["write", "write_briefly", "note_briefly"])
async def test_what_would_go_with_its_commit_alone_is_done_though_the_connection_was_lost_before(
    store: Store, indoors: Indoors, name: str
) -> None:
    write = getattr(store, name)
    for key in ("k1", "k2"):
        kill(indoors, await write(BY_WHOM.scalar, {}))
        await write(SEND.send, cpo_row(key))
        assert await store.glance(many) == int(key[1])


async def test_a_reader_that_lost_its_connection_unseen_gets_another(store: Store, indoors: Indoors) -> None:
    await store.write_briefly(add("k"))
    lost = []

    def look(db: Connection) -> Any:
        seen = many(db)
        if not lost:
            lost.append(1)
            kill(indoors, BY_WHOM.scalar(db, {}))
        return seen, db.execute(select(func.count()).select_from(cpo).where(cpo.c.key == "k")).scalar_one()

    assert await store.glance(look) == (1, 1)
    for _ in range(2):
        assert await store.glance(lambda db: (many(db), threading.get_ident())) == (1, threading.get_ident())


async def test_a_writer_that_passes_over_a_lost_connection_keeps_nobody_after_it(
    store: Store, indoors: Indoors
) -> None:
    def careless(db: Connection) -> str:
        kill(indoors, BY_WHOM.scalar(db, {}))
        with suppress(OperationalError):
            many(db)
        return "fine"

    with suppress(Exception):
        await store.write_briefly(careless)
    assert (await store.write_briefly(add("k")))[1] == threading.get_ident()


async def test_whatever_comes_after_the_commit_nothing_is_done_twice(store: Store, monkeypatch: Any) -> None:
    done = []

    def work(key: str) -> Work:
        return lambda db: (done.append(key), add(key)(db))

    def breaks(*_: object) -> None:
        raise RuntimeError("after the COMMIT")

    await store.write_briefly(many)
    monkeypatch.setattr(Connection, "commit", breaks)
    told = await asyncio.gather(*(store.write_briefly(work(f"k{place}")) for place in range(3)), return_exceptions=True)
    monkeypatch.undo()
    assert [type(one) for one in told] == [RuntimeError] * 3
    assert len(done) == 3
    assert await store.glance(many) == 3


async def test_what_is_lost_before_its_commit_is_done_again(store: Store, indoors: Indoors) -> None:
    done = []

    def cut_off_once(db: Connection) -> int:
        if not done:
            done.append(1)
            kill(indoors, BY_WHOM.scalar(db, {}))
        return add("k")(db)[0]

    assert await store.write_briefly(cut_off_once) > 0
    assert await store.glance(many) == 1


async def test_an_asker_that_gave_up_disturbs_nobody(store: Store) -> None:
    first = asyncio.create_task(store.write_briefly(add("k-first", SLEEP)))
    await asyncio.sleep(0.05)
    gone = asyncio.create_task(store.write_briefly(add("k-gone")))
    there = asyncio.create_task(store.write_briefly(add("k-there")))
    await asyncio.sleep(0)
    gone.cancel()
    first.cancel()
    await there
    assert gone.cancelled()
    assert await store.glance(many) == 3  # asked for is asked for


async def test_statements_past_it_see_and_are_seen(store: Store) -> None:
    def both(db: Connection) -> list[str]:
        add("k1")(db)
        db.execute(insert(cpo).values(country_code="NL", party_id="CPO", key="k2", name="k2"))
        assert many(db) == 2
        return sorted(db.execute(select(cpo.c.key).where(cpo.c.key.like("k%"))).scalars())

    told = await asyncio.gather(*(store.about(one).write_briefly(work) for one, work in (("a", both), ("b", add("l")))))
    assert told[0] == ["k1", "k2"]


async def test_a_bad_statement_past_it_is_told(store: Store) -> None:
    with pytest.raises(ProgrammingError):
        await store.write_briefly(lambda db: db.execute(text("SELECT 1 FROM nowhere")))
    with pytest.raises(ProgrammingError):
        await store.glance(lambda db: db.execute(text("SELECT 1 FROM nowhere")))
    await store.write_briefly(add("k"))
    assert await store.glance(many) == 1


async def test_what_was_asked_for_is_done_before_it_is_closed(indoors: Indoors) -> None:
    store = Store(open_engine(indoors.rules.settings.database))
    asked = [asyncio.create_task(store.write_briefly(add(f"k{place}", SLEEP))) for place in range(3)]
    await asyncio.sleep(0.05)
    await store.settled()
    store.close()
    assert len(await asyncio.gather(*asked)) == 3
    for late in (store.write_briefly(add("late")), store.glance(many)):
        with pytest.raises(Closed):
            await late
