"""``commands``: the whole gateway beside the bare relay, in turn, under the same full load."""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis import Redis

from workers.bench.figures import Row, Table, Target, percentiles, report
from workers.bench.plan import Plan, Say, stage
from workers.bench.sides import Server, Side, Told
from workers.valkey import Valkey

#: Commands a second of the low load.
LOW = 20
#: Seconds after which whatever is to be left of a finished command is left.
SETTLED = 1.0


def _both(label: str, figure: str, unit: str = "", target: Target | None = None) -> Row:
    return Row(label, (figure, f"ceiling_{figure}"), unit, target)


TABLE = Table(
    "RESERVE_NOW and CANCEL_RESERVATION in turn at every station; half the stations OCPP 1.6, half 2.0.1",
    ("gateway", "relay (ceiling)"),
    (
        Row(
            "commands a second, full load",
            ("commands_per_second", "ceiling_per_second"),
            target=Target(must=720, aim=1200, at_least=True),
        ),
        Row("ratio to the ceiling", ("ratio_to_ceiling", ""), target=Target(must=0.4, aim=0.75, at_least=True)),
        _both("POST to callback, full load, p50", "busy_p50_ms", "ms"),
        _both("POST to callback, full load, p99", "busy_p99_ms", "ms"),
        _both("POST to its answer, full load, p50", "busy_ack_p50_ms", "ms"),
        _both("POST to its answer, full load, p99", "busy_ack_p99_ms", "ms"),
        _both("POST to its answer, full load, p99 as a multiple of p50", "busy_ack_spread", "", Target(must=3, aim=2)),
        _both("POST to callback, 20 a second, p50", "p50_ms", "ms"),
        _both("POST to callback, 20 a second, p99", "p99_ms", "ms"),
        _both("POST to its answer, 20 a second, p50", "ack_p50_ms", "ms"),
        _both("POST to its answer, 20 a second, p99", "ack_p99_ms", "ms"),
        Row("Redis keys left by a finished command", ("redis_keys", ""), target=Target(must=0, aim=0)),
        Row("append-only file a command", ("aof_bytes", ""), "bytes", Target(must=5000, aim=3000)),
        _both("CPU a command, full load: all of these processes", "cpu_ms", "ms CPU"),
        Row("… api", ("cpu_api_ms", ""), "ms CPU"),
        Row("… worker-1", ("cpu_worker-1_ms", ""), "ms CPU"),
        Row("… bridge", ("cpu_bridge_ms", ""), "ms CPU"),
        Row("… relay", ("", "ceiling_cpu_relay_ms"), "ms CPU"),
        _both("… Valkey", "cpu_valkey_ms", "ms CPU"),
        _both("besides: PostgreSQL", "cpu_postgresql_ms", "ms CPU"),
        _both("besides: the load and its stations", "cpu_load_ms", "ms CPU"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class CommandsPlan(Plan):
    """``seconds`` of each load, on each side, in each round."""

    seconds: float = 5.0
    rounds: int = 5
    stations: int = 200
    #: Commands at once under full load.
    in_flight: int = 128

    @property
    def load_seconds(self) -> float:
        return self.rounds * 4 * self.seconds

    @property
    def problem(self) -> str | None:
        if self.in_flight > self.stations:
            return "A station carries out one command at a time: there must be as many stations as commands in flight."
        return super().problem


QUICK = CommandsPlan(seconds=0.5, rounds=1, stations=4, in_flight=2, quick=True)


async def run(plan: CommandsPlan, say: Say) -> dict[str, Any]:
    """Start both, load them in turn, end both; raises Broken."""
    async with stage(plan, say) as at:
        say("starting the relay and the gateway")
        relay, gateway = await at.sides(plan.stations)
        for one in (relay, gateway):
            await one.warm_up(plan.in_flight, plan.seconds)
        for number in range(1, plan.rounds + 1):
            for one in (relay, gateway):
                rate = await _busy(one, plan)
                await _quiet(one, plan)
                say(f"round {number} of {plan.rounds}: {one.server.name} {rate:,.0f} commands/s")
        each_round = gateway.measured.prefixed() | relay.measured.prefixed("ceiling_")
        each_round["ceiling_per_second"] = each_round.pop("ceiling_commands_per_second")
        rates = zip(each_round["commands_per_second"], each_round["ceiling_per_second"], strict=True)
        each_round["ratio_to_ceiling"] = [round(one / ceiling, 4) if ceiling else 0.0 for one, ceiling in rates]
        told = at.told(plan) | {"mix": TABLE.title, "low_load_per_second": LOW}
        return report(TABLE, each_round, relay.faults + gateway.faults, told)


async def _busy(one: Side, plan: CommandsPlan) -> float:
    before = await _kept(one.server, plan)
    told = await one.run(seconds=plan.seconds, in_flight=plan.in_flight)
    one.measured.add(commands_per_second=told.per_second, **busy(told))
    after = await _kept(one.server, plan)
    if before is not None and after is not None:
        commands = max(1, told.commands)
        one.measured.add(redis_keys=round(max(0, after.keys - before.keys) / commands, 2))
        if after.base == before.base:  # else the file was written anew meanwhile, and is shorter
            one.measured.add(aof_bytes=(after.bytes - before.bytes) / commands)
    return told.per_second


def busy(told: Told) -> dict[str, float]:
    """What full load says besides its rate."""
    answers = percentiles("busy_ack_", told.acknowledged_ms)
    middle = answers["busy_ack_p50_ms"]
    spread = {"busy_ack_spread": answers["busy_ack_p99_ms"] / middle if middle else 0.0}
    return percentiles("busy_", told.called_back_ms) | answers | spread | told.cpu_ms()


async def _quiet(one: Side, plan: CommandsPlan) -> None:
    told = await one.run(seconds=plan.seconds, rate=LOW)
    one.measured.add(**percentiles("", told.called_back_ms), **percentiles("ack_", told.acknowledged_ms))


class _Kept(NamedTuple):
    """What the gateway's Valkey keeps: keys, bytes of its append-only file, and of the part that is written anew."""

    keys: int
    bytes: int
    base: int


async def _kept(server: Server, plan: CommandsPlan) -> _Kept | None:
    """After a moment; the relay promises nothing of the kind."""
    if server.name != "gateway":
        return None
    await asyncio.sleep(min(SETTLED, plan.seconds))
    return await asyncio.to_thread(_ask, Valkey(server.directory / "valkey").url)


def _ask(url: str) -> _Kept:
    with Redis.from_url(url, socket_timeout=10) as redis:
        told: dict[str, Any] = redis.info("persistence")
        return _Kept(int(redis.dbsize()), int(told["aof_current_size"]), int(told["aof_base_size"]))
