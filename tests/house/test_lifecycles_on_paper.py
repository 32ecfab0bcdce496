"""The lifecycles that the architecture's page shows are those of the tables."""

from pathlib import Path

import pytest

from gateway.domain.lifecycle import PARTNER, RESERVATION, SESSION

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


@pytest.mark.parametrize(("name", "table"), [("reservation", RESERVATION), ("session", SESSION), ("partner", PARTNER)])
def test_the_page_shows_every_step_of_a_lifecycle(name: str, table: dict[str, frozenset[str]]) -> None:
    steps = [f"{state} → {', '.join(sorted(after))}" for state, after in table.items() if after]
    indent = "\n" + " " * len("reservation  ")
    assert f"\n{name:<13}{indent.join(steps)}\n" in PAGE.read_text()
