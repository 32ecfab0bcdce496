import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ocpp_bridge import mailbox
from ocpp_bridge.answers import Ending
from ocpp_bridge.events import Registration
from ocpp_bridge.listener import Limits
from ocpp_bridge.mailbox import Kind, Letter, post
from ocpp_bridge.node import Node
from ocpp_bridge.registry import Holder, Registry, holders
from ocpp_bridge.rhythm import Rhythm
from ocpp_bridge.standing import Standing
from tests.ocpp_bridge.house import House, Station, station, until
from workers.valkey import running

BRISK = Rhythm(renewal=0.05, retry=0.05, heard=0.05, drain=5, flap_pause=0.01)
LIMITS = Limits(drain_pause=0.01, accept=1, accept_wait=1)


class Running:
    """A node, and what it could not deliver."""

    def __init__(self, house: House, redis: Redis, name: str, rhythm: Rhythm = BRISK, limits: Limits = LIMITS) -> None:
        self.in_vain: list[str] = []
        self.node = Node(
            house, redis, "127.0.0.1", 0, undeliverable=self.undeliverable, name=name, rhythm=rhythm, limits=limits
        )

    async def undeliverable(self, identity: str) -> None:
        self.in_vain.append(identity)

    @contextlib.asynccontextmanager
    async def station(self, identity: str = "CS-1", *subprotocols: str) -> AsyncIterator[Station]:
        """A station that was heard and answered."""
        async with station(self.node.port, identity, *subprotocols) as one:
            assert (await one.ask("h", "Heartbeat", {}))[:2] == [3, "h"]
            yield one


@contextlib.asynccontextmanager
async def node(
    house: House, redis: Redis, name: str = "node-1", rhythm: Rhythm = BRISK, limits: Limits = LIMITS
) -> AsyncIterator[Running]:
    one = Running(house, redis, name, rhythm, limits)
    await one.node.start()
    try:
        yield one
    finally:
        await one.node.stop()


async def holder(redis: Redis, identity: str = "CS-1") -> Holder | None:
    standing = Standing(redis, 5)
    try:
        return (await holders(standing, [identity])).get(identity)
    finally:
        await standing.close()


async def held(redis: Redis, name: str = "node-1", identity: str = "CS-1") -> Holder:
    """The station's holder, once it is that node."""
    async with asyncio.timeout(20):
        while (found := await holder(redis, identity)) is None or found.node != name:
            await asyncio.sleep(0.01)
    return found


async def ring(redis: Redis, identity: str = "CS-1") -> None:
    found = await held_by_anyone(redis, identity)
    await post(redis, [Letter(found.node, identity, found.epoch)])


async def held_by_anyone(redis: Redis, identity: str) -> Holder:
    found = await holder(redis, identity)
    assert found is not None
    return found


async def carried(redis: Redis, house: House, cs: Station) -> None:
    """A letter brings an order to the station, and its answer to the house."""
    order = house.order("CS-1")
    await ring(redis)
    message = await cs.hear()
    await cs.say(3, message[1], {"status": "Accepted"})
    assert (await house.ending(order)).ending is Ending.RESULT


async def test_a_station_is_registered_while_it_is_connected(house: House, redis: Redis) -> None:
    async with node(house, redis) as one:
        async with one.station("CS-1", "ocpp2.0.1"):
            found = await holder(redis)
            assert found is not None
            assert (found.node, found.subprotocol) == ("node-1", "ocpp2.0.1")
            assert one.node.stations == 1
        await until(lambda: ("disconnected", "CS-1") in house.log)
        assert await holder(redis) is None
        assert one.node.stations == 0


async def test_a_letter_brings_an_order_to_the_station(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as cs:
        await carried(redis, house, cs)


async def test_an_emptied_redis_is_told_at_once_who_is_here(house: House, redis: Redis) -> None:
    seldom = Rhythm(renewal=600, retry=0.05)
    async with node(house, redis, rhythm=seldom) as one, one.station() as cs:
        await held(redis)
        await redis.flushdb()
        await held(redis)
        await carried(redis, house, cs)


async def test_orders_that_wait_are_brought_when_the_station_connects(house: House, redis: Redis) -> None:
    order = house.order("CS-1")
    async with node(house, redis) as one, station(one.node.port) as cs:
        await cs.say(3, (await cs.hear())[1], {"status": "Accepted"})
        assert (await house.ending(order)).ending is Ending.RESULT


async def test_orders_wait_for_the_boot_of_a_station_that_was_never_accepted(house: House, redis: Redis) -> None:
    house.know("CS-1", None)
    order = house.order("CS-1")
    async with node(house, redis) as one, one.station() as cs:
        assert not house.answers
        assert (await cs.boot())[2]["status"] == Registration.ACCEPTED
        assert (await cs.hear())[3] == {"reservationId": order}


@pytest.mark.parametrize("identity", ["CS-9", "CS-1"])
async def test_a_letter_for_a_station_held_otherwise_is_returned(house: House, redis: Redis, identity: str) -> None:
    async with node(house, redis) as one, one.station():
        house.order("CS-1")
        await post(redis, [Letter("node-1", identity, 1)] * 3)
        await until(lambda: one.in_vain)
        assert set(one.in_vain) == {identity}
        assert ("claim", "CS-1") not in house.log


async def test_what_a_killed_node_left_under_our_name_is_tidied_up(house: House, redis: Redis) -> None:
    async with node(house, redis) as one:
        await Registry(redis, "node-1").acquire("CS-1", "ocpp1.6")
        await ring(redis)
        await until(lambda: one.in_vain)
        assert await holder(redis) is None


async def test_the_newer_socket_wins_within_a_node(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as old:
        order = house.order("CS-1", seconds=3600)
        await ring(redis)
        message_id = (await old.hear())[1]
        async with one.station() as new:
            assert (await house.ending(order)).ending is Ending.CONNECTION_LOST
            assert await old.gone() == 1008
            await new.say(3, message_id, {"status": "Accepted"})
            await until(lambda: len(house.endings(order)) == 2)
            assert house.endings(order)[1].status == "Accepted"
            await carried(redis, house, new)
            assert one.node.counts["take-overs"] == 1
            assert one.node.stations == 1
            assert ("disconnected", "CS-1") not in house.log
        await until(lambda: ("disconnected", "CS-1") in house.log)


async def test_a_socket_that_does_not_close_is_replaced_at_once(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as old:
        order = house.order("CS-1", seconds=3600)
        await ring(redis)
        await old.hear()
        old.socket.transport.pause_reading()
        async with one.station() as new:
            assert (await house.ending(order)).ending is Ending.CONNECTION_LOST
            await carried(redis, house, new)


async def test_the_newer_socket_wins_between_nodes_and_the_older_one_is_kicked(house: House, redis: Redis) -> None:
    calm = Rhythm(renewal=3600, flap_pause=0.01)
    async with (
        node(house, redis, "node-1", calm) as first,
        node(house, redis, "node-2", calm) as second,
        first.station() as old,
        second.station() as new,
    ):
        assert await old.gone() == 1008
        await until(lambda: first.node.stations == 0)
        assert (await held(redis, "node-2")).node == "node-2"
        await carried(redis, house, new)
        assert ("disconnected", "CS-1") not in house.log


async def test_without_a_kick_the_next_renewal_finds_the_station_lost(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as old:
        other = Node(house, redis, "127.0.0.1", 0, undeliverable=one.undeliverable, name="node-2")
        await other.registry.acquire("CS-1", "ocpp1.6")
        assert await old.gone() == 1008
        await until(lambda: one.node.stations == 0)
        assert (await held(redis, "node-2")).node == "node-2"
        assert ("disconnected", "CS-1") not in house.log


async def test_a_kick_meant_for_an_older_socket_spares_the_newer_one(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as cs:
        found = await held_by_anyone(redis, "CS-1")
        await post(redis, [Letter("node-1", "CS-1", found.epoch - 1, Kind.KICK)])
        await carried(redis, house, cs)


async def test_a_lease_that_ran_out_stops_orders_and_nothing_else(house: House, redis: Redis) -> None:
    rhythm = Rhythm(lease=0.1, renewal=3600, heard=3600, retry=3600)
    async with node(house, redis, rhythm=rhythm) as one, one.station() as cs:
        epoch = (await one.node.registry.acquire("CS-X", "ocpp1.6") or pytest.fail("no epoch")).epoch
        await until(lambda: not one.node.registry.holds("CS-X", epoch))
        house.order("CS-1")
        one.node._held["CS-1"].session.line.ring()  # type: ignore[union-attr]
        assert (await cs.ask("a", "Heartbeat", {}))[:2] == [3, "a"]
        assert ("claim", "CS-1") not in house.log


async def test_signs_of_life_reach_the_house(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as cs:
        await until(lambda: ("heard", "CS-1") in house.log)
        await asyncio.sleep(0.15)
        silent = house.log.count(("heard", "CS-1"))
        await asyncio.sleep(0.15)
        assert house.log.count(("heard", "CS-1")) == silent
        await cs.ask("a", "Heartbeat", {})
        await until(lambda: house.log.count(("heard", "CS-1")) == silent + 1)


async def test_a_house_that_cannot_take_the_station_closes_the_socket(house: House, redis: Redis) -> None:
    async def stumble(*_: object) -> Any:
        raise OSError("the database is away")

    house.connected = stumble  # type: ignore[method-assign]
    async with node(house, redis) as one, station(one.node.port) as cs:
        assert await cs.gone() == 1011
        await until(lambda: ("disconnected", "CS-1") in house.log)
        assert await holder(redis) is None


async def test_one_that_the_house_cannot_take_and_that_does_not_go_keeps_nobody_out(house: House, redis: Redis) -> None:
    connected = house.connected
    house.know("CS-2")

    async def stumble(identity: str, subprotocol: str) -> Any:
        if identity == "CS-1":
            raise OSError("the database is away")
        return await connected(identity, subprotocol)

    house.connected = stumble  # type: ignore[method-assign]
    async with node(house, redis) as one, station(one.node.port) as cs:
        cs.socket.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own
        async with one.station("CS-2"):
            pass
        cs.socket.transport.resume_reading()  # type: ignore[attr-defined]  # asyncio's own


async def test_stopping_lets_running_calls_end_and_starts_no_other(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as cs:
        running_one, next_one = house.order("CS-1"), house.order("CS-1")
        await ring(redis)
        message_id = (await cs.hear())[1]
        stopping = asyncio.create_task(one.node.stop())
        await asyncio.sleep(0.1)
        assert (await cs.ask("h", "Heartbeat", {}))[:2] == [3, "h"]
        await cs.say(3, message_id, {"status": "Accepted"})
        assert (await house.ending(running_one)).ending is Ending.RESULT
        assert await cs.gone() == 1001
        await stopping
        assert not house.endings(next_one)
        assert len(house.waiting["CS-1"]) == 1
        assert ("disconnected", "CS-1") in house.log
        assert await redis.keys("ocpp:station:*") == await redis.keys("ocpp:node:*") == []


async def test_a_node_that_stops_during_a_mute_call_does_not_wait_for_ever(house: House, redis: Redis) -> None:
    async with node(house, redis, rhythm=Rhythm(drain=0.1)) as one, one.station() as cs:
        order = house.order("CS-1", seconds=3600)
        await ring(redis)
        await cs.hear()
        stopping = asyncio.create_task(one.node.stop())
        assert await cs.gone() == 1001
        await stopping
        assert (await house.ending(order)).ending is Ending.CONNECTION_LOST


async def test_redis_may_forget_everything(house: House, redis: Redis) -> None:
    async with node(house, redis) as one, one.station() as cs:
        before = await held(redis)
        await redis.flushall()
        assert await held(redis) == before
        await carried(redis, house, cs)


async def test_redis_may_go_away(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "PAUSE", 0.02)
    house.know("CS-2")
    with running(tmp_path) as server:
        url = server.url
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as redis, contextlib.AsyncExitStack() as stack:
        with running(tmp_path):
            one = await stack.enter_async_context(node(house, redis))
            cs = await stack.enter_async_context(one.station())
            await carried(redis, house, cs)
        # Away: the connected station is answered, and so is a new one.
        assert (await cs.ask("a", "Heartbeat", {}))[:2] == [3, "a"]
        late = await stack.enter_async_context(one.station("CS-2"))
        order = house.order("CS-2")
        with running(tmp_path):
            await held(redis)
            await carried(redis, house, cs)
            # Registered now, and its order was found without a letter.
            await held(redis, identity="CS-2")
            message = await late.hear()
            await late.say(3, message[1], {"status": "Accepted"})
            assert (await house.ending(order)).ending is Ending.RESULT
            await stack.aclose()


async def test_a_node_starts_and_stops_without_redis(house: House) -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock", retry=Retry(NoBackoff(), 0)) as nowhere:
        async with node(house, nowhere) as one, one.station():
            assert one.node.stations == 1
        assert ("disconnected", "CS-1") in house.log


async def test_many_stations_at_once(house: House, redis: Redis) -> None:
    names = [f"CS-{number}" for number in range(60)]
    for name in names:
        house.know(name)

    async def live(one: Running, name: str) -> None:
        async with one.station(name) as cs:
            order = house.order(name)
            await ring(redis, name)
            message = await cs.hear()
            await cs.say(3, message[1], {"status": "Accepted"})
            assert (await house.ending(order)).ending is Ending.RESULT

    async with node(house, redis, limits=replace(LIMITS, accept_wait=20)) as one:
        await asyncio.gather(*(live(one, name) for name in names))
        await until(lambda: one.node.stations == 0)
    assert len(house.answers) == 60


async def test_of_three_sockets_that_come_together_the_last_one_wins(house: House, redis: Redis) -> None:
    rhythm = Rhythm(renewal=3600, flap_pause=0.2)
    async with node(house, redis, rhythm=rhythm) as one, one.station() as first, station(one.node.port) as second:
        await until(lambda: one.node.counts["take-overs"] == 1)
        async with one.station() as third:
            assert await first.gone() == 1008
            assert await second.gone() == 1008
            await carried(redis, house, third)
            assert one.node.stations == 1
            assert ("disconnected", "CS-1") not in house.log


async def test_two_that_fight_for_one_identity_keep_nobody_out(house: House, redis: Redis) -> None:
    house.know("CS-2")
    rhythm = Rhythm(renewal=3600, flap_pause=3)
    async with node(house, redis, rhythm=rhythm) as one, one.station(), station(one.node.port):
        await until(lambda: one.node.counts["take-overs"] == 1)
        async with one.station("CS-2"):
            assert one.node.stations == 2
