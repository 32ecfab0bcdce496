"""Of which moment and of which connector the price is that a Session has, and as what its place is called."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway import charging
from gateway.store import tariffs, topology
from ocpi.locations import Location
from ocpi.tariffs import Tariff
from ocpp_bridge.events import Phase, Reading, TransactionChanged
from tests.support.charges import CARD, Driver, driver
from tests.support.gateway import Spot, location_body
from tests.support.indoors import Indoors
from tests.support.tariffs import element, tariff

ENERGY = element(("ENERGY", 0.25))
OLD, NEW = "ocpp1.6", "ocpp2.0.1"
ONE_O_CLOCK = "2026-03-01T13:00:00Z"


def billed(there: Driver) -> list[tuple[str, list[str], float]]:
    """(EVSE, tariffs, cost) of every CDR."""
    return [
        (body["cdr_location"]["evse_uid"], [one["id"] for one in body["tariffs"]], body["total_cost"]["excl_vat"])
        for body in there.cdrs()
    ]


# The moment


@pytest.fixture
def there(anywhere: Indoors) -> Driver:
    """Where 0.25 a kWh are asked until one o'clock, and 0.99 after it; it is twelve."""
    there = driver(anywhere, ENERGY, end_date_time=ONE_O_CLOCK)
    later = tariff("T-2", element(("ENERGY", 0.99)), start_date_time=ONE_O_CLOCK)
    anywhere.run(tariffs.put, anywhere.cpo.id, Tariff.model_validate(later))
    body = location_body(there.location, (Spot(there.station, evse=None),), anywhere.cpo.party)
    body["evses"][0]["connectors"][0]["tariff_ids"] = ["T-1", "T-2"]
    anywhere.run(topology.put_location, anywhere.cpo.id, Location.model_validate(body), body)
    return there


def test_a_charge_that_is_told_late_costs_what_was_asked_when_it_began(anywhere: Indoors, there: Driver) -> None:
    held = there.reserves(minutes=60)
    began = anywhere.now + timedelta(minutes=30)
    there.does_not_come()  # the station is offline, and it is two o'clock now
    transaction = there.begins(held["number"], began)
    there.ends(transaction, 10_000)
    [body] = there.cdrs()
    assert body["start_date_time"] == "2026-03-01T12:30:00Z"
    assert billed(there) == [("E1", ["T-1"], 2.5)]


def test_a_charge_whose_driver_is_known_late_costs_what_was_asked_when_it_began(anywhere: Indoors) -> None:
    """The cable came before one o'clock, and the card after it."""
    there = driver(anywhere, ENERGY, subprotocol=NEW, end_date_time=ONE_O_CLOCK)
    anywhere.pass_(minutes=59)
    tells(there, Phase.STARTED, 0, 0)
    anywhere.pass_(minutes=2)
    there.asks_to_start()
    tells(there, Phase.UPDATED, 1, 100, id_token=CARD)
    tells(there, Phase.ENDED, 2, 10_000)
    assert billed(there) == [("E1", ["T-1"], 2.5)]


def test_a_charge_whose_first_message_comes_last_costs_what_was_asked_when_it_began(anywhere: Indoors) -> None:
    there = driver(anywhere, ENERGY, subprotocol=NEW, end_date_time=ONE_O_CLOCK)
    anywhere.pass_(minutes=50)
    there.asks_to_start()
    tells(there, Phase.STARTED, 0, 0, transaction="TX-0", id_token=CARD)
    tells(there, Phase.ENDED, 1, 0, transaction="TX-0")  # the card is known at the station for a while
    anywhere.pass_(minutes=9)
    first = tells(there, Phase.STARTED, 0, 0, id_token=CARD, note=False)
    anywhere.pass_(minutes=2)
    tells(there, Phase.UPDATED, 1, 100, id_token=CARD)
    note(there, first)
    tells(there, Phase.ENDED, 2, 10_000)
    assert billed(there)[-1] == ("E1", ["T-1"], 2.5)


def tells(there: Driver, phase: Phase, seq: int, wh: int, transaction: str = "TX", **more: Any) -> TransactionChanged:
    """2.x; ``note``: it reaches us at once."""
    now, arrives = there.indoors.now, more.pop("note", True)
    place = {"evse": 1, "connector": 1} if seq == 0 else {}
    reading = Reading(at=now, register_wh=Decimal(wh))
    event = TransactionChanged(
        phase=phase, transaction_id=transaction, at=now, seq=seq, readings=(reading,), **place | more
    )
    if arrives:
        note(there, event)
    return event


def note(there: Driver, event: TransactionChanged) -> None:
    there.indoors.run(charging.transaction, there.station, event, there.indoors.rules, there.indoors.now)
