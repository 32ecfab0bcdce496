"""``stations``: what an idle station costs, what its heartbeats cost, and how long all take to come back at once."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from workers.bench.figures import Rounds, Row, Table, Target, percentiles, report
from workers.bench.plan import Plan, Say, Stage, stage
from workers.bench.processes import Memory, memory
from workers.bench.scene import Scene
from workers.bench.sides import Server, gateway, stations_of
from workers.bench.talk import Talker

#: Stations that are there before any is counted: what the first ones need is not what one more needs.
FIRST = 50
#: Seconds that a wave may take, and so many more for each station.
WAVE, WAVE_EACH = 120.0, 0.05
KIB, MB = 1024, 1e6
#: Seconds between two heartbeats of a station, as the gateway tells it.
INTERVAL = 300

TABLE = Table(
    "Stations over plain WebSocket, half OCPP 1.6, half 2.0.1",
    ("measured",),
    (
        Row("idle station in the bridge (PSS)", ("station_kib",), "KiB", Target(must=30, aim=16)),
        Row("idle station in the bridge (RSS)", ("station_rss_kib",), "KiB"),
        Row("bridge with all of them (PSS)", ("bridge_mb",), "MB"),
        Row("heartbeats a second", ("heartbeats_per_second",)),
        Row("CPU of all processes a heartbeat", ("heartbeat_us",), "µs"),
        Row("heartbeats of all stations, each every 300 s", ("heartbeat_load_percent",), "% of a core"),
        Row("answer to a heartbeat, p50", ("heartbeat_p50_ms",), "ms"),
        Row("answer to a heartbeat, p99", ("heartbeat_p99_ms",), "ms"),
        Row("reconnect wave: all booted", ("wave_all_booted_s",), "s", Target(aim=10)),
        Row(
            "reconnect wave: longest wait for an answer to BootNotification",
            ("wave_longest_answer_s",),
            "s",
            Target(must=10, aim=10),
        ),
        Row("reconnect wave: told to come again", ("wave_turned_away",)),
    ),
)


@dataclass(frozen=True, kw_only=True)
class StationsPlan(Plan):
    """``seconds`` of heartbeats in each round; every round has a gateway of its own."""

    LIMIT = 1500.0

    seconds: float = 5.0
    rounds: int = 5
    stations: int = 1000
    #: Heartbeats a second.
    rate: float = 200.0
    #: Seconds after which a bridge that has just been busy is idle.
    settle: float = 3.0

    @property
    def load_seconds(self) -> float:
        """A gateway takes in some 250 stations a second, here twice."""
        return self.rounds * (self.seconds + 2 * self.settle + 10 + 2 * self.stations / 250)


QUICK = StationsPlan(seconds=0.5, rounds=1, stations=20, rate=20.0, settle=0.5, quick=True)


async def run(plan: StationsPlan, say: Say) -> dict[str, Any]:
    async with stage(plan, say) as at:
        measured = Rounds()
        for number in range(1, plan.rounds + 1):
            measured.add(**await _round(at, plan, number))
            say(f"round {number} of {plan.rounds}")
        return report(TABLE, measured.prefixed(), Counter(), at.told(plan))


async def _round(at: Stage, plan: StationsPlan, number: int) -> dict[str, float]:
    scene = Scene(FIRST + plan.stations)
    async with (
        gateway(at.directory / f"gateway-{number}", scene, at.databases) as server,
        stations_of(server, FIRST),
    ):
        await asyncio.sleep(plan.settle)
        before = memory(server.pids()["bridge"])
        at.say(f"connecting {plan.stations:,} stations")
        with server.whole():
            return await _with_all(at, plan, server, before)


async def _with_all(at: Stage, plan: StationsPlan, server: Server, before: Memory) -> dict[str, float]:
    async with stations_of(server, plan.stations, first=FIRST + 1) as many:
        await asyncio.sleep(plan.settle)
        idle = _idle(before, memory(server.pids()["bridge"]), plan.stations)
        beating = await _heartbeats(server, many, plan)
        at.say("all cut, all back at once")
        wave = await server.while_alive(many.ask({}, WAVE + WAVE_EACH * plan.stations))
        return idle | beating | {f"wave_{name}": value for name, value in wave.items()}


def _idle(before: Memory, after: Memory, stations: int) -> dict[str, float]:
    return {
        "station_kib": (after.anonymous - before.anonymous) / stations / KIB,
        "station_rss_kib": (after.rss - before.rss) / stations / KIB,
        "bridge_mb": after.pss / MB,
    }


async def _heartbeats(server: Server, many: Talker, plan: StationsPlan) -> dict[str, float]:
    """CPU beyond what an idle gateway takes in the same time."""
    spent = {}
    for name, rate in (("idle", 0.0), ("beating", plan.rate)):
        before = server.cpu()
        told = await server.while_alive(many.ask({"seconds": plan.seconds, "rate": rate}, plan.seconds + WAVE))
        spent[name] = sum(seconds - before[one] for one, seconds in server.cpu().items())
    each = max(0.0, spent["beating"] - spent["idle"]) / max(1, told["heartbeats"])
    return {
        "heartbeats_per_second": told["heartbeats"] / plan.seconds,
        "heartbeat_us": 1e6 * each,
        "heartbeat_load_percent": 100 * each * plan.stations / INTERVAL,
        **percentiles("heartbeat_", told["waits_ms"]),
    }
