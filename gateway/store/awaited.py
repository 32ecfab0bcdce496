"""Awaited: short transactions on the event loop's own thread, which goes on while PostgreSQL is at work.

A thread has to be woken for each of them, and takes turns at the interpreter with the loop that waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.gathered import Gathered
from gateway.store.abreast import Abreast, outcome
from gateway.store.at_once import NotNow
from gateway.store.engine import is_unsure, pipeline_of, telling

R = TypeVar("R")

_Work = Callable[[Connection], Any]
#: What is to be done, whether it must outlive a power failure, and what it is about, if it is about so much alone.
_Entry = tuple[_Work, bool, frozenset[str] | None]

#: In one transaction.
MOST = 64


class _Kept:
    """A connection for one transaction after the other, until there is something amiss with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._db: Connection | None = None

    async def __aenter__(self) -> Connection:
        if self._db is None:
            self._db = await asyncio.to_thread(self._engine.connect)
        try:
            self._db.begin()
        except BaseException:
            self.drop()
            raise
        return self._db

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.drop()  # rather than to wait for its rollback
        elif self._db is not None:
            try:
                self._db.commit()
            except BaseException:
                self.drop()
                raise

    def drop(self) -> None:
        if self._db is not None:
            db, self._db = self._db, None
            db.invalidate()
            db.close()


class Awaited:
    """On PostgreSQL only. What comes while others are at the server goes together after them, abreast."""

    def __init__(self, engine: Engine, turn: Lock) -> None:
        """Whoever has the ``turn`` writes; no two of this process do at a time."""
        self._turn = turn
        self._writing = _Kept(engine)
        self._reading = _Kept(engine.execution_options(isolation_level="AUTOCOMMIT"))
        self._writer: Gathered[_Entry, Any] = Gathered(self._write_in_turn, MOST)
        self._reader: Gathered[_Work, Any] = Gathered(self._read, MOST)
        self._is_closed = False

    async def read(self, work: Callable[[Connection], R]) -> R:
        """Raises NotNow as ``write`` does."""
        if self._is_closed:
            raise NotNow
        return _result(await self._reader(work))  # type: ignore[no-any-return]  # the work's own

    async def write(self, work: Callable[[Connection], R], lasting: bool, about: frozenset[str] | None) -> R:
        """Raises NotNow when it is not done, for something that came with it failed, or its connection did."""
        if self._is_closed:
            raise NotNow
        return _result(await self._writer((work, lasting, about)))  # type: ignore[no-any-return]  # the work's own

    async def settled(self) -> None:
        """Nothing is on its way any more, and nothing is taken."""
        self._is_closed = True
        await self._writer.settled()
        await self._reader.settled()

    def close(self) -> None:
        self._is_closed = True
        self._writing.drop()
        self._reading.drop()

    async def _write_in_turn(self, entries: Sequence[_Entry]) -> Sequence[Any]:
        if not self._turn.acquire(blocking=False):
            await self._await_turn()
        try:
            return await self._write(entries)
        finally:
            self._turn.release()

    async def _await_turn(self) -> None:
        taking = asyncio.get_running_loop().run_in_executor(None, self._turn.acquire)
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:  # nobody stops the thread
            taking.add_done_callback(lambda _: self._turn.release())
            raise

    async def _write(self, entries: Sequence[_Entry]) -> Sequence[Any]:
        """All in one transaction; what each is told: a result, or an exception."""
        done = False
        try:
            async with self._writing as db:
                pipeline = pipeline_of(db)
                pipeline.begin(lightly=not any(lasting for _, lasting, _ in entries))
                going = Abreast(db, [(work, about) for work, _, about in entries]).going()
                results = await pipeline.awaited(going)
                done = True
                with telling(db, "COMMIT"):
                    await pipeline.awaited(pipeline.committing())
            return results
        except Exception as problem:
            if done and is_unsure(problem):
                return [problem] * len(entries)
            told = len(entries) == 1 and not isinstance(problem, IntegrityError | OperationalError)
            return [problem if told else NotNow()] * len(entries)

    async def _read(self, works: Sequence[_Work]) -> Sequence[Any]:
        try:
            async with self._reading as db:
                going = Abreast(db, [(partial(outcome, work), ()) for work in works]).going()
                return await pipeline_of(db).awaited(going)
        except Exception:  # of one, or of the connection: each by itself tells
            return [NotNow()] * len(works)


def _result(told: R | BaseException) -> R:
    if isinstance(told, BaseException):
        raise told
    return told
