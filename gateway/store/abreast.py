"""Abreast: works about different things share one transaction and their ways to the server, on PostgreSQL.

A work is some ten statements, each of which waits for the answer to the one before, and most of its time is on the way.
Here each work stops where it asks the database for something, and what all of them ask goes there together. They see
what those beside them have written so far, and lock no row against them; so works about the same thing follow one
another, and what else would need others to be over says so with ``alone``. They are committed or undone as one.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gateway.store.engine import FRONT, forget, has_unsent, pipeline_of, telling, way
from gateway.store.pipeline import Asked, Told, Waiting

Work = Callable[[Connection], Any]


class _Walker(greenlet):
    """A work on its way."""

    def __init__(self, work: Work, place: int, after: Collection["_Walker"]) -> None:
        super().__init__(work)
        self.place = place
        #: Those that are to be over before.
        self.after = after
        #: None: all others are to be over first.
        self.asks: Asked | None = None
        self.result: Any = None


class Abreast:
    """Stands, while they go, in front of the connection's pipeline."""

    def __init__(self, db: Connection, works: Sequence[tuple[Work, Collection[str] | None]]) -> None:
        """What each work is about; None: it goes alone, after the others."""
        self._db = db
        self._info = db.connection.info
        self._pipeline = pipeline_of(db)
        self._works = works
        self._is_over = False

    def run(self) -> list[Any]:
        return self._pipeline.wait(self.going())

    def going(self) -> Waiting[list[Any]]:
        """What each of them came to. Raises what the first one raises that does; the others stop where they are."""
        self._info[FRONT] = self
        walkers = self._in_order()
        try:
            yield from self._walk(walkers)
        finally:
            self._is_over = True
            for one in walkers:
                if not one.dead:
                    with suppress(Exception):  # of what it does before it stops
                        one.throw()
            if self._info.get(FRONT) is self:  # else the connection was lost, and these are another's
                del self._info[FRONT]
        results = {one.place: one.result for one in walkers}
        return [results[place] for place in range(len(walkers))]

    def execute(self, text: str, values: Sequence[Any]) -> Any:
        """As a pipeline has it: the answer, when all others have asked for something, too."""
        if self._is_over:
            raise GreenletExit
        return _hub(getcurrent()).switch((text, self._pipeline.encoded(values)))

    def end_others(self) -> None:
        _hub(getcurrent()).switch(None)

    def _in_order(self) -> list[_Walker]:
        walkers = list[_Walker]()
        last: dict[str, _Walker] = {}
        for place, (work, about) in enumerate(self._works):
            if about is not None:
                walkers.append(_Walker(work, place, [last[one] for one in about if one in last]))
                last.update(dict.fromkeys(about, walkers[-1]))
        before = list(walkers)
        for place, (work, about) in enumerate(self._works):
            if about is None:
                walkers.append(_Walker(work, place, before))
                before = walkers[-1:]
        return walkers

    def _walk(self, waiting: Sequence[_Walker]) -> Waiting[None]:
        going, chosen = list[_Walker](), list[_Walker]()
        while waiting or going:
            starting = [one for one in waiting if not chosen and all(before.dead for before in one.after)]
            if starting:
                waiting = [one for one in waiting if one not in set(starting)]
            for one in starting:
                _go_on(one, self._db)
            going = [one for one in going + starting if not one.dead]
            asking = [one for one in going if one.asks is not None]
            if asking:
                try:
                    answers = yield from self._answers(asking)
                except DBAPIError as problem:
                    if not chosen:
                        raise
                    _go_on(asking[0], problem)  # it may know what to do
                else:
                    for one, answer in zip(asking, answers, strict=True):
                        _go_on(one, answer)
            elif going:
                chosen = going[:1]
                _go_on(going[0], None)
            going = [one for one in going if not one.dead]
            chosen = [one for one in chosen if not one.dead]

    def _answers(self, asking: Sequence[_Walker]) -> Waiting[Sequence[Told]]:
        asked = [one.asks for one in asking if one.asks is not None]
        with telling(self._db, "; ".join({text for text, _ in asked})):
            return (yield from self._pipeline.asking(asked))


def _go_on(walker: _Walker, answer: Any) -> None:
    said = walker.throw(answer) if isinstance(answer, Exception) else walker.switch(answer)
    if walker.dead:
        walker.result = said
    else:
        walker.asks = said


def _hub(walker: greenlet) -> greenlet:
    assert walker.parent is not None
    return walker.parent


def alone(db: Connection) -> None:
    """From here to its end, whoever calls it has no other work beside it; what it has read before may have changed."""
    kept = way(db)
    if isinstance(kept, Abreast):
        kept.end_others()


def outcome(work: Work, db: Connection) -> Any:
    """What only reads is in nobody's way, and what it raises is its own."""
    try:
        return work(db)
    except Exception as problem:
        return problem


@contextmanager
def apart(db: Connection) -> Iterator[None]:
    """What is done in the block is undone, and it alone, when it raises."""
    alone(db)
    _say(db, "SAVEPOINT apart")
    try:
        yield
        _say(db, "RELEASE SAVEPOINT apart")  # with what was to be sent later
    except BaseException:
        if not db.invalidated:
            forget(db)
            _say(db, "ROLLBACK TO SAVEPOINT apart")
            _say(db, "RELEASE SAVEPOINT apart")
        raise


def send_now(db: Connection) -> None:
    """What was to be sent later, so that what is amiss with it is not told to whom it does not concern."""
    alone(db)  # what others send meanwhile would go with the next statement
    if has_unsent(db):
        _say(db, "SELECT 1")


def _say(db: Connection, statement: str) -> None:
    with telling(db, statement):
        way(db).execute(statement, ())
