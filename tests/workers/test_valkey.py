"""The embedded Valkey: a real server, started, killed and started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from workers import valkey as embedded
from workers.valkey import NoServer, Valkey, running


def connect(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def server_process(client: redis.Redis) -> int:
    return int(client.info("server")["process_id"])


def test_it_listens_on_a_unix_socket_only_and_forgets_nothing_for_want_of_memory(tmp_path: Path) -> None:
    with running(tmp_path / "valkey") as valkey, connect(valkey) as client:
        settings = client.config_get("*")
        assert valkey.socket.parent == tmp_path / "valkey"
        assert valkey.socket.stat().st_mode & 0o077 == 0
    assert settings["port"] == "0"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"


def test_what_was_written_survives_a_stop(tmp_path: Path) -> None:
    with running(tmp_path / "valkey") as valkey, connect(valkey) as client:
        client.set("a", "1")
    assert not valkey.ready()
    with running(tmp_path / "valkey") as valkey, connect(valkey) as client:
        assert client.get("a") == "1"


def test_what_was_written_survives_a_kill_and_a_half_written_last_command(tmp_path: Path) -> None:
    with running(tmp_path / "valkey") as valkey, connect(valkey) as client:
        client.set("a", "1")
        client.set("b", "2")
        [log] = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
        while b"SET\r\n$1\r\nb" not in log.read_bytes().replace(b"set", b"SET"):
            time.sleep(0.01)  # it does not wait long for a slow disk, and its clients not at all
        os.kill(server_process(client), signal.SIGKILL)
    log.write_bytes(log.read_bytes()[:-4])
    with running(tmp_path / "valkey") as valkey, connect(valkey) as client:
        assert client.get("a") == "1"
        assert client.get("b") is None


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from workers.valkey import running\n"
        "with running(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "valkey")], cwd=root, check=False)
    valkey = Valkey(tmp_path / "valkey")
    for _ in range(1000):
        if not valkey.ready():
            break
    assert not valkey.ready()


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30) / "valkey"
    with running(directory) as valkey, connect(valkey) as client:
        assert client.ping()
        assert len(str(valkey.socket)) < 104
        assert valkey.socket.parent.stat().st_mode & 0o077 == 0
        assert Valkey(directory).url == valkey.url
    valkey.socket.parent.rmdir()


def test_a_path_with_blanks_is_no_obstacle(tmp_path: Path) -> None:
    with running(tmp_path / "my data" / "valkey") as valkey, connect(valkey) as client:
        assert client.ping()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "appendonlydir").write_text("not a directory")
    with (
        pytest.raises(NoServer, match=r"The embedded Valkey does not start: .*appendonlydir"),
        running(tmp_path / "valkey"),
    ):
        pass


def test_a_machine_without_a_server_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoServer, match="GATEWAY_REDIS_URL"):
        embedded.server_binary()


def test_a_server_on_path_is_taken_when_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, version in (("valkey-server", "5.0.14"), ("redis-server", "7.0.15")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho Redis server v={version} sha=0\n")
        (tmp_path / name).chmod(0o755)
    assert embedded.server_binary() == tmp_path / "redis-server"


def test_the_supervisor_is_given_all_it_needs(tmp_path: Path) -> None:
    child = Valkey(tmp_path / "valkey").child()
    assert (child.name, child.stop_after_others) == ("valkey", True)
    assert child.ready is not None
    assert not child.ready()
