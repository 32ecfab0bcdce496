"""Secrets: kept to their owner, the same for all processes, and useless without the key."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.secrets import Secrets, WrongKey, kept_secret, open_secrets, password_fits, password_hash
from gateway.settings import Settings

MAKE = (
    "import sys; from pathlib import Path; from gateway.secrets import kept_secret\n"
    "print('ready', flush=True); sys.stdin.readline(); print(kept_secret(Path(sys.argv[1])))"
)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret-key"
    key = kept_secret(path)
    assert len(key) >= 32
    assert kept_secret(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret-key"]


def test_processes_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    command = [sys.executable, "-c", MAKE, str(path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = {process.communicate(timeout=60)[0] for process in processes}
    assert told == {f"{path.read_text().strip()}\n"}
    assert [file.name for file in tmp_path.iterdir()] == ["secret-key"]


def test_an_empty_file_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("\n")
    with pytest.raises(OSError, match="There is no secret in it"):
        kept_secret(path)


def test_a_key_that_is_given_is_used_and_none_is_made(tmp_path: Path) -> None:
    given = open_secrets(Settings(data_dir=tmp_path, secret_key="given"))
    assert given.token_hash("T") == Secrets(b"given").token_hash("T")
    assert list(tmp_path.iterdir()) == []
    made = open_secrets(Settings(data_dir=tmp_path))
    assert made.token_hash("T") == open_secrets(Settings(data_dir=tmp_path)).token_hash("T") != given.token_hash("T")


def test_what_is_sealed_is_opened_with_the_same_key_only() -> None:
    sealed = Secrets(b"one").seal("their-token")
    assert "their-token" not in sealed
    assert Secrets(b"one").seal("their-token") != sealed
    assert Secrets(b"one").open(sealed) == "their-token"
    with pytest.raises(WrongKey, match="GATEWAY_SECRET_KEY"):
        Secrets(b"another").open(sealed)
    with pytest.raises(WrongKey):
        Secrets(b"one").open("not sealed at all")


def test_a_token_s_hash_tells_nothing_and_differs_for_each_key() -> None:
    assert re.fullmatch("[0-9a-f]{64}", Secrets(b"one").token_hash("T"))
    assert len({Secrets(b"one").token_hash("T"), Secrets(b"two").token_hash("T"), Secrets(b"one").token_hash("t")}) == 3


def test_an_alias_is_twenty_hexadecimal_digits_and_another_at_each_attempt() -> None:
    secrets = Secrets(b"one")
    aliases = [secrets.alias("owner", "uid", attempt) for attempt in range(5)]
    assert len(set(aliases)) == 5
    assert all(re.fullmatch("[0-9A-F]{20}", alias) for alias in aliases)
    assert secrets.alias("owner", "uid") == aliases[0]
    assert secrets.alias("another", "uid") != aliases[0]


def test_a_station_s_password_is_kept_salted_and_fits_itself_alone() -> None:
    kept = password_hash(b"a-long-random-key")
    assert b"a-long-random-key" not in kept.encode()
    assert password_hash(b"a-long-random-key") != kept
    assert password_fits(b"a-long-random-key", kept)
    assert not password_fits(b"a-long-random-kez", kept)
    assert not password_fits(b"", kept)
