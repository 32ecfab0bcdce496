"""The RQ jobs: each takes ids, looks at the state first, and may run twice. None waits for a station or an eMSP."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
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
    posting: ClassVar["set[Future[None]]"] = set()


def dispatch(ids: list[int]) -> None:
    """The commands are written down: ring the nodes that hold their stations."""
    post(_run(Here.office.dispatch(ids)))


def conclude(ids: list[int]) -> None:
    """The commands were answered, or their time is up: give each its result, and start posting it."""
    post(_run(Here.office.conclude(ids)))


def post(taken: Taken | None) -> None:
    """POST on the loop, without waiting: a slow eMSP holds nobody else's results up."""
    if taken is None or not taken.due:
        return
    posting = asyncio.run_coroutine_threadsafe(callbacks.deliver(Here.office, taken), Here.loop)
    Here.posting.add(posting)
    posting.add_done_callback(_posted)


def _posted(posting: "Future[None]") -> None:
    Here.posting.discard(posting)
    if not posting.cancelled() and (problem := posting.exception()) is not None:
        log.error("callbacks could not be posted; the sweeper tries again", problem=repr(problem))


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, Here.loop).result()
