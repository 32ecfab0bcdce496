"""Houses from inside: on both databases, and on SQLite alone where the database is not what a test is about."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.store.engine import open_engine
from gateway.store.schema import upgrade
from tests.support.indoors import Indoors


@pytest.fixture
def anywhere(database_url: str) -> Iterator[Indoors]:
    indoors = Indoors(database_url)
    yield indoors
    indoors.close()


@pytest.fixture
def indoors(tmp_path: Path) -> Iterator[Indoors]:
    indoors = Indoors(f"sqlite:///{tmp_path / 'indoors.sqlite'}")
    yield indoors
    indoors.close()


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """PostgreSQL, with our tables."""
    engine = open_engine(postgres_url)
    upgrade(engine)
    yield engine
    engine.dispose()
