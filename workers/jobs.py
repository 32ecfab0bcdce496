"""The RQ jobs: each takes ids, looks at the state first, and may run twice. None waits for a station or an eMSP."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar

import structlog

from gateway import callbacks
from gateway.office import Office
from gateway.store.callbacks import Taken

log = structlog.get_logger(__name__)


class Here:
    """This worker's office and the loop on which it lives; set once, before the first job."""

    office: Office
    loop: asyncio.AbstractEventLoop
    #: POSTs that a job has started and nobody waits for.
    posting: ClassVar[set[asyncio.Task[None]]] = set()


def dispatch(ids: list[int]) -> None:
    """The commands are written down: ring the nodes that hold their stations."""
    _run(_posted_after(Here.office.dispatch(ids)))


def conclude(ids: list[int]) -> None:
    """The commands were answered, or their time is up: give each its result, and start posting it."""
    _run(_posted_after(Here.office.conclude(ids)))


async def _posted_after(work: Coroutine[Any, Any, Taken | None]) -> None:
    post(await work)


def post(taken: Taken | None) -> None:
    """On the loop: POST, without waiting; a slow eMSP holds nobody else's results up."""
    if taken is None or not taken.due:
        return
    posting = Here.loop.create_task(callbacks.deliver(Here.office, taken))
    Here.posting.add(posting)
    posting.add_done_callback(_posted)


def _posted(posting: "asyncio.Task[None]") -> None:
    Here.posting.discard(posting)
    if not posting.cancelled() and (problem := posting.exception()) is not None:
        log.error("callbacks could not be posted; the sweeper tries again", problem=repr(problem))


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, Here.loop).result()
