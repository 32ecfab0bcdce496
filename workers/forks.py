"""Forks: a child process that is this program again, with all that it needs imported already.

Importing is most of the time that a process takes to start, and most of its memory; a fork shares both.
"""

import asyncio
import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from workers.lifeline import die_with

# <linux/prctl.h>; what ``top`` and ``ps -o comm`` show.
PR_SET_NAME = 15
#: Where a child's end can be waited for without a thread, and its parent's be noticed.
POSSIBLE = sys.platform == "linux" and hasattr(os, "pidfd_open")


class Fork:
    """One child, as far as ``asyncio.subprocess.Process`` for a supervisor."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    async def wait(self) -> int:
        """The exit status, or minus the signal."""
        loop = asyncio.get_running_loop()
        ended, descriptor = asyncio.Event(), os.pidfd_open(self.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def fork(run: Callable[[], object], name: str, keep: int) -> Fork:
    """A child that does ``run`` and ends; of our open files it has ``keep``, stdout and stderr. It dies with us.

    From the thread that lives as long as this process does, and from no other while it holds a lock.
    """
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    gc.collect()
    gc.freeze()  # a collection in the child would touch, and so copy, every page
    pid = os.fork()
    if pid == 0:
        os._exit(_become(run, name, parent, keep))
    return Fork(pid)


def _become(run: Callable[[], object], name: str, parent: int, keep: int) -> int:
    """The exit status, as the interpreter would give it."""
    try:
        die_with(parent)
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15])
        _leave(keep)
        run()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
    return 0


def _leave(keep: int) -> None:
    """The parent's session, signals and open files are not ours."""
    os.setsid()  # the terminal's Ctrl-C reaches the parent alone, and what we fork can be killed with us
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != keep:
            with suppress(OSError):  # the one that lists them is closed by now
                os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
