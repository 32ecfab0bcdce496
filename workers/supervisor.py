"""The supervisor: starts the processes of one machine in order, keeps them running, and stops them in order.

It knows nothing of what they do. Output is not touched: a child writes where the supervisor writes.
"""

import asyncio
import errno
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from workers.forks import POSSIBLE, Fork, fork
from workers.lifeline import tied
from workers.lock import Held, hold

Say = Callable[[str], object]
#: Also when nobody's terminal is at the other end.
ALOUD: Say = partial(print, flush=True)

#: Seconds before a child that stopped is started again: the first for the first time in a row, and so on.
PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
#: Seconds after which a child has left its earlier crashes behind.
STEADY = 10.0
#: So many crashes in a row are a crash loop.
LOOPING = 5
#: Seconds between SIGTERM and SIGKILL.
GRACE = 10.0
#: Seconds between two looks whether a child is ready, and after which we say that it is not.
LOOK, LATE = 0.05, 15.0


@dataclass(frozen=True)
class Child:
    """A process to keep running."""

    name: str
    argv: Sequence[str]
    #: What ``argv`` does, done by a fork of this process where that is possible.
    run: Callable[[], object] | None = None
    #: In addition to our own environment.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Whether it can do its work; must come back at once.
    ready: Callable[[], bool] | None = None
    #: The others lean on it: it is ready before they are started, and stopped when they are gone.
    stop_after_others: bool = False
    #: Where to look when it keeps crashing; one sentence.
    hint: str = ""


class Supervisor:
    """Runs ``children`` until SIGINT, SIGTERM or SIGHUP; a second signal hurries.

    ``run_dir`` takes ``<name>.pid`` for each running child, and the lock that lets one supervisor in at a time.
    """

    def __init__(
        self,
        children: Sequence[Child],
        run_dir: Path,
        say: Say = ALOUD,
        *,
        pauses: Sequence[float] = PAUSES,
        grace: float = GRACE,
        welcome: str = "",
    ) -> None:
        self._children = children
        self._run_dir = run_dir
        self._say = _unfailing(say)
        self._pauses = pauses
        self._grace = grace
        #: Said once all children are ready.
        self._welcome = welcome

    def run(self) -> int:
        """Blocks; the exit status: 0 after a stop that was asked for, 1 if another supervisor is at work."""
        self._run_dir.mkdir(parents=True, exist_ok=True)
        try:
            with hold(self._run_dir / "supervisor.pid") as lock:
                asyncio.run(self._supervise(lock))
        except Held as problem:
            self._say(str(problem))
            return 1
        return 0

    async def _supervise(self, lock: int) -> None:
        stop, hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: (hurry if stop.is_set() else stop).set())
        kept = [_Kept(child, self._run_dir, lock, self._say, self._pauses) for child in self._children]
        for first in (True, False):
            starting = [each.start(stop) for each in kept if each.child.stop_after_others is first]
            await asyncio.gather(*starting)
        if self._welcome and not stop.is_set():
            self._say(self._welcome)
        await stop.wait()
        for last in (False, True):
            leaving = [each for each in kept if each.child.stop_after_others is last]
            await asyncio.gather(*(each.stop(self._grace, hurry) for each in leaving))


class _Kept:
    """One child, and the process that is it at the moment."""

    def __init__(self, child: Child, run_dir: Path, lock: int, say: Say, pauses: Sequence[float]) -> None:
        self.child = child
        self._pid_file = run_dir / f"{child.name}.pid"
        self._lock = lock
        self._say = say
        self._pauses = pauses
        self._stopped = asyncio.Event()
        self._process: asyncio.subprocess.Process | Fork | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self, stop: asyncio.Event) -> None:
        """Start it and wait until it is ready; neither once ``stop`` is set."""
        if stop.is_set():
            return
        self._keeping = asyncio.create_task(self._keep())
        late = time.monotonic() + LATE
        while self.child.ready is not None and not stop.is_set() and not self._ready():
            if time.monotonic() > late:
                late = float("inf")
                self._say(f"{self.child.name} takes its time to get ready. {self.child.hint}".rstrip())
            await _wait(stop, LOOK)

    async def stop(self, grace: float, hurry: asyncio.Event) -> None:
        """SIGTERM, and SIGKILL when ``grace`` seconds are over or ``hurry`` is set."""
        if self._keeping is None:
            return
        self._stopped.set()
        self._signal(signal.SIGTERM)
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait({self._keeping, hurried}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        self._signal(signal.SIGKILL)
        await self._keeping

    async def _keep(self) -> None:
        crashes = 0
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                status = await self._live()
            except OSError as problem:
                self._say(f"{self.child.name} cannot be started: {problem}.")
                status = 127
            if self._stopped.is_set():
                return
            crashes = 1 if time.monotonic() - began > STEADY else crashes + 1
            pause = self._pauses[min(crashes, len(self._pauses)) - 1]
            self._say(_obituary(self.child, status, crashes, pause))
            await _wait(self._stopped, pause)

    async def _live(self) -> int:
        """One life of the child, from start to exit status."""
        process = self._process = await self._begin()
        # A full disk takes the file, not the process.
        with suppress(OSError):
            self._pid_file.write_text(f"{process.pid}\n")
        if self._stopped.is_set():
            self._signal(signal.SIGTERM)
        status = await process.wait()
        self._process = None
        self._pid_file.unlink(missing_ok=True)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return status

    async def _begin(self) -> asyncio.subprocess.Process | Fork:
        if self.child.run is not None and POSSIBLE:
            return fork(self.child.run, self.child.name, self._lock)
        return await asyncio.create_subprocess_exec(
            *tied(self.child.argv),
            env={**os.environ, **self.child.env},
            stdin=asyncio.subprocess.DEVNULL,
            # A session of its own: the terminal's Ctrl-C reaches us alone, and what it forks can be killed with it.
            start_new_session=True,
            pass_fds=(self._lock,),
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _ready(self) -> bool:
        try:
            return self.child.ready is None or self.child.ready()
        # A check that cannot be made yet is a child that is not ready yet.
        except Exception:
            return False


def _unfailing(say: Say) -> Say:
    """Nobody reading what we say is no reason to leave the children alone."""

    def unfailing(sentence: str) -> None:
        with suppress(OSError):
            say(sentence)

    return unfailing


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _obituary(child: Child, status: int, crashes: int, pause: float) -> str:
    how = f"exit status {status}" if status >= 0 else f"signal {-status}"
    if crashes == LOOPING:
        return f"{child.name} keeps stopping ({how}); trying again more and more slowly. {child.hint}".rstrip()
    return f"{child.name} stopped ({how}); starting it again in {pause:g} s."


def reachable(host: str, port: int) -> bool:
    """Somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def port_problem(host: str, port: int, patience: float = 0.0) -> str | None:
    """Why nothing can listen on ``host`` and ``port``, in one sentence; None if something can.

    ``patience``: seconds in which whoever listens there may go, as a gateway does that was killed this moment.
    """
    if not 0 <= port <= 65535:
        return f"There is no port {port}."
    until = time.monotonic() + patience
    while (problem := _in_the_way(host, port)) is not None and problem.errno == errno.EADDRINUSE:
        if time.monotonic() >= until:
            break
        time.sleep(LOOK)
    if problem is None:
        return None
    return f"Port {port} on {host} cannot be used: {(problem.strerror or str(problem)).lower()}."


def _in_the_way(host: str, port: int) -> OSError | None:
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                # As servers do: a connection that is still closing is nobody in the way.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as problem:
        return problem
    return None
