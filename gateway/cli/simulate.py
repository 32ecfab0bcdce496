"""`simulate`: a station or an eMSP to try the gateway with, until Ctrl-C."""

import asyncio
import json
import signal
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from gateway.cli.opening import Refused, one_of, told
from gateway.cli.parties import read_party
from gateway.simulators.dialects import DIALECTS, NEWEST
from gateway.simulators.emsp import PARTY
from gateway.simulators.faults import EMSP_FAULTS, STATION_FAULTS, Faults
from gateway.simulators.narrate import Plan, run_emsp, run_station
from gateway.simulators.platform import Refused as NotRegistered

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
        str | None,
        typer.Option(metavar="T", help="The token that we must send, none: any will do; with --register, its token A."),
    ] = None,
    register: Annotated[
        str | None, typer.Option("--register", metavar="URL", help="Register with the gateway of this versions URL.")
    ] = None,
    invitation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same by what partner invite has printed.")
    ] = None,
    country: Annotated[str, typer.Option("--country", metavar="CC", help="Its country code.")] = PARTY.country_code,
    party: Annotated[str, typer.Option("--party", metavar="PID", help="Its party_id.")] = PARTY.party_id,
    push_token: Annotated[
        list[str] | None, typer.Option(metavar="UID", help="An RFID card that it pushes when registered; repeatable.")
    ] = None,
    headers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the headers of its commands there, for curl -H @FILE."),
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME", callback=_checked(EMSP_FAULTS), help=_known(EMSP_FAULTS))
    ] = None,
) -> None:
    """Be an eMSP that answers callbacks and takes Sessions and CDRs, and print what it got.

    Without registering, for the gateway: partner endpoint PARTNER sessions http://127.0.0.1:P/ocpi/emsp/VERSION/sessions,
    and cdrs likewise.
    """
    with told():
        found = _invitation(register, token, invitation)
        who = read_party(country, party)
    options: dict[str, Any] = {"port": port, "faults": fault or (), "party": who}
    if found is None:
        _until_interrupted(run_emsp, token=token, **options)
    else:
        plan = Plan(versions_url=found[0], token_a=found[1], cards=tuple(push_token or ()), headers=headers)
        _until_interrupted(run_emsp, plan=plan, **options)


def _invitation(register: str | None, token: str | None, file: Path | None) -> tuple[str, str] | None:
    """(versions URL, token A)."""
    if file is not None:
        try:
            said = json.loads(file.read_bytes())
            return str(said["versions_url"]), str(said["token"])
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{file} is not what partner invite prints.") from None
    if register is None:
        return None
    if token is None:
        raise Refused("--register needs --token, the token A of the invitation.")
    return register, token


def _until_interrupted(run: Callable[..., Coroutine[Any, Any, None]], **options: Any) -> None:
    with told():
        try:
            asyncio.run(_until_signalled(run(partial(print, flush=True), **options)))
        except NotRegistered as refusal:
            raise Refused(f"The gateway refused: {refusal}") from None


async def _until_signalled(simulation: Coroutine[Any, Any, None]) -> None:
    """Handlers of our own: a shell that starts us in the background has SIGINT ignored."""
    running = asyncio.create_task(simulation)
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, running.cancel)
    with suppress(asyncio.CancelledError):
        await running
