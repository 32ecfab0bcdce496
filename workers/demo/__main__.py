"""``make run``: start everything, take the journey, show it, and stay up."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.simulators.emsp import SimulatedEmsp
from gateway.simulators.exchanges import Received
from gateway.simulators.station import SimulatedStation
from ocpi.headers import Party
from workers.demo import show
from workers.demo.fates import complaints
from workers.demo.journey import PATIENCE, Journey
from workers.demo.scenery import EMSP, PASSWORD, POWER, STANDS, TOKEN_OUT, Spoiled, Stand, environment, fresh, furnish
from workers.lifeline import tied
from workers.supervisor import port_problem, reachable

#: Seconds that a slow machine may take to start everything, and to end it.
START, STOP = 60.0, 20.0
#: The exit status of what a signal ended before it was done.
INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    once: Annotated[bool, typer.Option("--once", help="End after the journey.")] = False,
    api_port: Annotated[int, typer.Option(min=1, max=65_535)] = 8000,
    ocpp_port: Annotated[int, typer.Option(min=1, max=65_535)] = 9000,
    data: Annotated[Path, typer.Option(help="The demonstration's own directory, made anew.")] = Path(".demo"),
) -> None:
    """A demonstration: a gateway, an eMSP and a station of each OCPP version, all on this machine."""
    console = show.console()
    try:
        for port in (api_port, ocpp_port):
            if problem := port_problem("127.0.0.1", port):
                raise Spoiled(f'{problem} Choose another with ARGS="--api-port … --ocpp-port … --data …".')
        fresh(data)
        raise typer.Exit(asyncio.run(_demonstrate(console, data, api_port, ocpp_port, once)))
    except Spoiled as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None


async def _demonstrate(console: Console, data: Path, api_port: int, ocpp_port: int, once: bool) -> int:
    _end_on_signals()
    api, ocpp = f"http://127.0.0.1:{api_port}", f"ws://127.0.0.1:{ocpp_port}/ocpp"
    async with AsyncExitStack() as stack:
        console.print(f"Starting the gateway (its log is {data / 'up.log'}) …")
        gateway = await stack.enter_async_context(_gateway(console, data, api_port, ocpp_port))
        journey_is_over = False

        def tell(received: Received) -> None:
            if journey_is_over:
                console.print(show.heard(received), markup=False, soft_wrap=True)

        emsp = await stack.enter_async_context(SimulatedEmsp(token=TOKEN_OUT, on_callback=tell, on_push=tell))
        emsp.receiver.party = Party(*EMSP)
        console.print("Adding a CPO, an eMSP, a Location with a Tariff, and its stations:")
        endpoints = {module: emsp.endpoint(module) for module in ("sessions", "cdrs")}
        await furnish(data, endpoints, lambda line: console.print(line, markup=False, soft_wrap=True))
        console.print("Connecting a station of each OCPP version …")
        stations = [await stack.enter_async_context(_station(ocpp, stand)) for stand in STANDS]
        await _connected(stations, data)
        console.print("Sending the five commands to each, and following what becomes of them …\n")
        journeys = [Journey(api, emsp, stand, station) for stand, station in zip(STANDS, stations, strict=True)]
        await asyncio.gather(*(journey.take() for journey in journeys))
        problems = _shown(console, emsp, journeys)
        if once or problems:
            return 1 if problems else 0
        console.print(show.invitation(api, ocpp, emsp.url_for("curl"), data), markup=False, soft_wrap=True)
        journey_is_over = True
        return await _stay(gateway, data)


def _shown(console: Console, emsp: SimulatedEmsp, journeys: list[Journey]) -> list[str]:
    """Print what was seen; what was not as expected."""
    fates = [fate for journey in journeys for fate in journey.fates()]
    console.print(show.commands_table([step for journey in journeys for step in journey.steps]))
    console.print(show.fates_table(fates))
    console.print(show.legend(fates), markup=False)
    whole = {journey.stand for journey in journeys if not journey.problems}
    problems = [problem for journey in journeys for problem in journey.problems]
    problems += [problem for fate in fates if fate.stand in whole for problem in fate.problems()]
    problems += complaints(emsp)
    for problem in problems:
        console.print(f"Not as expected: {problem}", style="red", markup=False, soft_wrap=True)
    return problems


def _end_on_signals() -> None:
    running = asyncio.current_task()
    assert running is not None
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, running.cancel)


def _station(ocpp: str, stand: Stand) -> SimulatedStation:
    return SimulatedStation(
        ocpp, stand.station, stand.ocpp, PASSWORD, evses=(("cCCS2",),), pace=0.1, meter_interval=1, power_w=POWER
    )


async def _connected(stations: list[SimulatedStation], data: Path) -> None:
    for station in stations:
        try:
            await station.wait_for(lambda one: one.ready, PATIENCE)
        except TimeoutError:
            raise Spoiled(f"{station.id} was not connected; {data / 'up.log'} may tell why.") from None


async def _stay(gateway: subprocess.Popen[bytes], data: Path) -> int:
    """Until a signal comes."""
    try:
        await asyncio.to_thread(gateway.wait)
    except asyncio.CancelledError:
        return 0
    raise Spoiled(f"The gateway has ended; {data / 'up.log'} may tell why.")


@asynccontextmanager
async def _gateway(
    console: Console, data: Path, api_port: int, ocpp_port: int
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """``ocpi-gateway up`` as an operator would start it, and nothing of the caller's own settings in it."""
    words = ["up", "--data", str(data), "--api-port", str(api_port), "--ocpp-port", str(ocpp_port)]
    with (data / "up.log").open("wb") as log:
        process = subprocess.Popen(
            tied([sys.executable, "-m", "workers", *words]),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to handle first
        )
    try:
        end = time.monotonic() + START
        while not (reachable("127.0.0.1", api_port) and reachable("127.0.0.1", ocpp_port)):
            if process.poll() is not None or time.monotonic() > end:
                raise Spoiled(f"The gateway did not start:\n{(data / 'up.log').read_text()[-2000:]}")
            await asyncio.sleep(0.05)
        yield process
    finally:
        console.print("Stopping the gateway …")
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    app()
