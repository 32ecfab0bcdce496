"""``bench``: every benchmark whole, in little, as an operator runs it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from workers.bench.cli import bench
from workers.bench.plot import draw
from workers.bench.processes import family

SIDES = ("", "ceiling_")
#: What each promises: figures that are more than nothing.
PROMISED = {
    "ceiling": {"commands_per_second", "busy_p50_ms", "busy_ack_p99_ms", "cpu_ms", "cpu_relay_ms"},
    "commands": {
        "commands_per_second", "ceiling_per_second", "ratio_to_ceiling",
        "p50_ms", "p99_ms", "ack_p50_ms", "ack_p99_ms", "busy_ack_p50_ms", "busy_ack_p99_ms", "busy_ack_spread",
        "aof_bytes", "cpu_ms", "cpu_api_ms", "cpu_bridge_ms", "cpu_worker-1_ms", "ceiling_cpu_ms",
    },
    "latency": {
        f"{side}{load}_{figure}"
        for side in SIDES
        for load in ("steady", "half")
        for figure in ("per_second", "p50_ms", "p90_ms", "p99_ms", "ack_p50_ms", "ack_p90_ms", "ack_p99_ms", "cpu_ms")
    },
    "isolation": {
        f"{offence}_{figure}"
        for offence in ("tar_pit", "flood")
        for figure in ("without_p50_ms", "without_p99_ms", "p50_ms", "p99_ms", "p50_ratio", "p99_ratio")
    },
    "stations": {"station_rss_kib", "bridge_mb", "heartbeats_per_second", "heartbeat_p99_ms", "wave_all_booted_s"},
    "growth": {
        f"{grows}_{figure}"
        for grows in ("stations", "commands", "reservations")
        for figure in ("little_cpu_ms", "much_cpu_ms", "cpu_ratio")
    },
    "start": {
        "accepted_s", "booted_s", "called_back_s", "empty_s", "memory_mb", "memory_rss_mb",
        *(f"memory_{name}_mb" for name in ("supervisor", "api", "bridge", "worker-1", "valkey")),
    },
}  # fmt: skip
#: And the agreed targets that stand beside them: {figure: (must, aim)}.
TARGETS = {
    "ceiling": {},
    "commands": {
        "commands_per_second": (720, 1200), "ratio_to_ceiling": (0.4, 0.75), "busy_ack_spread": (3, 2),
        "redis_keys": (0, 0), "aof_bytes": (5000, 3000),
    },
    "latency": {
        "steady_p50_ms": (10, 4), "steady_p99_ms": (25, 10), "steady_ack_p99_ms": (10, 3), "steady_cpu_ms": (5, 2.4),
    },
    "isolation": {"tar_pit_p99_ratio": (1.5, 1.1), "flood_p99_ratio": (1.5, 1.1)},
    "stations": {"station_kib": (30, 16), "wave_all_booted_s": (None, 10), "wave_longest_answer_s": (10, 10)},
    "growth": {f"{grows}_cpu_ratio": (1.3, 1.05) for grows in ("stations", "commands", "reservations")},
    "start": {"accepted_s": (5, 1.5), "memory_mb": (350, 200)},
}  # fmt: skip


def words(name: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "workers", "bench", name, *options]


def ran(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words(name, *options), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PROMISED)
def test_a_quick_run_tells_all_that_is_promised(name: str, tmp_path: Path) -> None:
    run = ran(name, "--quick", "--json")
    figures = json.loads(run.stdout)
    assert {one for one in PROMISED[name] if figures.get(one, 0) <= 0} == set()
    assert [figures[fault] for fault in ("lost", "duplicate", "refused", "failed")] == [0, 0, 0, 0]
    assert all(len(figures["each_round"][one]) == figures["rounds"] for one in PROMISED[name])
    assert (figures["benchmark"], figures["quick"], figures["python"]) == (name, True, sys.version.split()[0])
    assert figures["cpu_count"] > 0
    assert figures["machine"]["versions"]["valkey"]
    judged = figures["table"]["judged"]
    targets = {row["cells"][judged]: row["target"] for row in figures["table"]["rows"] if row["target"]}
    assert {one: (target["must"], target["aim"]) for one, target in targets.items()} == TARGETS[name]
    assert "round 1 of 1" in run.stderr
    draw(figures, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_with_postgresql_is_shown_and_kept_under_its_own_name(postgres_url: str, tmp_path: Path) -> None:
    options = ("--database", "postgresql", "--database-url", postgres_url, "--save", str(tmp_path))
    run = ran("ceiling", "--quick", *options)
    assert "commands a second, full load" in run.stdout
    figures = json.loads((tmp_path / "ceiling-postgresql.json").read_text())
    assert figures["commands_per_second"] > 0
    assert figures["machine"]["versions"]["postgresql"]
    assert "database_url" not in figures
    assert (tmp_path / "ceiling-postgresql.png").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("commands", "--stations", "2", "--in-flight", "3"), "as many stations"),
        (("commands", "--seconds", "30", "--rounds", "3"), "more than 5 minutes"),
        (("stations", "--stations", "20000", "--rounds", "50"), "more than 25 minutes"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_told_at_once(options: tuple[str, ...], sentence: str) -> None:
    refused = CliRunner().invoke(bench, options)
    assert refused.exit_code == 2
    assert sentence in refused.stderr


def test_a_postgresql_that_is_not_there_is_told_in_a_sentence() -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    refused = CliRunner().invoke(bench, ["ceiling", "--quick", "--database", "postgresql", "--database-url", url])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("The PostgreSQL cannot be used: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_ends_all_that_it_has_started(number: signal.Signals) -> None:
    with subprocess.Popen(
        words("ceiling", "--seconds", "60", "--rounds", "1", "--stations", "2", "--in-flight", "2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "starting the relay\n"
        while len(started := family(process.pid)) < 5:  # itself, the relay, its Valkey, its stations, its load
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) != 0
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Root's PostgreSQL is another user's, whom pytest's own directory is closed to."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_all_runs_that_are_stopped_at_a_terminal_leave_nothing(open_directory: Path) -> None:
    options = ("--seconds", "60", "--rounds", "1", "--stations", "2", "--in-flight", "2")
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.run", "--only", "ceiling-postgresql", *options],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(open_directory)},
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        assert "starting the relay\n" in iter(process.stderr.readline, "")
        while len(started := family(process.pid)) < 6:  # itself, the benchmark, the relay, its Valkey, stations, load
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) != 0
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
    assert list(open_directory.glob("ocpi-gateway-bench-*")) == []
