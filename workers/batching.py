"""An RQ worker on an event loop, which runs each function once with the ids of all its jobs that wait.

A job here is a function's name and a list of ids, and says both in its id (``gateway/bell.py``); two jobs of the same
function are one job with a longer list. What a killed worker had taken stays in RQ's intermediate list, is failed there
by RQ's own maintenance, and its work is found by the sweeper long before that.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from traceback import format_exception
from typing import Any, cast

import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.intermediate_queue import IntermediateQueue
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.worker import WorkerStatus

from gateway.bell import QUEUE, called_by
from gateway.bell import Job as Name
from gateway.gathered import Gathered
from ocpp_bridge.standing import Script, Standing

log = structlog.get_logger(__name__)

#: Jobs that are taken at once; and that are being done, before no more are taken.
MOST = 200
#: One by one is sooner, many at once is cheaper: so many are being done, or a job had not to be waited for (seconds).
FEW = 3
SOON = 0.001
#: Seconds: a wait for the next job; between two notes to Redis that this worker is alive; before Redis is tried again;
#: before what is done is forgotten, so that it is told together.
WAIT = 2
SELDOM = 2.0
PAUSE = 0.5
GATHER = 0.05
#: RQ's defaults (405 and 600 seconds) would leave a dead worker's jobs lying for minutes.
WORKER_TTL = 17
MAINTENANCE = 5
#: Seconds that Redis may be silent, beyond the wait for the next job; and that it may take for RQ's own notes.
PATIENCE = 10
SILENCE = 2

#: Moves up to ARGV[1] ids from the queue to the intermediate list.
_TAKE = Script("""
local taken = {}
while #taken < tonumber(ARGV[1]) do
    local id = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
    if not id then
        break
    end
    taken[#taken + 1] = id
end
return taken
""")
#: KEYS: the intermediate list, then the records of jobs. ARGV: their ids.
_FORGET = """
redis.call('DEL', unpack(KEYS, 2))
for _, id in ipairs(ARGV) do
    redis.call('LREM', KEYS[1], 1, id)
end
"""

Function = Callable[[Sequence[int]], Awaitable[None]]


class BatchingWorker(SimpleWorker):
    """For one queue of ``functions`` that take one list of ids and may run twice.

    RQ's own part, with which it is known to ``rq info`` and cleaned up after, runs in threads: it waits for Redis.
    """

    def __init__(self, redis_url: str, functions: Mapping[Name, Function]) -> None:
        connection = Redis.from_url(redis_url)
        queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
        super().__init__(
            [queue],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            maintenance_interval=MAINTENANCE,
        )
        # RQ waits longer, for jobs, which it does not take here: a Redis that is silent keeps nobody from ending.
        connection.connection_pool.connection_kwargs["socket_timeout"] = SILENCE
        self._redis = AsyncRedis.from_url(redis_url, socket_timeout=WAIT + PATIENCE)
        self._waiting, self._taken = queue.key, IntermediateQueue.get_intermediate_queue_key(queue.key)
        self._taking = Standing(self._redis, WAIT + PATIENCE)
        self._forget_all = self._redis.register_script(_FORGET)
        self._functions = {name: Gathered(_together(function)) for name, function in functions.items()}
        self._doing: set[asyncio.Task[None]] = set()
        #: Ids of jobs that are done, and what will have them forgotten.
        self._over: list[str] = []
        self._behind = self._ending = False
        #: What Redis calls the connection over which jobs are waited for.
        self._number: int | None = None
        self._forgetting: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._going_on = asyncio.Event()

    async def serve(self, told: asyncio.Event) -> None:
        """Until ``told``; then what was taken is done. Raises RedisError when there is no Redis at the start."""
        await asyncio.to_thread(self.bootstrap, "WARNING")
        taking, keeping = asyncio.create_task(self._take_on()), asyncio.create_task(self._keep())
        await told.wait()
        keeping.cancel()
        await self._take_no_more(taking)
        await asyncio.gather(taking, keeping, return_exceptions=True)
        await self._taking.close()
        if self._doing:
            await asyncio.wait(self._doing, timeout=PATIENCE)
        if self._forgetting is not None:
            await self._forgetting
        try:
            await self._redis.aclose()
            await asyncio.to_thread(self.teardown)
        except RedisError as problem:
            log.warning("the worker could not sign off", problem=repr(problem))

    async def _take_no_more(self, taking: "asyncio.Task[None]") -> None:
        """A job that Redis is giving to us in this moment is done all the same: else it lies there until a sweep."""
        self._ending = True
        self._going_on.set()
        if self._number is not None:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(WAIT + PAUSE):
                    await self._redis.client_unblock(self._number)
                    await asyncio.wait({taking})
        taking.cancel()

    async def _take_on(self) -> None:
        while not self._ending:
            if not self._going_on.is_set():
                await self._going_on.wait()
                self._number = None
                continue
            try:
                if self._number is None:
                    self._number = await self._taking.ask("CLIENT", "ID")
                taken = await self._next()
            except Exception as problem:  # whatever it is, nobody else takes them
                log.warning("no job can be taken", problem=repr(problem))
                self._number = None
                await asyncio.sleep(PAUSE)
                continue
            for id_ in taken:
                self._begin(id_)
            while len(self._doing) >= MOST:
                self._room.clear()
                await self._room.wait()
                self._number = None  # the connection may be another by now

    async def _next(self) -> Sequence[str]:
        if self._behind or len(self._doing) >= FEW:
            many = await self._taking.run(_TAKE, [self._waiting, self._taken], [MOST])
            self._behind = len(many) >= FEW
            if many:
                return [_text(id_) for id_ in many]
        began = time.monotonic()
        one = await self._taking.ask("BLMOVE", self._waiting, self._taken, "LEFT", "RIGHT", WAIT)
        self._behind = one is not None and time.monotonic() - began < SOON
        return [_text(one)] if one is not None else []

    def _begin(self, id_: str) -> None:
        doing = asyncio.create_task(self._do(id_))
        self._doing.add(doing)
        doing.add_done_callback(self._done)

    def _done(self, doing: asyncio.Task[None]) -> None:
        self._doing.discard(doing)
        self._room.set()

    async def _do(self, id_: str) -> None:
        """One job, together with those of the same function."""
        try:
            called = called_by(id_)
            name, ids = called if called is not None else await asyncio.to_thread(self._looked_up, id_)
            await self._functions[name](ids)
        except Exception as problem:
            log.error("a job failed; the sweeper does its work again", job=id_, problem=repr(problem))
            await self._fail(id_, problem)
        else:
            self._over.append(id_)
            if self._forgetting is None:
                self._forgetting = asyncio.create_task(self._forget())

    async def _fail(self, id_: str, problem: Exception) -> None:
        try:
            await asyncio.to_thread(self._failed, id_, problem)
            await self._redis.lrem(self._taken, 1, id_)
        except (RedisError, OSError) as silence:
            log.warning("a job's failure could not be told", job=id_, problem=repr(silence))

    async def _forget(self) -> None:
        """What is done leaves nothing behind, a moment later and together with others."""
        while self._over:
            await asyncio.sleep(GATHER)
            over, self._over = self._over, []
            records = [self.job_class.key_for(id_) for id_ in over]
            try:
                await self._forget_all(keys=[self._taken, *records], args=over)
            except (RedisError, OSError) as problem:
                log.warning("jobs that are done could not be forgotten", problem=repr(problem))
        self._forgetting = None

    def _looked_up(self, id_: str) -> tuple[Name, list[int]]:
        """Of a job with another id: of an older release, or enqueued by hand."""
        job = self.job_class.fetch(id_, self.connection, self.serializer)
        (ids,) = cast(Any, job).args
        return Name(str(job.func_name)), [int(one) for one in ids]

    def _failed(self, id_: str, problem: Exception) -> None:
        """Recorded where RQ's own tools look for failures."""
        (queue,) = self.queues
        job = queue.fetch_job(id_)
        if job is not None:
            self.handle_job_failure(job, queue, exc_string="".join(format_exception(problem)))

    async def _keep(self) -> None:
        """What RQ does between two jobs, every now and then."""
        while True:
            try:
                suspended = await asyncio.to_thread(self._note)
            except Exception as problem:
                log.warning("the worker could not be kept known", problem=repr(problem))
                suspended = False
            if suspended:
                self._going_on.clear()
            else:
                self._going_on.set()
            await asyncio.sleep(SELDOM)

    def _note(self) -> bool:
        """Whether ``rq suspend`` was said."""
        self.set_state(WorkerStatus.BUSY if self._doing else WorkerStatus.IDLE)
        self.heartbeat()
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # type: ignore[no-untyped-call]  # RQ's own
        return bool(is_suspended(self.connection, self))

    def procline(self, message: str) -> None:
        """The process keeps its name."""


def _text(id_: bytes | str) -> str:
    """Whatever somebody has put into the queue, those that were taken with it are done."""
    return id_ if isinstance(id_, str) else id_.decode(errors="replace")


def _together(function: Function) -> Callable[[Sequence[Sequence[int]]], Awaitable[Sequence[None]]]:
    async def run(jobs: Sequence[Sequence[int]]) -> Sequence[None]:
        await function([id_ for ids in jobs for id_ in ids])
        return [None for _ in jobs]

    return run
