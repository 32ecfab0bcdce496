"""The lock on a data directory: one gateway at a time, until the last of its processes is gone."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds to wait for the processes of a gateway that was killed this moment.
PATIENCE = 5.0


class Held(Exception):
    """Another gateway has the lock; the message says which in one sentence."""


@contextmanager
def hold(file: Path) -> Iterator[int]:
    """Hold ``file``, with our process id in it; raises Held.

    The descriptor is for child processes to inherit: what still runs then still holds the lock.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, file)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, file: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                holder = os.pread(descriptor, 32, 0).decode().strip()
                raise Held(f"Another gateway uses this data directory: process {holder} holds {file}.") from None
        time.sleep(0.05)
