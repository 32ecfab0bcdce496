"""Group commits: many askers share one, none is harmed by another, and readers wait for nobody."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, insert, literal_column, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.lane import Closed
from gateway.store.engine import open_engine
from gateway.store.prepared import Prepared
from gateway.store.rows import cpo
from gateway.store.store import Store
from tests.support.indoors import Indoors


@pytest.fixture
async def store(anywhere: Indoors) -> AsyncIterator[Store]:
    anywhere.run(lambda db: db.execute(cpo.delete()))
    engine = open_engine(anywhere.rules.settings.database)
    store = Store(engine)
    store.commits = commits = []  # type: ignore[attr-defined]
    event.listen(engine, "commit", commits.append)
    yield store
    store.close()


def add(db: Connection, key: str) -> int:
    row = {"country_code": "NL", "party_id": "CPO", "key": key, "name": key}
    return int(db.execute(insert(cpo).values(**row).returning(cpo.c.id)).scalar_one())


def keys(db: Connection) -> list[str]:
    return sorted(db.execute(select(cpo.c.key)).scalars())


class Gate:
    """Holds the writer until it is opened, so that others gather behind it."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, db: Connection) -> None:
        add(db, "gate")
        self.reached.set()
        assert self.open.wait(30)


async def gathered(store: Store, *writes) -> list:
    """All ``writes`` wait before the first is begun."""
    gate = Gate()
    first = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.reached.wait, 30)
    tasks = [asyncio.create_task(store.write(*write)) for write in writes]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_has_gathered_shares_one_commit(store: Store) -> None:
    ids = await gathered(store, *((add, f"k{number}") for number in range(100)))
    assert len(set(ids)) == 100
    assert len(store.commits) == 2  # type: ignore[attr-defined]  # the gate's, and theirs
    assert len(await store.read(keys)) == 101


async def test_when_a_write_returns_it_is_committed(store: Store, anywhere: Indoors) -> None:
    await store.write(add, "one")
    assert anywhere.run(keys) == ["one"]


async def test_one_that_fails_harms_no_other(store: Store) -> None:
    def fail(db: Connection) -> None:
        add(db, "half")
        raise LookupError("mine alone")

    one, problem, two, bad, three = await gathered(
        store, (add, "one"), (fail,), (add, "two"), (lambda db: db.execute(text("SELEKT")),), (add, "three")
    )
    assert isinstance(problem, LookupError)
    assert isinstance(bad, Exception)
    assert len({one, two, three}) == 3
    assert await store.read(keys) == ["gate", "one", "three", "two"]


ADD = Prepared(insert(cpo).returning(cpo.c.id))


def add_swiftly(db: Connection, key: str) -> int:
    return int(ADD.scalar(db, {"country_code": "NL", "party_id": "CPO", "key": key, "name": key}))


async def test_of_works_that_say_what_they_are_about_one_that_fails_harms_no_other(store: Store) -> None:
    def fail(db: Connection) -> None:
        add_swiftly(db, "half")
        raise LookupError("mine alone")

    def about(*what: str) -> Any:
        return store.about(*what).write

    gate = Gate()
    first = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.reached.wait, 30)
    writes = [
        about("a")(add_swiftly, "one"),
        about("b")(fail),
        store.write(add, "two"),
        about("c")(add_swiftly, "same"),
        about("c")(add_swiftly, "same"),
        about("a", "c")(add_swiftly, "three"),
    ]
    tasks = [asyncio.create_task(write) for write in writes]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    told = [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)]
    assert told == [int, LookupError, int, int, IntegrityError, int]
    assert await store.read(keys) == ["gate", "one", "same", "three", "two"]


@pytest.mark.parametrize("share", [True, False])
async def test_what_has_gathered_shares_one_commit_whatever_it_is_about(store: Store, share: bool) -> None:
    gate = Gate()
    first = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.reached.wait, 30)
    stores = [store.about("same" if share else f"k{number}") for number in range(40)]
    tasks = [asyncio.create_task(one.write(add_swiftly, f"k{number}")) for number, one in enumerate(stores)]
    tasks.append(asyncio.create_task(store.write(add, "beside")))
    await asyncio.sleep(0)
    gate.open.set()
    ids = [await first, *await asyncio.gather(*tasks)]
    assert len(set(ids)) == 42
    assert len(store.commits) == 2  # type: ignore[attr-defined]  # the gate's, and theirs
    assert await store.read(keys) == sorted(["gate", "beside", *(f"k{number}" for number in range(40))])


async def test_a_unique_key_that_two_want_is_given_to_one_and_the_other_is_told(store: Store) -> None:
    outcomes = await gathered(store, (add, "same"), (add, "same"))
    assert [type(one) for one in outcomes] == [int, IntegrityError]


async def test_who_loses_a_race_looks_again_and_finds_the_winner(store: Store) -> None:
    seen: list[int] = []

    def find_or_add(db: Connection) -> int:
        found = db.execute(select(cpo.c.id).where(cpo.c.key == "same")).scalar_one_or_none()
        seen.append(1)
        if found is None and len(seen) == 1:
            found = add(db, "same")
            raise IntegrityError("", {}, Exception("somebody else was quicker"))
        return found if found is not None else add(db, "same")

    assert await store.write(find_or_add) == await store.write(find_or_add)
    assert len(seen) == 3


async def test_readers_wait_for_no_writer(store: Store) -> None:
    gate = Gate()
    writing = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.reached.wait, 30)
    assert await asyncio.wait_for(store.read(keys), 30) == []
    assert not writing.done()
    gate.open.set()
    await writing
    assert await store.read(keys) == ["gate"]


async def test_a_readers_bad_statement_is_its_own_affair(store: Store) -> None:
    gate = threading.Event()
    waiting = asyncio.create_task(store.read(lambda db: gate.wait(30)))
    await asyncio.sleep(0.05)
    bad = asyncio.create_task(store.read(lambda db: db.execute(text("SELECT 1 FROM nowhere"))))
    good = asyncio.create_task(store.read(keys))
    await asyncio.sleep(0.05)
    gate.set()
    told = await asyncio.gather(waiting, bad, good, return_exceptions=True)
    assert told[0] is True
    assert isinstance(told[1], Exception)
    assert told[2] == []


NAMED = Prepared(select(cpo.c.name).where(cpo.c.key == bindparam("key_")))
BROKEN = Prepared(select(cpo.c.name).where(cpo.c.key == bindparam("key_"), literal_column("1 / (id - id)") == 1))


@pytest.mark.parametrize("before", range(8))
async def test_a_swift_read_that_fails_is_its_own_affair_however_often_others_were_read(
    store: Store, before: int
) -> None:
    """psycopg prepares what comes for the fifth time, which a statement that failed before it keeps it from."""
    await store.write(add, "k")
    for _ in range(before):
        assert await store.glance(NAMED.scalar, {"key_": "k"}) == "k"

    async def at_once(*works: Any) -> list[Any]:
        gate = threading.Event()
        waiting = asyncio.create_task(store.read(lambda db: gate.wait(30)))
        await asyncio.sleep(0.05)
        reads = [asyncio.create_task(store.read(*work)) for work in works]
        await asyncio.sleep(0)
        gate.set()
        await waiting
        return await asyncio.gather(*reads, return_exceptions=True)

    def refuse(db: Connection) -> None:
        raise LookupError(NAMED.scalar(db, {"key_": "k"}))

    names = [(NAMED.scalar, {"key_": "k"})] * 7
    _, refused, *found = await at_once((BROKEN.scalar, {"key_": "k"}), (refuse,), *names)
    assert (type(refused), found) == (LookupError, ["k"] * 7)
    broken, refused, *found = await at_once((lambda db: db.execute(text("SELECT 1 FROM nowhere")),), (refuse,), *names)
    assert (type(refused), found) == (LookupError, ["k"] * 7)
    assert isinstance(broken, Exception)
    for _ in range(8):  # whichever connection it gets
        assert await store.glance(NAMED.scalar, {"key_": "k"}) == "k"


async def test_half_a_character_is_its_asker_s_own_affair(store: Store) -> None:
    await store.write(add, "k")
    gate = threading.Event()
    waiting = asyncio.create_task(store.read(lambda db: gate.wait(30)))
    await asyncio.sleep(0.05)
    reads = [asyncio.create_task(store.read(NAMED.scalar, {"key_": key})) for key in ("k", "\ud800", "k", "k")]
    await asyncio.sleep(0)
    gate.set()
    await waiting
    first, half, *others = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(half, Exception)
    assert [first, *others] == ["k"] * 3


async def test_an_asker_that_gave_up_disturbs_nobody(store: Store) -> None:
    gate = Gate()
    first = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.reached.wait, 30)
    gone = asyncio.create_task(store.write(add, "gone"))
    there = asyncio.create_task(store.write(add, "there"))
    await asyncio.sleep(0)
    gone.cancel()
    gate.open.set()
    await asyncio.gather(first, there)
    assert gone.cancelled()
    assert await store.read(keys) == ["gate", "gone", "there"]  # asked for is asked for


async def test_a_closed_store_has_done_what_was_asked_and_takes_no_more(anywhere: Indoors) -> None:
    store = Store(open_engine(anywhere.rules.settings.database))
    asked = [asyncio.create_task(store.write(add, f"k{number}")) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.close)
    assert len(await asyncio.gather(*asked)) == 5
    with pytest.raises(Closed):
        await store.write(add, "late")
    with pytest.raises(Closed):
        await store.read(keys)


def test_a_loop_that_is_gone_ends_no_lane(anywhere: Indoors) -> None:
    store, gate = Store(open_engine(anywhere.rules.settings.database)), Gate()

    async def ask_and_leave() -> None:
        asking = asyncio.ensure_future(store.write(gate))
        await asyncio.to_thread(gate.reached.wait, 30)
        asking.cancel()

    asyncio.run(ask_and_leave())
    gate.open.set()
    assert asyncio.run(store.write(add, "later")) > 0
    store.close()


async def test_what_may_have_been_committed_is_not_done_again(postgres_url: str) -> None:
    indoors = Indoors(postgres_url)
    store, done = Store(open_engine(postgres_url)), []

    def cut_off(db: Connection) -> None:
        done.append(add(db, "once"))
        backend = db.execute(text("SELECT pg_backend_pid()")).scalar_one()
        indoors.run(lambda other: other.execute(text(f"SELECT pg_terminate_backend({backend})")))

    with pytest.raises(OperationalError):
        await store.write(cut_off)
    assert len(done) == 1
    await store.write(add, "later")
    store.close()
    indoors.close()


async def test_connections_that_a_server_has_closed_are_made_anew(postgres_url: str) -> None:
    """Once it is seen when they are used: nobody asks before each use whether they are still good."""
    indoors = Indoors(postgres_url)
    store = Store(open_engine(indoors.rules.settings.database))
    indoors.run(lambda db: db.execute(cpo.delete()))
    await store.write(add, "one")
    assert await store.read(keys) == ["one"]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    for number in range(2):
        indoors.run(lambda db: db.execute(text(f"{others} AND pid <> pg_backend_pid()")))
        await store.read(keys)
        asked = [store.write(add, f"{number}{place}") for place in "ab"] + [store.read(keys), store.glance(keys)]
        await asyncio.gather(*asked)
    assert await store.read(keys) == ["0a", "0b", "1a", "1b", "one"]
    store.close()
    indoors.close()


def swift(db: Connection) -> Any:
    return NAMED.scalar(db, {"key_": "one"})


@pytest.mark.parametrize("works", [[swift] * 4, [keys, keys], [swift, keys], [keys, swift], [swift] * 4 + [keys]])
async def test_of_reads_that_have_gathered_none_is_lost_with_their_connection(
    postgres_url: str, works: list[Callable[[Connection], Any]]
) -> None:
    indoors = Indoors(postgres_url)
    store = Store(open_engine(indoors.rules.settings.database))
    indoors.run(lambda db: db.execute(cpo.delete()))
    await store.write(add, "one")
    gate = threading.Event()
    first = asyncio.create_task(store.read(lambda db: gate.wait(30)))
    await asyncio.sleep(0.05)
    reads = [asyncio.create_task(store.read(work)) for work in works]
    await asyncio.sleep(0)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    indoors.run(lambda db: db.execute(text(f"{others} AND pid <> pg_backend_pid()")))
    gate.set()
    await first
    assert await asyncio.gather(*reads) == ["one" if work is swift else ["one"] for work in works]
    store.close()
    indoors.close()


async def test_what_is_brief_is_written_and_noted_on_both_databases(store: Store, anywhere: Indoors) -> None:
    await asyncio.gather(store.write_briefly(add, "one"), store.note_briefly(add, "two"), store.write(add, "three"))
    with pytest.raises(IntegrityError):
        await store.write_briefly(add, "one")
    assert anywhere.run(keys) == ["one", "three", "two"]
    store.close()
    with pytest.raises(Closed):
        await store.write_briefly(add, "four")
