"""What is asked for at the same time is asked for together."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.gathered import Gathered


class Kitchen:
    """Doubles numbers when it is let to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.open.wait()
        if 13 in items:
            raise LookupError("13")
        return [2 * item for item in items]


async def test_what_comes_meanwhile_goes_next_and_together() -> None:
    kitchen = Kitchen()
    gathered = Gathered(kitchen)
    first = [asyncio.create_task(gathered(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(gathered(number)) for number in (3, 4, 5)]
    await asyncio.sleep(0)
    kitchen.open.set()
    assert await asyncio.gather(*first, *later) == [2, 4, 6, 8, 10]
    assert kitchen.batches == [[1, 2], [3, 4, 5]]


async def test_no_batch_is_larger_than_it_may_be() -> None:
    kitchen = Kitchen()
    kitchen.open.set()
    gathered = Gathered(kitchen, most=2)
    assert await asyncio.gather(*(gathered(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert [len(batch) for batch in kitchen.batches] == [2, 2, 1]


async def test_a_failure_is_told_to_those_who_asked_together_and_to_nobody_else() -> None:
    kitchen = Kitchen()
    gathered = Gathered(kitchen, most=2)
    kitchen.open.set()
    told = await asyncio.gather(*(gathered(number) for number in (12, 13, 14)), return_exceptions=True)
    assert [type(one) for one in told] == [LookupError, LookupError, int]
    assert await gathered(1) == 2


async def test_who_stops_waiting_keeps_nobody_else_waiting() -> None:
    kitchen = Kitchen()
    gathered = Gathered(kitchen)
    impatient, patient = asyncio.create_task(gathered(1)), asyncio.create_task(gathered(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    impatient.cancel()
    kitchen.open.set()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await patient == 4


async def test_who_is_ended_before_it_has_begun_keeps_nobody() -> None:
    async def same(items: Sequence[int]) -> list[int]:
        return list(items)

    gathered = Gathered(same)
    asking = asyncio.create_task(gathered(1))
    await asyncio.sleep(0)
    assert gathered._working is not None
    gathered._working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(gathered.settled(), 10)
    assert await gathered(2) == 2


async def test_settled_waits_for_all_that_was_asked() -> None:
    done = []

    async def slowly(items: Sequence[int]) -> list[int]:
        await asyncio.sleep(0.02)
        done.extend(items)
        return list(items)

    gathered = Gathered(slowly, most=1)
    asking = [asyncio.create_task(gathered(number)) for number in range(3)]
    await asyncio.sleep(0)
    await gathered.settled()
    assert done == [0, 1, 2]
    await asyncio.gather(*asking)
