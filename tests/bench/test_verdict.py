"""Figures that do not count are told with the exit status, and never kept."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer

from workers.bench import cli
from workers.bench.figures import FAULTS, Row, Table, report
from workers.bench.measures.start import StartPlan
from workers.bench.plan import Plan, Say
from workers.bench.processes import family

TABLE = Table("One", ("measured",), (Row("one", ("one",)),))


def measure(save: Path, **faults: int) -> None:
    """A benchmark of which this came."""

    async def run(plan: Plan, say: Say) -> dict[str, Any]:
        say("measuring")
        return report(TABLE, {"one": [1.0]}, Counter(faults), plan.told())

    cli._measure(cli.Benchmark("one", "", StartPlan(), run), StartPlan(), True, save)


def test_what_counts_is_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    measure(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"one.json", "one.png"}
    assert capfd.readouterr().err == "measuring\n"


def test_without_matplotlib_there_is_no_plot_and_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "workers.bench.plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)  # as it is where there is none
    measure(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["one.json"]
    assert "There is no plot" in capfd.readouterr().err


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_count_is_told_and_not_kept(
    fault: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        measure(tmp_path, **{fault: 3})
    assert ended.value.exit_code == 1
    assert f"do not count: of the commands or their callbacks 3 {fault}." in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_relay_that_dies_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    options = ["--seconds", "60", "--rounds", "1", "--stations", "2", "--in-flight", "2", "--save", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "workers", "bench", "ceiling", *options], stderr=subprocess.PIPE, text=True
    ) as process:
        while len(started := family(process.pid)) < 5:  # itself, the relay, its Valkey, its stations, its load
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(next(pid for pid in started if is_relay(pid)), signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the relay ended" in said
    assert list(tmp_path.iterdir()) == []


def is_relay(pid: int) -> bool:
    return b"workers.bench.relay" in Path(f"/proc/{pid}/cmdline").read_bytes()
