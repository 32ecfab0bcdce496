"""The worker of RQ's jobs: known to RQ's own tools, and quicker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import redis
from redis.asyncio import Redis
from rq import Queue, Worker
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend

from gateway.bell import QUEUE, Bell, Job, NotHeard, called_by, job_id
from workers import batching
from workers.batching import BatchingWorker
from workers.valkey import running

PATIENCE = 20


class Done:
    """What the functions were called with."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.problem: Exception | None = None

    async def __call__(self, ids: Sequence[int]) -> None:
        self.calls.append(list(ids))
        await self.go_on.wait()
        if self.problem is not None:
            raise self.problem

    async def all(self, *ids: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while sorted(one for call in self.calls for one in call) != sorted(ids):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(redis_url: str, done: Done) -> AsyncIterator[BatchingWorker]:
    worker, told = BatchingWorker(redis_url, dict.fromkeys(Job, done)), asyncio.Event()
    task = asyncio.create_task(worker.serve(told))
    try:
        yield worker
    finally:
        done.go_on.set()
        told.set()
        await asyncio.wait_for(task, PATIENCE)


@pytest.fixture
async def bell(redis_url: str) -> AsyncIterator[Bell]:
    made = Bell(redis_url)
    yield made
    await made.close()


@pytest.fixture
def queue(redis_url: str):
    with redis.Redis.from_url(redis_url) as client:
        yield Queue(QUEUE, connection=client, serializer=JSONSerializer)


async def nothing_left(redis_url: str) -> None:
    """Of jobs; a worker that is there is known."""
    async with Redis.from_url(redis_url) as client, asyncio.timeout(PATIENCE):
        while [key async for key in client.scan_iter("rq:job:*")] or await client.exists(
            f"rq:queue:{QUEUE}", f"rq:queue:{QUEUE}:intermediate"
        ):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("job", Job)
def test_the_id_of_a_job_says_what_it_calls(job: Job) -> None:
    assert called_by(job_id(job, [7, 12])) == (job, [7, 12])
    assert job_id(job, [7]) != job_id(job, [7])


@pytest.mark.parametrize(
    "id_",
    ["3e1e2615-ce02-94d5-a284-e69514058a08", "mail", "dispatch-x-00", "dispatch-zzz", "", "-", f"post-{2**63}-zzz"],
)
def test_other_ids_say_nothing(id_: str) -> None:
    assert called_by(id_) is None


async def test_a_job_s_record_is_the_one_that_rq_writes(bell: Bell, queue: Queue) -> None:
    await bell.ring(Job.DISPATCH, [1, 2])
    [ours] = queue.jobs
    theirs = queue.enqueue(Job.DISPATCH, ([1, 2],), job_timeout=30, result_ttl=0, failure_ttl=86_400)
    records = [queue.connection.hgetall(one.key) for one in (ours, theirs)]
    differing = {b"created_at", b"enqueued_at", b"data", b"description"}
    told = [{name: word for name, word in one.items() if name not in differing and word} for one in records]
    assert told[0] == told[1]
    assert records[0].keys() >= records[1].keys()
    assert (ours.func_name, ours.args, ours.kwargs) == (theirs.func_name, [[1, 2]], {})
    assert ours.get_status() == theirs.get_status()
    assert queue.connection.sismember("rq:queues", queue.key)


async def test_what_was_rung_for_is_done_and_leaves_nothing(bell: Bell, redis_url: str) -> None:
    done = Done()
    async with serving(redis_url, done):
        await bell.ring(Job.DISPATCH, [1, 2])
        await done.all(1, 2)
        await bell.ring(Job.POST, [3])
        await done.all(1, 2, 3)
        await nothing_left(redis_url)


async def test_jobs_of_a_function_that_wait_are_one_call(bell: Bell, redis_url: str) -> None:
    done = Done()
    done.go_on.clear()
    async with serving(redis_url, done):
        await bell.ring(Job.CONCLUDE, [0])
        await done.all(0)
        for number in range(1, 500):
            await bell.ring(Job.CONCLUDE, [number])
        done.go_on.set()
        await done.all(*range(500))
        await nothing_left(redis_url)
    assert len(done.calls) < 50


async def test_a_job_that_rq_enqueued_is_done_too(queue: Queue, redis_url: str) -> None:
    done = Done()
    async with serving(redis_url, done):
        queue.enqueue(Job.CONCLUDE, [5, 6])
        await done.all(5, 6)
        await nothing_left(redis_url)


async def test_a_failed_job_is_where_rq_s_tools_look(bell: Bell, queue: Queue, redis_url: str) -> None:
    done = Done()
    done.problem = LookupError("the reason")
    async with serving(redis_url, done):
        await bell.ring(Job.CONCLUDE, [1])
        failed = FailedJobRegistry(queue=queue)
        async with asyncio.timeout(PATIENCE):
            while not failed.get_job_ids():
                await asyncio.sleep(0.02)
        [id_] = failed.get_job_ids()
        job = queue.fetch_job(id_)
        assert job.args == [[1]]
        assert "the reason" in job.latest_result().exc_string
        done.problem = None
        await bell.ring(Job.CONCLUDE, [2])
        await done.all(1, 2)
    assert queue.connection.lrange(f"{queue.key}:intermediate", 0, -1) == []


async def test_a_worker_is_known_while_it_is_there(queue: Queue, redis_url: str) -> None:
    async with serving(redis_url, Done()) as worker:
        async with asyncio.timeout(PATIENCE):
            while not (known := Worker.all(connection=queue.connection)) or known[0].get_state() != "idle":
                await asyncio.sleep(0.02)
        assert [one.name for one in known] == [worker.name]
    assert Worker.all(connection=queue.connection) == []


async def test_a_suspended_worker_takes_nothing(bell: Bell, queue: Queue, redis_url: str, monkeypatch) -> None:
    monkeypatch.setattr(batching, "SELDOM", 0.05)
    done = Done()
    suspend(queue.connection)
    async with serving(redis_url, done):
        await asyncio.sleep(0.2)
        await bell.ring(Job.DISPATCH, [1])
        await asyncio.sleep(0.2)
        assert done.calls == []
        resume(queue.connection)
        await done.all(1)


async def test_what_was_taken_is_done_before_the_end(bell: Bell, redis_url: str) -> None:
    done = Done()
    done.go_on.clear()
    async with serving(redis_url, done):
        await bell.ring(Job.DISPATCH, [1])
        await done.all(1)
        asyncio.get_running_loop().call_later(0.3, done.go_on.set)
    await nothing_left(redis_url)


async def test_redis_may_go_away_and_come_back(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(batching, "PAUSE", 0.05)
    done = Done()
    with running(tmp_path) as first:
        bell = Bell(first.url)
        worker, told = BatchingWorker(first.url, dict.fromkeys(Job, done)), asyncio.Event()
        task = asyncio.create_task(worker.serve(told))
        await bell.ring(Job.DISPATCH, [1])
        await done.all(1)
    with pytest.raises(NotHeard):
        await bell.ring(Job.DISPATCH, [2])
    with running(tmp_path):
        await bell.ring(Job.DISPATCH, [3])
        await done.all(1, 3)
        told.set()
        await asyncio.wait_for(task, PATIENCE)
    await bell.close()


async def test_odd_jobs_keep_no_other_from_being_done(bell: Bell, queue: Queue, redis_url: str) -> None:
    """Whatever somebody has put there by hand."""
    done, client = Done(), queue.connection
    client.rpush(queue.key, b"\xff\xfe", "deleted", "dispatch-zzz")
    queue.enqueue(Job.CONCLUDE)
    queue.enqueue(Job.CONCLUDE, ids=[9])
    queue.enqueue("nowhere.at_all", [9])
    async with serving(redis_url, done):
        await bell.ring(Job.DISPATCH, [1, 2])
        await done.all(1, 2)
        failed = FailedJobRegistry(queue=queue)
        async with asyncio.timeout(PATIENCE):
            while len(failed.get_job_ids()) < 3:
                await asyncio.sleep(0.02)


async def test_a_worker_that_ends_in_the_middle_of_things_leaves_no_job_taken(bell: Bell, redis_url: str) -> None:
    """What Redis gives it in that very moment is done by it; the rest stays in the queue for others."""
    rung = 0
    async with Redis.from_url(redis_url) as client:
        for pause in range(12):
            done = Done()
            async with serving(redis_url, done):
                for _ in range(pause * 5):
                    rung += 1
                    await bell.ring(Job.DISPATCH, [rung])
                ringing = asyncio.create_task(_ring_on(bell))
                await asyncio.sleep(pause / 300)
            assert await client.lrange(f"rq:queue:{QUEUE}:intermediate", 0, -1) == []
            await ringing
            waiting = [called_by(id_.decode()) for id_ in await client.lrange(f"rq:queue:{QUEUE}", 0, -1)]
            left = [one for called in waiting if called is not None for one in called[1]]
            assert sorted([one for call in done.calls for one in call] + left) == sorted(range(1, rung + 1)) + RUNG
            await client.flushall()
            rung = 0


#: Ids that are no others.
RUNG = list(range(1000, 1030))


async def _ring_on(bell: Bell) -> None:
    for id_ in RUNG:
        await bell.ring(Job.POST, [id_])
