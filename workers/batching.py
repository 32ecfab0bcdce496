"""An RQ worker that takes every job that waits and runs each function once, with all their ids.

A job here is a function's name and a list of ids, so two jobs of the same function are one job with a longer list. What
a killed worker had taken stays in RQ's intermediate list, is failed there by RQ's own maintenance, and its work is
found by the sweeper long before that.
"""

import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from traceback import format_exception
from typing import Any

import structlog
from redis import Redis
from redis.client import Pipeline
from rq import Queue, SimpleWorker
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.utils import as_text

log = structlog.get_logger(__name__)

#: Jobs in one batch.
MOST = 200
#: Seconds between two notes to Redis that this worker is alive, idle, or not suspended.
SELDOM = 1.0

#: Moves ids from the queue to the intermediate list, where ARGV[3] is already, up to ARGV[1] of them; ARGV[2] and the
#: id make a job's key. Each id with what its job calls.
_TAKE = """
local taken = {}
local id = ARGV[3]
while id do
    taken[#taken + 1] = {id, redis.call('HGET', ARGV[2] .. id, 'data')}
    id = #taken < tonumber(ARGV[1]) and redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
end
return taken
"""


class BatchedQueue(Queue):
    """A queue of which a job is taken by its id alone: what it calls is read with that of the others."""

    @classmethod
    def dequeue_any(  # type: ignore[override]  # RQ's worker says no more than that by position
        cls, queues: Iterable[Queue], timeout: int | None, connection: Redis, **classes: Any
    ) -> tuple[Job, Queue] | None:
        """Waits ``timeout`` seconds for the first of the one queue; raises DequeueTimeout."""
        (queue,) = queues
        taken = cls.lmove(connection, queue.key, timeout)
        if taken is None:
            return None
        return queue.job_class(as_text(taken[1]), connection=connection, serializer=queue.serializer), queue


class BatchingWorker(SimpleWorker):
    """For one queue of functions that take one list of ids and may run twice."""

    queue_class = BatchedQueue

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._take = self.connection.register_script(_TAKE)
        self._threads = ThreadPoolExecutor(thread_name_prefix="job")
        self._noted: dict[str, float] = defaultdict(float)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run ``job`` and all that wait behind it; functions side by side, so that they share the store's commits."""
        jobs = self._whole(job.id, queue)
        if not jobs:
            return
        *beside, last = _by_function(jobs).values()
        running = [(alike, self._threads.submit(_call, alike)) for alike in beside]
        problems = [(last, _call(last)), *((alike, future.result()) for alike, future in running)]
        failed = [each for alike, problem in problems if problem for each in self._failed(alike, problem, queue)]
        self._forget([each for each in jobs if each not in failed], [each.id for each in jobs], queue)

    def _whole(self, first: str, queue: Queue) -> list[Job]:
        """It and those behind it; without those that somebody has deleted."""
        keys = [queue.key, IntermediateQueue.get_intermediate_queue_key(queue.key)]
        taken = self._take(keys=keys, args=[MOST, self.job_class.redis_job_namespace_prefix, first])
        gone = [one for one, data in taken if not data]
        if gone:
            self._forget([], [as_text(one) for one in gone], queue)
        return [self._job(as_text(one), data) for one, data in taken if data]

    def _job(self, id_: str, data: bytes) -> Job:
        """As much of a job as it takes to run it."""
        job = self.job_class(id_, connection=self.connection, serializer=self.serializer)
        job.data = zlib.decompress(data)
        return job

    def _failed(self, alike: list[Job], problem: BaseException, queue: Queue) -> list[Job]:
        """The jobs of a function that failed, recorded where RQ's own tools look for failures."""
        log.error("a job failed; the sweeper does its work again", job=alike[0].func_name, problem=repr(problem))
        whole = self.job_class.fetch_many([one.id for one in alike], self.connection, self.serializer)
        for job in whole:
            if job is not None:
                self.handle_job_failure(job, queue, exc_string="".join(format_exception(problem)))
        return alike

    def _forget(self, done: Iterable[Job], taken: Iterable[str], queue: Queue) -> None:
        """What is done leaves nothing behind in Redis."""
        with self.connection.pipeline(transaction=False) as pipe:
            for job in done:
                pipe.delete(job.key)
            for one in taken:
                pipe.lrem(IntermediateQueue.get_intermediate_queue_key(queue.key), 1, one)
            pipe.execute()

    # RQ notes each of these several times a job; once in a while says as much.

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        if pipeline is not None or self._is_due("heartbeat"):
            super().heartbeat(timeout, pipeline)

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        if pipeline is not None or self._is_due(f"state {state}"):
            super().set_state(state, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        if self._is_due("suspension"):
            super().check_for_suspension(burst)

    def procline(self, message: str) -> None:
        """The process keeps its name."""

    def _is_due(self, note: str) -> bool:
        now = time.monotonic()
        if now - self._noted[note] < SELDOM:
            return False
        self._noted[note] = now
        return True


def _call(alike: list[Job]) -> BaseException | None:
    """Run the function of these jobs with all their ids; why it failed."""
    try:
        alike[0].func([one for each in alike for one in each.args[0]])
    except Exception as problem:
        return problem
    return None


def _by_function(jobs: Iterable[Job]) -> Mapping[str, list[Job]]:
    alike: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        alike[str(job.func_name)].append(job)
    return alike
