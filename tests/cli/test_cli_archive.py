"""`db archive` moves what is over for long into a file, and nothing that anybody still needs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.lifecycle import CallbackState
from gateway.house import utc_now
from gateway.store import callbacks
from gateway.store.callbacks import Attempt
from tests.cli.conftest import Operator
from tests.support.charges import Driver, driver
from tests.support.indoors import Indoors
from tests.support.tariffs import element


@pytest.fixture
def there(operator: Operator) -> Iterator[Driver]:
    """A driver whose house has a clock that is a year behind."""
    indoors = Indoors(f"sqlite:///{operator.data / 'gateway.db'}")
    indoors.now = utc_now() - timedelta(days=365)
    yield driver(indoors, element(("ENERGY", 0.25)))
    indoors.close()


def told(indoors: Indoors) -> None:
    """All results have reached the eMSP."""
    for due in indoors.run(callbacks.take_all, indoors.now, timedelta(seconds=5)):
        attempt = Attempt(
            callback=due.id, at=indoors.now, request_id="r", http_status=200, ocpi_status=1000, error="",
            milliseconds=1, state=CallbackState.DELIVERED, due_at=indoors.now,
        )  # fmt: skip
        indoors.run(callbacks.record, [attempt])


def test_what_is_over_goes_with_its_callbacks_and_attempts(operator: Operator, there: Driver, tmp_path: Path) -> None:
    there.asks_to_start()
    told(there.indoors)
    there.charges()
    before = operator.sees("commands", "list")
    file = tmp_path / "old.jsonl"
    said = operator.does("db", "archive", file, "--older-than", "P90D")
    assert said == f"{len(before)} commands were moved to {file}.\n"
    assert operator.sees("commands", "list") == []
    for table in ("command", "callback", "callback_attempt"):
        assert there.indoors.rows(table) == []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(one["id"] for one in lines) == sorted(one["id"] for one in before)
    [start] = [one for one in lines if one["type"] == "START_SESSION"]
    assert [owed["result"] for owed in start["callbacks"]] == ["ACCEPTED"]
    assert [tried["http_status"] for tried in start["callbacks"][0]["attempts"]] == [200]
    # What was billed stays.
    assert [one["state"] for one in there.indoors.rows("session")] == ["COMPLETED"]
    assert len(there.cdrs()) == 1


def test_what_is_needed_stays(operator: Operator, there: Driver, tmp_path: Path) -> None:
    indoors = there.indoors
    there.asks_to_start()  # a charge that nobody ended
    there.begins()
    indoors.reserve(there.partner, there.location, id="live", minutes=60, token=there.card)
    indoors.next(there.station)
    there_too = driver(indoors, element(("ENERGY", 1)))
    there_too.asks_to_start()
    there_too.charges()  # whose result was not told yet
    operator.does("db", "archive", tmp_path / "old", "--older-than", "P90D")
    kept = {one["type"] for one in operator.sees("commands", "list")}
    assert kept == {"START_SESSION", "RESERVE_NOW"}
    assert all(row["state"] == "DUE" for row in indoors.rows("callback"))
    told(indoors)
    operator.does("db", "archive", tmp_path / "old", "--older-than", "P90D")
    left = indoors.rows("command")
    assert {row["station"] for row in left if row["partner"] is not None} == {there.station}


def test_what_is_young_stays(operator: Operator, there: Driver, tmp_path: Path) -> None:
    there.indoors.now = utc_now() - timedelta(days=2)
    there.asks_to_start()
    there.charges()
    told(there.indoors)
    assert "0 commands" in operator.does("db", "archive", tmp_path / "old", "--older-than", "P3D")
    assert "0 commands" not in operator.does("db", "archive", tmp_path / "old", "--older-than", "P1D")


def test_more_than_a_batch_goes_in_batches_and_the_file_is_added_to(
    operator: Operator, there: Driver, tmp_path: Path
) -> None:
    file = tmp_path / "old"
    file.write_text('{"id": 0}\n')
    for _ in range(210):
        there.indoors.start(there.partner, "no such location")
    moved = {"moved": 210, "file": str(file)}
    assert operator.sees("db", "archive", file, "--older-than", "P90D") == moved
    assert len(file.read_text().splitlines()) == 211
    assert "0 commands" in operator.does("db", "archive", file, "--older-than", "P90D")


def test_a_file_that_cannot_be_written_costs_nothing(operator: Operator, there: Driver, tmp_path: Path) -> None:
    there.indoors.start(there.partner, "no such location")
    assert "No such file" in operator.hears("db", "archive", tmp_path / "no" / "such", "--older-than", "P90D")
    assert "No space left" in operator.hears("db", "archive", Path("/dev/full"), "--older-than", "P90D")
    assert len(there.indoors.rows("command")) == 1


@pytest.mark.parametrize("age", ["soon", "PT1H", "-P90D", "P9999999D", "1e300"])
def test_an_age_that_cannot_be_is_told_in_a_sentence(operator: Operator, tmp_path: Path, age: str) -> None:
    assert operator.hears("db", "archive", tmp_path / "old", f"--older-than={age}").startswith("--older-than: ")
    assert not (tmp_path / "old").exists()
