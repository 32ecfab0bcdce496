"""The worker process: RQ's jobs, the sweeper, and what partners are asked for again."""

import asyncio

import structlog
from redis.exceptions import RedisError

from gateway.settings import Settings
from workers.batching import BatchingWorker
from workers.jobs import FUNCTIONS, Here
from workers.process import open_office, prepare, run
from workers.puller import pull_for_ever
from workers.sweeper import sweep_for_ever
from workers.valkey import redis_url

log = structlog.get_logger(__name__)

#: Seconds the last POSTs may take when the process is to end.
GRACE = 10


def serve(settings: Settings, name: str = "worker") -> None:
    """Work until told to stop."""
    prepare(settings, name)
    run(lambda told: _serve(settings, told))


async def _serve(settings: Settings, told: asyncio.Event) -> None:
    async with open_office(settings) as Here.office:
        beside = [asyncio.create_task(sweep_for_ever(Here.office)), asyncio.create_task(pull_for_ever(Here.office))]
        try:
            await BatchingWorker(redis_url(settings), FUNCTIONS).serve(told)
        except RedisError as problem:
            log.error("the queue cannot be reached", problem=repr(problem))
            raise SystemExit(1) from None
        finally:
            for one in beside:
                one.cancel()
            if Here.posting:
                await asyncio.wait(set(Here.posting), timeout=GRACE)
