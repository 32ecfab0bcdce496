"""At once: short transactions on the event loop's own thread, where nobody has to be woken for them.

SQLite has a few rows found or written sooner than a thread is woken; and a thread that works beside its loop takes
turns with it at the interpreter, statement by statement.
"""

import fcntl
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.store.engine import turn_file

R = TypeVar("R")

#: Seconds: what took longer may wait for a slow disk, and the loop is kept by it for at most a share of the time.
LONG = 0.005
SHARE = 20


class NotNow(Exception):
    """It is not done, and may be done another way."""


class AtOnce:
    """On SQLite only. One connection for reading and one for writing, both open as long as the store is."""

    def __init__(self, engine: Engine) -> None:
        self._reading = engine.execution_options(reads_only=True).connect()
        self._writing = engine.connect()
        self._turn = turn_file(engine)
        self._not_before = 0.0

    def read(self, work: Callable[[Connection], R]) -> R:
        with self._reading.begin():
            return work(self._reading)

    def write(self, work: Callable[[Connection], R], lasting: bool) -> R:
        """Raises NotNow when another process has its turn, when the disk is slow, and when a statement lost a race."""
        if time.monotonic() < self._not_before:
            raise NotNow
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotNow from None
        began = time.monotonic()
        try:
            self._writing.execution_options(lightly=not lasting)
            with self._writing.begin():
                return work(self._writing)
        except (IntegrityError, OperationalError) as problem:
            raise NotNow from problem
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            ended = time.monotonic()
            if ended - began > LONG:
                self._not_before = ended + SHARE * (ended - began)

    def close(self) -> None:
        self._reading.close()
        self._writing.close()
        self._turn.close()
