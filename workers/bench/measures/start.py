"""``start``: from a cold ``up`` to the first accepted command, and the memory of all its processes when it is idle."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from workers.bench.emsp import Emsp
from workers.bench.figures import Rounds, Row, Table, Target, report
from workers.bench.plan import Plan, Say, Stage, stage
from workers.bench.processes import memory, total
from workers.bench.scene import Scene, spots
from workers.bench.sides import Server, prepared, until_listening, up
from workers.bench.stations import Station
from workers.bench.talk import Broken

#: Seconds between two attempts while the gateway is not there yet; for the first command to be accepted; to be idle.
AGAIN, PATIENCE, SETTLED = 0.01, 60.0, 3.0
MB = 1e6
PROCESSES = ("supervisor", "api", "bridge", "worker-1", "valkey")

TABLE = Table(
    "A cold start of `up`; one station and one eMSP wait for it",
    ("measured",),
    (
        Row("cold `up` to the first accepted command", ("accepted_s",), "s", Target(must=5, aim=1.5)),
        Row("… its station booted", ("booted_s",), "s"),
        Row("… its result called back", ("called_back_s",), "s"),
        Row("`up` in an empty directory: api and bridge listen", ("empty_s",), "s"),
        Row("memory of a whole idle `up` (PSS)", ("memory_mb",), "MB", Target(must=350, aim=200)),
        Row("… (RSS: what is shared counts in each)", ("memory_rss_mb",), "MB"),
        *(Row(f"… {name} (PSS)", (f"memory_{name}_mb",), "MB") for name in PROCESSES),
    ),
)


@dataclass(frozen=True, kw_only=True)
class StartPlan(Plan):
    """Every round is a start of its own."""

    LIMIT = 600.0

    #: How long it is idle before its memory is looked at.
    seconds: float = SETTLED

    @property
    def load_seconds(self) -> float:
        return self.rounds * (self.seconds + 20)


QUICK = StartPlan(seconds=0.5, rounds=1, quick=True)


async def run(plan: StartPlan, say: Say) -> dict[str, Any]:
    async with stage(plan, say) as at:
        measured, faults = Rounds(), Counter[str]()
        for number in range(1, plan.rounds + 1):
            figures = await _empty(at, number) | await _furnished(at, plan, number, faults)
            measured.add(**figures)
            say(f"round {number} of {plan.rounds}")
        return report(TABLE, measured.prefixed(), faults, at.told(plan))


async def _empty(at: Stage, number: int) -> dict[str, float]:
    """As on a new machine: the database is made at this start."""
    directory = at.directory / f"empty-{number}"
    directory.mkdir()
    url, began = await at.databases.new(), time.perf_counter()
    async with up(directory, url, at.databases) as server:
        await until_listening(server, AGAIN)
        return {"empty_s": time.perf_counter() - began}


async def _furnished(at: Stage, plan: StartPlan, number: int, faults: Counter[str]) -> dict[str, float]:
    directory = at.directory / f"gateway-{number}"
    url = await prepared(directory, Scene(1), at.databases)
    began = time.perf_counter()
    async with up(directory, url, at.databases) as server:
        emsp = Emsp(server.api_port, 1, spots(1))
        await emsp.start()
        try:
            async with asyncio.timeout(PATIENCE):
                booted, _ = await asyncio.gather(_booted(server), until_listening(server, AGAIN))
            await emsp.command(time.perf_counter())
        except TimeoutError:
            raise Broken(server.talker.told("did not start")) from None
        finally:
            emsp.stop()
        faults.update(emsp.faults)
        await asyncio.sleep(plan.seconds)
        return {"booted_s": booted - began} | _first(emsp, began) | _memory(server)


async def _booted(server: Server) -> float:
    await Station(server.ocpp_port, spots(1)[0]).connect()
    return time.perf_counter()


def _first(emsp: Emsp, began: float) -> dict[str, float]:
    """Without one, its fault says why nothing counts."""
    return {
        figure: at - began
        for one in emsp.timings
        for figure, at in (("accepted_s", one.acknowledged), ("called_back_s", one.called_back))
    }


def _memory(server: Server) -> dict[str, float]:
    each = {name: memory(pid) for name, pid in server.pids().items()}
    whole = total(each.values())
    parts = {f"memory_{name}_mb": one.pss / MB for name, one in each.items()}
    return {"memory_mb": whole.pss / MB, "memory_rss_mb": whole.rss / MB} | parts
