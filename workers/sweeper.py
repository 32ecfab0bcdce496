"""The sweeper: finds in the database what is due and nobody was rung for, so that losing Redis loses only time."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Connection

from gateway import callbacks, charging, evses, reservations, sessions
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.pushes import Pusher
from gateway.store import commands
from gateway.store.callbacks import Due

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Commands of each kind in one sweep.
MOST = 500


async def sweep_for_ever(office: Office) -> None:
    """Sweep about once an interval; several processes may, every change is a compare-and-set."""
    interval = office.rules.settings.sweep_interval.total_seconds()
    posting: set[asyncio.Task[None]] = set()
    pusher = Pusher(office)
    while True:
        await asyncio.sleep(interval * random.uniform(0.75, 1.25))
        try:
            await sweep(office, pusher, posting)
        except Exception as problem:  # whatever it is, the next sweep may find better times
            log.error("the sweep failed", problem=repr(problem))


async def sweep(office: Office, pusher: Pusher, posting: set[asyncio.Task[None]]) -> None:
    """Once: wake-ups that were lost, commands that are overdue, callbacks that are due, reservations to be cleaned up.

    It does the jobs' work itself instead of ringing for it, so that it needs no Redis where the work needs none.
    """
    now = utc_now()
    settings = office.rules.settings
    rung_before = now - settings.ring_again
    ring, ripe = await office.store.read(commands.due, now, settings.node_patience, rung_before, MOST)
    concluded = await asyncio.gather(*(_conclude(office, one) for one in ripe))
    owed = [callbacks.deliver(office, taken) for taken in concluded if taken]
    for delivery in (*owed, callbacks.deliver(office), pusher.deliver()):
        _start(delivery, posting)
    for chore in (reservations.expire, sessions.lapse, charging.close, evses.fade):
        await _keep_house(office, chore)
    errands = await _keep_house(office, reservations.clean)
    await office.store.tidy()
    try:
        taken = await office.dispatch([*ring, *(errands or ())])
        if taken:
            _start(callbacks.deliver(office, taken), posting)
        if ring:
            await office.store.note(_rung, ring, now)
    except (RedisError, OSError) as problem:
        log.warning("stations cannot be rung for", problem=repr(problem))


def _start(delivery: Coroutine[Any, Any, None], posting: set[asyncio.Task[None]]) -> None:
    """No sweep waits for partners."""
    post = asyncio.create_task(_deliver(delivery))
    posting.add(post)
    post.add_done_callback(posting.discard)


async def _conclude(office: Office, command_id: int) -> list[Due]:
    """Each on its own: one that cannot be concluded keeps no other from its result."""
    try:
        return await office.conclude([command_id])
    except Exception as problem:
        log.error("a command cannot be concluded", command_id=command_id, problem=repr(problem))
        return []


async def _deliver(delivery: Coroutine[Any, Any, None]) -> None:
    try:
        await delivery
    except Exception as problem:
        log.error("partners could not be told; the next sweep tries again", problem=repr(problem))


async def _keep_house(office: Office, chore: Callable[[Connection, Rules, datetime], T]) -> T | None:
    """Each chore on its own, as with commands; None when it cannot be done."""
    try:
        return await office.store.write(chore, office.rules, utc_now())
    except Exception as problem:
        log.error("a chore cannot be done", chore=chore.__qualname__, problem=repr(problem))
        return None


def _rung(db: Connection, ids: Sequence[int], now: datetime) -> None:
    """Whatever became of the first wake-up, the next one is due only after a while."""
    commands.dispatch(db, ids, now)
    commands.rung(db, ids, now)
