"""Prepared statements mean what SQLAlchemy makes of the same ones, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.store import commands
from gateway.store.abreast import apart
from gateway.store.prepared import Prepared, among
from gateway.store.rows import command, cpo, evse, station
from tests.support.indoors import START, Indoors

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
ADD = Prepared(insert(station).returning(station.c.id))
FIND = select(station).where(station.c.id == bindparam("id_"))
OF_IDS = Prepared(select(station.c.id).where(among(station.c.id, "ids")).order_by(station.c.id))


def add(house: Indoors, name: str, **changes: Any) -> None:
    house.run(ADD.run, {"id": name} | changes)


def test_a_row_comes_back_as_sqlalchemy_reads_it(anywhere: Indoors) -> None:
    boot = {"vendor": "Ä", "serial": None, "numbers": [1, 2.5, True]}
    add(anywhere, "CS-1", boot=boot, booted_at=AT, registration=None, clock_ahead=-3)
    with anywhere.db() as db:
        whole = dict(db.execute(FIND, {"id_": "CS-1"}).mappings().one())
        found = Prepared(FIND).first(db, {"id_": "CS-1"})
    assert found == whole
    assert found is not None
    assert (found["boot"], found["booted_at"], found["clock_ahead"]) == (boot, AT, -3)


def test_what_an_insert_is_not_given_has_its_default(anywhere: Indoors) -> None:
    add(anywhere, "CS-1")
    add(anywhere, "CS-2", security_profile=0)
    assert [row["security_profile"] for row in anywhere.rows("station")] == [1, 0]


def test_no_json_is_null(anywhere: Indoors) -> None:
    add(anywhere, "CS-1", abilities=None)
    asked = Prepared(select(station.c.id).where(station.c.abilities.is_(None)))
    assert anywhere.run(asked.scalars, {}) == ["CS-1"]


@pytest.mark.parametrize("count", [0, 1, 3, 500])
def test_a_list_of_any_length_is_one_statement(anywhere: Indoors, count: int) -> None:
    names = [f"CS-{number:03}" for number in range(count)]
    for name in names:
        add(anywhere, name)
    add(anywhere, "another")
    assert anywhere.run(OF_IDS.scalars, {"ids": [*names, "nobody"]}) == names


def test_a_list_of_numbers_too(anywhere: Indoors) -> None:
    asked = Prepared(select(cpo.c.id).where(among(cpo.c.id, "ids")))
    assert anywhere.run(asked.scalars, {"ids": [anywhere.cpo.id, 2**40]}) == [anywhere.cpo.id]


def test_a_list_that_a_statement_brings_itself_is_spelt_out(anywhere: Indoors) -> None:
    for name in ("CS-1", "CS-2", "CS-3"):
        add(anywhere, name)
    two = update(station).where(station.c.id.in_(["CS-1", "CS-3"]))
    move = Prepared(two.values(heard_at=bindparam("at")).returning(station.c.id))
    assert sorted(anywhere.run(move.scalars, {"at": AT})) == ["CS-1", "CS-3"]
    assert [row["heard_at"] for row in anywhere.rows("station")] == [AT, None, AT]


def test_a_value_may_stand_in_two_places(anywhere: Indoors) -> None:
    add(anywhere, "CS-1", heard_at=START)
    both = Prepared(
        update(station)
        .where(station.c.heard_at < bindparam("now"))
        .values(heard_at=bindparam("now"), booted_at=bindparam("now"))
    )
    assert anywhere.run(both.run, {"now": AT}) == 1
    assert anywhere.run(both.run, {"now": AT}) == 0


def test_it_says_how_many_rows_it_changed(anywhere: Indoors) -> None:
    for name in ("CS-1", "CS-2"):
        add(anywhere, name)
    assert anywhere.run(Prepared(update(station).values(security_profile=0)).run, {}) == 2


def test_nothing_found(anywhere: Indoors) -> None:
    assert anywhere.run(Prepared(FIND).first, {"id_": "CS-1"}) is None
    assert anywhere.run(Prepared(FIND).scalar, {"id_": "CS-1"}) is None
    assert anywhere.run(Prepared(FIND).all, {"id_": "CS-1"}) == []
    with pytest.raises(ValueError, match="not enough values"):
        anywhere.run(Prepared(FIND).one, {"id_": "CS-1"})


def test_a_value_that_is_not_given_is_a_mistake_and_not_null(anywhere: Indoors) -> None:
    with pytest.raises(KeyError, match="id_"):
        anywhere.run(Prepared(FIND).first, {})
    with pytest.raises(ValueError, match="a time without a zone"):
        add(anywhere, "CS-1", booted_at=datetime(2026, 1, 1))
    assert anywhere.rows("station") == []


def test_two_columns_of_one_name_are_refused(anywhere: Indoors) -> None:
    with pytest.raises(AssertionError):
        anywhere.run(Prepared(select(station.c.id, evse.c.id)).all, {})


def test_the_driver_s_errors_are_sqlalchemy_s_and_tell_no_parameters(anywhere: Indoors) -> None:
    add(anywhere, "CS-1")
    with pytest.raises(IntegrityError) as known:
        add(anywhere, "CS-1", password="secret")
    assert "INSERT INTO station" in str(known.value)
    assert "secret" not in str(known.value)


def test_a_part_that_failed_is_undone_alone(anywhere: Indoors) -> None:
    def part(db: Any) -> None:
        with apart(db):
            ADD.run(db, {"id": "CS-2"})
            with apart(db):
                ADD.run(db, {"id": "CS-3"})
            ADD.run(db, {"id": "CS-1"})

    def work(db: Any) -> None:
        ADD.run(db, {"id": "CS-1"})
        with pytest.raises(IntegrityError):
            part(db)
        ADD.run(db, {"id": "CS-4"})

    anywhere.run(work)
    assert [row["id"] for row in anywhere.rows("station")] == ["CS-1", "CS-4"]


def test_it_is_part_of_the_transaction(anywhere: Indoors) -> None:
    def work(db: Any) -> None:
        ADD.run(db, {"id": "CS-1"})
        raise LookupError

    with pytest.raises(LookupError):
        anywhere.run(work)
    assert anywhere.rows("station") == []


def test_a_command_is_written_and_read_whole(anywhere: Indoors) -> None:
    row = {
        **commands.BLANK,
        "type": "RESERVE_NOW",
        "body": {"a": ["ü", None]},
        "state": "RECEIVED",
        "received_at": AT,
        "deadline": AT + timedelta(seconds=20),
        "promised_until": AT + timedelta(seconds=30),
    }
    made = anywhere.run(commands.write_down, row)
    with anywhere.db() as db:
        assert commands.by_id(db, made) == dict(db.execute(select(command)).mappings().one())
