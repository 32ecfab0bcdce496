"""The scene: one CPO, one eMSP, one Location and its stations, the same for the relay and the gateway."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.domain.parties import Partner
from gateway.secrets import open_secrets
from gateway.settings import Settings
from gateway.store import partners, schema, stations, topology
from gateway.store.engine import open_engine
from ocpi.dialects import NEWEST
from ocpi.headers import Encoding, Party
from ocpi.locations import Location
from ocpp_bridge import v16, v201

CPO, EMSP = Party("NL", "CPO"), Party("DE", "EMS")
LOCATION = "BENCH"
HOST = "127.0.0.1"
#: Credentials of a minute, between processes of one machine.
TOKEN_IN, TOKEN_OUT = "bench-token-in", "bench-token-out"
#: Every path below which a command's name stands.
COMMANDS = f"/ocpi/cpo/{NEWEST.version}/commands"

_UPDATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Spot:
    """One station, and the EVSE that it is."""

    number: int

    @property
    def station(self) -> str:
        return f"BENCH-{self.number}"

    @property
    def evse_uid(self) -> str:
        return f"E{self.number}"

    @property
    def subprotocol(self) -> str:
        """Every other station is of the older version."""
        return (v16.DIALECT if self.number % 2 else v201.DIALECT).subprotocol

    @property
    def at(self) -> tuple[int | None, int]:
        """The station's own (EVSE, connector)."""
        return (None if self.number % 2 else 1), 1


def spots(count: int) -> list[Spot]:
    return [Spot(number) for number in range(1, count + 1)]


def furnish(settings: Settings, count: int) -> None:
    """Write the scene into the gateway's empty database."""
    engine, secrets = open_engine(settings.database), open_secrets(settings)
    schema.upgrade(engine)
    emsp = Partner(
        id=0,
        name="bench",
        party=EMSP,
        role="EMSP",
        version=NEWEST.version,
        token_out=secrets.seal(TOKEN_OUT),
        encoding=Encoding.BASE64,
        callback_hosts=(HOST,),
        allow_unlock=True,
        lenient_token=False,
        state="ACTIVE",
    )
    with engine.begin() as db:
        partners.add(db, emsp, secrets.token_hash(TOKEN_IN), datetime.now(UTC))
        body = _location(count)
        location = topology.put_location(db, partners.add_cpo(db, CPO, "Bench"), Location.model_validate(body), body)
        for spot in spots(count):
            stations.put_station(db, spot.station, 0, None)
            topology.bind(db, topology.evse_id(db, location, spot.evse_uid), None, spot.station, spot.at)
    engine.dispose()


def _location(count: int) -> dict[str, Any]:
    return {
        "country_code": CPO.country_code,
        "party_id": CPO.party_id,
        "id": LOCATION,
        "publish": True,
        "address": "Stationsplein 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.08950", "longitude": "5.11020"},
        "time_zone": "Europe/Amsterdam",
        "evses": [_evse(spot) for spot in spots(count)],
        "last_updated": _UPDATED,
    }


def _evse(spot: Spot) -> dict[str, Any]:
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "last_updated": _UPDATED,
    }
    return {
        "uid": spot.evse_uid,
        "status": "AVAILABLE",
        "capabilities": ["RESERVABLE"],
        "connectors": [connector],
        "last_updated": _UPDATED,
    }
