"""``isolation``: what one eMSP of ten can do to the nine others, in the same run without it and with it."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from workers.bench.emsp import PATIENCE, Ears
from workers.bench.figures import Rounds, Row, Table, Target, percentiles, report
from workers.bench.plan import Plan, Say, Stage, stage
from workers.bench.scene import Scene
from workers.bench.sides import Side, gateway, load_of, stations_of
from workers.bench.talk import Broken, Talker

EMSPS = 10
#: The offender's number; the others are those before it.
OFFENDER = EMSPS


class Offence(StrEnum):
    """What the tenth eMSP does."""

    TAR_PIT = "tar-pit"
    DEAD = "dead"
    FLOOD = "flood"
    MUTE = "mute"

    @property
    def figure(self) -> str:
        return self.value.replace("-", "_")


SAID = {
    Offence.TAR_PIT: "its callbacks are never answered",
    Offence.DEAD: "nothing listens at its port",
    Offence.FLOOD: "it floods, with 256 commands in flight",
    Offence.MUTE: "its commands go to a hundred mute stations",
}
EARS: dict[Offence | None, Ears] = {Offence.TAR_PIT: Ears.NEVER, Offence.DEAD: Ears.CLOSED}
#: Only the tar-pit's is agreed on; the others are held to the same.
_TARGET = Target(must=1.5, aim=1.1)

TABLE = Table(
    "The nine others, POST to callback, while one eMSP of ten …",
    ("without", "with", "ratio"),
    tuple(
        Row(
            f"… {SAID[one]}: p{which}",
            (f"{one.figure}_without_p{which}_ms", f"{one.figure}_p{which}_ms", f"{one.figure}_p{which}_ratio"),
            "ms",
            _TARGET if which == 99 else None,
        )
        for one in Offence
        for which in (50, 99)
    ),
    judged=2,
)


@dataclass(frozen=True, kw_only=True)
class IsolationPlan(Plan):
    """``seconds`` without and with each offence, in each round."""

    LIMIT = 900.0
    OVERHEAD = 200.0

    #: Commands a second of each eMSP.
    rate: float = 10.0
    #: Seconds for which an offender is left alone first, so that what it does has piled up.
    lead: float = 10.0
    offences: tuple[Offence, ...] = tuple(Offence)
    #: Stations of each of the others.
    each: int = 20
    #: Commands that a flood has in flight, each at a station of its own; and mute stations.
    flood: int = 256
    mute: int = 100

    @property
    def head_start(self) -> float:
        """Seconds that the tenth is at it, in each round, before the others' time is taken."""
        return min(1.0, self.seconds)

    @property
    def others(self) -> int:
        """Stations of theirs."""
        return self.each * (EMSPS - 1)

    @property
    def load_seconds(self) -> float:
        return len(self.offences) * (self.lead + self.rounds * 2 * (self.seconds + self.head_start))


QUICK = IsolationPlan(
    seconds=0.5,
    rounds=1,
    rate=4.0,
    lead=0.5,
    offences=(Offence.TAR_PIT, Offence.FLOOD),
    each=2,
    flood=16,
    mute=8,
    quick=True,
)


@dataclass(frozen=True)
class Scenario:
    """A gateway with the nine others and the tenth."""

    others: Side
    offender: Talker
    offence: Offence | None

    async def round(self, plan: IsolationPlan) -> dict[str, float]:
        """The others' times, while the tenth does its part."""
        doing = asyncio.create_task(self.offend(plan, plan.seconds + plan.head_start))
        try:
            await asyncio.sleep(plan.head_start)
            told = await self.others.run(seconds=plan.seconds, rate=plan.rate * (EMSPS - 1))
            await doing
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
        return percentiles("", told.called_back_ms)

    async def offend(self, plan: IsolationPlan, seconds: float) -> None:
        pace: dict[str, Any] = {"in_flight": plan.flood} if self.offence is Offence.FLOOD else {"rate": plan.rate}
        waits = self.offence in {None, Offence.FLOOD}  # else nothing comes, or not in time
        told = await self.offender.ask({"seconds": seconds, "waits": waits, **pace}, seconds + 2 * PATIENCE)
        if not told["acknowledged"]:
            raise Broken(self.offender.told("got no command through"))


async def run(plan: IsolationPlan, say: Say) -> dict[str, Any]:
    async with stage(plan, say) as at, AsyncExitStack() as stack:
        measured = Rounds()
        say("starting a gateway without an offender")
        usual = await _scenario(at, plan, stack, None)
        await usual.others.warm_up(EMSPS, plan.seconds)
        faults = Counter[str]()
        for offence in plan.offences:
            async with AsyncExitStack() as its_own:
                say(f"starting a gateway with one of which {SAID[offence]}")
                unusual = await _scenario(at, plan, its_own, offence)
                await unusual.others.warm_up(EMSPS, plan.seconds)
                await unusual.offend(plan, plan.lead)
                for number in range(1, plan.rounds + 1):
                    _compare(measured, offence, await usual.round(plan), await unusual.round(plan))
                    say(f"{offence}: round {number} of {plan.rounds}")
                faults += unusual.others.faults
        return report(TABLE, measured.prefixed(), faults + usual.others.faults, at.told(plan))


def _compare(measured: Rounds, offence: Offence, without: dict[str, float], with_: dict[str, float]) -> None:
    for which in (50, 99):
        before, after = without[f"p{which}_ms"], with_[f"p{which}_ms"]
        measured.add(
            **{
                f"{offence.figure}_without_p{which}_ms": before,
                f"{offence.figure}_p{which}_ms": after,
                f"{offence.figure}_p{which}_ratio": after / before if before else 0.0,
            }
        )


async def _scenario(at: Stage, plan: IsolationPlan, stack: AsyncExitStack, offence: Offence | None) -> Scenario:
    """The stations are the others', then those that the tenth can use, then the mute ones."""
    scene = Scene(plan.others + plan.flood + plan.mute, emsps=EMSPS)
    server = await stack.enter_async_context(gateway(at.directory / (offence or "usual"), scene, at.databases))
    stations = await stack.enter_async_context(stations_of(server, scene.stations, mute=plan.mute))
    nine = [{"number": one, "first": (one - 1) * plan.each + 1, "count": plan.each} for one in range(1, OFFENDER)]
    load = await stack.enter_async_context(load_of(server, "others", nine))
    own = (plan.others + 1, plan.flood) if offence is not Offence.MUTE else (plan.others + plan.flood + 1, plan.mute)
    tenth = {"number": OFFENDER, "first": own[0], "count": own[1], "ears": EARS.get(offence, Ears.WELL)}
    offender = await stack.enter_async_context(load_of(server, "offender", [tenth]))
    return Scenario(Side(server, load, stations), offender, offence)
