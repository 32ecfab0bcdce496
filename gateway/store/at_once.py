"""At once: short transactions on the event loop's own thread, where nobody has to be woken for them.

SQLite has a few rows found or written sooner than a thread is woken; and a thread that works beside its loop takes
turns with it at the interpreter, statement by statement, while other processes wait for their turn to write.
"""

import asyncio
import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.lane import tell
from gateway.store.engine import told, turn_file

R = TypeVar("R")

_Work = Callable[[Connection], Any]
#: What is to be done, whether it must outlive a power failure, and who waits for it.
_Entry = tuple[_Work, bool, asyncio.Future[Any]]

#: Seconds: where commits usually take longer, the disk is slow, and the loop is kept by them for a small share of time.
LONG = 0.01
SHARE = 20
#: Of so many commits the usual one is made: one of them that took long may have waited for a processor.
_MANY = 8
#: In one transaction: for so long the loop hears nothing else.
MOST = 64
#: How often it is looked whether nobody writes any more, before a thread waits for it; and the seconds between.
TRIES = 2
MOMENT = 0.001


class NotNow(Exception):
    """It is not done, and is to be done another way."""


class _Begun:
    """A connection whose transactions are begun and ended past SQLAlchemy, which takes longer for it than SQLite."""

    def __init__(self, engine: Engine) -> None:
        self._db = engine.execution_options(begun=True).connect()
        self._driver: Any = self._db.connection.dbapi_connection

    @contextmanager
    def transaction(self, begin: str) -> Iterator[Connection]:
        self.say(begin)
        try:
            yield self._db
            self.say("COMMIT")
        except BaseException:
            self._driver.rollback()
            raise
        finally:
            if self._db.in_transaction():  # SQLAlchemy has begun one of its own beside it
                self._db.rollback()

    def say(self, statement: str) -> None:
        try:
            self._driver.execute(statement)
        except self._db.dialect.loaded_dbapi.Error as problem:
            raise told(self._db, problem, statement) from problem

    def close(self) -> None:
        self._db.close()


class Pace:
    """Whether a disk is so slow that the loop does not wait for it."""

    def __init__(self) -> None:
        self._usual = 0.0
        self._slow_until = 0.0

    def took(self, seconds: float) -> None:
        """A commit did. After a slow time the first one alone tells."""
        self._usual = seconds if self._slow_until else self._usual + (seconds - self._usual) / _MANY
        self._slow_until = 0.0
        if self._usual > LONG:
            self._slow_until = time.monotonic() + SHARE * self._usual

    def is_slow(self) -> bool:
        return time.monotonic() < self._slow_until


class AtOnce:
    """On SQLite only. One connection for reading and one for writing, both open as long as the store is."""

    def __init__(self, engine: Engine) -> None:
        self._reading, self._writing = _Begun(engine), _Begun(engine)
        self._writing.say("PRAGMA busy_timeout=0")  # a writer that takes no turns is not waited for here
        self._lasting: bool | None = None
        self._turn = turn_file(engine)
        self._waiting: list[_Entry] = []
        self._waits: asyncio.Task[None] | None = None
        self._waiter = ThreadPoolExecutor(1, thread_name_prefix="store-turn")
        self._pace = Pace()
        self._closed = False

    async def read(self, work: Callable[[Connection], R]) -> R:
        with self._reading.transaction("BEGIN") as db:
            return work(db)

    async def write(self, work: Callable[[Connection], R], lasting: bool, _about: object = None) -> R:
        """What comes in one moment shares a commit, and all that comes while another process has its turn. Raises
        NotNow when the disk is slow, and when a statement lost a race or something else that came with it failed."""
        if self._closed or self._pace.is_slow():
            raise NotNow
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, lasting, future))
        if self._waits is None or self._waits.done():  # one that was cancelled before it began says so to nobody
            self._waits = asyncio.create_task(self._wait())
        return await future

    def close(self) -> None:
        """Do what was asked for before."""
        self._closed = True
        if self._waits is not None:
            self._waits.cancel()
        self._waiter.shutdown(cancel_futures=True)
        while self._waiting:
            self._wait_for_turn()
            self._do_waiting()
        self._reading.close()
        self._writing.close()
        self._turn.close()

    def _is_our_turn(self) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _wait_for_turn(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_EX)

    async def _come_to_turn(self) -> None:
        """Mostly it is another's for a moment only. A thread that is given it waits for the interpreter with it."""
        for _ in range(TRIES):
            if self._is_our_turn():
                return
            await asyncio.sleep(MOMENT)
        if not self._is_our_turn():
            await asyncio.get_running_loop().run_in_executor(self._waiter, self._wait_for_turn)

    async def _wait(self) -> None:
        try:
            while self._waiting and not self._pace.is_slow():
                await self._come_to_turn()
                self._do_waiting()
                await asyncio.sleep(0)  # the loop has others to hear between two transactions
        finally:
            self._waits = None
            left, self._waiting = self._waiting, []
            self._refuse(left)

    def _do_waiting(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            outcomes = self._in_turn([(work, lasting) for work, lasting, _ in batch])
        except BaseException:
            self._refuse(batch)
            raise
        tell(zip((future for _, _, future in batch), outcomes, strict=True))

    def _refuse(self, entries: Sequence[_Entry]) -> None:
        tell((future, NotNow()) for _, _, future in entries)

    def _have_commits_last(self, lasting: bool) -> None:
        """Whether commits outlive a power failure from now on."""
        if self._lasting != lasting:
            self._writing.say(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            self._lasting = lasting

    def _in_turn(self, entries: Sequence[tuple[_Work, bool]]) -> Sequence[Any]:
        """All in one transaction; what each is told: a result, or an exception. One that fails undoes them all, and
        whoever came with it does its work again elsewhere: the loop is not kept by as many commits."""
        try:
            self._have_commits_last(any(lasting for _, lasting in entries))
            with self._writing.transaction("BEGIN IMMEDIATE") as db:
                results = [work(db) for work, _ in entries]
                done = time.monotonic()
            self._pace.took(time.monotonic() - done)
            return results
        except Exception as problem:
            alone = len(entries) == 1 and not isinstance(problem, IntegrityError | OperationalError)
            return [problem if alone else NotNow()] * len(entries)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
