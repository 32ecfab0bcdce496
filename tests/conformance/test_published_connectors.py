"""A station of several connectors as partners see it (mod_commands §StartSession, mod_locations §EVSE)."""

import json
from pathlib import Path

from tests.support.gateway import Gateway, Spot, location_body
from tests.support.scene import willing
from tests.support.station import ScriptedStation


async def test_rule_167_an_import_publishes_each_connector_of_a_1_6_station_as_an_evse(
    gateway: Gateway, tmp_path: Path
):
    gateway.cpo()
    name, location = gateway.station_name(), f"{gateway.station_name()}-LOC"[:36]
    spots = tuple(Spot(name, None, number, uid=f"E{number}") for number in (1, 2, 3))
    file = tmp_path / "locations.json"
    file.write_text(
        json.dumps(
            {
                "locations": [location_body(location, spots)],
                "stations": [{"id": name, "security_profile": 0}],
                "bindings": [
                    {
                        "location_id": location,
                        "evse_uid": spot.uid,
                        "station": name,
                        "evse": None,
                        "connector": spot.connector,
                    }
                    for spot in spots
                ],
            }
        )
    )
    done = gateway.cli("locations", "import", str(file), "--json")
    assert done.returncode == 0, done.stderr
    async with gateway.emsp() as emsp, ScriptedStation(gateway.ocpp, name, "1.6", willing("1.6")) as station:
        for spot in reversed(spots):
            assert await emsp.result(await emsp.start_session(location, spot.uid)) == "ACCEPTED"
            assert station.all_asked("RemoteStartTransaction")[-1]["connectorId"] == spot.connector
