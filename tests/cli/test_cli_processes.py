"""The commands as processes: help, pipes, a database that is in use, and simulators that end with Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from gateway.cli.app import NOUNS
from gateway.store.engine import open_engine, turn
from tests.cli.conftest import Operator

PROGRAM = "import typer; from gateway.cli.app import add_to; app = typer.Typer(); add_to(app); app()"
PATIENCE = 60.0  # seconds a busy machine may take

#: Everything that is built; what is not is not in the help.
BUILT = {
    "db": {"upgrade", "current", "archive"},
    "cpo": {"add", "list"},
    "partner": {
        *("add", "list", "show", "suspend", "resume", "remove", "endpoint", "set"),
        *("invite", "register", "rotate", "sync", "parties"),
    },
    "locations": {"import", "list", "show-to"},
    "stations": {"list", "show", "set"},
    "commands": {"list", "show", "replay"},
    "reservations": {"list", "show", "cancel", "make", "check"},
    "tariffs": {"list"},
    "cdrs": {"list", "show", "credit", "make"},
    "simulate": {"station", "emsp"},
}
WITHOUT_JSON = {"upgrade", "endpoint", "invite", "suspend", "resume", "remove", "replay", "station", "emsp"}


def options(noun: str, verb: str) -> set[str]:
    command = typer.main.get_command(NOUNS[noun]).commands[verb]
    return {name for parameter in command.params for name in parameter.opts}


def environment(data: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return clean | {"GATEWAY_DATA_DIR": str(data), "PYTHONWARNINGS": "error::ResourceWarning"}


def run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def running(data: Path, *words: str, through: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*through, sys.executable, "-c", PROGRAM, *words],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupted(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


def test_there_is_what_is_built_and_nothing_else() -> None:
    assert {noun: set(typer.main.get_command(app).commands) for noun, app in NOUNS.items()} == BUILT


@pytest.mark.parametrize(("noun", "verb"), [(noun, verb) for noun, verbs in BUILT.items() for verb in sorted(verbs)])
def test_every_command_takes_data_and_those_that_tell_take_json(noun: str, verb: str) -> None:
    assert ("--data" in options(noun, verb)) == (noun != "simulate")
    assert ("--json" in options(noun, verb)) == (verb not in WITHOUT_JSON)


def test_a_process_writes_json_alone_and_in_utf_8(tmp_path: Path) -> None:
    assert run(tmp_path, "cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Ladenetz Köln").returncode == 0
    told = run(tmp_path, "cpo", "list", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout)[0]["name"] == "Ladenetz Köln"


def test_a_pipe_gets_whole_lines_and_no_colours(operator: Operator) -> None:
    hosts = [word for number in range(30) for word in ("--callback-host", f"host-{number}.emsp.example")]
    operator.does(
        *("partner", "add", "--name", "N" * 100, "--country", "DE", "--party", "EMS"),
        *("--token-in", "in", "--token-out", "out", *hosts),
    )
    told = run(operator.data, "partner", "list")
    assert "\x1b" not in told.stdout
    assert any("N" * 100 in line and "host-29.emsp.example" in line for line in told.stdout.splitlines())


def test_listing_does_not_wait_for_a_gateway_that_is_writing(operator: Operator) -> None:
    operator.does("db", "upgrade")
    engine = open_engine(f"sqlite:///{operator.data / 'gateway.db'}")
    with turn(engine), engine.begin():
        told = run(operator.data, "partner", "list", "--json")
    engine.dispose()
    assert (told.returncode, told.stdout) == (0, "[]\n")


def test_a_mistake_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    told = run(tmp_path, "locations", "import", str(tmp_path / "missing.json"))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == f"{tmp_path / 'missing.json'}: No such file or directory.\n"


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_simulated_station_ends_cleanly_with_ctrl_c(tmp_path: Path, version: str) -> None:
    words = ("simulate", "station", "--url", "ws://127.0.0.1:9/ocpp", "--id", "CS-1", "--ocpp", version)
    with running(tmp_path, *words, "--evses", "3", "--password", "p" * 16, "--fault", "slow=2") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"station CS-1 speaks ocpp{version}\n"
        assert interrupted(process) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_simulator_that_a_script_runs_in_the_background_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    shell = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")  # as `… &` does without job control
    with running(tmp_path, "simulate", "emsp", "--port", "0", through=shell) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("eMSP listens")
        assert interrupted(process, number) == (0, "")


def test_a_simulated_emsp_ends_cleanly_with_ctrl_c_and_says_when_its_port_is_taken(tmp_path: Path) -> None:
    with running(tmp_path, "simulate", "emsp", "--port", "0", "--token", "t") as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found is not None
        second = run(tmp_path, "simulate", "emsp", "--port", found[1])
        assert (second.returncode, "address already in use" in second.stderr) == (1, True)
        assert "Traceback" not in second.stderr
        socket.create_connection(("127.0.0.1", int(found[1])), timeout=PATIENCE).close()
        assert interrupted(process) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ("station", "--url", "http://127.0.0.1/", "--id", "CS-1"),
        ("station", "--url", "ws://127.0.0.1:99999/", "--id", "CS-1"),
        ("station", "--url", "ws://127.0.0.1/", "--id", "CS-1", "--ocpp", "1.5"),
        ("station", "--url", "ws://127.0.0.1/", "--id", "CS-1", "--fault", "nonsense"),
        ("station", "--url", "ws://127.0.0.1/", "--id", "CS-1", "--fault", "slow=much"),
        ("station", "--url", "ws://127.0.0.1/", "--id", "CS-1", "--evses", "0"),
        ("emsp", "--port", "65536"),
        ("emsp", "--port", "0", "--fault", "first-n-500=x"),
        ("emsp", "--port", "0", "--fault", "status=x"),
    ],
)
def test_a_simulator_that_cannot_be_is_exit_code_2(operator: Operator, words: tuple[str, ...]) -> None:
    assert operator("simulate", *words).exit_code == 2
