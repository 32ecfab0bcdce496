"""The command line of the benchmarks."""

import asyncio
import signal
import sys
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from workers.bench.commands import Plan, run, verdict
from workers.bench.talk import Broken

bench = typer.Typer(help="Benchmarks, each beside what this machine can do at best.", no_args_is_help=True)

QUICK = Plan(seconds=1.0, rounds=1, stations=4, in_flight=2)


@bench.callback()
def _group() -> None:
    """Also a single benchmark is called by its name."""


@bench.command()
def commands(
    as_json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each load on each side, per round.")] = 5.0,
    rounds: Annotated[int, typer.Option(min=1, help="Relay and gateway in turn.")] = 3,
    stations: Annotated[int, typer.Option(min=1, max=1000, help="Simulated stations.")] = 50,
    in_flight: Annotated[int, typer.Option(min=1, help="Commands at once under full load.")] = 32,
    quick: Annotated[bool, typer.Option("--quick", help="A few seconds, few stations: does it work at all?")] = False,
) -> None:
    """Commands a second from POST to callback: the whole gateway beside a bare relay, in turn, under the same load."""
    plan = QUICK if quick else Plan(seconds=seconds, rounds=rounds, stations=stations, in_flight=in_flight)
    if problem := plan.problem:
        raise _failed(problem, 2)
    try:
        figures = asyncio.run(_until_told_to_stop(plan))
    except Broken as broken:
        raise _failed(str(broken)) from None
    except TimeoutError:
        raise _failed("The benchmark took too long.") from None
    except asyncio.CancelledError:
        raise _failed("The benchmark was stopped.") from None
    _show(figures, as_json)
    if problem := verdict(figures):
        raise _failed(problem)


def _failed(sentence: str, status: int = 1) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(status)


async def _until_told_to_stop(plan: Plan) -> dict[str, Any]:
    """SIGTERM ends everything in order, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(plan, lambda sentence: typer.echo(sentence, err=True))


def _show(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n")
        return
    table = Table("", "gateway", "relay (ceiling)", title=figures["mix"], title_justify="left")
    for row in _rows(figures):
        table.add_row(*row)
    Console().print(table)


def _rows(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    def both(label: str, gateway: str, ceiling: str) -> tuple[str, str, str]:
        return label, f"{figures[gateway]:,}", f"{figures[ceiling]:,}" if ceiling else ""

    flight, low = f"{figures['in_flight']} in flight", f"{figures['low_load_per_second']} a second"
    return [
        both(f"commands a second, {flight}", "commands_per_second", "ceiling_per_second"),
        both("ratio to the ceiling", "ratio_to_ceiling", ""),
        both(f"POST to callback, {low}: p50 ms", "p50_ms", "ceiling_p50_ms"),
        both(f"POST to callback, {low}: p99 ms", "p99_ms", "ceiling_p99_ms"),
        both(f"POST to its answer, {low}: p50 ms", "ack_p50_ms", ""),
        both(f"POST to its answer, {low}: p99 ms", "ack_p99_ms", ""),
        both(f"POST to callback, {flight}: p50 ms", "busy_p50_ms", "ceiling_busy_p50_ms"),
        both(f"POST to callback, {flight}: p99 ms", "busy_p99_ms", "ceiling_busy_p99_ms"),
        *(
            (f"CPU a command, {flight}: {name} µs", f"{spent:,}", "")
            for name, spent in figures["cpu_us_per_command"].items()
        ),
        *(
            (f"CPU a command, {flight}: {name} µs", "", f"{spent:,}")
            for name, spent in figures["ceiling_cpu_us_per_command"].items()
        ),
    ]
