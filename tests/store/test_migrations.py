"""The migrations and the tables say the same, on both databases, whoever applies them and however often."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlmodel import SQLModel

from gateway.store import schema
from gateway.store.engine import open_engine

UPGRADE = (
    "import sys; from gateway.store import schema; from gateway.store.engine import open_engine\n"
    "schema.upgrade(open_engine(sys.argv[1]))"
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def test_an_empty_database_is_brought_to_this_release_and_stays_there(engine: Engine) -> None:
    with engine.begin() as db:
        assert schema.current(db) is None
    for _ in range(2):
        schema.upgrade(engine)
        with engine.begin() as db:
            assert schema.current(db) == schema.head() is not None


def test_the_migrations_make_the_tables_as_the_code_has_them(engine: Engine) -> None:
    schema.upgrade(engine)
    with engine.begin() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_every_index_of_the_code_is_made_with_its_condition(engine: Engine) -> None:
    schema.upgrade(engine)
    option = f"{engine.dialect.name}_where"
    for name, table in SQLModel.metadata.tables.items():
        made = {index["name"]: index for index in inspect(engine).get_indexes(name)}
        for index in table.indexes:
            assert index.name in made
            partial = index.dialect_options[engine.dialect.name]["where"] is not None
            assert (option in made[index.name]["dialect_options"]) == partial


def test_two_processes_may_upgrade_at_the_same_time(engine: Engine, database_url: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", UPGRADE, database_url]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    with engine.begin() as db:
        assert schema.current(db) == schema.head()
