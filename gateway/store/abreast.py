"""Abreast: works about different things share one transaction and their ways to the server, on PostgreSQL.

A work is some ten statements, each of which waits for the answer to the one before, and most of its time is on the way.
Here each work stops where it asks the database for something, and what all of them ask goes there together. They see
what those beside them have written so far, and lock no row against them; so works about the same thing follow one
another, and what else would need others to be over says so with ``alone``. They are committed or undone as one.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent, greenlet
from sqlalchemy import Connection

from gateway.store.engine import CURSOR, told

#: Among what is known of a connection: a cursor for each work that goes abreast.
_CURSORS = "cursors"
#: For fewer statements a pipeline takes longer than to send one after the other.
_FEW = 3

Work = Callable[[Connection], Any]


class _Walker(greenlet):
    """A work on its way."""

    def __init__(self, work: Work, after: Collection["_Walker"], cursor: Any) -> None:
        super().__init__(work)
        #: Those that are to be over before.
        self.after = after
        self.cursor = cursor
        #: The statement and its values; None: all others are to be over first.
        self.asks: tuple[str, Any] | None = None
        self.result: Any = None


class Abreast:
    """Stands, while they go, where the connection's kept cursor is."""

    def __init__(self, db: Connection, works: Sequence[tuple[Work, Collection[str]]]) -> None:
        self._db = db
        self._info = db.connection.info
        self._driver: Any = db.connection.dbapi_connection
        self._alone: _Walker | None = None
        self._walkers = list(self._in_order(works))

    def run(self) -> list[Any]:
        """What each of them came to. Raises what the first one raises that does; the others stop where they are.

        After a statement that failed the connection is good for a rollback only: psycopg takes for prepared what the
        server has not come to.
        """
        kept = self._info[CURSOR]
        self._info[CURSOR] = self
        try:
            self._walk()
        finally:
            for one in self._walkers:
                if not one.dead:
                    one.throw()
            if self._info.get(CURSOR) is self:  # else the connection was lost, and this is another
                self._info[CURSOR] = kept
        return [one.result for one in self._walkers]

    def execute(self, text: str, values: Any) -> Any:
        """As a cursor has it: the cursor with the answer, when all others have asked for something, too."""
        walker = getcurrent()
        assert isinstance(walker, _Walker)
        return walker.cursor.execute(text, values) if walker is self._alone else _hub(walker).switch((text, values))

    def end_others(self) -> None:
        walker = getcurrent()
        if walker is not self._alone:
            _hub(walker).switch(None)

    def _in_order(self, works: Sequence[tuple[Work, Collection[str]]]) -> Iterator[_Walker]:
        cursors: list[Any] = self._info.setdefault(_CURSORS, [])
        while len(cursors) < len(works):
            cursors.append(self._driver.cursor())
        last: dict[str, _Walker] = {}
        for (work, about), cursor in zip(works, cursors, strict=False):
            walker = _Walker(work, [last[one] for one in about if one in last], cursor)
            last.update(dict.fromkeys(about, walker))
            yield walker

    def _walk(self) -> None:
        waiting, going = self._walkers, list[_Walker]()
        while waiting or going:
            starting = [one for one in waiting if all(before.dead for before in one.after)]
            waiting = [one for one in waiting if any(not before.dead for before in one.after)]
            for one in starting:
                self._go_on(one, self._db)
            going = [one for one in going + starting if not one.dead]
            asking = [one for one in going if one.asks is not None]
            if asking:
                self._ask(asking)
                for one in asking:
                    self._go_on(one, one.cursor)
            elif going:
                self._alone = going[0]
                self._go_on(self._alone, None)
            going = [one for one in going if not one.dead]

    def _go_on(self, walker: _Walker, answer: Any) -> None:
        said = walker.switch(answer)
        if walker.dead:
            walker.result = said
        else:
            walker.asks = said

    def _ask(self, asking: Sequence[_Walker]) -> None:
        try:
            if len(asking) < _FEW:
                _execute(asking)
            else:
                with self._driver.pipeline():
                    _execute(asking)
        except self._db.dialect.loaded_dbapi.Error as problem:
            raise told(self._db, problem, "; ".join({one.asks[0] for one in asking if one.asks})) from problem


def _execute(asking: Sequence[_Walker]) -> None:
    for one in asking:
        assert one.asks is not None
        one.cursor.execute(*one.asks)


def _hub(walker: greenlet) -> greenlet:
    assert walker.parent is not None
    return walker.parent


def alone(db: Connection) -> None:
    """From here to its end, whoever calls it has no other work beside it; what it has read before may have changed."""
    kept = db.connection.info.get(CURSOR)
    if isinstance(kept, Abreast):
        kept.end_others()


@contextmanager
def apart(db: Connection) -> Iterator[None]:
    """What is done in the block is undone, and it alone, when it raises."""
    alone(db)
    _say(db, "SAVEPOINT apart")
    try:
        yield
    except BaseException:
        if not db.invalidated:
            _say(db, "ROLLBACK TO SAVEPOINT apart")
            _say(db, "RELEASE SAVEPOINT apart")
        raise
    _say(db, "RELEASE SAVEPOINT apart")


def _say(db: Connection, statement: str) -> None:
    driver: Any = db.connection.dbapi_connection
    try:
        driver.execute(statement)
    except db.dialect.loaded_dbapi.Error as problem:
        raise told(db, problem, statement) from problem
