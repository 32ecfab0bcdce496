"""How the demonstration looks: a table of the journey, and what to try next."""

import json
import sys
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from ocpi.dialects import NEWEST
from ocpi.headers import Encoding, authorization
from ocpi.types import format_datetime
from workers.demo.journey import Step
from workers.demo.scenery import EMSP, LOCATION, PASSWORD, STANDS, TOKEN_IN, TOKEN_OUT

#: Columns of the narrowest terminal that the table fits.
NARROWEST = 80


def console() -> Console:
    """Colours on a terminal only; nothing is cut off, whatever the terminal's width or a file's encoding."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    found = Console(highlight=False)
    return Console(highlight=False, width=max(NARROWEST, found.width) if found.is_terminal else NARROWEST)


def table(steps: list[Step]) -> Table:
    """A row a command, read from left to right as time goes; milliseconds from the POST."""
    made = Table(
        title="From the eMSP's POST to its callback, on each OCPP version",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
        show_edge=False,
    )
    for name in ("eMSP sends", "answered", "ms", "station is asked", "says", "callback", "ms"):
        made.add_column(name, no_wrap=True, justify="right" if name == "ms" else "left")
    for number, step in enumerate(steps):
        if number == 0 or steps[number - 1].stand != step.stand:
            made.add_row(f"[bold]OCPP {step.stand.ocpp}[/bold]")
        made.add_row(
            step.command,
            _coloured(step.answer),
            f"{step.answered:.0f}",
            step.asked,
            step.said,
            _coloured(step.callback),
            f"{step.called_back:.0f}" if step.callback else "",
            end_section=number + 1 < len(steps) and steps[number + 1].stand != step.stand,
        )
    return made


def _coloured(result: str) -> str:
    return f"[green]{result}[/green]" if result == "ACCEPTED" else f"[red]{result}[/red]"


def invitation(api: str, ocpp: str, callback: str, data: Path) -> str:
    """URLs, tokens, and a curl that works as long as the demonstration runs."""
    stand = STANDS[0]
    body = {
        "response_url": callback,
        "token": {
            "country_code": EMSP[0],
            "party_id": EMSP[1],
            "uid": "curl",
            "type": "APP_USER",
            "contract_id": "DE-EMS-C-CURL",
            "issuer": "curl",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-01-01T00:00:00Z",
        },
        "expiry_date": format_datetime(datetime.now(UTC) + timedelta(hours=12)),
        "reservation_id": "from-curl",
        "location_id": LOCATION,
        "evse_uid": stand.evse_uid,
    }
    return f"""
The gateway stays up. Ctrl-C ends it.

  versions          {api}/ocpi/versions
  commands          {api}/ocpi/cpo/{NEWEST.version}/commands/RESERVE_NOW
  sessions          {api}/ocpi/cpo/{NEWEST.version}/sessions?date_from=2020-01-01T00:00:00Z
  health            {api}/health/ready
  stations          {ocpp}/{{station id}}   (password {PASSWORD})
  the eMSP's token  {TOKEN_IN}   (in the header, Base64)
  our token         {TOKEN_OUT}
  what happened     .venv/bin/ocpi-gateway commands list --data {data}

Reserve an EVSE as the eMSP; its callback is printed here:

curl -s {api}/ocpi/cpo/{NEWEST.version}/commands/RESERVE_NOW \\
  -H 'Authorization: {authorization(TOKEN_IN, Encoding.BASE64)}' \\
  -H 'Content-Type: application/json' -H 'X-Request-ID: try-1' -H 'X-Correlation-ID: try-1' \\
  -d '{json.dumps(body)}'
"""
