"""Shares: how many requests to one partner are under way at once, so that one that never answers fills its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from weakref import WeakValueDictionary

#: A partner, or one of its hosts with the port.
_Key = tuple[int, str]


class Shares:
    """``each``: to one partner; ``few`` of these to a host where nobody was, with a ``pause`` of so many seconds after
    each, and so many such hosts are ``remembered``."""

    def __init__(self, each: int, few: int, pause: float, remembered: int = 10_000) -> None:
        self._each, self._few, self._pause, self._remembered = each, few, pause, remembered
        #: Only of partners that somebody is calling right now.
        self._shares: WeakValueDictionary[_Key, asyncio.Semaphore] = WeakValueDictionary()
        self._deserted: dict[_Key, None] = {}

    @asynccontextmanager
    async def of(self, partner: int, host: str) -> AsyncIterator[None]:
        """Around each request."""
        is_deserted = (partner, host) in self._deserted
        vain = self._share((partner, host), self._few) if is_deserted else nullcontext()
        async with vain, self._share((partner, ""), self._each):
            yield

    async def told(self, partner: int, host: str, *, is_deserted: bool) -> None:
        """Whether the request of a share found nobody, and then a pause for others'. The next one fails as soon as it
        is made, and so do all that are tried again in the same moment: one right after the other, they would hold
        everybody else's up."""
        self._deserted.pop((partner, host), None)
        if is_deserted:
            self._deserted[partner, host] = None
            if len(self._deserted) > self._remembered:
                del self._deserted[next(iter(self._deserted))]
            await asyncio.sleep(self._pause)

    def _share(self, key: _Key, most: int) -> asyncio.Semaphore:
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = asyncio.Semaphore(most)
        return share
