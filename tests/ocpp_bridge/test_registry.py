import asyncio
import time

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ocpp_bridge.registry import Acquired, Holder, Registry, holders
from ocpp_bridge.standing import Standing


async def acquire(registry: Registry, station: str = "CS-1", age: float = 0.0) -> Acquired:
    acquired = await registry.acquire(station, "ocpp1.6", age)
    assert acquired is not None
    return acquired


@pytest.fixture
def first(redis: Redis) -> Registry:
    return Registry(redis, "node-1")


@pytest.fixture
def second(redis: Redis) -> Registry:
    return Registry(redis, "node-2")


async def test_the_holder_of_a_station_can_be_found(standing: Standing, first: Registry) -> None:
    epoch, previous = await acquire(first, "CS 1/ü")
    assert previous is None
    assert await holders(standing, ["CS 1/ü", "CS-2"]) == {"CS 1/ü": Holder("node-1", epoch, "ocpp1.6")}
    assert await holders(standing, []) == {}


async def test_the_newest_socket_wins_and_learns_whom_to_kick(first: Registry, second: Registry) -> None:
    older = await acquire(first)
    newer = await acquire(second)
    assert newer.epoch > older.epoch
    assert newer.previous_node == "node-1"
    assert second.holds("CS-1", newer.epoch)
    assert await first.renew(["CS-1"]) == ["CS-1"]
    assert not first.holds("CS-1", older.epoch)
    assert await second.renew(["CS-1"]) == []


async def test_epochs_grow_at_every_acquisition(first: Registry) -> None:
    epochs = [(await acquire(first)).epoch for _ in range(20)]
    assert epochs == sorted(set(epochs))
    assert first.holds("CS-1", epochs[-1])
    assert not first.holds("CS-1", epochs[0])


async def test_only_the_present_holder_can_release(standing: Standing, first: Registry, second: Registry) -> None:
    older = await acquire(first)
    newer = await acquire(second)
    assert not await first.release("CS-1", older.epoch)
    assert (await holders(standing, ["CS-1"]))["CS-1"].node == "node-2"
    assert await second.release("CS-1", newer.epoch)
    assert not second.holds("CS-1", newer.epoch)
    assert await holders(standing, ["CS-1"]) == {}


async def test_an_older_socket_of_the_same_node_does_not_release_the_newer_one(first: Registry) -> None:
    older, newer = await acquire(first), await acquire(first)
    assert not await first.release("CS-1", older.epoch)
    assert first.holds("CS-1", newer.epoch)


async def test_a_lease_that_cannot_be_renewed_in_time_no_longer_counts(redis: Redis) -> None:
    registry = Registry(redis, "node-1", lease=0.05)
    epoch = (await acquire(registry)).epoch
    deadline = time.monotonic() + 10
    while registry.holds("CS-1", epoch):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert await registry.renew(["CS-1"]) == []


async def test_renewal_keeps_many_stations_at_once(
    redis: Redis, standing: Standing, first: Registry, second: Registry
) -> None:
    stations = [f"CS-{number}" for number in range(1200)]
    await asyncio.gather(*(acquire(first, station) for station in stations[:50]))
    for station in stations[50:]:
        await acquire(first, station)
    await acquire(second, "CS-7")
    await acquire(second, "CS-1100")
    await redis.pexpire("ocpp:station:CS-3", 1000)
    assert await first.renew(stations) == ["CS-7", "CS-1100"]
    assert await redis.pttl("ocpp:station:CS-3") > 30_000
    assert await redis.pttl("ocpp:node:node-1") > 30_000
    assert len(await holders(standing, stations)) == 1200


async def test_what_redis_has_forgotten_is_written_down_again(
    redis: Redis, standing: Standing, first: Registry
) -> None:
    epoch = (await acquire(first)).epoch
    await redis.flushall()
    assert await first.renew(["CS-1"]) == []
    assert await holders(standing, ["CS-1"]) == {"CS-1": Holder("node-1", epoch, "ocpp1.6")}


async def test_after_redis_forgot_the_newer_socket_still_wins(
    redis: Redis, standing: Standing, first: Registry, second: Registry
) -> None:
    await acquire(first)
    newer = await acquire(second)
    await redis.flushall()
    assert await first.renew(["CS-1"]) == []
    assert await second.renew(["CS-1"]) == []
    assert (await holders(standing, ["CS-1"]))["CS-1"] == Holder("node-2", newer.epoch, "ocpp1.6")
    assert await first.renew(["CS-1"]) == ["CS-1"]


async def test_epochs_grow_even_when_redis_forgot_the_one_before(redis: Redis, first: Registry) -> None:
    older = await acquire(first)
    await redis.flushall()
    assert (await acquire(first)).epoch > older.epoch


async def test_a_socket_registered_late_gives_way_to_a_newer_one_elsewhere(first: Registry, second: Registry) -> None:
    newer = await acquire(second)
    assert await first.acquire("CS-1", "ocpp1.6", age=3600) is None
    assert await second.renew(["CS-1"]) == []
    assert second.holds("CS-1", newer.epoch)


async def test_a_socket_registered_late_takes_the_station_from_an_older_one(first: Registry, second: Registry) -> None:
    await acquire(second)
    await asyncio.sleep(0.02)
    assert (await acquire(first, age=0.001)).previous_node == "node-2"


async def test_a_node_that_leaves_shows_no_sign_of_life(redis: Redis, first: Registry) -> None:
    await first.renew([])
    assert await redis.exists("ocpp:node:node-1")
    await first.leave()
    assert not await redis.exists("ocpp:node:node-1")


async def test_trouble_with_redis_is_raised() -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock") as nowhere:
        with pytest.raises((RedisError, OSError)):
            await holders(Standing(nowhere, 5), ["CS-1"])


async def test_a_renewal_under_way_does_not_bring_back_what_is_released(standing: Standing, first: Registry) -> None:
    for _ in range(50):
        epoch = (await acquire(first)).epoch
        await asyncio.gather(first.renew(["CS-1"]), first.release("CS-1", epoch))
        assert await holders(standing, ["CS-1"]) == {}
