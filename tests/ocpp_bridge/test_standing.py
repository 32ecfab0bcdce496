"""The standing connection, to a real Valkey that is cut off, frozen and started again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as Silent

from ocpp_bridge.standing import Script, Standing
from workers.valkey import running

#: A connection's number at the server.
OWN = ("CLIENT", "ID")
ECHO = Script("return {KEYS[1], ARGV[1]}")


async def test_each_is_told_the_answer_to_its_own_question(standing: Standing) -> None:
    answers = await asyncio.gather(*(standing.ask("ECHO", str(number)) for number in range(300)))
    assert answers == [str(number).encode() for number in range(300)]
    assert len({await standing.ask(*OWN) for _ in range(3)}) == 1


async def test_several_are_asked_at_once(standing: Standing) -> None:
    await standing.ask("SET", "a", "ü")
    assert await standing.ask_all([("GET", "a"), ("GET", "b"), ("STRLEN", "a")]) == ["ü".encode(), None, 2]
    assert await standing.ask_all([]) == []


async def test_a_refusal_is_for_who_asked(standing: Standing) -> None:
    await standing.ask("SET", "a", 1)
    pushed, read = await asyncio.gather(standing.ask("LPUSH", "a", 1), standing.ask("GET", "a"), return_exceptions=True)
    assert isinstance(pushed, ResponseError)
    assert read == b"1"
    with pytest.raises(ResponseError):
        await standing.ask_all([("GET", "a"), ("LPUSH", "a", 1), ("HGET", "a", "b"), ("GET", "a")])
    assert await standing.ask("GET", "a") == b"1"


async def test_a_script_is_told_to_a_server_that_does_not_know_it(standing: Standing) -> None:
    for _ in range(2):
        await standing.ask("SCRIPT", "FLUSH")
        assert await standing.run(ECHO, ["key"], ["word"]) == [b"key", b"word"]
        assert await standing.run(ECHO, ["key"], [7]) == [b"key", b"7"]


async def test_who_gives_up_takes_no_others_answer(standing: Standing) -> None:
    waiting = asyncio.create_task(standing.ask("BLPOP", "empty", 0.2))
    await asyncio.sleep(0.05)
    waiting.cancel()
    assert await asyncio.gather(standing.ask("ECHO", "a"), standing.ask("ECHO", "b")) == [b"a", b"b"]
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_connection_that_was_cut_while_idle_is_made_anew(redis: Redis, standing: Standing) -> None:
    for _ in range(5):
        await redis.client_kill_filter(_id=await standing.ask(*OWN))
        await asyncio.sleep(0.05)
        assert await standing.ask("ECHO", "a") == b"a"


async def test_what_was_asked_over_a_lost_connection_is_not_asked_again(redis: Redis, standing: Standing) -> None:
    own = await standing.ask(*OWN)
    waiting = [asyncio.create_task(standing.ask("BLPOP", "empty", 0)) for _ in range(3)]
    await asyncio.sleep(0.05)
    await redis.client_kill_filter(_id=own)
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(problem) for problem in told} == {Lost}
    assert all("closed by server" in str(problem) for problem in told)
    await redis.rpush("empty", "a")
    await asyncio.sleep(0.05)
    assert await redis.llen("empty") == 1
    assert await standing.ask("ECHO", "a") == b"a"


async def test_who_waits_is_told_when_it_is_closed(standing: Standing) -> None:
    waiting = asyncio.create_task(standing.ask("BLPOP", "empty", 0))
    await asyncio.sleep(0.05)
    await standing.close()
    with pytest.raises(Lost):
        await waiting
    await standing.close()
    assert await standing.ask("ECHO", "a") == b"a"


class Slow:
    """On the way to a server: what it says comes late, or never while it ``is_silent``."""

    def __init__(self, server: Path) -> None:
        self._server, self.is_silent = server, False
        self._serving: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def at(self, address: Path) -> AsyncIterator[Redis]:
        async with await asyncio.start_unix_server(self._serve, address):
            async with Redis.from_url(f"unix://{address}") as redis:
                yield redis
            await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._carry(reader, writer)))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._server)

        async def say() -> None:
            while heard := await there.read(65536):
                await asyncio.sleep(0.03)
                if not self.is_silent:
                    writer.write(heard)

        saying = asyncio.create_task(say())
        with suppress(ConnectionError):  # who closes before it has read everything resets the connection
            while heard := await reader.read(65536):
                back.write(heard)
        back.close()
        with suppress(ConnectionError):
            await saying
        writer.close()


async def test_who_asks_while_it_is_being_opened_waits_for_the_same_one(tmp_path: Path) -> None:
    """Each of them gives up soon, and none of them keeps the connection from being made."""
    with running(tmp_path) as valkey:
        slow = Slow(valkey.socket)
        async with slow.at(tmp_path / "slow.sock") as redis:
            standing = Standing(redis, 1.5)
            asked: list[asyncio.Task[bytes]] = []
            slow.is_silent = True
            for number in range(200):
                asked.append(asyncio.create_task(standing.ask("ECHO", str(number))))
                await asyncio.sleep(0.025)
                slow.is_silent = number < 80
            told = await asyncio.gather(*asked, return_exceptions=True)
            assert set(map(type, told[:20])) == {Silent}
            assert told[-20:] == [str(number).encode() for number in range(180, 200)]
            await standing.close()


async def test_who_asks_in_the_moment_in_which_an_opening_fails_opens_another(tmp_path: Path) -> None:
    with running(tmp_path) as valkey:
        slow = Slow(valkey.socket)
        async with slow.at(tmp_path / "slow.sock") as redis:
            standing, slow.is_silent = Standing(redis, 2), True
            first = asyncio.create_task(standing.ask("ECHO", "a"))
            await asyncio.sleep(0.01)
            while not standing._opening.done():  # type: ignore[union-attr]  # it is being opened
                await asyncio.sleep(0)
            slow.is_silent = False
            assert await standing.ask("ECHO", "b") == b"b"
            with pytest.raises(Silent):
                await first
            await standing.close()


async def test_who_has_waited_for_the_opening_takes_no_connection_from_others(tmp_path: Path) -> None:
    with running(tmp_path) as valkey:
        async with Slow(valkey.socket).at(tmp_path / "slow.sock") as redis:
            standing = Standing(redis, 4)
            early = asyncio.create_task(standing.ask("BLPOP", "empty", 0))
            await asyncio.sleep(2)
            late = asyncio.create_task(standing.ask("ECHO", "b"))  # Redis comes to it when the other one is answered
            with pytest.raises(Silent):
                await early
            await redis.rpush("empty", "a")
            assert await late == b"b"
            await standing.close()


async def test_it_can_be_closed_while_it_is_being_opened(tmp_path: Path) -> None:
    with running(tmp_path) as valkey:
        async with Slow(valkey.socket).at(tmp_path / "slow.sock") as redis:
            standing = Standing(redis, 5)
            for pause in (0, 0.001, 0.02, 0.05, 0.1):
                asking = asyncio.create_task(standing.ask("BLPOP", "empty", 0))
                await asyncio.sleep(pause)
                await standing.close()
                with pytest.raises(Lost):
                    await asyncio.wait_for(asking, 10)
            assert await standing.ask("ECHO", "a") == b"a"
            await standing.close()


async def test_a_server_that_goes_away_comes_back_and_freezes(tmp_path: Path) -> None:
    with running(tmp_path) as valkey:
        redis = Redis.from_url(valkey.url)
        standing = Standing(redis, 1.5)
        assert await standing.ask("SET", "a", 1) == b"OK"
    with pytest.raises((RedisError, OSError)):
        await standing.ask("GET", "a")
    with running(tmp_path) as valkey:
        process = (await standing.ask("INFO", "server")).partition(b"process_id:")[2].split()[0]
        os.kill(int(process), signal.SIGSTOP)
        try:
            for _ in range(2):  # over the connection that stands, and over a new one
                with pytest.raises(Silent):
                    await asyncio.gather(standing.ask("GET", "a"), standing.ask("GET", "a"))
        finally:
            os.kill(int(process), signal.SIGCONT)
        async with asyncio.timeout(10):
            answer = None
            while answer != b"1":
                with suppress(Silent):
                    answer = await standing.ask("GET", "a")
    await standing.close()
    await redis.aclose()
