"""Writes the scene into a gateway's database, thousands of stations at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, insert

from gateway.domain.parties import Partner
from gateway.secrets import Secrets, open_secrets
from gateway.settings import Settings
from gateway.store import partners, rows, schema
from gateway.store.engine import open_engine
from ocpi.dialects import NEWEST
from ocpi.headers import Encoding
from ocpi.types import fold
from workers.bench.scene import CPO, HOST, TOKEN_OUT, Scene, Spot, emsp_party, spots, token_in

_UPDATED = "2026-01-01T00:00:00Z"


def furnish(settings: Settings, scene: Scene) -> None:
    """Write the scene into the gateway's empty database."""
    engine, secrets = open_engine(settings.database), open_secrets(settings)
    schema.upgrade(engine)
    with engine.begin() as db:
        for number in range(1, scene.emsps + 1):
            partners.add(db, _emsp(number, secrets), secrets.token_hash(token_in(number)), datetime.now(UTC))
        put_places(db, partners.add_cpo(db, CPO, "Bench"), spots(scene.stations))
    engine.dispose()


def put_places(db: Connection, cpo: int, at: Sequence[Spot]) -> None:
    """Locations, EVSEs, connectors, stations and bindings, as an import writes them, thousands at once."""
    by_location: dict[str, list[Spot]] = {}
    for spot in at:
        by_location.setdefault(spot.location, []).append(spot)
    places = [_location(cpo, name, here) for name, here in by_location.items()]
    located = dict(zip(by_location, _inserted(db, rows.location, places), strict=True))
    evses = _inserted(db, rows.evse, [_evse(located[spot.location], spot) for spot in at])
    db.execute(insert(rows.station), [{"id": spot.station, "security_profile": 0, "password": None} for spot in at])
    db.execute(insert(rows.connector), [{"evse": evse, "connector_id": "1", "connector_key": "1"} for evse in evses])
    db.execute(insert(rows.binding), [_binding(evse, spot) for evse, spot in zip(evses, at, strict=True)])


def _inserted(db: Connection, table: Table, given: Sequence[dict[str, Any]]) -> list[int]:
    """Their ids, in the same order."""
    told = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return [int(one) for one in db.execute(told, given).scalars()]


def _emsp(number: int, secrets: Secrets) -> Partner:
    return Partner(
        id=0,
        name=f"bench-{number}",
        party=emsp_party(number),
        role="EMSP",
        version=NEWEST.version,
        token_out=secrets.seal(TOKEN_OUT),
        encoding=Encoding.BASE64,
        callback_hosts=(HOST,),
        allow_unlock=True,
        lenient_token=False,
        state="ACTIVE",
    )


def _location(cpo: int, name: str, here: Sequence[Spot]) -> dict[str, Any]:
    body = location_body(name, here)
    return {
        "cpo_id": cpo,
        "location_id": name,
        "location_key": fold(name),
        "body": body,
        "last_updated": datetime.fromisoformat(_UPDATED),
    }


def location_body(name: str, here: Sequence[Spot]) -> dict[str, Any]:
    """The Location as a file to import has it."""
    return {
        "country_code": CPO.country_code,
        "party_id": CPO.party_id,
        "id": name,
        "publish": True,
        "address": "Stationsplein 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.08950", "longitude": "5.11020"},
        "time_zone": "Europe/Amsterdam",
        "evses": [_evse_body(spot) for spot in here],
        "last_updated": _UPDATED,
    }


def _evse_body(spot: Spot) -> dict[str, Any]:
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


def _evse(location: int, spot: Spot) -> dict[str, Any]:
    return {
        "location": location,
        "evse_uid": spot.evse_uid,
        "evse_key": fold(spot.evse_uid),
        "capabilities": ["RESERVABLE"],
        "offered": ["RESERVABLE"],
        "imported_status": "AVAILABLE",
        "status": "AVAILABLE",
        "last_updated": datetime.fromisoformat(_UPDATED),
    }


def _binding(evse: int, spot: Spot) -> dict[str, Any]:
    at = {"station_evse": spot.at[0], "station_connector": spot.at[1]}
    return {"evse": evse, "connector_key": "", "station": spot.station, **at}
