"""``latency``: how long a command takes when the machine is not full, in an open loop, gateway beside relay."""

from dataclasses import dataclass
from typing import Any

from workers.bench.figures import Row, Table, Target, percentiles, report
from workers.bench.measures.commands import CommandsPlan
from workers.bench.plan import Say, stage
from workers.bench.sides import Side

WHICH = (50, 90, 99)

_CALLED_BACK = {50: Target(must=10, aim=4), 99: Target(must=25, aim=10)}
_ANSWERED = {99: Target(must=10, aim=3)}


def _rows(load: str, name: str, targets: bool) -> tuple[Row, ...]:
    """Of one load; the targets are those of the steady one."""

    def row(label: str, figure: str, unit: str, target: Target | None) -> Row:
        cells = f"{name}_{figure}", f"ceiling_{name}_{figure}"
        return Row(f"{load}: {label}", cells, unit, target if targets else None)

    called_back = (row(f"POST to callback, p{one}", f"p{one}_ms", "ms", _CALLED_BACK.get(one)) for one in WHICH)
    answered = (row(f"POST to its answer, p{one}", f"ack_p{one}_ms", "ms", _ANSWERED.get(one)) for one in WHICH)
    return (
        row("commands", "per_second", "a second", None),
        *called_back,
        *answered,
        row("CPU a command, all processes", "cpu_ms", "ms CPU", Target(must=5, aim=2.4)),
        row("besides, PostgreSQL", "cpu_postgresql_ms", "ms CPU", None),
    )


TABLE = Table(
    "Open loop: a command's time begins when it is due",
    ("gateway", "relay"),
    (
        Row("full load: commands", ("saturation_per_second", "ceiling_saturation_per_second"), "a second"),
        *_rows("steady load", "steady", targets=True),
        *_rows("half load", "half", targets=False),
    ),
)


@dataclass(frozen=True, kw_only=True)
class LatencyPlan(CommandsPlan):
    """``seconds`` of each load, on each side, in each round; full load only once, to know what half of it is."""

    #: Commands a second of the steady load.
    rate: int = 200

    @property
    def load_seconds(self) -> float:
        return (self.rounds * 4 + 2) * self.seconds


QUICK = LatencyPlan(seconds=0.5, rounds=1, stations=20, in_flight=4, rate=20, quick=True)


async def run(plan: LatencyPlan, say: Say) -> dict[str, Any]:
    async with stage(plan, say) as at:
        say("starting the relay and the gateway")
        sides = relay, gateway = await at.sides(plan.stations)
        for one in sides:
            await one.warm_up(plan.in_flight, plan.seconds)
        most = {one.server.name: await _saturation(one, plan) for one in sides}
        say("full load: " + ", ".join(f"{name} {rate:,.0f} commands/s" for name, rate in most.items()))
        for number in range(1, plan.rounds + 1):
            for one in sides:
                await _open(one, "steady", plan.rate, plan)
            for one in sides:
                await _open(one, "half", most[one.server.name] / 2, plan)
            say(f"round {number} of {plan.rounds}")
        each_round = gateway.measured.prefixed() | relay.measured.prefixed("ceiling_")
        return report(TABLE, each_round, relay.faults + gateway.faults, at.told(plan))


async def _saturation(one: Side, plan: LatencyPlan) -> float:
    rate = (await one.run(seconds=plan.seconds, in_flight=plan.in_flight)).per_second
    one.measured.add(saturation_per_second=rate)
    return rate


async def _open(one: Side, name: str, rate: float, plan: LatencyPlan) -> None:
    told = await one.run(seconds=plan.seconds, rate=rate)
    one.measured.add(
        **{f"{name}_per_second": rate},
        **percentiles(f"{name}_", told.called_back_ms, WHICH),
        **percentiles(f"{name}_ack_", told.acknowledged_ms, WHICH),
        **{f"{name}_{figure}": spent for figure, spent in told.cpu_ms().items()},
    )
