"""The RQ jobs: each takes ids, looks at the state first, and may run twice. None waits for a station or an eMSP."""

import asyncio
from collections.abc import Collection, Sequence
from typing import ClassVar

import structlog

from gateway import callbacks
from gateway.bell import Job
from gateway.office import Office
from gateway.store.callbacks import Due

log = structlog.get_logger(__name__)


class Here:
    """This worker's office; set once, before the first job."""

    office: Office
    #: POSTs that a job has started and nobody waits for.
    posting: ClassVar[set[asyncio.Task[None]]] = set()


async def dispatch(ids: Sequence[int]) -> None:
    """The commands are written down: ring the nodes that hold their stations."""
    _post(await Here.office.dispatch(ids))


async def conclude(ids: Sequence[int]) -> None:
    """The commands were answered, or their time is up: give each its result, and start posting it."""
    _post(await Here.office.conclude(ids))


async def post(ids: Sequence[int]) -> None:
    """These callbacks are held for whoever hears of them: start posting them."""
    _post(await callbacks.held(Here.office, ids))


FUNCTIONS = {Job.DISPATCH: dispatch, Job.CONCLUDE: conclude, Job.POST: post}


def _post(taken: Collection[Due]) -> None:
    """Without waiting: a slow eMSP holds nobody else's results up."""
    if not taken:
        return
    posting = asyncio.create_task(callbacks.deliver(Here.office, taken))
    Here.posting.add(posting)
    posting.add_done_callback(_posted)


def _posted(posting: "asyncio.Task[None]") -> None:
    Here.posting.discard(posting)
    if not posting.cancelled() and (problem := posting.exception()) is not None:
        log.error("callbacks could not be posted; the sweeper tries again", problem=repr(problem))
