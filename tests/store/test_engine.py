"""Engines: on disk when committed, in turn when several write, and times that keep their zone."""

import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError, StatementError

from gateway.store.engine import open_engine, turn
from gateway.store.prepared import Prepared
from gateway.store.rows import sequence, station
from gateway.store.statements import put, put_once, take_number
from tests.support.indoors import Indoors

COUNT = """
import sys
from gateway.store.engine import open_engine, turn
from gateway.store.statements import take_number
engine = open_engine(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with turn(engine), engine.begin() as db:
        print(take_number(db, "counted"))
"""


def test_processes_that_write_to_one_database_take_turns(anywhere: Indoors) -> None:
    each = 60
    url = anywhere.rules.settings.database
    command = [sys.executable, "-c", COUNT, url, str(each)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [[int(line) for line in process.communicate(timeout=100)[0].split()] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(number for numbers in told for number in numbers) == list(range(1, 3 * each + 1))
    assert all(numbers == sorted(numbers) for numbers in told)


def test_sqlite_keeps_what_is_committed_through_a_power_failure(indoors: Indoors) -> None:
    with indoors.db() as db:
        said = {name: db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        assert said == {"journal_mode": "wal", "synchronous": 2}
        assert db.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_turn_is_over_when_its_block_is_whatever_happened(indoors: Indoors) -> None:
    other = open_engine(indoors.rules.settings.database)
    with suppress(LookupError), turn(indoors.engine), indoors.engine.begin() as db:
        take_number(db, "n")
        raise LookupError
    with turn(other), other.begin() as db:
        assert take_number(db, "n") == 1
    other.dispose()


def test_a_number_that_was_rolled_back_was_never_given(anywhere: Indoors) -> None:
    assert anywhere.run(take_number, "n") == 1
    with anywhere.db() as db:
        refused = db.begin_nested()
        assert take_number(db, "n") == 2
        refused.rollback()
        assert take_number(db, "n") == 2
    assert anywhere.run(take_number, "n") == 3
    assert anywhere.run(take_number, "other") == 1


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
def test_a_time_comes_back_as_the_same_moment_in_utc(anywhere: Indoors, zone: timezone) -> None:
    moment = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC).astimezone(zone)
    with anywhere.db() as db:
        db.execute(insert(station).values(id="CS", security_profile=0, heard_at=moment))
        found = db.execute(select(station.c.heard_at)).scalar_one()
        assert db.execute(select(station.c.id).where(station.c.heard_at <= moment)).first() is not None
        before = moment - timedelta(microseconds=1)
        assert db.execute(select(station.c.id).where(station.c.heard_at <= before)).first() is None
    assert found == moment
    assert found.utcoffset() == timedelta(0)


def test_times_at_the_edge_of_the_calendar_come_back_wherever_the_server_is(postgres_url: str) -> None:
    server = open_engine(postgres_url)
    with server.begin() as db:
        db.exec_driver_sql(f"ALTER DATABASE {server.url.database} SET timezone = 'Asia/Tokyo'")
    server.dispose()
    indoors, edge = Indoors(postgres_url), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for name, told in (("CS-1", edge), ("CS-2", edge.replace(year=1, month=1, day=1, hour=0))):
        with indoors.db() as db:
            db.execute(insert(station).values(id=name, security_profile=0, heard_at=told))
            assert db.execute(select(station.c.heard_at).where(station.c.id == name)).scalar_one() == told
    indoors.close()


def test_an_error_of_the_database_does_not_tell_what_a_statement_was_given(anywhere: Indoors) -> None:
    twice = insert(station).values([{"id": "CS", "security_profile": 0, "password": "a-station's-own"}] * 2)
    with pytest.raises(DBAPIError) as refused, anywhere.db() as db:
        db.execute(twice)
    assert "a-station's-own" not in f"{refused.value!r} {refused.value}"


def test_a_time_without_a_zone_is_refused(indoors: Indoors) -> None:
    with pytest.raises(StatementError, match="without a zone"), indoors.db() as db:
        db.execute(insert(station).values(id="CS", security_profile=0, heard_at=datetime(2026, 1, 1)))


@pytest.mark.parametrize("row", [{"id": "CS-\udcdf"}, {"id": "CS-1", "boot": {"vendor": "\udcdf"}}])
def test_half_a_character_is_no_text_in_whatever_column(anywhere: Indoors, row: dict[str, Any]) -> None:
    with pytest.raises(UnicodeEncodeError):
        anywhere.run(Prepared(insert(station)).run, row)
    with pytest.raises((UnicodeEncodeError, StatementError)) as usual:
        anywhere.run(lambda db: db.execute(insert(station), row))
    assert isinstance(getattr(usual.value, "orig", usual.value), UnicodeEncodeError)
    with pytest.raises(TypeError):
        anywhere.run(Prepared(insert(station)).run, {"id": "CS-1", "boot": {"vendor": object()}})
    assert anywhere.rows("station") == []


def test_put_changes_what_is_there_and_put_once_does_not(anywhere: Indoors) -> None:
    with anywhere.db() as db:
        put(db, sequence, {"name": "s", "value": 1}, ("name",))
        put(db, sequence, {"name": "s", "value": 7}, ("name",))
        assert put_once(db, sequence, {"name": "s", "value": 9}) is False
        assert put_once(db, sequence, {"name": "t", "value": 9}) is True
        found = dict(db.execute(select(sequence.c.name, sequence.c.value)).all())
    assert found == {"s": 7, "t": 9}


def test_an_in_memory_database_needs_no_turn() -> None:
    engine = open_engine("sqlite://")
    with turn(engine), engine.begin() as db:
        assert db.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()


def test_a_missing_directory_is_made(tmp_path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'folder' / 'gateway.db'}")
    with engine.begin() as db:
        db.exec_driver_sql("SELECT 1")
    engine.dispose()
