"""What the demonstration adds to an empty gateway: a CPO, an eMSP, a Location with a station of each OCPP version."""

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
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
OPERATOR_TOKEN = "demo-token-of-the-operators"

#: Where nothing else of the caller's counts: partners on this machine may be called, and nothing takes long.
SETTINGS = {
    "GATEWAY_ALLOW_PRIVATE_CALLBACKS": "true",
    "GATEWAY_OPERATOR_TOKEN": OPERATOR_TOKEN,
    "GATEWAY_RESERVATION_MIN": "1",
    "GATEWAY_RESERVATION_GRACE": "1",
    "GATEWAY_SESSION_PAUSE": "1",
    "GATEWAY_SWEEP_INTERVAL": "0.2",
}

TARIFF = "DEMO"
#: EUR without VAT: of a kWh, an hour of parking, a reservation, and one that nobody came for.
ENERGY, PARKING, RESERVED, EXPIRED = 0.59, 3.00, 0.50, 2.00
#: W.
POWER = 400_000

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
    """The caller's, but for its own settings of a gateway."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | SETTINGS


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


async def furnish(data: Path, endpoints: Mapping[str, str], say: Callable[[str], None]) -> None:
    """What an operator would do, with the operator's own commands; ``endpoints``: the eMSP's, by module."""
    file = data / "locations.json"
    file.write_text(json.dumps(_topology(), indent=2))
    add_cpo = ["cpo", "add", *_party(CPO), "--name", "Demo CPO"]
    add_partner = ["partner", "add", *_party(EMSP), "--name", "demo-emsp", "--allow-unlock"]
    add_partner += ["--token-in", TOKEN_IN, "--token-out", TOKEN_OUT, "--callback-host", "127.0.0.1"]
    add_partner += [word for module, url in endpoints.items() for word in ("--endpoint", f"{module}={url}")]
    commands = [add_cpo, add_partner, ["locations", "import", str(file)]]
    for words in commands:
        say(f"  ocpi-gateway {shlex.join(words)}")
    await _run([[*words, "--data", str(data)] for words in commands])


def _party(party: tuple[str, str]) -> list[str]:
    return ["--country", party[0], "--party", party[1]]


async def _run(commands: list[list[str]]) -> None:
    running = await asyncio.create_subprocess_exec(
        *tied([sys.executable, "-m", "workers.demo.operator", json.dumps(commands)]),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is not its business
    )
    told, _ = await running.communicate()
    if running.returncode != 0:
        raise Spoiled(f"The CPO's commands failed: {told.decode(errors='replace').strip()}")


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
        "tariffs": [_tariff()],
    }


def _evse(stand: Stand) -> dict[str, Any]:
    return {
        "uid": stand.evse_uid,
        "status": "AVAILABLE",
        "capabilities": ["RESERVABLE", "REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE"],
        "connectors": [
            {
                "id": "1",
                "standard": "IEC_62196_T2_COMBO",
                "format": "CABLE",
                "power_type": "DC",
                "max_voltage": 800,
                "max_amperage": 500,
                "max_electric_power": POWER,
                "tariff_ids": [TARIFF],
                "last_updated": _UPDATED,
            }
        ],
        "last_updated": _UPDATED,
    }


def _tariff() -> dict[str, Any]:
    return {
        "country_code": CPO[0],
        "party_id": CPO[1],
        "id": TARIFF,
        "currency": "EUR",
        "elements": [
            {"price_components": [_price("ENERGY", ENERGY, 1), _price("PARKING_TIME", PARKING, 1)]},
            _fee(RESERVED, "RESERVATION"),
            _fee(EXPIRED, "RESERVATION_EXPIRES"),
        ],
        "last_updated": _UPDATED,
    }


def _price(dimension: str, price: float, step_size: int) -> dict[str, Any]:
    return {"type": dimension, "price": price, "vat": 21, "step_size": step_size}


def _fee(price: float, reservation: str) -> dict[str, Any]:
    return {"price_components": [_price("FLAT", price, 1)], "restrictions": {"reservation": reservation}}
