"""Signs of life are written down together, and wait for nobody who writes about one of the stations."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, insert, select

from gateway.store import stations
from gateway.store.rows import station
from tests.support.indoors import START, Indoors

NAMES = [f"CS-{number:03}" for number in range(300)]
LATER = START + timedelta(minutes=1)


def heard_at(house: Indoors) -> dict[str, datetime | None]:
    return {row["id"]: row["heard_at"] for row in house.rows("station")}


def test_each_station_that_was_heard_is_known_to_be(anywhere: Indoors) -> None:
    with anywhere.db() as db:
        db.execute(insert(station), [{"id": name} for name in [*NAMES, "silent"]])
        stations.heard(db, [*NAMES, "unknown"], START)
        stations.heard(db, [], LATER)
        stations.heard(db, NAMES[:7], LATER)
    assert heard_at(anywhere) == dict.fromkeys(NAMES, START) | dict.fromkeys(NAMES[:7], LATER) | {"silent": None}


def test_a_station_that_somebody_writes_about_is_passed_over(engine: Engine) -> None:
    with engine.begin() as db:
        db.execute(insert(station), [{"id": name} for name in NAMES[:3]])
    with engine.begin() as other, engine.begin() as db:
        stations.change(other, NAMES[1], clock_ahead=1)
        stations.heard(db, NAMES[:3], START)
        found = dict(db.execute(select(station.c.id, station.c.heard_at)).all())
    assert found == {NAMES[0]: START, NAMES[1]: None, NAMES[2]: START}
