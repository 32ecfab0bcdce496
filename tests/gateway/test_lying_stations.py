"""Stations whose clock or counter says what cannot be, or that speak in the wrong moment."""

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway import charging
from ocpp_bridge.events import Phase, Reading, TransactionChanged
from ocpp_bridge.orders import RequestStart
from tests.support.charges import CARD, driver
from tests.support.indoors import START, Indoors, token_body
from tests.support.overheard import overhear
from tests.support.tariffs import element

HOUR = element(("TIME", 2), start_time="08:00", end_time="20:00")


@pytest.mark.parametrize("year", [1, 1970, 2000, 2027, 9999])
def test_a_clock_that_is_years_off_costs_the_driver_nothing(indoors: Indoors, year: int) -> None:
    wrong = datetime(year, 6, 1, tzinfo=UTC)
    there = driver(indoors, HOUR)
    there.asks_to_start()
    transaction = there.begins(at=wrong)
    indoors.pass_(minutes=30)
    there.tells(Phase.UPDATED, transaction, [(wrong, 2500)])
    indoors.pass_(minutes=30)
    there.ends(transaction, 5000, at=wrong)
    [body] = there.cdrs()
    assert (body["start_date_time"], body["end_date_time"]) == ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z")
    assert (body["total_energy"], body["total_cost"]["excl_vat"]) == (5, 2)


def test_an_end_of_another_century_ends_a_charge_when_it_is_told(indoors: Indoors) -> None:
    there = driver(indoors, HOUR)
    there.asks_to_start()
    transaction = there.begins()
    indoors.pass_(hours=1)
    there.ends(transaction, 5000, at=datetime(2126, 3, 1, tzinfo=UTC))
    assert there.cdrs()[0]["total_cost"]["excl_vat"] == 2


def test_a_station_that_does_not_count_is_heard_to_end(indoors: Indoors) -> None:
    _, station = indoors.one_evse("ocpp2.0.1")
    for phase, wh in ((Phase.STARTED, 0), (Phase.UPDATED, 100), (Phase.ENDED, 5000), (Phase.ENDED, 5000)):
        indoors.pass_(minutes=5)
        reading = Reading(at=indoors.now, register_wh=Decimal(wh))
        event = TransactionChanged(phase=phase, transaction_id="T", at=indoors.now, seq=0, evse=1, readings=(reading,))
        indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)
    indoors.pass_(days=2)
    indoors.run(charging.close, indoors.rules, indoors.now)
    [session] = indoors.rows("session")
    assert (session["state"], session["kwh"]) == ("COMPLETED", 5)
    assert session["start_date_time"] > START


def test_a_start_that_another_process_gives_up_in_this_very_moment_is_charged_all_the_same(indoors: Indoors) -> None:
    partner = indoors.partner()
    location, station = indoors.one_evse("ocpp2.0.1")
    indoors.start(partner, location, token=token_body(partner.party, CARD.value, "RFID"))
    start = indoors.next(station).order
    assert isinstance(start, RequestStart)
    told = {"transaction_id": "T", "at": indoors.now, "evse": 1, "id_token": CARD}
    event = TransactionChanged(phase=Phase.STARTED, seq=0, remote_start_id=start.remote_start_id, **told)

    def lapse(cursor: sqlite3.Cursor, statement: str, _parameters: Any) -> None:
        if statement.startswith("UPDATE session"):
            cursor.execute("UPDATE session SET state = 'INVALID' WHERE state = 'PENDING'")

    overhear(indoors.engine, lapse)
    indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)
    states = [(row["partner"], row["state"], row["transaction_id"]) for row in indoors.rows("session")]
    assert states == [(partner.id, "INVALID", None), (partner.id, "ACTIVE", "T")]
