"""The registry: which node holds which station, in Redis, with a lease and a fencing epoch; the newest socket wins."""

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from ocpp_bridge.standing import Standing

PREFIX = "ocpp:"

#: Stations a script call renews; Redis serves nobody else meanwhile.
SLICE = 500
#: Stations that come or go at once: a wave of them would ask for more connections than redis-py's pool has.
TURNS = 16

#: KEYS: station. ARGV: node, subprotocol, lease in ms, age of the socket in µs. The epoch is the server's time, so that
#: it grows even when Redis has forgotten the one before; it is at least one more than that. A socket that comes to be
#: registered late gives way to another node's newer one: epoch 0.
ACQUIRE = """
local held = redis.call('HMGET', KEYS[1], 'node', 'epoch')
local node, before = held[1] or '', tonumber(held[2]) or 0
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
if node ~= ARGV[1] and before > now - ARGV[4] then
  return {'0', node}
end
local epoch = string.format('%.0f', math.max(now, before + 1))
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', epoch, 'subprotocol', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {epoch, node}
"""

#: KEYS: stations. ARGV: node, lease in ms, then epoch and subprotocol of each. Returns the places of those that
#: a newer socket has. A station that Redis has forgotten is written down again, over an older socket's note too.
RENEW = """
local lost = {}
for place, key in ipairs(KEYS) do
  local epoch, subprotocol = ARGV[place * 2 + 1], ARGV[place * 2 + 2]
  local held = tonumber(redis.call('HGET', key, 'epoch') or 0)
  if held > tonumber(epoch) then
    lost[#lost + 1] = place
  else
    if held < tonumber(epoch) then
      redis.call('HSET', key, 'node', ARGV[1], 'epoch', epoch, 'subprotocol', subprotocol)
    end
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return lost
"""

#: KEYS: station. ARGV: epoch.
RELEASE = """
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


class Holder(NamedTuple):
    """Where a station's socket is."""

    node: str
    epoch: int
    subprotocol: str


class Acquired(NamedTuple):
    """What a new socket is given, and whom it takes the station from."""

    epoch: int
    #: None when nobody held it.
    previous_node: str | None


@dataclass(slots=True)
class _Hold:
    epoch: int
    subprotocol: str
    until: float  # monotonic


class Registry:
    """One node's holds. Methods that ask Redis raise its errors."""

    def __init__(self, redis: Redis, node: str, lease: float = 45.0) -> None:
        self.node, self.lease = node, lease
        self._redis = redis
        self._holds: dict[str, _Hold] = {}
        self._renewing = asyncio.Lock()
        self._turns = asyncio.Semaphore(TURNS)
        self._acquire = redis.register_script(ACQUIRE)
        self._renew = redis.register_script(RENEW)
        self._release = redis.register_script(RELEASE)

    async def acquire(self, station: str, subprotocol: str, age: float = 0.0) -> Acquired | None:
        """Take the station, whoever holds it; None when a socket is newer than ours, which is ``age`` seconds old."""
        until = time.monotonic() + self.lease
        arguments: list[str | int] = [self.node, subprotocol, self._lease_ms, int(age * 1_000_000)]
        async with self._turns:
            epoch, node = await self._acquire(keys=[station_key(station)], args=arguments)
        if not int(epoch):
            return None
        known = self._holds.get(station)
        if known is None or known.epoch < int(epoch):
            self._holds[station] = _Hold(int(epoch), subprotocol, until)
        return Acquired(int(epoch), text(node) or None)

    async def renew(self, stations: Collection[str]) -> list[str]:
        """Prolong the leases of ``stations`` and the node's sign of life; returns those that others have taken."""
        async with self._renewing:
            until = time.monotonic() + self.lease
            holds = [(station, hold) for station in stations if (hold := self._holds.get(station))]
            lost = await self._renew_all(holds)
        for _, hold in holds:
            hold.until = until
        return [station for station, hold in lost if self._forget(station, hold.epoch)]

    async def _renew_all(self, holds: list[tuple[str, _Hold]]) -> list[tuple[str, _Hold]]:
        """Those that are lost."""
        slices = [holds[at : at + SLICE] for at in range(0, len(holds), SLICE)]
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(_node_key(self.node), "1", px=self._lease_ms)
            for part in slices:
                await self._renew(
                    keys=[station_key(station) for station, _ in part], args=self._told(part), client=pipe
                )
            _, *answers = await pipe.execute()
        return [part[place - 1] for part, places in zip(slices, answers, strict=True) for place in places]

    async def is_known(self) -> bool:
        """Redis has this node's sign of life; not after it lost what it held."""
        return bool(await self._redis.exists(_node_key(self.node)))

    async def release(self, station: str, epoch: int) -> bool:
        """Let the station go; False when a newer socket has it, here or elsewhere."""
        self._forget(station, epoch)
        async with self._renewing:
            pass  # A renewal that is under way would write the station down again.
        async with self._turns:
            return bool(await self._release(keys=[station_key(station)], args=[epoch]))

    async def leave(self) -> None:
        """The node goes away."""
        await self._redis.delete(_node_key(self.node))

    def holds(self, station: str, epoch: int) -> bool:
        """The station is ours beyond doubt: a lease that could not be renewed in time no longer counts."""
        hold = self._holds.get(station)
        return hold is not None and hold.epoch == epoch and time.monotonic() < hold.until

    @property
    def _lease_ms(self) -> int:
        return int(self.lease * 1000)

    def _told(self, holds: Iterable[tuple[str, _Hold]]) -> list[str | int]:
        pairs: list[str | int] = [word for _, hold in holds for word in (hold.epoch, hold.subprotocol)]
        return [self.node, self._lease_ms, *pairs]

    def _forget(self, station: str, epoch: int) -> bool:
        hold = self._holds.get(station)
        if hold is None or hold.epoch != epoch:
            return False
        del self._holds[station]
        return True


_TOLD = ["node", "epoch", "subprotocol"]


async def holders(redis: Standing, stations: Collection[str]) -> dict[str, Holder]:
    """Who holds which of ``stations``; those without a socket are absent. One round trip; raises Redis errors."""
    answers = await redis.ask_all([("HMGET", station_key(station), *_TOLD) for station in stations])
    return {station: found for station, told in zip(stations, answers, strict=True) if (found := _holder(told))}


def _holder(told: Collection[Any]) -> Holder | None:
    if None in told:
        return None
    node, epoch, subprotocol = map(text, told)
    return Holder(node, int(epoch), subprotocol)


def station_key(station: str) -> str:
    return f"{PREFIX}station:{station}"


def _node_key(node: str) -> str:
    return f"{PREFIX}node:{node}"


def text(value: Any) -> str:
    """Redis answers in bytes or in text, as its client was made."""
    return value.decode() if isinstance(value, bytes) else str(value)
