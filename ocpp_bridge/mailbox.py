"""Mailboxes: one Redis stream per node. A letter is a wake-up that carries ids; losing one loses time, no promise."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ocpp_bridge.registry import PREFIX, station_key, text
from ocpp_bridge.standing import Script, Standing

log = structlog.get_logger(__name__)

#: Letters a mailbox keeps for a node that does not read.
LONGEST = 10_000
#: A mailbox nobody writes to is forgotten: node names are never used again.
KEPT = 3600  # seconds
BATCH = 256
#: Milliseconds that Redis waits for a letter; and seconds that it may be silent.
BLOCK = 2000
PATIENCE = 5
PAUSE = 0.5  # seconds before Redis is tried again


#: KEYS: stations as the registry knows them. ARGV: what the key of a mailbox begins with, LONGEST, KEPT, the kind,
#: then the stations' names. Returns the places of those that a node holds: the letter is in its mailbox.
RING = Script("""
local rung = {}
for place, key in ipairs(KEYS) do
  local held = redis.call('HMGET', key, 'node', 'epoch')
  if held[1] and held[2] then
    local box, name = ARGV[1] .. held[1], ARGV[place + 4]
    redis.call('XADD', box, 'MAXLEN', '~', ARGV[2], '*', 'station', name, 'epoch', held[2], 'kind', ARGV[4])
    redis.call('EXPIRE', box, ARGV[3])
    rung[#rung + 1] = place
  end
end
return rung
""")


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


class Ringer:
    """``await ringer(stations)``: their nodes are told that orders wait; which stations a node holds."""

    def __init__(self, redis: Standing) -> None:
        self._redis = redis

    async def __call__(self, stations: Collection[str]) -> set[str]:
        """One round trip; raises Redis errors."""
        names = list(stations)
        if not names:
            return set()
        words: list[str | int] = [_key(""), LONGEST, KEPT, Kind.RING.value, *names]
        places = await self._redis.run(RING, [station_key(name) for name in names], words)
        return {names[place - 1] for place in places}


async def read(redis: Redis, node: str) -> AsyncIterator[list[Letter]]:
    """The node's letters as they come, those from before the first read too; goes on when Redis comes back."""
    last: Any = "0-0"
    read_since = BATCH
    standing = Standing(redis, PATIENCE)
    try:
        while True:
            try:
                if read_since >= BATCH:  # what is left in the stream is what nobody has read, and a few more
                    await standing.ask("XTRIM", _key(node), "MINID", last)
                    read_since = 0
                entries = await _entries(standing, node, last)
            except (RedisError, OSError) as problem:
                log.warning("The mailbox cannot be read", node=node, error=repr(problem))
                await asyncio.sleep(PAUSE)
                continue
            read_since += len(entries) if entries else BATCH
            if entries:
                last = entries[-1][0]
                yield [letter for _, fields in entries if (letter := _letter(node, fields))]
    finally:
        await standing.close()


async def _entries(standing: Standing, node: str, last: Any) -> list[tuple[Any, list[Any]]]:
    """Of the one stream that is read: each one's id, and its names and values in turn."""
    answer: Any = await standing.ask("XREAD", "COUNT", BATCH, "BLOCK", BLOCK, "STREAMS", _key(node), last)
    if not answer:
        return []
    streams = answer.items() if isinstance(answer, dict) else answer  # in RESP3, and in RESP2
    ((_, entries),) = streams
    return cast("list[tuple[Any, list[Any]]]", entries)


def _letter(node: str, fields: Sequence[Any]) -> Letter | None:
    """None for what is no letter of ours: a newer version's, perhaps."""
    told = {text(name): text(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}
    try:
        return Letter(node, told["station"], int(told["epoch"]), Kind(told["kind"]))
    except (KeyError, ValueError):
        log.warning("A letter cannot be read", node=node)
        return None


def _key(node: str) -> str:
    return f"{PREFIX}mailbox:{node}"
