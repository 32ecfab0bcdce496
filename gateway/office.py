"""The office: what a process of the gateway holds open, and the way of a command through it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import httpx
import structlog
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Connection

from gateway import conclusions
from gateway.bell import Bell, Job, NotHeard
from gateway.gathered import Gathered
from gateway.house import Rules, utc_now
from gateway.outgoing.client import open_client
from gateway.outgoing.names import CheckedResolver
from gateway.outgoing.shares import Shares
from gateway.secrets import open_secrets
from gateway.settings import Settings
from gateway.store import callbacks, commands, queues
from gateway.store.callbacks import Due
from gateway.store.engine import open_engine
from gateway.store.store import Store
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.mailbox import Ringer
from ocpp_bridge.registry import Holder, holders
from ocpp_bridge.standing import Standing

log = structlog.get_logger(__name__)

#: Seconds that Redis may take to answer.
PATIENCE = 5
#: Results that are being posted to one partner, and to a host where nobody was; more wait for their turn.
CALLS_AT_ONCE = 64
CALLS_IN_VAIN = 4
#: Seconds after each of the latter, in which others' are posted: they fail at once, and there may be many.
PAUSE_IN_VAIN = 0.05


@dataclass(frozen=True, kw_only=True)
class Office:
    """Opened once per process, on the event loop that uses it."""

    rules: Rules
    store: Store
    redis: Redis
    standing: Standing
    bell: Bell
    http: httpx.AsyncBaseTransport
    names: CheckedResolver
    shares: Shares
    ringer: Ringer
    whereabouts: Gathered[Collection[str], Mapping[str, Holder]]

    @classmethod
    def open(cls, settings: Settings, redis_url: str) -> Self:
        allow_private = settings.allow_private_callbacks
        redis = Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0))
        standing = Standing(redis, PATIENCE)

        async def look(asked: Sequence[Collection[str]]) -> Sequence[Mapping[str, Holder]]:
            found = await holders(standing, {station for stations in asked for station in stations})
            return [found] * len(asked)

        return cls(
            rules=Rules(settings=settings, secrets=open_secrets(settings)),
            store=Store(open_engine(settings.database)),
            redis=redis,
            standing=standing,
            bell=Bell(redis_url),
            http=open_client(allow_private=allow_private),
            names=CheckedResolver(allow_private=allow_private),
            shares=Shares(CALLS_AT_ONCE, CALLS_IN_VAIN, PAUSE_IN_VAIN),
            ringer=Ringer(standing),
            whereabouts=Gathered(look),
        )

    async def close(self) -> None:
        await self.http.aclose()
        await self.names.close()
        await self.standing.close()
        await self.redis.aclose()
        await self.bell.close()
        await self.store.settled()
        self.store.close()

    async def online(self, stations: Collection[str]) -> dict[str, Holder]:
        """Those of ``stations`` that a node holds; raises RedisError."""
        found = await self.whereabouts(stations) if stations else {}
        return {station: found[station] for station in stations if station in found}

    async def ring(self, job: Job, ids: Iterable[int]) -> bool:
        """Ring for ``ids``; False when the workers cannot be reached: the sweeper finds what is due all the same."""
        try:
            await self.bell.ring(job, ids)
        except NotHeard as problem:
            log.warning("the workers' queue cannot be reached", job=job, problem=str(problem))
            return False
        return True

    async def dispatch(self, ids: Collection[int]) -> list[Due]:
        """Ring the nodes that hold the commands' stations; a command whose station nobody holds is answered at once.

        The one whose turn it is goes from RECEIVED to SENT in a moment; those behind it are marked as DISPATCHED.
        The callbacks that are to be posted now.
        """
        queue = await self.store.glance(queues.queue_of, ids) if ids else []
        waiting = [one for one in queue if one.id in set(ids) and one.unsent]
        if not waiting:
            return []
        rung = await self.ringer({one.station for one in waiting})
        crowded_out = queues.crowded_out(queue, self.rules.settings.station_queue)
        unsent: dict[int, str] = {}
        for one in waiting:
            if one.station not in rung:
                unsent[one.id] = "It is offline."
            elif one.id in crowded_out:
                unsent[one.id] = "Too many commands wait for it."
        next_ = {one.station: one.id for one in reversed(queue)}
        if behind := [one.id for one in waiting if one.id not in unsent and next_[one.station] != one.id]:
            await self.store.note_briefly(commands.dispatch, behind, utc_now())
        return await self.not_sent(unsent)

    async def not_sent(self, unsent: dict[int, str]) -> list[Due]:
        """These orders will not be sent, and why: conclude them, unless a node has taken one after all."""
        answers = {one: Answer(ending=Ending.NOT_SENT, detail=why) for one, why in unsent.items()}
        if answers and (ended := await self.store.write(commands.never_sent, answers, utc_now())):
            return await self.conclude(ended)
        return []

    async def conclude(self, ids: Collection[int]) -> list[Due]:
        """Give the commands that are ripe their results; the callbacks that are to be posted now."""
        dispatch, taken = await self.store.write_briefly(_conclude, list(ids), self.rules)
        await self.ring(Job.DISPATCH, dispatch)
        return taken


def _conclude(db: Connection, ids: Sequence[int], rules: Rules) -> tuple[list[int], list[Due]]:
    now = utc_now()
    moved = conclusions.conclude(db, ids, rules, now)
    return moved.dispatch, callbacks.take(db, moved.callbacks, now, rules.settings.callback_attempt_timeout)
