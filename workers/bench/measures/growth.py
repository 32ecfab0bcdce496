"""``growth``: what a command costs when there are many more stations, old commands or live reservations."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from gateway.store.engine import open_engine
from workers.bench.figures import Rounds, Row, Table, Target, report
from workers.bench.history import At, add_finished, add_live
from workers.bench.plan import Plan, Say, Stage, stage
from workers.bench.scene import Scene
from workers.bench.sides import POSTGRESQL, Server, Side, Told, gateway, loaded

#: Commands at once while every station is used, before anything is measured.
AT_ONCE = 32
_TARGET = Target(must=1.3, aim=1.05)


@dataclass(frozen=True)
class Size:
    """How much of each there is."""

    stations: int
    commands: int
    reservations: int


#: What grows, and how it is said.
GROWS = {"stations": "connected stations", "commands": "old commands", "reservations": "live reservations"}

TABLE = Table(
    "CPU a command where there is little and where there is much of …",
    ("little", "much", "ratio"),
    tuple(
        Row(f"… {said}{with_}", (f"{name}_little_{of}_ms", f"{name}_much_{of}_ms", f"{name}_{of}_ratio"), "ms", _TARGET)
        for name, said in GROWS.items()
        for of, with_ in (("cpu", ""), ("cpu_all", ", with the database's"))
    ),
    judged=2,
)


@dataclass(frozen=True, kw_only=True)
class GrowthPlan(Plan):
    """``seconds`` of load on the little and the much one, in each round."""

    LIMIT = 1800.0
    OVERHEAD = 600.0

    #: Commands a second.
    rate: float = 100.0
    little: Size = Size(stations=100, commands=1_000, reservations=100)
    much: Size = Size(stations=8_000, commands=1_000_000, reservations=100_000)

    @property
    def load_seconds(self) -> float:
        return self.rounds * 2 * self.seconds * len(GROWS)


QUICK = GrowthPlan(
    seconds=0.5,
    rounds=1,
    rate=20.0,
    little=Size(stations=4, commands=10, reservations=4),
    much=Size(stations=20, commands=200, reservations=40),
    quick=True,
)


async def run(plan: GrowthPlan, say: Say) -> dict[str, Any]:
    async with stage(plan, say) as at, _grown(at, "little", plan.little) as little:
        measured, faults = Rounds(), Counter[str]()
        for name in GROWS:
            size = replace(plan.little, **{name: asdict(plan.much)[name]})
            async with _grown(at, name, size) as much:
                for number in range(1, plan.rounds + 1):
                    for of, (before, after) in (await _compared(plan, little, much)).items():
                        ratio = after / before if before else 0.0
                        measured.add(**{f"{name}_little_{of}_ms": before, f"{name}_much_{of}_ms": after})
                        measured.add(**{f"{name}_{of}_ratio": ratio})
                    say(f"{getattr(size, name):,} {GROWS[name]}: round {number} of {plan.rounds}")
                faults += much.faults
        return report(TABLE, measured.prefixed(), faults + little.faults, at.told(plan))


async def _compared(plan: GrowthPlan, little: Side, much: Side) -> dict[str, tuple[float, float]]:
    """CPU milliseconds a command on both, by whose they are."""
    before, after = [_spent(await one.run(seconds=plan.seconds, rate=plan.rate)) for one in (little, much)]
    return {of: (before[of], after[of]) for of in before}


def _spent(told: Told) -> dict[str, float]:
    each = told.cpu_ms()
    database = each.get(f"cpu_{POSTGRESQL}_ms")
    return {"cpu": each["cpu_ms"]} | ({"cpu_all": each["cpu_ms"] + database} if database is not None else {})


@asynccontextmanager
async def _grown(at: Stage, name: str, size: Size) -> AsyncIterator[Side]:
    """A gateway of that size, every station of which has been used; the reservations are at stations of their own."""
    at.say(f"making a gateway of {', '.join(f'{getattr(size, one):,} {said}' for one, said in GROWS.items())}")
    scene, directory = Scene(size.stations + size.reservations), at.directory / name
    async with gateway(directory, scene, at.databases) as server, loaded(server, size.stations) as side:
        # One more than two for each, so that one reservation is left to be copied.
        await side.run(seconds=0, in_flight=min(AT_ONCE, size.stations), at_least=2 * size.stations + 1)
        await asyncio.to_thread(_fill, server, size)
        yield side


def _fill(server: Server, size: Size) -> None:
    engine = open_engine(server.database)
    add_finished(engine, size.commands, At(1, size.stations))
    add_live(engine, size.reservations, At(size.stations + 1, size.reservations))
    engine.dispose()
