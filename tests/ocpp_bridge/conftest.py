"""Fixtures of the bridge's tests: a house in memory and clients of a real Valkey, empty for each test."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ocpp_bridge.standing import Standing
from tests.ocpp_bridge.house import House


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0)) as client:
        yield client


@pytest.fixture
async def standing(redis: Redis) -> AsyncIterator[Standing]:
    made = Standing(redis, 5)
    yield made
    await made.close()


@pytest.fixture
def house() -> House:
    house = House()
    house.know("CS-1")
    return house
