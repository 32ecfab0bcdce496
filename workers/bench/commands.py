"""The run: relay and gateway side by side, under the same load in turn, and what was measured."""

import asyncio
import os
import platform
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from gateway.settings import Settings
from workers.bench.cpu import cpu_seconds
from workers.bench.load import PATIENCE
from workers.bench.scene import HOST, furnish
from workers.bench.talk import START, Broken, Talker, started

MIX = "RESERVE_NOW and CANCEL_RESERVATION in turn at every station; half the stations OCPP 1.6, half 2.0.1"
#: Commands a second of the low load, and seconds of the load that only warms up.
LOW, WARM = 20, 1.0
#: Seconds of starting, warming up and ending; and of everything.
OVERHEAD, LIMIT = 60.0, 285.0

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured; ``seconds`` of each load, on each side, in each round."""

    seconds: float
    rounds: int
    stations: int
    in_flight: int

    @property
    def problem(self) -> str | None:
        if self.in_flight > self.stations:
            return "A station carries out one command at a time: there must be as many stations as commands in flight."
        if self.rounds * 4 * self.seconds + OVERHEAD > LIMIT:
            return "That would take more than five minutes: fewer rounds, or fewer seconds."
        return None


@dataclass
class Measured:
    """What the rounds on one side have given."""

    per_second: list[float] = field(default_factory=list)
    called_back_ms: list[float] = field(default_factory=list)
    acknowledged_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)
    #: CPU microseconds a command under full load, by process.
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)


@dataclass
class Side:
    """The relay or the gateway, with its stations and its load."""

    name: str
    server: Talker
    load: Talker
    pids: Callable[[], dict[str, int]]
    measured: Measured = field(default_factory=Measured)

    async def warm_up(self, plan: Plan) -> None:
        told = await self._run(seconds=WARM, in_flight=plan.in_flight)
        if told["commands"] == 0:
            raise Broken(f"{self.load.told('got no command through')} {self.server.told('said')}")

    async def busy(self, plan: Plan) -> None:
        pids = self.pids()
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        told = await self._run(seconds=plan.seconds, in_flight=plan.in_flight)
        self.measured.per_second.append(told["per_second"])
        self.measured.busy_ms += told["called_back_ms"]
        for name, pid in pids.items():
            spent = 1e6 * (cpu_seconds(pid) - before[name]) / max(1, told["commands"])
            self.measured.cpu_us.setdefault(name, []).append(spent)

    async def quiet(self, plan: Plan) -> None:
        told = await self._run(seconds=plan.seconds, rate=LOW)
        self.measured.called_back_ms += told["called_back_ms"]
        self.measured.acknowledged_ms += told["acknowledged_ms"]

    async def _run(self, **words: Any) -> dict[str, Any]:
        told: dict[str, Any] = await self.load.ask(words, words["seconds"] + 2 * PATIENCE)
        self.measured.faults.update(told["faults"])
        return told


async def run(plan: Plan, say: Say) -> dict[str, Any]:
    """Start both, load them in turn, end both; raises Broken."""
    others = round(os.getloadavg()[0], 2)
    with TemporaryDirectory(prefix="ocpi-gateway-bench-") as directory:
        async with AsyncExitStack() as stack, asyncio.timeout(LIMIT):
            say("starting the relay and the gateway")
            relay = await stack.enter_async_context(_relay(Path(directory, "relay"), plan))
            gateway = await stack.enter_async_context(_gateway(Path(directory, "gateway"), plan))
            for side in (relay, gateway):
                await side.warm_up(plan)
            for number in range(1, plan.rounds + 1):
                for side in (relay, gateway):
                    await side.busy(plan)
                    await side.quiet(plan)
                    rate = side.measured.per_second[-1]
                    say(f"round {number} of {plan.rounds}: {side.name} {rate:,.0f} commands/s")
        # Who else was at work: on a busy machine both sides suffer, and the more processes the more.
        return report(plan, relay.measured, gateway.measured) | {"load_average_before": others}


def report(plan: Plan, relay: Measured, gateway: Measured) -> dict[str, Any]:
    commands, ceiling = median(gateway.per_second), median(relay.per_second)
    faults = relay.faults + gateway.faults
    return {
        "commands_per_second": round(commands, 1),
        "ceiling_per_second": round(ceiling, 1),
        "ratio_to_ceiling": round(commands / ceiling, 4) if ceiling else 0.0,
        "p50_ms": _percentile(gateway.called_back_ms, 50),
        "p99_ms": _percentile(gateway.called_back_ms, 99),
        "ack_p50_ms": _percentile(gateway.acknowledged_ms, 50),
        "ack_p99_ms": _percentile(gateway.acknowledged_ms, 99),
        "busy_p50_ms": _percentile(gateway.busy_ms, 50),
        "busy_p99_ms": _percentile(gateway.busy_ms, 99),
        "ceiling_p50_ms": _percentile(relay.called_back_ms, 50),
        "ceiling_p99_ms": _percentile(relay.called_back_ms, 99),
        "ceiling_busy_p50_ms": _percentile(relay.busy_ms, 50),
        "ceiling_busy_p99_ms": _percentile(relay.busy_ms, 99),
        "cpu_us_per_command": {name: round(median(spent)) for name, spent in gateway.cpu_us.items()},
        "ceiling_cpu_us_per_command": {name: round(median(spent)) for name, spent in relay.cpu_us.items()},
        **{name: faults[name] for name in ("lost", "duplicate", "refused", "failed")},
        "rounds_per_second": [round(rate, 1) for rate in gateway.per_second],
        "ceiling_rounds_per_second": [round(rate, 1) for rate in relay.per_second],
        "mix": MIX,
        "stations": plan.stations,
        "in_flight": plan.in_flight,
        "low_load_per_second": LOW,
        "seconds": plan.seconds,
        "rounds": plan.rounds,
        "python": platform.python_version(),
        "cpu_count": os.cpu_count() or 1,
    }


def verdict(figures: dict[str, Any]) -> str | None:
    """Why the figures do not count, in one sentence; None when they do."""
    wrong = [f"{figures[name]} {name}" for name in ("lost", "duplicate", "refused", "failed") if figures[name]]
    return f"These figures do not count: of the commands or their callbacks {', '.join(wrong)}." if wrong else None


def _percentile(values: Sequence[float], which: int) -> float:
    if len(values) < 2:
        return round(values[0], 2) if values else 0.0
    return round(quantiles(values, n=100, method="inclusive")[which - 1], 2)


@asynccontextmanager
async def _relay(directory: Path, plan: Plan) -> AsyncIterator[Side]:
    directory.mkdir()
    argv = [sys.executable, "-m", "workers.bench.relay", str(directory), str(plan.stations)]
    async with started("the relay", argv, directory / "relay.log") as relay:
        told = await relay.hear()
        async with _loaded("relay", directory, plan, told["api_port"], told["ocpp_port"]) as load:
            yield Side("relay", relay, load, lambda: {"relay": relay.process.pid})


@asynccontextmanager
async def _gateway(directory: Path, plan: Plan) -> AsyncIterator[Side]:
    directory.mkdir()
    furnish(Settings.model_construct(data_dir=directory), plan.stations)
    api_port, ocpp_port = _free_ports(2)
    ports = ["--api-port", str(api_port), "--ocpp-port", str(ocpp_port)]
    argv = [*_settings(), sys.executable, "-m", "workers", "up", "--data", str(directory), *ports]
    async with started("the gateway", argv, directory / "up.log", talks=False) as gateway:
        await _until_listening(gateway, [ocpp_port, api_port])
        async with _loaded("gateway", directory, plan, api_port, ocpp_port) as load:
            yield Side("gateway", gateway, load, lambda: _pids(directory / "run"))


@asynccontextmanager
async def _loaded(name: str, directory: Path, plan: Plan, api_port: int, ocpp_port: int) -> AsyncIterator[Talker]:
    """The stations of one side, all booted, and its eMSP."""
    url, count = f"ws://{HOST}:{ocpp_port}/ocpp", str(plan.stations)
    stations = [sys.executable, "-m", "workers.bench.stations", url, count]
    load = [sys.executable, "-m", "workers.bench.load", str(api_port), count]
    async with (
        started(f"the stations of the {name}", stations, directory / "stations.log") as booted,
        started(f"the load of the {name}", load, directory / "load.log") as talker,
    ):
        await booted.hear()
        yield talker


def _settings() -> list[str]:
    """Every setting at its default, whatever our own environment says, except that callbacks may go to this machine."""
    unset = [word for name in Settings.model_fields for word in ("-u", f"GATEWAY_{name.upper()}")]
    return ["env", *unset, "GATEWAY_ALLOW_PRIVATE_CALLBACKS=true"]


def _pids(run_directory: Path) -> dict[str, int]:
    """The gateway's processes, by name."""
    files = sorted(run_directory.glob("*.pid"))
    return {file.stem: int(file.read_text()) for file in files if file.stem != "supervisor"}


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


async def _until_listening(gateway: Talker, ports: Sequence[int]) -> None:
    until = time.monotonic() + START
    for port in ports:
        while not await _listens(port):
            if not gateway.alive or time.monotonic() > until:
                raise Broken(gateway.told("did not start"))
            await asyncio.sleep(0.05)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
