"""How the demonstration looks: tables of what was seen, and what to try next."""

import json
import sys
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from itertools import groupby
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from gateway.simulators.exchanges import Received
from gateway.simulators.receiver import Push
from ocpi.dialects import NEWEST
from ocpi.headers import Encoding, authorization
from ocpi.types import format_datetime
from workers.demo.fates import Fate
from workers.demo.journey import Step, token
from workers.demo.scenery import (
    ENERGY,
    EXPIRED,
    LOCATION,
    OPERATOR_TOKEN,
    PARKING,
    PASSWORD,
    RESERVED,
    STANDS,
    TOKEN_IN,
    TOKEN_OUT,
    Stand,
)

#: Columns of the narrowest terminal that the tables fit.
NARROWEST = 80


def console() -> Console:
    """Colours on a terminal only; nothing is cut off, whatever the terminal's width or a file's encoding."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    found = Console(highlight=False)
    return Console(highlight=False, width=max(NARROWEST, found.width) if found.is_terminal else NARROWEST)


def commands_table(steps: list[Step]) -> Table:
    """A row a command, read from left to right as time goes; milliseconds from the POST."""
    made = _table("From the eMSP's POST to its callback, on each OCPP version")
    for name in ("eMSP sends", "answered", "ms", "station is asked", "says", "callback", "ms"):
        made.add_column(name, no_wrap=True, justify="right" if name == "ms" else "left")
    for stand, group in groupby(steps, lambda step: step.stand):
        _heading(made, stand)
        for step in group:
            made.add_row(
                step.command,
                _coloured(step.answer, step.answer == "ACCEPTED"),
                f"{step.answered:.0f}",
                step.asked,
                step.said,
                _coloured(step.callback, step.callback == "ACCEPTED"),
                f"{step.called_back:.0f}" if step.callback else "",
            )
    return made


def fates_table(fates: list[Fate]) -> Table:
    """A row a reservation: the last result at its response_url, its Session's statuses, its energy and its CDR."""
    made = _table("What became of the reservations, as the eMSP was told")
    for name in ("reservation", "last result", "Session", "kWh", "CDR EUR"):
        made.add_column(name, no_wrap=True, justify="right" if name in {"kWh", "CDR EUR"} else "left")
    for stand, group in groupby(fates, lambda fate: fate.stand):
        _heading(made, stand)
        for fate in group:
            made.add_row(
                fate.ending.name,
                _coloured("".join(fate.results[-1:]), fate.results == fate.ending.results),
                _coloured("→".join(fate.statuses), fate.statuses == fate.ending.statuses),
                f"{fate.kwh:.4f}" if fate.kwh else "",
                "none" if fate.cost is None else f"{fate.cost:.4f}",
            )
    return made


def legend(fates: list[Fate]) -> str:
    """How the Sessions came, and what the prices are made of."""
    methods = [method for fate in fates for method in fate.methods]
    bills = sum(fate.cost is not None for fate in fates)
    return (
        f"\nSessions came by {methods.count('PUT')} PUTs and {methods.count('PATCH')} PATCHes, CDRs by {bills} POSTs."
        f"\nWithout VAT: {ENERGY:.2f} EUR a kWh, {PARKING:.2f} an hour of parking, {RESERVED:.2f} a reservation,"
        f"\n{EXPIRED:.2f} one that expires."
    )


def heard(received: Received) -> str:
    """What came to the eMSP, in a line."""
    method = received.method if isinstance(received, Push) else "POST"
    return f"to the eMSP: {method} {received.path} {json.dumps(received.json)}"


def _table(title: str) -> Table:
    return Table(title=f"\n{title}", box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)


def _heading(made: Table, stand: Stand) -> None:
    if made.rows:
        made.add_row()
    made.add_row(f"[bold]OCPP {stand.ocpp}[/bold]")


def _coloured(words: str, as_expected: bool) -> str:
    return f"[green]{words}[/green]" if as_expected else f"[red]{words}[/red]"


def invitation(api: str, ocpp: str, callback: str, data: Path) -> str:
    """URLs, tokens, and curls that work as long as the demonstration runs."""
    ocpi = f"{api}/ocpi/cpo/{NEWEST.version}"
    body = {
        "response_url": callback,
        "token": token("curl"),
        "expiry_date": format_datetime(datetime.now(UTC) + timedelta(hours=12)),
        "reservation_id": "from-curl",
        "location_id": LOCATION,
        "evse_uid": STANDS[0].evse_uid,
    }
    as_emsp = f"-H 'Authorization: {authorization(TOKEN_IN, Encoding.BASE64)}'"
    since = "date_from=2020-01-01T00:00:00Z"
    return f"""
The gateway stays up. Ctrl-C ends it.

  versions          {api}/ocpi/versions
  health            {api}/health/ready
  stations          {ocpp}/{{station id}}   (password {PASSWORD})
  the eMSP's token  {TOKEN_IN}   (in the header, Base64)
  our token         {TOKEN_OUT}
  operators' token  {OPERATOR_TOKEN}
  what happened     .venv/bin/ocpi-gateway commands list --data {data}
                    .venv/bin/ocpi-gateway reservations list --data {data}
                    .venv/bin/ocpi-gateway cdrs list --data {data}

Reserve an EVSE as the eMSP; what it is told is printed here:

curl -s {ocpi}/commands/RESERVE_NOW \\
  {as_emsp} \\
  -H 'Content-Type: application/json' -H 'X-Request-ID: try-1' -H 'X-Correlation-ID: try-1' \\
  -d '{json.dumps(body)}'

Pull its Sessions and its CDRs:

curl -s '{ocpi}/sessions?{since}' {as_emsp}
curl -s '{ocpi}/cdrs?{since}' {as_emsp}

See the reservations as an operator, and cancel one:

curl -s {api}/operator/v1/reservations -H 'Authorization: Bearer {OPERATOR_TOKEN}'
curl -s {api}/operator/v1/reservations/NUMBER/cancel \\
  -H 'Authorization: Bearer {OPERATOR_TOKEN}' \\
  -H 'Content-Type: application/json' -d '{{"reason": "Works on the grid."}}'
"""
