"""The bell: how one process tells another that something is due. RQ jobs carry ids only; the database says the rest."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.gathered import Gathered

#: The one queue of the workers: RQ moves a job atomically only for a worker that listens to a single queue.
QUEUE = "commands"
#: Seconds a job may run; none waits for a station or an eMSP.
JOB_TIMEOUT = 30
#: Seconds a failed job's record is kept for operators.
FAILURE_TTL = 86_400
#: Seconds that Redis may take to hear.
PATIENCE = 2
#: RQ's LMOVE needs it.
OLDEST_SERVER = (6, 2, 0)


class Job(StrEnum):
    """The jobs, by the function that a worker calls with a list of ids."""

    #: Commands: ring the nodes that hold their stations.
    DISPATCH = "workers.jobs.dispatch"
    #: Commands that were answered, or are overdue: give them their result, and post it.
    CONCLUDE = "workers.jobs.conclude"


class NotHeard(Exception):
    """The workers' queue cannot be reached."""


class Bell:
    """``await bell.ring(job, ids)``: what is rung for at the same time becomes one job with all the ids."""

    def __init__(self, redis_url: str) -> None:
        # A write that timed out may have been done: it is not repeated blindly, and nobody waits for it for long.
        once = Retry(NoBackoff(), 0)
        self._redis = Redis.from_url(redis_url, retry=once, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        # RQ writes into a pipeline of ours, and needs no connection of its own to find out how old the server is.
        self._queue = Queue(QUEUE, connection=redis.Redis(), serializer=JSONSerializer)
        self._queue.redis_server_version = OLDEST_SERVER
        self._gathered = Gathered(self._enqueue)

    async def ring(self, job: Job, ids: Iterable[int]) -> None:
        """Enqueue ``job`` for ``ids``; raises NotHeard."""
        if meant := tuple(ids):
            await self._gathered((job, meant))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _enqueue(self, rings: Sequence[tuple[Job, tuple[int, ...]]]) -> Sequence[None]:
        gathered: dict[Job, list[int]] = defaultdict(list)
        for job, ids in rings:
            gathered[job].extend(ids)
        jobs = [
            Queue.prepare_data(job, (ids,), timeout=JOB_TIMEOUT, result_ttl=0, failure_ttl=FAILURE_TTL)
            for job, ids in gathered.items()
        ]
        pipeline: Any = self._redis.pipeline()
        try:
            async with pipeline:
                self._queue.enqueue_many(jobs, pipeline=pipeline)
                await pipeline.execute()
        except (RedisError, OSError) as problem:
            raise NotHeard(str(problem)) from problem
        return [None for _ in rings]
