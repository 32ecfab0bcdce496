"""The bell: how one process tells another that something is due. RQ jobs carry ids only; the database says the rest."""

import secrets
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import orjson
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job as Record
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat

from gateway.gathered import Gathered
from ocpp_bridge.standing import Script, Standing

#: The one queue of the workers: RQ moves a job atomically only for a worker that listens to a single queue.
QUEUE = "commands"
#: Seconds a job may run; none waits for a station or an eMSP.
JOB_TIMEOUT = 30
#: Seconds a failed job's record is kept for operators.
FAILURE_TTL = 86_400
#: Seconds that Redis may take to hear.
PATIENCE = 2
#: The greatest id that a database has.
_GREATEST = 2**63 - 1
#: What a job's record says of this job alone.
_OWN = {"created_at", "enqueued_at", "data", "description"}

#: KEYS: RQ's set of queues, the queue, and the records of jobs. ARGV: what all records say alike, then for each job its
#: id and what its own record says of ``_OWN``. RQ writes the same in several commands.
_ENQUEUE = Script("""
local alike = cjson.decode(ARGV[1])
redis.call('SADD', KEYS[1], KEYS[2])
for place = 3, #KEYS do
    local own = (place - 3) * 4 + 2
    local id, at, data, said = unpack(ARGV, own, own + 3)
    redis.call('HSET', KEYS[place], 'created_at', at, 'enqueued_at', at, 'data', data, 'description', said)
    redis.call('HSET', KEYS[place], unpack(alike))
    redis.call('RPUSH', KEYS[2], id)
end
""")


class Job(StrEnum):
    """The jobs, by the function that a worker calls with a list of ids."""

    #: Commands: ring the nodes that hold their stations.
    DISPATCH = "workers.jobs.dispatch"
    #: Commands that were answered, or are overdue: give them their result, and post it.
    CONCLUDE = "workers.jobs.conclude"
    #: Callbacks that are held for the worker that hears of them: post them.
    POST = "workers.jobs.post"


def job_id(job: Job, ids: Iterable[int]) -> str:
    """It says what is called with which ids, so that a worker need not ask for the job's record."""
    return "-".join((job.name.lower(), *map(str, ids), secrets.token_hex(4)))


def called_by(id_: str) -> tuple[Job, list[int]] | None:
    """What ``job_id`` says; None: it is of somebody else."""
    try:
        name, *written, _ = id_.split("-")
        ids = [int(one) for one in written]
        if not ids or max(ids) > _GREATEST:  # it would fail those that are done together with it
            return None
        return Job[name.upper()], ids
    except (KeyError, ValueError):
        return None


class NotHeard(Exception):
    """The workers' queue cannot be reached."""


class Bell:
    """``await bell.ring(job, ids)``: what is rung for at the same time becomes one job with all the ids."""

    def __init__(self, redis_url: str) -> None:
        # A write that timed out may have been done: it is not repeated blindly, and nobody waits for it for long.
        once = Retry(NoBackoff(), 0)
        self._redis = Redis.from_url(redis_url, retry=once, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        self._standing = Standing(self._redis, PATIENCE)
        self._gathered = Gathered(self._ring)
        self._queue = Queue(QUEUE, connection=redis.Redis(), serializer=JSONSerializer)
        self._alike = _alike(self._queue)

    async def ring(self, job: Job, ids: Iterable[int]) -> None:
        """Enqueue ``job`` for ``ids``; raises NotHeard."""
        if meant := tuple(ids):
            await self._gathered((job, meant))

    async def close(self) -> None:
        await self._standing.close()
        await self._redis.aclose()

    async def _ring(self, rings: Sequence[tuple[Job, tuple[int, ...]]]) -> Sequence[None]:
        gathered: dict[Job, list[int]] = defaultdict(list)
        for job, ids in rings:
            gathered[job].extend(ids)
        jobs = [(job_id(job, ids), *_told(job, ids)) for job, ids in gathered.items()]
        keys = [self._queue.redis_queues_keys, self._queue.key, *(Record.key_for(id_) for id_, *_ in jobs)]
        try:
            await self._standing.run(_ENQUEUE, keys, [self._alike, *(word for one in jobs for word in one)])
        except (RedisError, OSError) as problem:
            raise NotHeard(str(problem)) from problem
        return [None for _ in rings]


def _told(job: Job, ids: Sequence[int]) -> tuple[str, bytes, str]:
    """When it was rung for; what is called with which ids, for RQ and for people."""
    data = zlib.compress(orjson.dumps((job, None, (ids,), {})))
    return utcformat(now()), data, f"{job}({list(ids)})"


def _alike(queue: Queue) -> bytes:
    """What all records say alike, as RQ makes one: that takes it several times as long as all the rest of ringing."""
    made = Record.create(
        Job.DISPATCH,
        connection=queue.connection,
        serializer=JSONSerializer,
        origin=queue.name,
        timeout=JOB_TIMEOUT,
        result_ttl=0,
        failure_ttl=FAILURE_TTL,
    )
    words = made.to_dict().items()
    alike = {name: str(word) for name, word in words if name not in _OWN} | {"status": JobStatus.QUEUED.value}
    return orjson.dumps([word for pair in alike.items() for word in pair])
