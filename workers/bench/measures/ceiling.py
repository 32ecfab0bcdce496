"""``ceiling``: the bare relay alone, which is what this machine can do with what cannot be left out."""

from typing import Any

from workers.bench.figures import Row, Table, percentiles, report
from workers.bench.measures.commands import CommandsPlan
from workers.bench.plan import Say, stage
from workers.bench.scene import Scene

TABLE = Table(
    "The bare relay alone",
    ("relay",),
    (
        Row("commands a second, full load", ("commands_per_second",)),
        Row("POST to callback, full load, p50", ("busy_p50_ms",), "ms"),
        Row("POST to callback, full load, p99", ("busy_p99_ms",), "ms"),
        Row("POST to its answer, full load, p50", ("busy_ack_p50_ms",), "ms"),
        Row("POST to its answer, full load, p99", ("busy_ack_p99_ms",), "ms"),
        Row("CPU a command, full load: relay and its Valkey", ("cpu_ms",), "ms CPU"),
        Row("besides: PostgreSQL", ("cpu_postgresql_ms",), "ms CPU"),
        Row("besides: the load and its stations", ("cpu_load_ms",), "ms CPU"),
    ),
)


class CeilingPlan(CommandsPlan):
    """One side, full load only."""

    @property
    def load_seconds(self) -> float:
        return self.rounds * self.seconds


QUICK = CeilingPlan(seconds=0.5, rounds=1, stations=4, in_flight=2, quick=True)


async def run(plan: CeilingPlan, say: Say) -> dict[str, Any]:
    async with stage(plan, say) as at:
        say("starting the relay")
        relay = await at.side(await at.relay(Scene(plan.stations)), plan.stations)
        await relay.warm_up(plan.in_flight, plan.seconds)
        for number in range(1, plan.rounds + 1):
            told = await relay.run(seconds=plan.seconds, in_flight=plan.in_flight)
            relay.measured.add(
                commands_per_second=told.per_second,
                **percentiles("busy_", told.called_back_ms),
                **percentiles("busy_ack_", told.acknowledged_ms),
                **told.cpu_ms(),
            )
            say(f"round {number} of {plan.rounds}: {told.per_second:,.0f} commands/s")
        return report(TABLE, relay.measured.prefixed(), relay.faults, at.told(plan))
