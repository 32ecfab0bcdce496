"""The schema's version: bringing a database to this release, and telling whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from gateway.store.engine import turn


def upgrade(engine: Engine) -> None:
    """Bring the database to this release; several processes may try at once, one does it."""
    with turn(engine), engine.execution_options(reshaping=True).begin() as db:
        if engine.dialect.name == "postgresql":
            db.exec_driver_sql("SELECT pg_advisory_xact_lock(20221031)")
        command.upgrade(_config(db), "head")
        if engine.dialect.name == "sqlite" and (broken := db.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
            raise RuntimeError(f"the migration would leave references to nothing: {broken[:3]}")
    engine.dispose()  # SQLite's connection has looked away from references


def current(db: Connection) -> str | None:
    """The revision this database is at; None when it is empty."""
    return MigrationContext.configure(db).get_current_revision()


def head() -> str | None:
    """The revision of this release."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def _config(db: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = db
    return config
