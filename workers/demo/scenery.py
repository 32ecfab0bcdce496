"""What the demonstration adds to an empty gateway: a CPO, an eMSP, a Location with a station of each OCPP version."""

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.simulators.dialects import DIALECTS
from workers.lifeline import tied
from workers.lock import Held, hold

LOCATION = "DEMO"
CPO = ("NL", "CPO")
EMSP = ("DE", "EMS")
TOKEN_IN = "demo-token-that-the-emsp-sends-us"
TOKEN_OUT = "demo-token-that-we-send-the-emsp"
PASSWORD = "demo-station-password"

_MARK = ".ocpi-gateway-demo"
_UPDATED = "2026-01-01T00:00:00Z"


class Spoiled(Exception):
    """The demonstration cannot go on; a sentence."""


@dataclass(frozen=True)
class Stand:
    """One EVSE of the demonstration's Location, and the simulated station that it is."""

    ocpp: str
    station: str
    evse_uid: str


STANDS = tuple(
    Stand(ocpp=ocpp, station=f"DEMO-{ocpp}", evse_uid=f"EVSE-{number}")
    for number, ocpp in enumerate(sorted(DIALECTS), start=1)
)


def environment() -> dict[str, str]:
    """The caller's, but for its own settings of a gateway; partners on this machine may be called."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {"GATEWAY_ALLOW_PRIVATE_CALLBACKS": "true"}


def fresh(data: Path) -> None:
    """An empty data directory; one that no demonstration made, or that one is running in, is left alone."""
    try:
        if data.exists() and any(data.iterdir()):
            if not (data / _MARK).exists():
                raise Spoiled(f"{data} is not empty and not a demonstration's: choose another --data.")
            _clear(data)
        data.mkdir(parents=True, exist_ok=True)
        (data / _MARK).touch()
    except Held as problem:
        raise Spoiled(f"{problem} Choose another --data.") from None
    except OSError as problem:
        raise Spoiled(f"{data} cannot be used: {problem.strerror or problem}. Choose another --data.") from None


def _clear(data: Path) -> None:
    lock = data / "run" / "supervisor.pid"
    with hold(lock) if lock.exists() else nullcontext():
        shutil.rmtree(data)


async def furnish(data: Path, say: Callable[[str], None]) -> None:
    """What an operator would do, with the operator's own commands."""
    file = data / "locations.json"
    file.write_text(json.dumps(_topology(), indent=2))
    country, party = CPO
    await _command(data, say, "cpo", "add", "--country", country, "--party", party, "--name", "Demo CPO")
    country, party = EMSP
    words = ["partner", "add", "--name", "demo-emsp", "--country", country, "--party", party]
    words += ["--token-in", TOKEN_IN, "--token-out", TOKEN_OUT, "--callback-host", "127.0.0.1", "--allow-unlock"]
    await _command(data, say, *words)
    await _command(data, say, "locations", "import", str(file))


async def _command(data: Path, say: Callable[[str], None], *words: str) -> None:
    say(f"  ocpi-gateway {shlex.join(words)}")
    running = await asyncio.create_subprocess_exec(
        *tied([sys.executable, "-m", "workers", *words, "--data", str(data)]),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is not its business
    )
    told, _ = await running.communicate()
    if running.returncode != 0:
        raise Spoiled(f"ocpi-gateway {words[0]} {words[1]} failed: {told.decode(errors='replace').strip()}")


def _topology() -> dict[str, Any]:
    return {
        "locations": [
            {
                "country_code": CPO[0],
                "party_id": CPO[1],
                "id": LOCATION,
                "publish": True,
                "name": "Demonstration car park",
                "address": "Stationsplein 1",
                "city": "Utrecht",
                "postal_code": "3511ED",
                "country": "NLD",
                "coordinates": {"latitude": "52.089500", "longitude": "5.110200"},
                "time_zone": "Europe/Amsterdam",
                "evses": [_evse(stand) for stand in STANDS],
                "last_updated": _UPDATED,
            }
        ],
        "stations": [{"id": stand.station, "password": PASSWORD} for stand in STANDS],
        "bindings": [
            {
                "location_id": LOCATION,
                "evse_uid": stand.evse_uid,
                "station": stand.station,
                "evse": 1,
                "connector": 1,
            }
            for stand in STANDS
        ],
    }


def _evse(stand: Stand) -> dict[str, Any]:
    return {
        "uid": stand.evse_uid,
        "status": "AVAILABLE",
        "capabilities": ["RESERVABLE", "REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE"],
        "connectors": [
            {
                "id": "1",
                "standard": "IEC_62196_T2",
                "format": "SOCKET",
                "power_type": "AC_3_PHASE",
                "max_voltage": 230,
                "max_amperage": 32,
                "last_updated": _UPDATED,
            }
        ],
        "last_updated": _UPDATED,
    }
