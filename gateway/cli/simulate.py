"""`simulate`: a station or an eMSP to try the gateway with, until Ctrl-C."""

import asyncio
import signal
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from gateway.cli.opening import one_of, told
from gateway.simulators.dialects import DIALECTS, NEWEST
from gateway.simulators.faults import EMSP_FAULTS, STATION_FAULTS, Faults
from gateway.simulators.narrate import run_emsp, run_station

app = typer.Typer(help="Simulated stations and eMSPs, for trying things out.", no_args_is_help=True)

#: The plugs of the simulated EVSEs, in turn (2.x ConnectorEnumType).
_PLUGS = ("cCCS2", "sType2")
#: Faults whose value is a number.
_COUNTED = frozenset({"slow", "late", "offline-queue", "no-reservation-id", "status", "ocpi", "first-n-500"})


def _known(faults: Mapping[str, str]) -> str:
    return "Misbehave, repeatable: " + "; ".join(f"{name}: {what}" for name, what in faults.items())


def _checked(known: Mapping[str, str]) -> Callable[[Sequence[str] | None], list[str]]:
    def check(asked: Sequence[str] | None) -> list[str]:
        try:
            faults = Faults(asked or (), known)
            for name in _COUNTED:
                faults.number(name)
        except ValueError as wrong:
            raise typer.BadParameter(str(wrong)) from None
        return list(asked or ())

    return check


def _web_socket(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in {"ws", "wss"} and parts.hostname and (parts.port is None or parts.port > 0):
            return url
    except ValueError:
        pass
    raise typer.BadParameter(f"{url!r} is no ws:// or wss:// URL")


@app.command()
def station(
    url: Annotated[str, typer.Option(metavar="URL", parser=_web_socket, help="ws://HOST:PORT/ocpp, without the id.")],
    id_: Annotated[str, typer.Option("--id", metavar="ID", help="The station's identity.")],
    ocpp: Annotated[
        str, typer.Option(metavar="|".join(DIALECTS), parser=one_of(DIALECTS), help="What it speaks.")
    ] = NEWEST,
    password: Annotated[
        str | None, typer.Option(metavar="P", help="Its password; none for a station of security profile 0.")
    ] = None,
    evses: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many EVSEs it has, one plug each.")] = 2,
    meter_interval: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, help="How often it tells a running transaction's meter values.")
    ] = 60,
    notify_event: Annotated[
        bool, typer.Option("--notify-event", help="Tell statuses by NotifyEvent instead of StatusNotification (2.x).")
    ] = False,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME", callback=_checked(STATION_FAULTS), help=_known(STATION_FAULTS))
    ] = None,
) -> None:
    """Be a charging station, and print every message."""
    layout = tuple((_PLUGS[number % len(_PLUGS)],) for number in range(evses))
    tls = ssl.create_default_context() if url.startswith("wss:") else None
    if notify_event and DIALECTS[ocpp].events is None:
        raise typer.BadParameter(f"OCPP {ocpp} has no NotifyEvent", param_hint="--notify-event")
    telling = {"meter_interval": meter_interval, "notify_event": notify_event}
    options = {"url": url, "id": id_, "ocpp": ocpp, "password": password, "evses": layout, "tls": tls} | telling
    _until_interrupted(run_station, faults=fault or (), **options)


@app.command()
def emsp(
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="Where it listens on 127.0.0.1; 0: any.")],
    token: Annotated[
        str | None, typer.Option(metavar="T", help="The token that we must send; none: any will do.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME", callback=_checked(EMSP_FAULTS), help=_known(EMSP_FAULTS))
    ] = None,
) -> None:
    """Be an eMSP that answers callbacks and takes Sessions and CDRs, and print what it got.

    For the gateway: partner endpoint PARTNER sessions http://127.0.0.1:P/ocpi/emsp/VERSION/sessions, and cdrs likewise.
    """
    _until_interrupted(run_emsp, port=port, token=token, faults=fault or ())


def _until_interrupted(run: Callable[..., Coroutine[Any, Any, None]], **options: Any) -> None:
    with told():
        asyncio.run(_until_signalled(run(partial(print, flush=True), **options)))


async def _until_signalled(simulation: Coroutine[Any, Any, None]) -> None:
    """Handlers of our own: a shell that starts us in the background has SIGINT ignored."""
    running = asyncio.create_task(simulation)
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, running.cancel)
    with suppress(asyncio.CancelledError):
        await running
