"""Shares: how many requests to one partner are under way at once, so that one that never answers fills its own."""

import asyncio
from weakref import WeakValueDictionary


class Shares:
    """``async with shares.of(partner)`` around each request."""

    def __init__(self, each: int) -> None:
        self._each = each
        #: Only of partners that somebody is calling right now.
        self._of: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, partner: int) -> asyncio.Semaphore:
        share = self._of.get(partner)
        if share is None:
            share = self._of[partner] = asyncio.Semaphore(self._each)
        return share
