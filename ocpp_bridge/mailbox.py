"""Mailboxes: one Redis stream per node. A letter is a wake-up that carries ids; losing one loses time, no promise."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ocpp_bridge.registry import PREFIX, text

log = structlog.get_logger(__name__)

#: Letters a mailbox keeps for a node that does not read.
LONGEST = 10_000
#: A mailbox nobody writes to is forgotten: node names are never used again.
KEPT = 3600  # seconds
BATCH = 256
#: Less than redis-py's default socket timeout of 5 s, which would end a longer read.
BLOCK = 2000  # milliseconds
PAUSE = 0.5  # seconds before Redis is tried again


class Kind(StrEnum):
    """What a letter asks of a node."""

    #: Orders are waiting for the station.
    RING = "ring"
    #: ``epoch`` is another node's: the station's socket here is an old one.
    KICK = "kick"


class Letter(NamedTuple):
    """To ``node``, about ``station`` as it is held since ``epoch``."""

    node: str
    station: str
    epoch: int
    kind: Kind = Kind.RING


async def post(redis: Redis, letters: Sequence[Letter]) -> None:
    """Post all in one round trip; raises Redis errors."""
    async with redis.pipeline(transaction=False) as pipe:
        for letter in letters:
            fields: dict[Any, Any] = {"station": letter.station, "epoch": letter.epoch, "kind": letter.kind.value}
            pipe.xadd(_key(letter.node), fields, maxlen=LONGEST, approximate=True)
        for node in {letter.node for letter in letters}:
            pipe.expire(_key(node), KEPT)
        await pipe.execute()


async def read(redis: Redis, node: str) -> AsyncIterator[list[Letter]]:
    """The node's letters as they come, those from before the first read too; goes on when Redis comes back."""
    last: Any = "0-0"
    while True:
        try:
            # What is left in the stream is what nobody has read.
            await redis.xtrim(_key(node), minid=last, approximate=False)
            entries = await _entries(redis, node, last)
        except (RedisError, OSError) as problem:
            log.warning("The mailbox cannot be read", node=node, error=repr(problem))
            await asyncio.sleep(PAUSE)
            continue
        if entries:
            last = entries[-1][0]
            yield [letter for _, fields in entries if (letter := _letter(node, fields))]


async def _entries(redis: Redis, node: str, last: Any) -> list[tuple[Any, dict[Any, Any]]]:
    answer: Any = await redis.xread({_key(node): last}, count=BATCH, block=BLOCK)
    if not answer:
        return []
    # redis-py: RESP3 asked for by name answers {key: [entries]}, else it is [[key, entries]].
    entries: list[tuple[Any, dict[Any, Any]]]
    (entries,) = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1:]
    return entries


def _letter(node: str, fields: dict[Any, Any]) -> Letter | None:
    """None for what is no letter of ours: a newer version's, perhaps."""
    told = {text(name): text(value) for name, value in fields.items()}
    try:
        return Letter(node, told["station"], int(told["epoch"]), Kind(told["kind"]))
    except (KeyError, ValueError):
        log.warning("A letter cannot be read", node=node)
        return None


def _key(node: str) -> str:
    return f"{PREFIX}mailbox:{node}"
