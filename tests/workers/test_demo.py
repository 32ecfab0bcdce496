"""``make run`` as somebody meets it: the journey, Ctrl-C at any moment, and directories that are not its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.gateway import free_ports
from workers.demo.scenery import Spoiled, fresh
from workers.demo.show import NARROWEST
from workers.lock import hold
from workers.supervisor import reachable

PATIENCE = 90.0  # seconds a busy machine may take
NONSENSE = {"GATEWAY_COMMAND_TIMEOUT": "nonsense", "GATEWAY_REDIS_URL": "nonsense", "PYTHONIOENCODING": "ascii"}


@contextmanager
def demonstration(data: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """The process and its ports; killed at the end if it is still there."""
    ports = free_ports(2)
    options = ["--api-port", str(ports[0]), "--ocpp-port", str(ports[1]), "--data", str(data)]
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.demo", *options, *words],
        env=os.environ | NONSENSE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, ports
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"it never said {text!r}")


def nobody_listens(ports: list[int]) -> bool:
    return not any(reachable("127.0.0.1", port) for port in ports)


def test_the_journey_is_a_table_of_every_command_on_every_ocpp_version(tmp_path: Path) -> None:
    with demonstration(tmp_path / "demo", "--once") as (process, ports):
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert "\x1b" not in told
    commands, _, fates = told.partition("What became of the reservations")
    shows_every_command(commands)
    shows_every_end(fates)
    assert max(map(len, told.partition("to its callback")[2].splitlines())) <= NARROWEST
    assert nobody_listens(ports)


def shows_every_command(told: str) -> None:
    rows = [re.split(r"[\s|]+", line.strip()) for line in told.splitlines() if "ACCEPTED" in line]
    assert len(rows) == 24
    assert all(re.fullmatch(r"\d+", row[2]) and row[5] == "ACCEPTED" and re.fullmatch(r"\d+", row[6]) for row in rows)
    assert {row[0] for row in rows} == {
        *("RESERVE_NOW", "CANCEL_RESERVATION", "START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR")
    }


def shows_every_end(told: str) -> None:
    """Each reservation with its result, the statuses of its Session, and what it costs; a used one with its energy."""
    rows = [" ".join(re.split(r"[\s|]+", line.strip())) for line in told.splitlines() if "COMPLETED" in line]
    used, cancelled, withdrawn, expired = (sorted(rows[place::4]) for place in range(4))
    assert all(re.fullmatch(r"used ACCEPTED RESERVATION.ACTIVE.COMPLETED 0\.\d{4} 0\.\d{4}", row) for row in used)
    assert all(re.fullmatch(r"eMSP cancelled ACCEPTED RESERVATION.COMPLETED 0\.5000", row) for row in cancelled)
    assert all(re.fullmatch(r"CPO cancelled CANCELED_RESERVATION RESERVATION.COMPLETED none", row) for row in withdrawn)
    assert all(re.fullmatch(r"expired ACCEPTED RESERVATION.COMPLETED 2\.0000", row) for row in expired)
    assert len(rows) == 12


@pytest.mark.parametrize("moment", ["Starting the gateway", "Adding a CPO", "Connecting", "Sending the five"])
def test_a_signal_ends_it_at_any_moment(tmp_path: Path, moment: str) -> None:
    with demonstration(tmp_path / "demo") as (process, ports):
        read_until(process, moment)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert nobody_listens(ports)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_stays_up_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with demonstration(tmp_path / "demo") as (process, ports):
        read_until(process, "curl -s")
        process.send_signal(number)
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert nobody_listens(ports)


def test_a_directory_that_is_not_a_demonstrations_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(Spoiled, match="not a demonstration's"):
        fresh(tmp_path)
    with pytest.raises(Spoiled, match="Not a directory"):
        fresh(tmp_path / "mine")
    with pytest.raises(Spoiled, match="cannot be used"):
        fresh(tmp_path / "mine" / "below")
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_demonstration_that_runs_keeps_its_directory(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    fresh(data)
    (data / "run").mkdir()
    (data / "gateway.db").touch()
    with hold(data / "run" / "supervisor.pid"), pytest.raises(Spoiled, match="Another gateway uses this"):
        fresh(data)
    assert (data / "gateway.db").exists()
    fresh(data)
    assert not (data / "gateway.db").exists()
