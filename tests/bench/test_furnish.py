"""The scene is written as an import would have written it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, select

from gateway.settings import Settings
from gateway.store import partners, rows, schema, stations, topology
from gateway.store.engine import open_engine
from ocpi.locations import Location
from workers.bench.furnish import furnish, location_body
from workers.bench.scene import CPO, Scene, spots

SCENE = Scene(stations=12, emsps=2)
PLACES = (rows.location, rows.evse, rows.connector, rows.station, rows.binding)


def all_of(db: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(select(table).order_by(*table.primary_key.columns)).mappings()]


def places(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with engine.connect() as db:
        return {table.name: all_of(db, table) for table in PLACES}


def imported(url: str) -> dict[str, list[dict[str, Any]]]:
    engine = open_engine(url)
    schema.upgrade(engine)
    with engine.begin() as db:
        cpo = partners.add_cpo(db, CPO, "Bench")
        at = spots(SCENE.stations)
        for name in dict.fromkeys(spot.location for spot in at):
            here = [spot for spot in at if spot.location == name]
            body = location_body(name, here)
            location = topology.put_location(db, cpo, Location.model_validate(body), body)
            for spot in here:
                stations.put_station(db, spot.station, 0, None)
                topology.bind(db, topology.evse_id(db, location, spot.evse_uid), None, spot.station, spot.at)
    found = places(engine)
    engine.dispose()
    return found


def test_a_scene_is_what_an_import_makes(database_url: str, tmp_path) -> None:
    furnish(Settings.model_construct(data_dir=tmp_path, database_url=database_url), SCENE)
    engine = open_engine(Settings.model_construct(database_url=database_url).database)
    found = places(engine)
    assert found == imported(f"sqlite:///{tmp_path / 'imported.sqlite'}")
    assert len(found["location"]) == 2
    with engine.connect() as db:
        them = partners.everyone(db)
        assert [one.name for one in them] == ["bench-1", "bench-2"]
        assert {one.state for one in them} == {"ACTIVE"}
        assert all(row["created_at"] <= datetime.now(UTC) for row in all_of(db, rows.partner))
    engine.dispose()
