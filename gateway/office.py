"""The office: what a process of the gateway holds open, and the way of a command through it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

import httpx
import structlog
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway import conclusions
from gateway.bell import Bell, Job, NotHeard
from gateway.house import Rules, utc_now
from gateway.outgoing.client import open_client
from gateway.outgoing.names import CheckedResolver
from gateway.secrets import open_secrets
from gateway.settings import Settings
from gateway.store import commands
from gateway.store.engine import open_engine
from gateway.store.store import Store
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.mailbox import Letter, post
from ocpp_bridge.registry import Holder, holders

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Office:
    """Opened once per process, on the event loop that uses it."""

    rules: Rules
    store: Store
    redis: Redis
    bell: Bell
    http: httpx.AsyncClient
    names: CheckedResolver

    @classmethod
    def open(cls, settings: Settings, redis_url: str) -> Self:
        allow_private = settings.allow_private_callbacks
        return cls(
            rules=Rules(settings=settings, secrets=open_secrets(settings)),
            store=Store(open_engine(settings.database)),
            redis=Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0)),
            bell=Bell(redis_url),
            http=open_client(allow_private=allow_private),
            names=CheckedResolver(allow_private=allow_private),
        )

    async def close(self) -> None:
        await self.http.aclose()
        await self.names.close()
        await self.redis.aclose()
        self.bell.close()
        self.store.close()

    async def online(self, stations: Collection[str]) -> dict[str, Holder]:
        """Those of ``stations`` that a node holds; raises RedisError."""
        return await holders(self.redis, stations) if stations else {}

    async def ring(self, job: Job, ids: Iterable[int]) -> bool:
        """Ring for ``ids``; False when the workers cannot be reached: the sweeper finds what is due all the same."""
        try:
            await self.bell.ring(job, ids)
        except NotHeard as problem:
            log.warning("the workers' queue cannot be reached", job=job, problem=str(problem))
            return False
        return True

    async def dispatch(self, ids: Collection[int]) -> list[int]:
        """Ring the nodes that hold the commands' stations; a command whose station nobody holds is answered at once.

        The callbacks that are owed now.
        """
        woken = await self.store.note(commands.dispatch, ids, utc_now()) if ids else []
        if not woken:
            return []
        held = await self.online({one.station for one in woken})
        crowded_out = await self.store.read(commands.crowded_out, set(held), self.rules.settings.station_queue)
        letters: list[Letter] = []
        unsent: dict[int, str] = {}
        for one in woken:
            holder = held.get(one.station)
            if holder is None:
                unsent[one.command] = "It is offline."
            elif one.command in crowded_out:
                unsent[one.command] = "Too many commands wait for it."
            else:
                letters.append(Letter(holder.node, one.station, holder.epoch))
        await post(self.redis, letters)
        return await self.not_sent(unsent)

    async def not_sent(self, unsent: dict[int, str]) -> list[int]:
        """These orders will not be sent, and why: conclude them, unless a node has taken one after all."""
        answers = {one: Answer(ending=Ending.NOT_SENT, detail=why) for one, why in unsent.items()}
        if answers and (ended := await self.store.write(commands.never_sent, answers, utc_now())):
            return await self.conclude(ended)
        return []

    async def conclude(self, ids: Collection[int]) -> list[int]:
        """Give the commands that are ripe their results; the callbacks that are owed now."""
        moved = await self.store.write(conclusions.conclude, list(ids), self.rules, utc_now())
        await self.ring(Job.DISPATCH, moved.dispatch)
        return moved.callbacks
