"""The bell: how one process tells another that something is due. RQ jobs carry ids only; the database says the rest."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from gateway.lane import Lane

#: The one queue of the workers: RQ moves a job atomically only for a worker that listens to a single queue.
QUEUE = "commands"
#: Seconds a job may run; none waits for a station or an eMSP.
JOB_TIMEOUT = 30
#: Seconds a failed job's record is kept for operators.
FAILURE_TTL = 86_400


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
        self._redis = Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=2, socket_connect_timeout=2)
        self._queue = Queue(QUEUE, connection=self._redis, serializer=JSONSerializer)
        self._lane: Lane[tuple[Job, tuple[int, ...]], None] = Lane("bell", self._enqueue)

    async def ring(self, job: Job, ids: Iterable[int]) -> None:
        """Enqueue ``job`` for ``ids``; raises NotHeard."""
        if meant := tuple(ids):
            await self._lane((job, meant))

    def close(self) -> None:
        self._lane.close()
        self._redis.close()

    def _enqueue(self, rings: Sequence[tuple[Job, tuple[int, ...]]]) -> Sequence[BaseException | None]:
        gathered: dict[Job, list[int]] = defaultdict(list)
        for job, ids in rings:
            gathered[job].extend(ids)
        try:
            jobs = [
                Queue.prepare_data(job, (ids,), timeout=JOB_TIMEOUT, result_ttl=0, failure_ttl=FAILURE_TTL)
                for job, ids in gathered.items()
            ]
            self._queue.enqueue_many(jobs)
        except (RedisError, OSError) as problem:
            return [NotHeard(str(problem)) for _ in rings]
        return [None for _ in rings]
