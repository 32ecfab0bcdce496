"""The gate: so many stations at once between their knock and their place in the house.

After a restart all come back together, and whoever is let in faster than the house can take him on waits for his
BootNotification's answer instead. How fast that is differs from machine to machine, and from hour to hour.
"""

import asyncio
import math
import time
from collections.abc import Callable

#: Seconds from one station to the next, before a crowd has shown how long it takes here.
EACH = 1 / 250
#: Seconds after which whoever is told to come again may come again at the latest.
LATEST = 60.0


class Full(Exception):
    """Whoever knocks would wait for too long; there will be room in ``again`` seconds."""

    def __init__(self, again: int) -> None:
        super().__init__(again)
        self.again = again


class Gate:
    """``room`` at once; none waits longer than ``patience`` seconds, as far as can be told when it knocks."""

    def __init__(self, room: int, patience: float) -> None:
        self._room, self._patience = room, patience
        self._inside = asyncio.Semaphore(room)
        self._waiting = 0
        self._each = EACH
        #: Of those that pass while others wait: since when they are counted, and how many.
        self._since, self._passed = 0.0, 0
        #: When the last one that was told to come again will be here.
        self._told = 0.0

    async def enter(self) -> Callable[[], None]:
        """Wait for room; what is returned makes room again, once. Raises Full."""
        if self._waiting * self._each > self._patience:
            raise Full(self._again())
        if not self._waiting:
            self._since, self._passed = time.monotonic(), 0
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._inside.acquire()
        except TimeoutError:
            raise Full(self._again()) from None
        finally:
            self._waiting -= 1
        return self._way_out()

    def _again(self) -> int:
        """Each at a time of its own, after those that wait here: who comes again in a crowd is told so again."""
        now = time.monotonic()
        self._told = min(max(self._told, now + self._waiting * self._each) + self._each, now + LATEST)
        return math.ceil(self._told - now)

    def _way_out(self) -> Callable[[], None]:
        inside = True

        def leave() -> None:
            nonlocal inside
            if not inside:
                return
            inside = False
            self._inside.release()
            if self._waiting:
                self._count()

        return leave

    def _count(self) -> None:
        """By a fourth at most: a crowd is slow at first, and who is told to come too late is idle."""
        self._passed += 1
        if self._passed == self._room:
            now = time.monotonic()
            found = (now - self._since) / self._passed
            self._each = min(max(found, self._each / 1.25), self._each * 1.25)
            self._since, self._passed = now, 0
