"""CDRs: the rules for what they say, when they are made and how they are taken back."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import cdrs
from gateway.cdrs import NotPossible
from gateway.store import cdrs as table
from gateway.store import sessions, stations
from ocpi.cdrs import CDR
from ocpi.dialects import DIALECTS
from ocpi.sessions import SESSION_ONLY
from ocpp_bridge.events import Reading
from tests.support.charges import Driver, driver
from tests.support.indoors import Indoors
from tests.support.tariffs import element

EXPIRES = element(("TIME", 6), reservation="RESERVATION_EXPIRES")
RESERVATION = element(("FLAT", 1), ("TIME", 2), reservation="RESERVATION")
ENERGY = element(("ENERGY", 0.25))


@pytest.fixture
def indoors(tmp_path: Path) -> Iterator[Indoors]:
    indoors = Indoors(f"sqlite:///{tmp_path / 'cdrs.sqlite'}")
    yield indoors
    indoors.close()


@pytest.fixture
def there(indoors: Indoors) -> Driver:
    """Where reservations and energy cost something."""
    return driver(indoors, RESERVATION, EXPIRES, ENERGY)


def told(there: Driver, version: str = "2.2.1") -> dict[str, Any]:
    """The only CDR, as a partner of that version gets it."""
    [body] = there.cdrs()
    return DIALECTS[version].render_cdr(CDR.model_validate(body))


@pytest.mark.parametrize("version", DIALECTS)
def test_rule_151_rule_176_an_unused_reservation_that_costs_has_a_cdr_without_energy(
    there: Driver, version: str
) -> None:
    there.reserves()
    there.does_not_come()
    body = told(there, version)
    assert body["total_cost"]["excl_vat"] > 0
    assert body["total_reservation_cost"] == body["total_cost"]
    assert (body["total_energy"], body["total_time"]) == (0, 0)
    assert [one["type"] for one in body["charging_periods"][0]["dimensions"]] == ["RESERVATION_TIME"]


def test_rule_151_an_unused_reservation_that_costs_nothing_has_none(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.reserves()
    there.does_not_come()
    assert there.cdrs() == []


@pytest.mark.parametrize("version", DIALECTS)
def test_rule_154_the_authorization_reference_is_repeated_in_the_cdr(there: Driver, version: str) -> None:
    there.reserves(authorization_reference="REF-OF-RESERVATION")
    there.charges(there.indoors.reservation()["number"])
    assert told(there, version)["authorization_reference"] == "REF-OF-RESERVATION"


def test_rule_154_so_is_that_of_a_start(there: Driver) -> None:
    there.asks_to_start(authorization_reference="REF-OF-START")
    there.charges()
    assert told(there)["authorization_reference"] == "REF-OF-START"


def test_rule_156_a_cancelled_reservation_may_have_a_cdr(there: Driver) -> None:
    there.reserves()
    there.indoors.pass_(minutes=30)
    there.cancels()
    assert told(there)["total_reservation_cost"]["excl_vat"] == 2


def test_rule_190_rule_215_the_last_reference_and_the_last_method_are_told(there: Driver) -> None:
    held = there.reserves(authorization_reference="FIRST")
    there.asks_to_start(authorization_reference="LAST")
    transaction = there.begins(held["number"])
    [row] = there.indoors.rows("session")
    there.indoors.run(sessions.change, row["id"], there.indoors.now, auth_method="WHITELIST")
    there.indoors.pass_(hours=1)
    there.ends(transaction, 10_000)
    body = told(there)
    assert (body["authorization_reference"], body["auth_method"]) == ("LAST", "WHITELIST")


@pytest.mark.parametrize("version", DIALECTS)
def test_rule_213_a_reservation_has_its_cost_its_time_and_its_beginning(there: Driver, version: str) -> None:
    began = there.indoors.now
    held = there.reserves()
    there.indoors.pass_(minutes=30)
    there.charges(held["number"])
    body = told(there, version)
    assert body["total_reservation_cost"]["excl_vat"] == 2
    first, *_ = body["charging_periods"]
    assert first["dimensions"] == [{"type": "RESERVATION_TIME", "volume": 0.5}]
    assert body["start_date_time"] == first["start_date_time"] == began.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("version", DIALECTS)
def test_rule_214_a_reservation_of_no_evse_has_ids_that_are_not_available(there: Driver, version: str) -> None:
    there.indoors.run(stations.change, there.station, abilities={"ReserveConnectorZeroSupported": "true"})
    there.reserves(evse_uid=None)
    there.does_not_come()
    place = told(there, version)["cdr_location"]
    assert [place[name] for name in ("evse_uid", "evse_id", "connector_id")] == ["#NA"] * 3
    assert place["id"] == there.location


def test_rule_216_the_id_is_short_and_no_other_cdr_of_the_party_has_it(there: Driver) -> None:
    for _ in range(3):
        there.asks_to_start()
        there.charges()
    made = there.indoors.rows("cdr")
    assert len({row["cdr_id"] for row in made}) == 3
    assert max(len(row["cdr_id"]) for row in made) <= 36
    twin = {name: value for name, value in made[0].items() if name != "id"}
    assert there.indoors.run(table.add, twin) is None
    assert there.indoors.rows("cdr") == made


@pytest.mark.parametrize("version", DIALECTS)
def test_rule_217_a_cdr_is_corrected_by_a_credit_cdr_and_a_new_one_alone(there: Driver, version: str) -> None:
    there.asks_to_start()
    there.charges()
    before = there.indoors.rows("cdr")
    [billed] = before
    there.indoors.run(cdrs.credit, billed["id"], "Wrong.", there.indoors.now)
    there.indoors.run(cdrs.replace, billed["id"], there.indoors.now)
    with pytest.raises(NotPossible):
        there.indoors.run(cdrs.credit, billed["id"], "Wrong.", there.indoors.now)
    render = DIALECTS[version].render_cdr
    first, credit, new = (render(CDR.model_validate(body)) for body in there.cdrs())
    assert there.indoors.rows("cdr")[:1] == before
    assert (credit["credit"], credit["credit_reference_id"]) == (True, first["id"])
    assert credit["total_cost"]["excl_vat"] == -first["total_cost"]["excl_vat"] < 0
    repeated = first.keys() - {"id", "total_cost", "last_updated"}
    assert {name: credit[name] for name in repeated} == {name: first[name] for name in repeated}
    assert len({first["id"], credit["id"], new["id"]}) == 3
    assert not {"credit", "credit_reference_id"} & new.keys()


def test_rule_218_the_session_is_named_also_of_a_reservation_that_never_charged(there: Driver) -> None:
    there.reserves()
    there.does_not_come()
    there.asks_to_start()
    there.charges()
    assert [body["session_id"] for body in there.cdrs()] == [row["session_id"] for row in there.indoors.rows("session")]


def test_rule_220_no_dimension_that_is_for_sessions_only_is_told(there: Driver) -> None:
    there.asks_to_start()
    transaction = there.begins()
    there.indoors.pass_(hours=1)
    register, power, current, soc = (Decimal(number) for number in (10_000, 11_000, 48, 80))
    full = Reading(at=there.indoors.now, register_wh=register, power_w=power, current_a=current, soc=soc)
    there.ends(transaction, 10_000, readings=(full,))
    dimensions = {one["type"] for period in told(there)["charging_periods"] for one in period["dimensions"]}
    assert dimensions == {"ENERGY", "TIME"}
    assert not dimensions & SESSION_ONLY
