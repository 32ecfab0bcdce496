"""Engines: SQLite and PostgreSQL opened so that a committed row is on disk and processes wait for their turn."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url

#: SQLite: how long a writer waits for another process's transaction, in seconds.
_BUSY = 10.0


def open_engine(url: str) -> Engine:
    """An engine for ``url``; SQLite in WAL mode with full durability, PostgreSQL as it is configured.

    Execution options: ``reads_only``; ``lightly`` for a commit that outlives every process but need not outlive a power
    failure: it is written to disk with the next commit that must be; ``reshaping`` for a migration.
    """
    parsed = make_url(url)
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        # Errors are logged, and what a statement was given are drivers' tokens and partners' sealed ones.
        "hide_parameters": True,
    }
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, pool_pre_ping=True, **options)
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY, "check_same_thread": False}, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late for BEGIN IMMEDIATE
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-20000"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Times come back in the session's zone, and one at the edge of the calendar has no other than UTC in Python.
    connection.autocommit = True  # in a transaction it would be undone with the first rollback
    connection.execute("SET TIME ZONE 'UTC'")
    connection.autocommit = False


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reads_only"):
        connection.exec_driver_sql("BEGIN")
        return
    if options.get("reshaping"):  # a table is reshaped by copying it, and the old one is dropped under its references
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get('lightly') else 'FULL'}")
    # A read transaction that turns into a write fails at once when another process has written; ask for the lock first.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("lightly"):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


@contextmanager
def turn(engine: Engine) -> Iterator[None]:
    """This process's turn to write. SQLite's own waiting polls and sleeps; a file lock wakes the next one at once."""
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        yield
        return
    with open(f"{engine.url.database}.turn", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
