import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ocpp_bridge import mailbox
from ocpp_bridge.mailbox import Kind, Letter, post
from ocpp_bridge.node import end
from tests.ocpp_bridge.house import PATIENCE
from workers.valkey import running


@contextlib.asynccontextmanager
async def reading(redis: Redis, node: str = "node-1") -> AsyncIterator[list[Letter]]:
    """The letters that come, as they come."""
    letters: list[Letter] = []

    async def read() -> None:
        async for batch in mailbox.read(redis, node):
            letters.extend(batch)

    task = asyncio.create_task(read())
    try:
        yield letters
    finally:
        await end([task])


async def arrived(letters: list[Letter], number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(letters) < number:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 2}, {"protocol": 3}])
async def test_letters_arrive_in_order_whatever_the_client_speaks(redis_url: str, options: dict[str, object]) -> None:
    letters = [Letter("node-1", "CS-1", 5), Letter("node-1", "CS ü", 6, Kind.KICK)]
    async with Redis.from_url(redis_url, **options) as redis, reading(redis) as got:
        await post(redis, letters[:1])
        await arrived(got, 1)
        await post(redis, letters[1:])
        await arrived(got, 2)
    assert got == letters


async def test_letters_from_before_the_node_began_to_read_arrive_too(redis: Redis) -> None:
    letters = [Letter("node-1", f"CS-{number}", number) for number in range(600)]
    await post(redis, letters)
    async with reading(redis) as got:
        await arrived(got, 600)
    assert got == letters


async def test_a_node_gets_its_own_letters_only(redis: Redis) -> None:
    mine, others = Letter("node-1", "CS-1", 1), Letter("node-2", "CS-1", 1)
    await post(redis, [others, mine])
    async with reading(redis) as got:
        await arrived(got, 1)
    assert got == [mine]


async def test_letters_that_were_read_do_not_pile_up(redis: Redis) -> None:
    async with reading(redis) as got:
        for number in range(1, 6):
            await post(redis, [Letter("node-1", "CS-1", number)] * 10)
            await arrived(got, number * 10)
        async with asyncio.timeout(PATIENCE):
            while await redis.xlen("ocpp:mailbox:node-1") > 1:
                await asyncio.sleep(0.005)


async def test_a_mailbox_nobody_reads_is_bounded_and_forgotten(redis: Redis) -> None:
    await post(redis, [Letter("node-1", "CS-1", 1)] * (mailbox.LONGEST + 2000))
    assert await redis.xlen("ocpp:mailbox:node-1") < mailbox.LONGEST + 1000
    assert 0 < await redis.ttl("ocpp:mailbox:node-1") <= mailbox.KEPT


async def test_posting_nothing_is_nothing(redis: Redis) -> None:
    await post(redis, [])
    assert await redis.keys("*") == []


async def test_a_letter_that_cannot_be_read_is_passed_over(redis: Redis) -> None:
    await redis.xadd("ocpp:mailbox:node-1", {"station": "CS-1", "epoch": "1", "kind": "from the future"})
    await redis.xadd("ocpp:mailbox:node-1", {"something": "else"})
    await post(redis, [Letter("node-1", "CS-1", 1)])
    async with reading(redis) as got:
        await arrived(got, 1)
    assert got == [Letter("node-1", "CS-1", 1)]


async def test_reading_goes_on_after_redis_was_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "PAUSE", 0.02)
    with running(tmp_path) as server:
        url = server.url
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as redis, reading(redis) as got:
        await asyncio.sleep(0.1)
        for number in (1, 2):
            with running(tmp_path):
                await post(redis, [Letter("node-1", "CS-1", number)])
                await arrived(got, number)
            await asyncio.sleep(0.05)
