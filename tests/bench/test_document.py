"""The page of performance has the figures that are kept, and no others."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import document, run
from workers.bench.figures import Row, Table, Target, report

TABLE = Table(
    "Rates", ("measured",), (Row("commands", ("rate",), "a second", Target(must=720, aim=1200, at_least=True)),)
)
MACHINE = {
    "date": "2026-11-27", "load_average_before": 0.1, "cpu": "A processor", "memory_gb": 8.0, "system": "Linux 6",
    "fsync_ms": 0.5, "versions": {"sqlite": "3.1", "valkey": "9.1"},
}  # fmt: skip
PAGE = """# Page

<!-- targets -->
old
<!-- end -->

Ours: 17.

<!-- figures: one -->
<!-- end -->

<!-- figures: two -->
old
<!-- end -->

<!-- profiles -->
<!-- end -->
"""


def kept(rate: float = 800.0, rounds: int = 5, quick: bool = False) -> dict[str, Any]:
    told = {
        "rounds": rounds, "quick": quick, "database": "sqlite", "cpu_count": 2, "python": "3.11", "machine": MACHINE,
    }  # fmt: skip
    return report(TABLE, {"rate": [rate]}, Counter(), told)


def test_the_page_has_the_figures_that_are_kept() -> None:
    page = document.PAGE.read_text()
    assert document.written(page, document.kept()) == page, "run `make docs`"
    assert document.problems(document.kept()) == []


def test_the_page_has_a_place_for_every_run() -> None:
    page = document.PAGE.read_text()
    assert [name for name in run.RUNS if f"<!-- figures: {name} -->" not in page] == []
    assert set(document.kept()) - set(run.RUNS) == {name for name in document.kept() if name.startswith("profile-")}


def test_a_block_is_written_anew_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "one.png").touch()
    page = document.written(PAGE, {"one": kept()}, tmp_path)
    assert "old" not in page
    assert "\nOurs: 17.\n" in page
    assert "| one | commands, a second | 800 | ≥ 720 | ≥ 1,200 | must reached |" in page
    assert "Medians of 5 rounds, 2026-11-27, SQLite 3.1; 2 cores (A processor), 8.0 GB, Linux 6" in page
    assert "\n- commands, a second: 800, where the aim is ≥ 1,200.\n" in page
    assert f"]({tmp_path.name}/one.png)" in page
    assert page.count("Not measured yet") == 1
    assert document.written(page, {"one": kept()}, tmp_path) == page


def test_another_figure_is_another_page(tmp_path: Path) -> None:
    page = document.written(PAGE, {"one": kept()}, tmp_path)
    assert document.written(page, {"one": kept(rate=801.0)}, tmp_path) != page


def test_profiles_are_shown_as_they_are_kept(tmp_path: Path) -> None:
    profile = report(
        Table("api", ("api",), (Row("f", ("f",), "% of samples"),)),
        {"f": [12.3]},
        Counter(),
        {"quick": False, "database": "postgresql"},
    )
    page = document.written(PAGE, {"profile-api": profile}, tmp_path)
    assert "| f, % of samples | 12.3 |" in page
    assert "\nOn PostgreSQL, api.\n" in page


def test_quick_runs_and_few_rounds_are_not_for_the_page() -> None:
    assert document.problems({"one": kept(quick=True)}) == ["one: a quick run only shows that it works."]
    assert document.problems({"one": kept(rounds=4)}) == ["one: medians of 4 rounds."]
    assert document.problems({"one": kept(), "profile-api": kept(rounds=1)}) == []


def test_what_is_kept_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(kept()))
    (tmp_path / "one.png").touch()
    assert document.kept(tmp_path) == {"one": kept()}
