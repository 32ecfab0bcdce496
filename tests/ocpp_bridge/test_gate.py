"""So many stations at once come in, and the others are told a time at which there will be room."""

import asyncio

import pytest

from ocpp_bridge import gate
from ocpp_bridge.gate import Full, Gate


async def test_so_many_at_once() -> None:
    door = Gate(room=2, patience=60)
    leave, _ = await door.enter(), await door.enter()
    third = asyncio.create_task(door.enter())
    await asyncio.sleep(0)
    assert not third.done()
    leave()
    async with asyncio.timeout(5):
        await third


async def test_whoever_leaves_twice_makes_room_once() -> None:
    door = Gate(room=1, patience=60)
    leave = await door.enter()
    leave()
    leave()
    await door.enter()
    late = asyncio.create_task(door.enter())
    await asyncio.sleep(0)
    assert not late.done()
    late.cancel()


async def test_one_that_gives_up_waiting_takes_no_room() -> None:
    door = Gate(room=1, patience=60)
    leave = await door.enter()
    waiting = asyncio.create_task(door.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    leave()
    async with asyncio.timeout(5):
        await door.enter()


async def test_nobody_waits_longer_than_he_may() -> None:
    door = Gate(room=1, patience=0.2)
    await door.enter()
    async with asyncio.timeout(5):
        with pytest.raises(Full) as full:
            await door.enter()
    assert full.value.again >= 1


async def test_who_would_wait_too_long_is_told_at_once_and_each_a_time_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "EACH", 1.0)
    door = Gate(room=1, patience=5)
    await door.enter()
    waiting = [asyncio.create_task(door.enter()) for _ in range(6)]
    await asyncio.sleep(0)
    told = []
    for _ in range(100):
        with pytest.raises(Full) as full:
            await door.enter()
        told.append(full.value.again)
    assert told[:3] == [7, 8, 9]  # after the six that wait
    assert max(told) == gate.LATEST
    for one in waiting:
        one.cancel()


async def test_how_long_one_takes_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "EACH", 1.0)
    door = Gate(room=4, patience=20)

    async def pass_through() -> None:
        leave = await door.enter()
        await asyncio.sleep(0)
        leave()

    for _ in range(20):  # they wait for far less than a second each
        await asyncio.gather(*(pass_through() for _ in range(20)))
    many = [asyncio.create_task(door.enter()) for _ in range(100)]
    await asyncio.sleep(0)
    assert sum(one.done() for one in many) == 4
    assert not any(one.done() and one.exception() for one in many)
    for one in many:
        one.cancel()
