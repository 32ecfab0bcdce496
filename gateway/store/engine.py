"""Engines: SQLite and PostgreSQL opened so that a committed row is on disk and processes wait for their turn."""

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from gateway.store.pipeline import Pipeline

#: SQLite: how long a writer waits for another process's transaction, in seconds.
_BUSY = 10.0
#: SQLite: pages that the log holds before whoever commits moves them into the database itself, which keeps everybody
#: waiting; ``move_log`` does it beside them.
_LOG_PAGES = 20_000
_LOG = f"wal_autocheckpoint={_LOG_PAGES}"
#: PostgreSQL: among what is known of a connection, its pipeline, and what stands in front of it for a while.
PIPELINE = "pipeline"
FRONT = "front"


def open_engine(url: str) -> Engine:
    """An engine for ``url``; SQLite in WAL mode with full durability, PostgreSQL as it is configured.

    Execution options: ``reads_only``; ``lightly`` for a commit that outlives every process but need not outlive a power
    failure: it is written to disk with the next commit that must be; ``reshaping`` for a migration.
    """
    parsed = make_url(url)
    options: dict[str, Any] = {
        "json_serializer": _json,
        "json_deserializer": orjson.loads,
        # Errors are logged, and what a statement was given are drivers' tokens and partners' sealed ones.
        "hide_parameters": True,
    }
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, **options)
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "before_cursor_execute", _flush_postgresql)
        event.listen(engine, "commit", _commit_postgresql)
        event.listen(engine, "rollback", forget)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY, "check_same_thread": False}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        json.dumps(value, ensure_ascii=False).encode()  # half a character is told as in a column of text
        raise


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late for BEGIN IMMEDIATE
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-20000", _LOG):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, record: Any) -> None:
    # Times come back in the session's zone, and one at the edge of the calendar has no other than UTC in Python.
    # Everything hot has an index. Of a table of which the server has no statistics yet it thinks that it is small, and
    # keeps to what it has planned for it: it would read reservations from end to end at every command. What is read so
    # all the same seems dear then, and before PostgreSQL 18 it would be compiled for half a second first.
    connection.autocommit = True  # in a transaction it would be undone with the first rollback
    connection.execute("SET TIME ZONE 'UTC'; SET enable_seqscan = off; SET jit = off")
    connection.autocommit = False
    connection.prepare_threshold = None  # what it prepares itself it drops with a rollback, and all of ours with it
    record.info[PIPELINE] = Pipeline(connection)


def move_log(engine: Engine) -> None:
    """What was committed goes from SQLite's log into the database itself, as far as nobody reads it there."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as db:
            driver: Any = db.connection.dbapi_connection
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _begin_sqlite(connection: Connection) -> None:
    options, driver = connection.get_execution_options(), connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    if options.get("begun"):
        return
    try:
        if options.get("reads_only"):
            driver.execute("BEGIN")
            return
        if options.get("reshaping"):  # a table is reshaped by copying it, and the old one dropped under its references
            driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute(f"PRAGMA synchronous={'NORMAL' if options.get('lightly') else 'FULL'}")
        # A read transaction that turns into a write fails at once when another process has written; so the lock first.
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as problem:
        raise told(connection, problem, "BEGIN") from problem


def way(db: Connection) -> Any:
    """To the database, past SQLAlchemy: ``execute(text, values)`` answers with ``rowcount`` and ``fetchall()``."""
    connection = db.connection
    return connection.info.get(FRONT) or connection.info.get(PIPELINE) or connection.dbapi_connection


def later(db: Connection, text: str, values: Sequence[Any]) -> None:
    """Nobody waits for its answer: it may go with what is asked for next, or with COMMIT, which then fail of it."""
    connection = db.connection
    if PIPELINE in connection.info:
        pipeline_of(db).later(text, values)
    else:
        way(db).execute(text, values)


def _begin_postgresql(connection: Connection) -> None:
    options = connection.get_execution_options()
    with telling(connection, "BEGIN"):
        pipeline_of(connection).look()
    pipeline_of(connection).begin(lightly=bool(options.get("lightly")))


def _flush_postgresql(connection: Connection, *_: object) -> None:
    with telling(connection, "what was to be sent later"):
        pipeline_of(connection).flush()


def has_unsent(db: Connection) -> bool:
    """There is something that was to be sent later."""
    return PIPELINE in db.connection.info and pipeline_of(db).has_unsent


def forget(db: Connection) -> None:
    """What was to be sent later is not sent."""
    if not db.invalidated and PIPELINE in db.connection.info:
        pipeline_of(db).forget()


def _commit_postgresql(connection: Connection) -> None:
    with telling(connection, "COMMIT"):
        pipeline_of(connection).commit()


def pipeline_of(connection: Connection) -> Pipeline:
    pipeline = connection.connection.info[PIPELINE]
    assert isinstance(pipeline, Pipeline)
    return pipeline


@contextmanager
def telling(connection: Connection, statement: str) -> Iterator[None]:
    """The driver's errors are told as SQLAlchemy's."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as problem:
        raise told(connection, problem, statement) from problem


def told(connection: Connection, problem: Exception, statement: str) -> Exception:
    """The driver's ``problem`` as SQLAlchemy tells it; the parameters are nobody's business."""
    dialect = connection.dialect
    gone = dialect.is_disconnect(problem, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]  # its own errors
    if gone:
        connection.invalidate(problem)
    return DBAPIError.instance(
        statement,
        None,
        problem,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )


def is_unsure(problem: Exception) -> bool:
    """What came in a commit leaves open whether it was done, and doing it again could double it."""
    return not isinstance(problem, DBAPIError) or problem.connection_invalidated


@contextmanager
def turn(engine: Engine) -> Iterator[None]:
    """This process's turn to write. SQLite's own waiting polls and sleeps; a file lock wakes the next one at once."""
    if not shares(engine):
        yield
        return
    with turn_file(engine) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shares(engine: Engine) -> bool:
    """It is a file of SQLite's, which has one writer at a time."""
    return engine.dialect.name == "sqlite" and engine.url.database not in {None, "", ":memory:"}


def turn_file(engine: Engine) -> TextIO:
    """Whoever has locked it may write."""
    return open(f"{engine.url.database}.turn", "w")
