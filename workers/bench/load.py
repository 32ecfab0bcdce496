"""The load: eMSPs in a process of their own, in a closed loop or an open one."""

import asyncio
import sys
import time
from collections import Counter
from itertools import count, cycle, islice
from typing import Any

import orjson
import uvloop

from workers.bench.emsp import Ears, Emsp
from workers.bench.scene import spots
from workers.bench.talk import answering, settle_memory


class Load:
    """What eMSPs, in turn, put on a gateway."""

    def __init__(self, emsps: list[Emsp]) -> None:
        self._emsps = emsps

    async def run(
        self, seconds: float, in_flight: int = 0, rate: float = 0, waits: bool = True, at_least: int = 0
    ) -> dict[str, Any]:
        """A closed loop of ``in_flight`` commands, or an open one of ``rate`` a second; what came of it.

        A closed loop lasts until ``at_least`` so many commands were sent, however long that takes.
        """
        for emsp in self._emsps:
            emsp.timings, emsp.acknowledged = [], 0
        began = time.perf_counter()
        if in_flight:
            await self._closed_loop(began + seconds, in_flight, waits, at_least)
        else:
            await self._open_loop(began, seconds, rate, waits)
        timings = [one for emsp in self._emsps for one in emsp.timings]
        in_time = sum(1 for one in timings if one.called_back <= began + seconds)
        return {
            "per_second": in_time / seconds if seconds else 0.0,
            "commands": len(timings),
            "acknowledged": sum(emsp.acknowledged for emsp in self._emsps),
            "called_back_ms": [1000 * (one.called_back - one.began) for one in timings],
            "acknowledged_ms": [1000 * (one.acknowledged - one.began) for one in timings],
            "faults": self._faults(),
        }

    def _faults(self) -> Counter[str]:
        """Those so far: a duplicate that comes later is told with the next run."""
        found = sum((emsp.faults for emsp in self._emsps), Counter[str]())
        for emsp in self._emsps:
            emsp.faults = Counter()
        return found

    async def _closed_loop(self, end: float, in_flight: int, waits: bool, at_least: int) -> None:
        sent = count(1)

        async def one_after_the_other(emsp: Emsp) -> None:
            while time.perf_counter() < end or next(sent) <= at_least:
                await emsp.command(time.perf_counter(), waits)

        await asyncio.gather(*(one_after_the_other(emsp) for emsp in islice(cycle(self._emsps), in_flight)))

    async def _open_loop(self, began: float, seconds: float, rate: float, waits: bool) -> None:
        """A command's time begins when it is due, whether or not the ones before it are done."""
        async with asyncio.TaskGroup() as group:
            for number, emsp in zip(range(int(seconds * rate)), cycle(self._emsps), strict=False):
                due = began + number / rate
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(emsp.command(due, waits))


async def main(api_port: int, emsps: list[dict[str, Any]]) -> None:
    """Each eMSP is ``{"number", "first", "count", "ears"}``; runs what it is asked, and tells what came of it."""
    them = [
        Emsp(api_port, one["number"], spots(one["count"], one["first"]), Ears(one.get("ears", Ears.WELL)))
        for one in emsps
    ]
    for emsp in them:
        await emsp.start()
    settle_memory()
    await answering(Load(them).run)
    for emsp in them:
        emsp.stop()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), orjson.loads(sys.argv[2])))
