"""The store: functions over a connection, run in group commits, so that a hundred accepts share one write to disk."""

import asyncio
import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from gateway.lane import Lane
from gateway.store.abreast import Abreast, outcome
from gateway.store.at_once import AtOnce, NotNow
from gateway.store.awaited import Awaited
from gateway.store.engine import is_unsure, move_log, shares, turn

P = ParamSpec("P")
R = TypeVar("R")

_Work = Callable[[Connection], Any]
#: What is to be done, whether it must outlive a power failure, and what it is about, if it is about so much alone.
_Entry = tuple[_Work, bool, frozenset[str] | None]
#: A statement that lost a race (unique index, serialization, busy) is tried again, alone.
_TRIES = 4
_NO_TRANSACTION = {"isolation_level": "AUTOCOMMIT"}

log = structlog.get_logger(__name__)


class _Unsure(Exception):
    """Something came in the commit that leaves open whether it was done."""

    def __init__(self, problem: Exception) -> None:
        super().__init__(problem)
        self.problem = problem


class Store:
    """``await store.write(function, …)`` returns after the commit; ``store.read`` never waits for writers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._about: frozenset[str] | None = None
        is_sqlite = engine.dialect.name == "sqlite"
        #: PostgreSQL shows each statement what is committed by then, in a transaction or without one.
        self._reading = engine.execution_options(reads_only=True, **({} if is_sqlite else _NO_TRANSACTION))
        self._lightly = engine.execution_options(lightly=True)
        #: Who of this process writes; SQLite's turn is every process's.
        self._turn = Lock()
        self._soon: AtOnce | Awaited | None = None
        if shares(engine):
            self._soon = AtOnce(engine)
        elif not is_sqlite:
            self._soon = Awaited(engine, self._turn)
        self._writer: Lane[_Entry, Any] = Lane("store-writer", self._commit)
        self._reader: Lane[_Work, Any] = Lane("store-reader", self._look)

    def about(self, *what: str) -> Self:
        """The same store, for works that concern ``what`` alone, of all that works name here.

        On PostgreSQL those about different things are done abreast (``gateway.store.abreast``).
        """
        same = copy.copy(self)
        same._about = frozenset(what)
        return same

    async def write(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._in_lane(lambda db: function(db, *args, **kwargs), lasting=True)  # type: ignore[no-any-return]  # the work's own

    async def note(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``write`` without waiting for the disk: every process may be killed, but a power failure may undo it.

        For what is said to nobody outside, or is found out again: wake-ups, holds, attempts, signs of life.
        """
        return await self._in_lane(lambda db: function(db, *args, **kwargs), lasting=False)  # type: ignore[no-any-return]  # the work's own

    async def write_briefly(
        self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """``write`` of a few rows, for what is done with every command."""
        return await self._briefly(lambda db: function(db, *args, **kwargs), lasting=True)  # type: ignore[no-any-return]  # the work's own

    async def note_briefly(
        self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """``note`` of a few rows."""
        return await self._briefly(lambda db: function(db, *args, **kwargs), lasting=False)  # type: ignore[no-any-return]  # the work's own

    async def _briefly(self, work: _Work, *, lasting: bool) -> Any:
        if self._soon is not None:
            with suppress(NotNow):
                return await self._soon.write(work, lasting, self._about)
        return await self._in_lane(work, lasting=lasting)

    async def _in_lane(self, work: _Work, *, lasting: bool) -> Any:
        return await self._writer((work, lasting, self._about))

    async def read(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._reader(lambda db: function(db, *args, **kwargs))  # type: ignore[no-any-return]  # the work's own

    async def glance(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``read`` of a few rows by their keys, for what is asked with every command."""
        if self._soon is not None:
            with suppress(NotNow):
                return await self._soon.read(lambda db: function(db, *args, **kwargs))
        return await self.read(function, *args, **kwargs)

    async def tidy(self) -> None:
        """What is to be done every now and then, by one process at least."""
        await asyncio.to_thread(move_log, self._engine)

    async def settled(self) -> None:
        """What was asked for on this event loop is done, and nothing more is done there."""
        if isinstance(self._soon, Awaited):
            await self._soon.settled()

    def close(self) -> None:
        """From the event loop that used it, which has nothing to do for it any more."""
        if self._soon is not None:
            self._soon.close()
        self._writer.close()
        self._reader.close()
        self._engine.dispose()

    def _commit(self, entries: Sequence[_Entry]) -> Sequence[Any]:
        """All in one transaction; if one of them fails, each in its own, so that only the guilty one is told."""
        engine = self._engine if any(lasting for _, lasting, _ in entries) else self._lightly
        try:
            return self._together(engine, [(work, about) for work, _, about in entries])
        except _Unsure as unsure:
            return [unsure.problem] * len(entries)
        except Exception as problem:
            if len(entries) == 1 and not isinstance(problem, IntegrityError | OperationalError):
                return [problem]
            return [self._alone(work) for work, _, _ in entries]

    def _together(self, engine: Engine, works: Sequence[tuple[_Work, frozenset[str] | None]]) -> Sequence[Any]:
        done = False
        try:
            with turn(self._engine), self._turn, engine.begin() as db:
                results = _done(db, works)
                done = True
            return results
        except Exception as problem:
            if done and is_unsure(problem):
                raise _Unsure(problem) from problem
            raise

    def _alone(self, work: _Work) -> Any:
        for attempt in range(1, _TRIES + 1):
            try:
                return self._together(self._engine, [(work, None)])[0]
            except _Unsure as unsure:
                return unsure.problem
            except (IntegrityError, OperationalError) as problem:
                log.info("statement tried again", attempt=attempt, problem=type(problem.orig).__name__)
                lost: Exception = problem
            except Exception as problem:
                return problem
        return lost

    def _look(self, works: Sequence[_Work], *, again: bool = True) -> Sequence[Any]:
        outcomes = self._looked(works)
        # A server that was started again has closed the connection, which shows when it is used.
        if again and any(isinstance(one, DBAPIError) and one.connection_invalidated for one in outcomes):
            self._engine.dispose()  # it has closed the others, too
            return self._look(works, again=False)
        return outcomes

    def _looked(self, works: Sequence[_Work]) -> Sequence[Any]:
        with self._reading.connect() as db:
            try:
                db.begin()
            except DBAPIError as lost:
                return [lost] * len(works)
            try:
                return _seen(db, works)
            except Exception:  # of one, or of the connection: each by itself tells
                db.invalidate()
                return [outcome for work in works for outcome in self._look([work])]


def _done(db: Connection, works: Sequence[tuple[_Work, frozenset[str] | None]]) -> Sequence[Any]:
    """Those that say what they are about first, and abreast where there is a server to go to."""
    if len(works) == 1 or db.dialect.name == "sqlite":
        return [work(db) for work, _ in works]
    return Abreast(db, works).run()


def _seen(db: Connection, works: Sequence[_Work]) -> Sequence[Any]:
    """Raises what has failed them all: a statement of one, or the connection."""
    if len(works) == 1 or db.dialect.name == "sqlite":
        return [outcome(work, db) for work in works]
    return Abreast(db, [(partial(outcome, work), ()) for work in works]).run()
