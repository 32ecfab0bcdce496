"""What keeps a process from starting is one sentence on stderr and an exit status, whichever process it is."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.gateway import free_ports
from workers.footing import place

PROCESSES = ("up", "api", "bridge", "worker")
PORT_OPTION = {"api": "--api-port", "bridge": "--ocpp-port"}


def start(data: Path, *words: str, **settings: str) -> tuple[int, list[str]]:
    """Exit status and the lines that are told."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    ended = subprocess.run(
        [sys.executable, "-m", "workers", *words, "--data", str(data)],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).splitlines()


def words_of(process: str) -> list[str]:
    """The words that start ``process`` where nothing else listens."""
    api_port, ocpp_port = map(str, free_ports(2))
    options = {"api": ["--api-port", api_port], "bridge": ["--ocpp-port", ocpp_port], "worker": []}
    return [process, *options.get(process, ["--api-port", api_port, "--ocpp-port", ocpp_port])]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port where somebody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_data_directory_that_is_none_is_told_in_one_sentence(tmp_path: Path, process: str) -> None:
    file = tmp_path / "a-file"
    file.write_text("mine")
    status, told = start(file, *words_of(process))
    assert (status, told) == (1, [f"{file} cannot be used: File exists."])


@pytest.mark.parametrize("process", PROCESSES)
def test_a_lost_secret_is_told_in_one_sentence_and_no_other_is_made(tmp_path: Path, process: str) -> None:
    key = tmp_path / "secret-key"
    key.touch()
    status, told = start(tmp_path, *words_of(process))
    assert (status, told) == (1, [f"{key} cannot be used: There is no secret in it."])
    assert key.read_text() == ""


@pytest.mark.parametrize("process", ["up", "api"])
def test_an_operators_token_that_can_be_guessed_is_told_in_one_sentence(tmp_path: Path, process: str) -> None:
    told = ["GATEWAY_OPERATOR_TOKEN is wrong: a token is 16 or more letters, digits and signs of -._~+/="]
    assert start(tmp_path, *words_of(process), GATEWAY_OPERATOR_TOKEN="fifteen-signs-1") == (1, told)
    kept = tmp_path / "operator-token"
    kept.write_text("fifteen-signs-1\n")
    told = [f"{kept} cannot be used: There is no token of 16 or more characters in it."]
    assert start(tmp_path, *words_of(process)) == (1, told)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_database_of_a_newer_release_is_told_in_one_sentence(tmp_path: Path, process: str) -> None:
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    status, told = start(tmp_path, *words_of(process))
    assert status == 1
    assert told == [
        "The database was not made by this release or an older one: Can't locate revision identified by '9999'."
    ]


PARTNER = ("--country", "DE", "--token-in", "in", "--token-out", "out", "--callback-host", "an-emsp.example")


@pytest.mark.parametrize("process", PROCESSES)
def test_a_key_that_is_not_the_databases_is_told_in_one_sentence(tmp_path: Path, process: str) -> None:
    assert start(tmp_path, "partner", "add", "--name", "one", "--party", "ONE", *PARTNER)[0] == 0
    told = ["GATEWAY_SECRET_KEY is not the key with which this database's tokens were sealed."]
    assert start(tmp_path, *words_of(process), GATEWAY_SECRET_KEY="another") == (1, told)


def test_no_partner_is_added_with_another_key_than_the_databases(tmp_path: Path) -> None:
    assert start(tmp_path, "partner", "add", "--name", "one", "--party", "ONE", *PARTNER)[0] == 0
    told = ["GATEWAY_SECRET_KEY is not the key with which this database's tokens were sealed."]
    words = ("partner", "add", "--name", "two", "--party", "TWO", *PARTNER)
    assert start(tmp_path, *words, GATEWAY_SECRET_KEY="another") == (1, told)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_database_that_cannot_be_reached_is_told_in_one_sentence(tmp_path: Path, process: str) -> None:
    status, told = start(tmp_path, *words_of(process), GATEWAY_DATABASE_URL="postgresql://127.0.0.1:1/gateway")
    assert (status, len(told)) == (1, 1)
    assert told[0].startswith("The database cannot be used: connection failed: ")


@pytest.mark.parametrize("process", ["api", "bridge"])
def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path, process: str, taken: int) -> None:
    status, told = start(tmp_path, process, PORT_OPTION[process], str(taken))
    assert (status, told) == (1, [f"Port {taken} on 127.0.0.1 cannot be used: address already in use."])


def test_one_port_for_partners_and_stations_is_told_in_one_sentence(tmp_path: Path) -> None:
    (port,) = map(str, free_ports(1))
    status, told = start(tmp_path, "up", "--api-port", port, "--ocpp-port", port)
    assert (status, told) == (1, [f"Port {port} cannot be both: --api-port and --ocpp-port are to differ."])


def test_a_redis_that_cannot_be_reached_is_told_in_one_sentence(tmp_path: Path) -> None:
    status, told = start(tmp_path, *words_of("up"), GATEWAY_REDIS_URL="redis://127.0.0.1:1")
    assert (status, len(told)) == (1, 1)
    assert told[0].startswith("GATEWAY_REDIS_URL cannot be used: ")


def test_a_worker_without_redis_ends_without_a_traceback(tmp_path: Path) -> None:
    status, told = start(tmp_path, "worker", GATEWAY_REDIS_URL="redis://127.0.0.1:1")
    assert status == 1
    assert any("the queue cannot be reached" in line for line in told)
    assert not any("Traceback" in line for line in told)


def test_names_that_a_terminal_cannot_show_are_told_with_escapes(tmp_path: Path) -> None:
    words = ("cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Łodz")
    status, told = start(tmp_path, *words, PYTHONIOENCODING="latin-1")
    assert (status, told) == (0, ["NL*CPO (\\u0141odz) is a party of ours now."])


def test_an_ipv6_address_is_in_brackets_in_a_url() -> None:
    assert [place("127.0.0.1", 8000), place("::1", 8000)] == ["127.0.0.1:8000", "[::1]:8000"]
