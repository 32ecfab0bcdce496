"""The command line of the benchmarks: every option is a field of a plan, and its default the plan's."""

import asyncio
import inspect
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from workers.bench import table
from workers.bench.databases import Database
from workers.bench.figures import verdict
from workers.bench.measures import ceiling, commands, growth, isolation, latency, profile, start, stations
from workers.bench.plan import Plan, Say
from workers.bench.talk import Broken

bench = typer.Typer(
    help="Benchmarks: what the gateway does, beside what this machine can do at best, and beside its targets.",
    no_args_is_help=True,
)

#: Columns of a table that no terminal shows.
WIDTH = 140
#: Fields that are no option.
_FIXED = {"quick", "little", "much", "each", "flood", "mute", "settle"}
_HELP: Mapping[str, tuple[type[Any], dict[str, Any]]] = {
    "seconds": (float, {"min": 0.5, "help": "Of each load on each side, in each round."}),
    "rounds": (int, {"min": 1, "help": "What is compared takes turns; figures are medians of the rounds."}),
    "stations": (int, {"min": 1, "max": 20_000, "help": "Simulated stations."}),
    "in_flight": (int, {"min": 1, "help": "Commands at once under full load."}),
    "rate": (float, {"min": 0.1, "help": "A second, in the open loop; where there are several eMSPs, of each."}),
    "lead": (float, {"min": 0.0, "help": "Seconds for which an offender is left alone first."}),
    "offences": (list[isolation.Offence], {"help": "Only these, in this order; may be repeated."}),
    "database": (Database, {"help": "What the gateway, and the relay, keep their rows in."}),
    "database_url": (str, {"help": "A PostgreSQL in which databases may be made, and dropped."}),
    "process": (str, {"help": "Which of the gateway's."}),
}


@dataclass(frozen=True)
class Benchmark:
    """One command of the command line; ``summary`` is its help."""

    name: str
    summary: str
    quick: Plan
    run: Callable[[Any, Say], Coroutine[Any, Any, dict[str, Any]]]

    def register(self) -> None:
        def command(*, as_json: bool, save: Path | None, quick: bool, **given: Any) -> None:
            plan = self.quick if quick else type(self.quick)()
            _measure(self, replace(plan, **_said(given)), as_json, save)

        signature = inspect.Signature([_parameter(name, *about) for name, about in self._options().items()])
        command.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
        command.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
        bench.command(self.name, help=self.summary)(command)

    def _options(self) -> dict[str, tuple[Any, Any]]:
        """``{name: (annotation, default)}``; without a value, it is the plan's."""
        own = {one.name: one.default for one in fields(self.quick) if one.name not in _FIXED}
        return _COMMON | {name: (_option(name, default), None) for name, default in own.items()}


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given; what may be repeated is an empty list when it was not."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None and value != []
    }


def _option(name: str, default: Any) -> Any:
    kind, about = _HELP[name]
    shown_default = False if default == "" or isinstance(default, tuple) else str(default)
    return Annotated[kind | None, typer.Option(show_default=shown_default, **about)]


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_COMMON: dict[str, tuple[Any, Any]] = {
    "as_json": (Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")], False),
    "save": (Annotated[Path | None, typer.Option(help="Directory that NAME.json and a plot, NAME.png, go to.")], None),
    "quick": (Annotated[bool, typer.Option("--quick", help="A few seconds, and little of all: does it work?")], False),
}

BENCHMARKS = (
    Benchmark("ceiling", "The bare relay alone: what this machine can do at best.", ceiling.QUICK, ceiling.run),
    Benchmark(
        "commands",
        "Commands a second from POST to callback: the whole gateway beside a bare relay, in turn, under the same load.",
        commands.QUICK,
        commands.run,
    ),
    Benchmark(
        "latency", "How long a command takes in an open loop, steady and at half load.", latency.QUICK, latency.run
    ),
    Benchmark("isolation", "What one eMSP of ten can do to the nine others.", isolation.QUICK, isolation.run),
    Benchmark("stations", "Idle stations, their heartbeats, and all back at once.", stations.QUICK, stations.run),
    Benchmark("growth", "What a command costs where there is much of all.", growth.QUICK, growth.run),
    Benchmark("start", "From a cold `up` to the first accepted command, and its memory.", start.QUICK, start.run),
    Benchmark("profile", "Where a process of the gateway spends its time under load.", profile.QUICK, profile.run),
)
for _benchmark in BENCHMARKS:
    _benchmark.register()


def _measure(benchmark: Benchmark, plan: Plan, as_json: bool, save: Path | None) -> None:
    if problem := plan.problem:
        raise _failed(problem, 2)
    try:
        figures = asyncio.run(_until_told_to_stop(benchmark, plan))
    except Broken as broken:
        raise _failed(str(broken)) from None
    except TimeoutError:
        raise _failed("The benchmark took too long.") from None
    except asyncio.CancelledError:
        raise _failed("The benchmark was stopped.") from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(table.drawn(figures))
    if problem := verdict(figures):
        raise _failed(problem)
    if save is not None:
        _save(figures, save, plan.named(benchmark.name))


def _failed(sentence: str, status: int = 1) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(status)


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


async def _until_told_to_stop(benchmark: Benchmark, plan: Plan) -> dict[str, Any]:
    """SIGTERM ends everything in order, as Ctrl-C does, which a shell keeps from what it runs in the background."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return {"benchmark": plan.named(benchmark.name)} | await benchmark.run(plan, _say)


def _save(figures: dict[str, Any], directory: Path, name: str) -> None:
    """Only figures that count are kept."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.json").write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
    try:
        from workers.bench.plot import draw
    except ImportError:
        _say("There is no plot: matplotlib comes with the development environment.")
    else:
        draw(figures, directory / f"{name}.png")
