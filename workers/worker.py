"""The worker process: an RQ worker, an event loop beside it for everything that waits, and the sweeper."""

import asyncio
import threading
from typing import Any

import structlog
import uvloop
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from gateway.bell import QUEUE
from gateway.office import Office
from gateway.settings import Settings
from workers.batching import BatchedQueue, BatchingWorker
from workers.jobs import Here
from workers.process import prepare, settle_memory
from workers.puller import pull_for_ever
from workers.sweeper import sweep_for_ever
from workers.valkey import redis_url

log = structlog.get_logger(__name__)

#: Seconds: RQ's defaults (405 and 600) would leave a dead worker's jobs lying for minutes.
WORKER_TTL = 17
MAINTENANCE = 5
#: Seconds the last POSTs may take when the process is to end.
GRACE = 10


def serve(settings: Settings, name: str = "worker") -> None:
    """Work until told to stop."""
    prepare(settings, name)
    url = redis_url(settings)
    home = _Home(settings, url)
    home.start()
    settle_memory()
    try:
        _worker(url).work(logging_level="WARNING", with_scheduler=False)
    except RedisError as problem:
        log.error("the queue cannot be reached", problem=repr(problem))
        raise SystemExit(1) from None
    finally:
        home.stop()


def _worker(url: str) -> BatchingWorker:
    connection = Redis.from_url(url)
    return BatchingWorker(
        [BatchedQueue(QUEUE, connection=connection, serializer=JSONSerializer)],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL,
        maintenance_interval=MAINTENANCE,
        log_job_description=False,
    )


class _Home:
    """The event loop beside RQ's thread, with the office on it and the sweeper running."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings, self._url = settings, url
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="worker-loop", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._await(self._open())

    def stop(self) -> None:
        self._await(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _await(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        Here.office, Here.loop = Office.open(self._settings, self._url), self._loop
        self._sweeping = asyncio.create_task(sweep_for_ever(Here.office))
        self._pulling = asyncio.create_task(pull_for_ever(Here.office))

    async def _close(self) -> None:
        self._sweeping.cancel()
        self._pulling.cancel()
        last = list(Here.posting)
        if last:
            await asyncio.wait(last, timeout=GRACE)
        await Here.office.close()
