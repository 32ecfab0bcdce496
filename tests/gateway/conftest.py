"""Houses from inside: on both databases, and on SQLite alone where the database is not what a test is about."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.indoors import Indoors

#: For nights: ``--hypothesis-profile=deep``.
settings.register_profile(
    "deep", max_examples=1000, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)


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
