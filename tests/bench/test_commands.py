"""``bench commands``: whole, in little, as an operator runs it."""

import json
import subprocess
import sys

import pytest

NUMBERS = {
    "commands_per_second", "ceiling_per_second", "ratio_to_ceiling",
    "p50_ms", "p99_ms", "ack_p50_ms", "ack_p99_ms",
}  # fmt: skip
WHOLE_NUMBERS = {"stations", "in_flight", "rounds", "cpu_count", "lost", "duplicate", "refused", "failed"}


def bench(*words, timeout=110):
    return subprocess.run(
        [sys.executable, "-m", "workers", "bench", "commands", *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def quick():
    return bench("--quick", "--json")


def test_it_prints_json_and_nothing_else(quick):
    assert quick.returncode == 0, quick.stderr
    figures = json.loads(quick.stdout)
    assert {name for name in NUMBERS if not isinstance(figures[name], int | float) or figures[name] <= 0} == set()
    assert {name for name in WHOLE_NUMBERS if not isinstance(figures[name], int)} == set()
    assert figures["python"] == sys.version.split()[0]


def test_nothing_is_lost_and_nothing_comes_twice(quick):
    figures = json.loads(quick.stdout)
    assert [figures[name] for name in ("lost", "duplicate", "refused", "failed")] == [0, 0, 0, 0]


def test_progress_is_told_on_stderr(quick):
    assert "round 1 of 1: gateway" in quick.stderr


def test_a_plan_that_cannot_be_measured_is_told_at_once():
    refused = bench("--stations", "2", "--in-flight", "3")
    assert refused.returncode == 2
    assert "as many stations" in refused.stderr
