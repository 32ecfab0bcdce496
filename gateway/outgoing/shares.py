"""Shares: how many requests to one partner are under way at once, so that one that never answers fills its own."""

import asyncio
from weakref import WeakValueDictionary

#: A partner, or one of its hosts.
_Key = tuple[int, str]


class Shares:
    """``async with shares.of(partner, host)`` around each request; ``few`` at once to a host where nobody was."""

    def __init__(self, each: int, few: int) -> None:
        self._each, self._few = each, few
        #: Only of partners that somebody is calling right now.
        self._of: WeakValueDictionary[_Key, asyncio.Semaphore] = WeakValueDictionary()
        self._deserted: set[_Key] = set()

    def of(self, partner: int, host: str) -> asyncio.Semaphore:
        is_deserted = (partner, host) in self._deserted
        key = (partner, host if is_deserted else "")
        share = self._of.get(key)
        if share is None:
            share = self._of[key] = asyncio.Semaphore(self._few if is_deserted else self._each)
        return share

    def told(self, partner: int, host: str, *, is_deserted: bool) -> None:
        """Whether the last request found nobody. The next one fails as soon as it is made, and so do all that are tried
        again in the same moment: at once, they would hold everybody else's up."""
        (self._deserted.add if is_deserted else self._deserted.discard)((partner, host))
