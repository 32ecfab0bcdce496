"""Of which moment and of which connector the price is that a Session has, and as what its place is called."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from gateway import charging
from gateway.store import bindings, rows, stations, tariffs, topology
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


# The connector


def two_evses(indoors: Indoors, subprotocol: str = OLD, **ids: list[str]) -> Driver:
    """One station with E1 and E2, where 0.25 a kWh are asked at the one and 0.75 at the other."""
    station = indoors.station(subprotocol)
    for name, cost in (("SLOW", 0.25), ("FAST", 0.75), ("ANY", 0.5)):
        indoors.run(tariffs.put, indoors.cpo.id, Tariff.model_validate(tariff(name, element(("ENERGY", cost)))))
    there = Driver(indoors, indoors.partner(), f"LOC-{station}", station)
    imports(there, {"E1": ["SLOW"], "E2": ["FAST"]} | ids)
    indoors.run(stations.change, station, abilities={"ReservationCtrlr.NonEvseSpecific": "true"})
    return there


def imports(there: Driver, ids: dict[str, list[str]], **changes: str) -> None:
    """A Location of these EVSEs with their tariff_ids; E1 is the station's first one, and so on."""
    is_old = there.indoors.online[there.station] == OLD
    at = {uid: (None, int(uid[1:])) if is_old else (int(uid[1:]), 1) for uid in ids}
    spots = tuple(Spot(there.station, uid=uid, evse=evse, connector=number) for uid, (evse, number) in at.items())
    body = location_body(there.location, spots, there.indoors.cpo.party) | changes
    for evse in body["evses"]:
        evse["connectors"][0]["tariff_ids"] = ids[evse["uid"]]
    with there.indoors.db() as db:
        location = topology.put_location(db, there.indoors.cpo.id, Location.model_validate(body), body)
        bindings.unbind_gone(db, location)
        for uid, where in at.items():
            topology.bind(db, topology.evse_id(db, location, uid), None, there.station, where)


def charges_at(there: Driver, number: int, **more: Any) -> None:
    """An hour, and 10 kWh, at this EVSE of the station."""
    is_old = there.indoors.online[there.station] == OLD
    where: dict[str, Any] = {"connector": number} if is_old else {"evse": number, "connector": 1}
    first, last = ({}, {}) if is_old else ({"seq": 0}, {"seq": 1})
    at = [(there.indoors.now, 0)]
    begun = there.tells(Phase.STARTED, None if is_old else "TX", at, id_token=CARD, **where, **first, **more)
    there.indoors.pass_(hours=1)
    there.ends(str(begun.transaction_id), 10_000, **where, **last)


@pytest.mark.parametrize("subprotocol", [OLD, NEW])
def test_a_reservation_that_moved_to_another_evse_costs_what_that_one_costs(
    anywhere: Indoors, subprotocol: str
) -> None:
    there = two_evses(anywhere, subprotocol)
    there.reserves()
    held = there.reserves(evse_uid="E2")
    charges_at(there, 2, reservation=held["number"])
    assert billed(there) == [("E2", ["FAST"], 7.5)]


def test_a_start_that_is_carried_out_at_another_evse_costs_what_that_one_costs(anywhere: Indoors) -> None:
    there = two_evses(anywhere, NEW)
    there.asks_to_start()
    [session] = anywhere.rows("session")
    charges_at(there, 2, remote_start_id=session["remote_start_id"])
    assert billed(there) == [("E2", ["FAST"], 7.5)]


def test_so_it_does_where_the_place_is_told_after_the_driver(anywhere: Indoors) -> None:
    """2.x sends what it could not send in any order."""
    there = two_evses(anywhere, NEW)
    there.asks_to_start()
    [session] = anywhere.rows("session")
    driver = {"id_token": CARD, "remote_start_id": session["remote_start_id"]}
    there.tells(Phase.UPDATED, "TX", [(anywhere.now, 0)], seq=1, connector=None, **driver)
    there.tells(Phase.STARTED, "TX", [(anywhere.now, 0)], seq=0, evse=2, connector=1)
    [moved] = anywhere.rows("session")
    assert (moved["evse_uid"], moved["state"]) == ("E2", "ACTIVE")
    anywhere.pass_(hours=1)
    there.tells(Phase.ENDED, "TX", [(anywhere.now, 10_000)], seq=2, connector=None)
    assert billed(there) == [("E2", ["FAST"], 7.5)]


@pytest.mark.parametrize(
    ("asked", "billed_at"),
    [("a start", ("E2", ["FAST"], 7.5)), ("a reservation of any EVSE", ("E2", ["ANY"], 5.0))],
)
def test_so_it_does_where_driver_and_place_come_after_a_message_of_neither(
    indoors: Indoors, asked: str, billed_at: object
) -> None:
    if asked == "a start":
        there = two_evses(indoors, NEW)
        there.asks_to_start()
        driver = {"remote_start_id": indoors.rows("session")[0]["remote_start_id"]}
    else:
        there = two_evses(indoors, NEW, E1=["SLOW", "ANY"], E2=["FAST", "ANY"])
        driver = {"reservation": there.reserves(evse_uid=None)["number"]}
    there.tells(Phase.UPDATED, "TX", [(indoors.now, 0)], seq=1, connector=None)
    there.tells(Phase.STARTED, "TX", [(indoors.now, 0)], seq=0, evse=2, connector=1, id_token=CARD, **driver)
    indoors.pass_(hours=1)
    there.tells(Phase.ENDED, "TX", [(indoors.now, 10_000)], seq=2, connector=None)
    assert billed(there) == [billed_at]


@pytest.mark.parametrize("phase", [Phase.STARTED, Phase.UPDATED, Phase.ENDED])
@pytest.mark.parametrize("evse", [0, 2, 99])
def test_no_place_that_is_told_again_moves_a_charge(indoors: Indoors, phase: Phase, evse: int) -> None:
    there = two_evses(indoors, NEW)
    there.asks_to_start()
    [session] = indoors.rows("session")
    driver = {"id_token": CARD, "remote_start_id": session["remote_start_id"]}
    there.tells(Phase.STARTED, "TX", [(indoors.now, 0)], seq=0, evse=1, connector=1, **driver)
    there.asks_to_start(evse_uid="E2")
    indoors.pass_(hours=1)
    there.tells(phase, "TX", [(indoors.now, 10_000)], seq=1, evse=evse, connector=1)
    if phase is not Phase.ENDED:
        there.tells(Phase.ENDED, "TX", [(indoors.now, 10_000)], seq=2, connector=None)
    assert billed(there) == [("E1", ["SLOW"], 2.5)]
    assert [row["state"] for row in indoors.rows("session")] == ["COMPLETED", "PENDING"]


@pytest.mark.parametrize("evse", [0, 99])
def test_a_beginning_at_a_place_that_nobody_knows_leaves_a_charge_where_it_is(indoors: Indoors, evse: int) -> None:
    there = two_evses(indoors, NEW)
    there.asks_to_start()
    [session] = indoors.rows("session")
    driver = {"id_token": CARD, "remote_start_id": session["remote_start_id"]}
    there.tells(Phase.UPDATED, "TX", [(indoors.now, 0)], seq=1, connector=None, **driver)
    there.tells(Phase.STARTED, "TX", [(indoors.now, 0)], seq=0, evse=evse, connector=1)
    indoors.pass_(hours=1)
    there.tells(Phase.ENDED, "TX", [(indoors.now, 10_000)], seq=2, connector=None)
    assert billed(there) == [("E1", ["SLOW"], 2.5)]


def test_where_it_is_told_to_have_begun_the_evse_is_charging(indoors: Indoors) -> None:
    there = two_evses(indoors, NEW)
    there.asks_to_start()
    [session] = indoors.rows("session")
    driver = {"id_token": CARD, "remote_start_id": session["remote_start_id"]}
    there.tells(Phase.UPDATED, "TX", [(indoors.now, 0)], seq=1, connector=None, **driver)
    assert [row["status"] for row in indoors.rows("evse")] == ["CHARGING", "AVAILABLE"]
    there.tells(Phase.STARTED, "TX", [(indoors.now, 0)], seq=0, evse=2, connector=1)
    assert [row["status"] for row in indoors.rows("evse")] == ["AVAILABLE", "CHARGING"]


def test_what_was_asked_anywhere_is_asked_at_the_evse_that_it_becomes(indoors: Indoors) -> None:
    there = two_evses(indoors, NEW, E1=["SLOW", "ANY"], E2=["FAST", "ANY"])
    held = there.reserves(evse_uid=None)
    charges_at(there, 2, reservation=held["number"])
    assert billed(there) == [("E2", ["ANY"], 5.0)]


def test_an_evse_s_own_price_is_not_asked_any_more_where_it_may_be_another(indoors: Indoors) -> None:
    there = two_evses(indoors, NEW)
    there.reserves()
    held = there.reserves(evse_uid=None)
    assert [row["tariff"] for row in indoors.rows("session")] == [None]
    charges_at(there, 1, reservation=held["number"])
    assert billed(there) == [("E1", ["SLOW"], 2.5)]


def test_a_tariff_that_both_evses_have_stays_as_it_was(indoors: Indoors) -> None:
    there = two_evses(indoors, E1=["ANY"], E2=["ANY"])
    there.reserves()
    dearer = tariff("ANY", element(("ENERGY", 99)))
    indoors.run(tariffs.put, indoors.cpo.id, Tariff.model_validate(dearer))
    held = there.reserves(evse_uid="E2")
    charges_at(there, 2, reservation=held["number"])
    assert billed(there) == [("E2", ["ANY"], 5.0)]


def test_a_place_that_is_bound_to_nothing_any_more_costs_what_was_asked_there(indoors: Indoors) -> None:
    there = two_evses(indoors)
    held = there.reserves()
    imports(there, {"E2": ["FAST"]})
    charges_at(there, 1, reservation=held["number"])
    assert billed(there) == [("E1", ["SLOW"], 2.5)]


def test_no_other_evse_s_price_is_asked_at_a_place_that_nobody_knows(indoors: Indoors) -> None:
    there = two_evses(indoors, NEW)
    there.asks_to_start()
    [session] = indoors.rows("session")
    charges_at(there, 3, remote_start_id=session["remote_start_id"])
    [body] = there.cdrs()
    assert (body["cdr_location"]["evse_uid"], body.get("tariffs"), body["total_energy"]) == ("#NA", None, 10)
    assert body["total_cost"]["excl_vat"] == 0


def test_a_connector_that_is_told_after_its_evse_costs_what_that_one_costs(indoors: Indoors) -> None:
    there = two_evses(indoors, NEW)
    spot = Spot(there.station, uid="E1", evse=1, connectors=("1", "2"))
    body = location_body(there.location, (spot,), indoors.cpo.party)
    for connector, name in zip(body["evses"][0]["connectors"], ("SLOW", "FAST"), strict=True):
        connector["tariff_ids"] = [name]
    with indoors.db() as db:
        location = topology.put_location(db, indoors.cpo.id, Location.model_validate(body), body)
        bindings.unbind_others(db, topology.evse_id(db, location, "E1"), set())
        for number in (1, 2):
            topology.bind(db, topology.evse_id(db, location, "E1"), str(number), there.station, (1, number))
    there.asks_to_start()
    there.tells(Phase.STARTED, "TX", [(indoors.now, 0)], seq=0, id_token=CARD, evse=1, connector=None)
    there.tells(Phase.UPDATED, "TX", [(indoors.now, 0)], seq=1, evse=1, connector=2)
    indoors.pass_(hours=1)
    there.tells(Phase.ENDED, "TX", [(indoors.now, 10_000)], seq=2, connector=None)
    assert billed(there) == [("E1", ["FAST"], 7.5)]
    assert there.cdrs()[0]["cdr_location"]["connector_id"] == "2"


def test_a_place_that_cannot_be_told_any_more_keeps_nobody_from_charging(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    unreadable = indoors.rows("location")[0]["body"] | {"city": "x" * 46}
    indoors.run(lambda db: db.execute(update(rows.location).values(body=unreadable)))
    there.asks_to_start()
    there.charges()
    [session] = indoors.rows("session")
    assert (session["state"], session["cdr_location"], there.cdrs()) == ("COMPLETED", None, [])


def test_what_becomes_one_evse_of_many_is_called_what_that_one_is_called(indoors: Indoors) -> None:
    there = two_evses(indoors, NEW)
    held = there.reserves(evse_uid=None)
    [session] = indoors.rows("session")
    assert (session["cdr_location"]["evse_uid"], session["time_zone"]) == ("#NA", "Europe/Amsterdam")
    imports(there, {"E1": [], "E2": []}, city="Zwolle")
    charges_at(there, 2, reservation=held["number"])
    place = there.cdrs()[0]["cdr_location"]
    assert (place["evse_uid"], place["connector_id"], place["city"]) == ("E2", "1", "Zwolle")
