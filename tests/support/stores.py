"""What tests of the store share: a row to write, and a look at whether the event loop goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


def cpo_row(key: str) -> dict[str, str]:
    """A party of ours, by a ``key`` of at most eight characters."""
    return {"country_code": "NL", "party_id": "CPO", "key": key, "name": "first"}


class Ticks:
    """How often the loop has come round, once in 10 ms at most."""

    many = 0


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticks]:
    ticks = Ticks()

    async def tick() -> None:
        while True:
            ticks.many += 1
            await asyncio.sleep(0.01)

    task = asyncio.create_task(tick())
    try:
        yield ticks
    finally:
        task.cancel()
