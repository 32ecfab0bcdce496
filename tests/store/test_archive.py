"""The archive's queries mean the same on both databases."""

from datetime import timedelta

from sqlalchemy import update

from gateway.store import archive, rows
from tests.support.charges import driver
from tests.support.indoors import Indoors
from tests.support.tariffs import element


def test_what_is_over_and_told_is_found_and_taken_out(anywhere: Indoors) -> None:
    there = driver(anywhere, element(("ENERGY", 0.25)))
    there.asks_to_start()
    there.charges()
    later = anywhere.now + timedelta(days=1)
    assert anywhere.run(archive.over, later, 0, 100) == []  # its result is still owed
    with anywhere.db() as db:
        db.execute(update(rows.callback).values(state="DELIVERED"))
    found = anywhere.run(archive.over, later, 0, 100)
    assert [one["id"] for one in found] == [row["id"] for row in anywhere.rows("command")]
    assert anywhere.run(archive.over, later, found[-1]["id"], 100) == []
    anywhere.run(archive.remove, [one["id"] for one in found])
    assert anywhere.rows("command") == anywhere.rows("callback") == anywhere.rows("callback_attempt") == []
    assert [row["command"] for row in (*anywhere.rows("session"), *anywhere.rows("authorization"))] == [None, None]
