"""A connection to PostgreSQL as libpq has it: what is asked for together is one round trip, its BEGIN and COMMIT, too.

A cursor of psycopg's takes as long for a statement among others as the server does, and says BEGIN and COMMIT by
themselves. Here are its lower layer, its conversions and its errors; what goes through its cursors may go beside.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from select import POLLIN, POLLOUT, poll
from typing import Any, NamedTuple, TypeVar

from psycopg import Connection, DatabaseError, Error, OperationalError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InFailedSqlTransaction, InvalidSqlStatementName, lookup
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

#: A statement with ``$1`` for its first value, and the values in words.
Asked = tuple[str, Sequence[Any]]

R = TypeVar("R")
#: Says which of ``poll``'s events it waits for, and is told which has happened.
Waiting = Generator[int, int, R]

_FAILED = {ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED}
_BEGIN: Asked = ("BEGIN", ())
_COMMIT: Asked = ("COMMIT", ())
_LIGHTLY: Asked = ("SET LOCAL synchronous_commit = off", ())


class Told(NamedTuple):
    """What the database has answered; the part of a cursor that is used here."""

    rowcount: int
    rows: list[tuple[Any, ...]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows


class Pipeline:
    """Begins a transaction where psycopg would. For one thread at a time, as its connection is."""

    def __init__(self, driver: Connection[Any]) -> None:
        self._driver = driver
        self._pq = driver.pgconn
        self._adapted = Transformer(driver)
        self._heard = poll()
        #: What the server has prepared, by the statement.
        self._names: dict[str, bytes] = {}
        self._named = 0
        self._lightly = False
        self._unsent: list[Asked] = []

    def look(self) -> None:
        """Raises when the connection has been closed while nobody asked for anything."""
        self._heard.register(self._pq.socket, POLLIN)
        while self._heard.poll(0):
            try:
                self._pq.consume_input()
            except Error:
                self._driver.close()
                raise

    def begin(self, *, lightly: bool) -> None:
        """What comes next is a new transaction, of which ``lightly`` says whether its COMMIT waits for the disk."""
        self._lightly, self._unsent = lightly, []

    def execute(self, text: str, values: Sequence[Any]) -> Told:
        """Raises psycopg's errors, as all do that ask."""
        return self.ask([(text, self.encoded(values))])[0]

    def later(self, text: str, values: Sequence[Any]) -> None:
        """Send it with what is asked for next, or with COMMIT."""
        self._unsent.append((text, self.encoded(values)))

    def encoded(self, values: Sequence[Any]) -> Sequence[Any]:
        return self._adapted.dump_sequence(values, [PyFormat.TEXT] * len(values)) if values else ()

    def ask(self, asked: Sequence[Asked]) -> list[Told]:
        """What is told to each, in order; all that was to be sent later has gone before."""
        return self.wait(self.asking(asked))

    def asking(self, asked: Sequence[Asked]) -> Waiting[list[Told]]:
        first = [*self._beginning(), *self._unsent]
        self._unsent = []
        together = [*first, *asked]
        try:
            self._pq.enter_pipeline_mode()
            preparing = self._send(together)
            yield from self._sending()
            results = []
            for _ in range(len(together) + len(preparing)):
                results.append((yield from self._result()))
            yield from self._result()  # of the end of the pipeline
            self._pq.exit_pipeline_mode()
        except BaseException:  # nobody knows what it would hear next
            self._driver.close()
            raise
        return [self._told(result) for result in self._sound(results, preparing)[len(first) :]]

    def wait(self, waiting: Waiting[R]) -> R:
        """What it comes to; this thread waits."""
        try:
            events = next(waiting)
            while True:
                self._heard.register(self._pq.socket, events)
                ((_, happened),) = self._heard.poll()
                events = waiting.send(happened)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # its own
        finally:
            waiting.close()

    async def awaited(self, waiting: Waiting[R]) -> R:
        """What it comes to; the event loop goes on."""
        try:
            events = next(waiting)
            while True:
                events = waiting.send(await self._happens(events))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # its own
        finally:
            waiting.close()

    @property
    def has_unsent(self) -> bool:
        """There is something that was to be sent later."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send what was to be sent later."""
        if self._unsent:
            self.ask([])

    def forget(self) -> None:
        """What was to be sent later is not sent."""
        self._unsent = []

    def commit(self) -> None:
        self.wait(self.committing())

    def committing(self) -> Waiting[None]:
        """Unless there is nothing to commit; that the connection is closed is psycopg's to say."""
        if self._pq.transaction_status == TransactionStatus.INERROR:  # which PostgreSQL would undo and call done
            raise InFailedSqlTransaction("A statement of the transaction has failed.")
        if self._unsent or self._pq.transaction_status == TransactionStatus.INTRANS:
            yield from self.asking([_COMMIT])

    def _beginning(self) -> list[Asked]:
        if self._driver.autocommit:
            return []
        begin = [_BEGIN] if self._pq.transaction_status == TransactionStatus.IDLE else []
        lightly = [_LIGHTLY] if self._lightly else []
        self._lightly = False
        return begin + lightly

    def _send(self, asked: Sequence[Asked]) -> dict[int, tuple[str, bytes]]:
        """The places, among what is answered, of what the server prepares."""
        preparing: dict[int, tuple[str, bytes]] = {}
        names = dict[str, bytes]()
        for place, (text, values) in enumerate(asked):
            name = self._names.get(text) or names.get(text)
            if name is None:
                self._named += 1
                name = names[text] = b"p%d" % self._named
                preparing[place + len(preparing)] = (text, name)
                self._pq.send_prepare(name, text.encode())
            self._pq.send_query_prepared(name, values)
        self._pq.pipeline_sync()
        return preparing

    def _sending(self) -> Waiting[None]:
        while self._pq.flush():
            if (yield POLLIN | POLLOUT) & POLLIN:  # it may wait for us to listen
                self._pq.consume_input()

    def _result(self) -> Waiting[PGresult]:
        result = yield from self._next()
        assert result is not None
        if result.status != ExecStatus.PIPELINE_SYNC:
            yield from self._next()  # None: nothing more to this one
        return result

    def _next(self) -> Waiting[PGresult | None]:
        while self._pq.is_busy():
            yield POLLIN
            self._pq.consume_input()
        return self._pq.get_result()

    async def _happens(self, events: int) -> int:
        loop, socket = asyncio.get_running_loop(), self._pq.socket
        happened: asyncio.Future[int] = loop.create_future()
        loop.add_reader(socket, _tell, happened, POLLIN)
        if events & POLLOUT:
            loop.add_writer(socket, _tell, happened, POLLOUT)
        try:
            return await happened
        finally:
            loop.remove_reader(socket)
            if events & POLLOUT:
                loop.remove_writer(socket)

    def _sound(self, results: list[PGresult], preparing: dict[int, tuple[str, bytes]]) -> list[PGresult]:
        for place, (text, name) in preparing.items():
            if results[place].status not in _FAILED:
                self._names[text] = name
        for result in results:
            if result.status in _FAILED:
                problem = _problem(result)
                if isinstance(problem, InvalidSqlStatementName):  # somebody has deallocated what was prepared
                    self._names.clear()
                raise problem
        return [result for place, result in enumerate(results) if place not in preparing]

    def _told(self, result: PGresult) -> Told:
        rows: list[Any] = []
        if result.ntuples:
            self._adapted.set_pgresult(result)
            rows = self._adapted.load_rows(0, result.ntuples, tuple)
        return Told(result.command_tuples or 0, rows)


def _tell(future: asyncio.Future[int], event: int) -> None:
    if not future.done():
        future.set_result(event)


def _problem(result: PGresult) -> Error:
    state = result.error_field(DiagnosticField.SQLSTATE)
    return _kind(state)(result.get_error_message(), info=result)


def _kind(state: bytes | None) -> Callable[..., Error]:
    if state is None:
        return OperationalError
    try:
        return lookup(state.decode())
    except KeyError:
        return DatabaseError
