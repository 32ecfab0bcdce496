"""What every process of the gateway has in common: settings, logs, a fast loop, an open office, and a clean end."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvloop

from gateway import logs
from gateway.office import Office
from gateway.settings import Settings
from workers.footing import unusable
from workers.lock import PATIENCE
from workers.supervisor import port_problem
from workers.valkey import redis_url


def prepare(settings: Settings, name: str) -> None:
    """Logs, and the database at this release's schema; what stands in the way ends the process with a sentence."""
    logs.set_up(settings, name)
    if problem := unusable(settings):
        raise SystemExit(problem)


def claim(host: str, port: int) -> None:
    """End the process with a sentence if nothing can listen there."""
    if problem := port_problem(host, port, PATIENCE):
        raise SystemExit(problem)


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    office = Office.open(settings, redis_url(settings))
    settle_memory()
    try:
        yield office
    finally:
        await office.close()


def settle_memory() -> None:
    """What lives as long as the process is never looked at again by the collector, whose pauses are long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run ``main`` on uvloop; its event is set on SIGINT or SIGTERM."""

    async def until_told() -> None:
        told, loop = asyncio.Event(), asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, told.set)
        await main(told)

    uvloop.run(until_told())
