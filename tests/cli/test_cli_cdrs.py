"""`cdrs` shows what partners are billed for, and takes it back."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from gateway.store import rows
from tests.cli.conftest import Operator
from tests.support.charges import Driver, driver
from tests.support.indoors import Indoors
from tests.support.tariffs import element


@pytest.fixture
def there(operator: Operator) -> Iterator[Driver]:
    """A driver who has charged once at the operator's, and his partner."""
    indoors = Indoors(f"sqlite:///{operator.data / 'gateway.db'}")
    there = driver(indoors, element(("ENERGY", 0.25)), element(("FLAT", 1), reservation="RESERVATION"))
    there.asks_to_start(authorization_reference="REF")
    there.charges()
    yield there
    indoors.close()


@pytest.fixture
def billed(there: Driver) -> str:
    """The id of the CDR."""
    return str(there.cdrs()[0]["id"])


def test_without_one_there_is_nothing_to_list(operator: Operator) -> None:
    assert operator.sees("cdrs", "list") == []
    assert operator.does("cdrs", "list") == "None.\n"


def test_they_are_listed_the_newest_first_and_by_partner(operator: Operator, there: Driver, billed: str) -> None:
    there.asks_to_start()
    there.charges(wh=4_000)
    newest, oldest = operator.sees("cdrs", "list")
    assert (oldest["id"], oldest["total_cost"], oldest["total_energy"]) == (billed, {"excl_vat": 2.5}, 10.0)
    assert (newest["total_cost"], newest["partner"]["id"]) == ({"excl_vat": 1.0}, there.partner.id)
    assert operator.sees("cdrs", "list", "--partner", there.indoors.partner().name) == []
    assert operator.sees("cdrs", "list", "--partner", there.partner.name) == [newest, oldest]
    told = operator("cdrs", "list", "--limit", "1")
    assert newest["id"] in told.stdout
    assert oldest["id"] not in told.stdout
    assert "There are more" in told.stderr
    assert "There is no partner" in operator.hears("cdrs", "list", "--partner", "Nobody")


def test_one_is_shown_as_it_was_sealed(operator: Operator, there: Driver, billed: str) -> None:
    assert operator.sees("cdrs", "show", billed)["body"] == there.cdrs()[0]
    told = operator.does("cdrs", "show", billed.upper())
    for fact in (billed, "COMMAND REF", "2.5 EUR", "ENERGY 10.0, TIME 1.0", "T-1", there.location):
        assert fact in told
    assert operator.hears("cdrs", "show", "nope") == "There is no CDR nope.\n"


def test_one_is_taken_back(operator: Operator, there: Driver, billed: str) -> None:
    said = operator.does("cdrs", "credit", billed, "--reason", "Billed twice.")
    assert said == f"CDR {billed} is taken back by {billed}-C.\n"
    credit, first = operator.sees("cdrs", "list")
    assert (credit["credit_reference_id"], first["credited_by"]) == (billed, credit["id"])
    assert credit["total_cost"] == {"excl_vat": -2.5}
    assert operator.sees("cdrs", "show", credit["id"])["body"]["remark"] == "Billed twice."


def test_one_is_taken_back_and_made_anew(operator: Operator, there: Driver, billed: str) -> None:
    made = operator.sees("cdrs", "credit", billed, "--reason", "Wrong.", "--again")
    assert made["credit"] == f"{billed}-C"
    again = operator.sees("cdrs", "show", made["again"])
    assert again["body"] == there.cdrs()[0] | {"id": made["again"], "last_updated": again["body"]["last_updated"]}


@pytest.mark.parametrize(
    ("cdr", "sentence"), [("{}", "is credited already."), ("{}-C", "is a Credit CDR itself."), ("nope", "There is no")]
)
def test_what_cannot_be_taken_back_is_said(operator: Operator, billed: str, cdr: str, sentence: str) -> None:
    operator.does("cdrs", "credit", billed, "--reason", "Wrong.")
    for more in ([], ["--again"]):
        assert sentence in operator.hears("cdrs", "credit", cdr.format(billed), "--reason", "Wrong.", *more)
    assert len(operator.sees("cdrs", "list")) == 2


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"location": None, "time_zone": None}, "Its Location is not known."),
        ({"cpo": None, "cdr_token": None}, "Its party of ours and token are not known."),
        ({"tariff": {"id": "no tariff"}}, "It cannot be calculated: "),
    ],
)
def test_what_cannot_be_made_anew_is_not_taken_back_either(
    operator: Operator, there: Driver, billed: str, spoilt: dict[str, Any], why: str
) -> None:
    with there.indoors.db() as db:
        db.execute(rows.binding.delete())
        db.execute(update(rows.session).values(spoilt))
    assert why in operator.hears("cdrs", "credit", billed, "--reason", "Wrong.", "--again")
    assert [one["id"] for one in operator.sees("cdrs", "list")] == [billed]
    operator.does("cdrs", "credit", billed, "--reason", "Wrong.")


@pytest.mark.parametrize("reason", ["", " ", "x" * 256, "two\nlines"])
def test_a_reason_fits_into_a_remark(operator: Operator, billed: str, reason: str) -> None:
    assert "--reason" in operator.hears("cdrs", "credit", billed, "--reason", reason)


def test_one_that_could_not_be_made_is_made_later(operator: Operator, there: Driver, billed: str) -> None:
    there.asks_to_start()
    sealed = there.indoors.rows("session")[0]["tariff"]
    broken = there.indoors.rows("session")[-1]["session_id"]
    spoil = update(rows.session).where(rows.session.c.session_id == broken)
    there.indoors.run(lambda db: db.execute(spoil.values(tariff={"id": "no tariff"})))
    there.charges(wh=4_000)
    # The charge is over and its station was answered all the same.
    assert there.indoors.rows("session", session_id=broken)[0]["state"] == "COMPLETED"
    assert [one["id"] for one in operator.sees("cdrs", "list")] == [billed]
    assert "It cannot be calculated: " in operator.hears("cdrs", "make", broken)
    there.indoors.run(lambda db: db.execute(spoil.values(tariff=sealed)))
    [made] = operator.sees("cdrs", "make", broken)["made"]
    assert operator.sees("cdrs", "show", made)["body"]["total_cost"] == {"excl_vat": 1.0}
    assert operator.does("cdrs", "make", broken) == "It has its CDR already.\n"
    assert "There is no Session" in operator.hears("cdrs", "make", "nope")
