"""The CDR of a Session: made once, when it is over, of what is to be paid for; never changed, but taken back."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from gateway import cdrs, charging, reservations, reserving
from gateway.cdrs import NotPossible
from gateway.domain.lifecycle import SessionState
from gateway.sessions import views
from gateway.store import cdrs as table
from gateway.store import commands, pushes, rows, sessions, topology
from ocpi.cdrs import CDR
from ocpi.locations import Location
from ocpi.paging import Page
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, Reading, Signed, TransactionChanged
from tests.support.charges import CARD, Driver, driver
from tests.support.gateway import Spot, location_body
from tests.support.indoors import ACCEPTED, START, Indoors
from tests.support.overheard import overhear
from tests.support.tariffs import element

RESERVED = element(("FLAT", 1), ("TIME", 2), reservation="RESERVATION")
EXPIRED = element(("TIME", 6), reservation="RESERVATION_EXPIRES")
ENERGY = element(("ENERGY", 0.25))


def euros(amount: float) -> dict[str, float]:
    """Without VAT nothing is known of VAT, but of nothing."""
    return {"excl_vat": amount}


def only(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: body.get(name) for name in names}


# A charge


def test_a_charge_has_a_cdr_that_says_what_was_used_and_what_it_costs(anywhere: Indoors) -> None:
    there = driver(anywhere, ENERGY, element(("PARKING_TIME", 3)))
    there.asks_to_start(authorization_reference="REF")
    transaction = there.begins()
    anywhere.pass_(hours=1)
    there.goes_on(transaction, 10_000)
    anywhere.pass_(minutes=30)
    there.ends(transaction, 10_000)
    [body] = there.cdrs()
    [session] = anywhere.rows("session")
    told = CDR.model_validate(body)
    assert told.wire() == body
    assert only(body, "session_id", "auth_method", "authorization_reference", "currency") == {
        "session_id": session["session_id"],
        "auth_method": "COMMAND",
        "authorization_reference": "REF",
        "currency": "EUR",
    }
    assert (told.start_date_time, told.end_date_time) == (START, START + timedelta(minutes=90))
    assert only(body, "total_energy", "total_time", "total_parking_time") == {
        "total_energy": 10.0,
        "total_time": 1.5,
        "total_parking_time": 0.5,
    }
    assert body["total_energy_cost"] == euros(2.5)
    assert body["total_parking_cost"] == euros(1.5)
    assert body["total_cost"] == euros(4.0)
    assert body["tariffs"] == [session["tariff"]]
    assert only(body["cdr_location"], "id", "evse_uid", "connector_id", "city") == {
        "id": there.location,
        "evse_uid": "E1",
        "connector_id": "1",
        "city": "Utrecht",
    }
    assert only(body["cdr_token"], "uid", "type") == {"uid": CARD.value, "type": "RFID"}


def test_without_a_price_the_energy_and_the_time_are_told_and_cost_nothing(indoors: Indoors) -> None:
    there = driver(indoors, free=True)
    there.asks_to_start()
    there.charges()
    [body] = there.cdrs()
    assert only(body, "total_energy", "total_time", "currency", "tariffs") == {
        "total_energy": 10.0,
        "total_time": 1.0,
        "currency": "EUR",
        "tariffs": None,
    }
    assert body["total_cost"]["excl_vat"] == 0
    [row] = indoors.rows("session")
    assert indoors.run(cdrs.session_cost, row, []) is None


def test_an_import_changes_no_price_of_a_session_that_runs(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.asks_to_start()
    transaction = there.begins()
    driver(indoors, element(("ENERGY", 99)))
    indoors.pass_(hours=1)
    there.ends(transaction, 10_000)
    assert there.cdrs()[0]["total_cost"] == euros(2.5)


SLOW, FAST = element(("ENERGY", 0.2), max_current=32), element(("ENERGY", 0.5), min_current=32)


def _an_hour_at(there: Driver, amps: int | None) -> None:
    transaction = there.begins()
    for quarter in range(5):
        current = None if amps is None else Decimal(amps)
        measured = Reading(at=there.indoors.now, register_wh=Decimal(1000 * quarter), current_a=current)
        phase = Phase.ENDED if quarter == 4 else Phase.UPDATED
        there.tells(phase, transaction, [(there.indoors.now, 0)], readings=(measured,))
        there.indoors.pass_(minutes=15)


@pytest.mark.parametrize(("amps", "cost"), [(16, 0.8), (32, 2.0)])
def test_the_current_that_a_station_tells_chooses_the_price(indoors: Indoors, amps: int, cost: float) -> None:
    there = driver(indoors, SLOW, FAST)
    there.asks_to_start()
    with capture_logs() as logged:
        _an_hour_at(there, amps)
    assert (there.cdrs()[0]["total_energy"], there.cdrs()[0]["total_cost"], logged) == (4.0, euros(cost), [])


def test_a_price_by_a_current_that_nobody_tells_is_logged_once(indoors: Indoors) -> None:
    there = driver(indoors, SLOW, FAST)
    there.asks_to_start()
    with capture_logs() as logged:
        _an_hour_at(there, None)
        indoors.run(views, there.partner.id, None, [indoors.cpo.id], Page(None, None, 0, 10))
    assert there.cdrs()[0]["total_cost"]["excl_vat"] == 0
    [session] = indoors.rows("session")
    assert [(one["log_level"], one["session_id"]) for one in logged] == [("warning", session["session_id"])]


def test_a_charge_of_somebody_whom_no_partner_sent_has_none(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.charges()
    assert (there.cdrs(), indoors.rows("push")) == ([], [])


def test_a_start_that_became_no_charge_has_none(indoors: Indoors) -> None:
    there = driver(indoors, element(("FLAT", 5)))
    there.asks_to_start()
    [row] = indoors.rows("session")
    indoors.run(sessions.become, row["id"], SessionState.INVALID, indoors.now)
    indoors.run(cdrs.settle, row["id"], indoors.now)
    assert there.cdrs() == []


def test_a_charge_that_lasted_no_time_is_one(indoors: Indoors) -> None:
    there = driver(indoors, element(("FLAT", 5), ("ENERGY", 1)))
    there.asks_to_start()
    there.ends(there.begins(), 100)
    [body] = there.cdrs()
    assert only(body, "total_time", "total_cost") == {"total_time": 0.0, "total_cost": euros(5.1)}
    assert len(body["charging_periods"]) == 1


def test_a_clock_that_goes_backwards_bills_no_time(indoors: Indoors) -> None:
    there = driver(indoors, element(("TIME", 5)))
    there.asks_to_start()
    transaction = there.begins()
    there.tells(Phase.ENDED, transaction, [(START - timedelta(hours=1), 100)])
    [body] = there.cdrs()
    assert only(body, "total_time", "total_cost") == {
        "total_time": 0.0,
        "total_cost": {"excl_vat": 0.0, "incl_vat": 0.0},
    }
    assert body["end_date_time"] == body["start_date_time"]


# Made once


def test_a_session_that_is_settled_again_has_one_cdr(anywhere: Indoors) -> None:
    there = driver(anywhere, ENERGY)
    there.asks_to_start()
    there.charges()
    [row] = anywhere.rows("session")
    anywhere.run(cdrs.settle, row["id"], anywhere.now)
    assert len(there.cdrs()) == 1


def test_two_workers_that_settle_at_once_make_one_cdr(anywhere: Indoors) -> None:
    there = driver(anywhere, ENERGY)
    there.asks_to_start()
    there.charges()
    [row] = anywhere.rows("session")
    with anywhere.db() as db:
        db.execute(rows.cdr.delete())
    with ThreadPoolExecutor(2) as workers:
        settled = [workers.submit(anywhere.run, cdrs.settle, row["id"], anywhere.now) for _ in range(2)]
    assert [each.result() for each in settled] == [None, None]
    assert len(there.cdrs()) == 1


def test_a_session_that_is_not_over_has_none(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.asks_to_start()
    there.begins()
    [row] = indoors.rows("session")
    indoors.run(cdrs.settle, row["id"], indoors.now)
    assert there.cdrs() == []


# A reservation


def test_a_reservation_that_was_used_is_billed_with_its_charge(anywhere: Indoors) -> None:
    there = driver(anywhere, RESERVED, EXPIRED, ENERGY)
    held = there.reserves()
    anywhere.pass_(minutes=30)
    there.charges(held["number"])
    [body] = there.cdrs()
    told = CDR.model_validate(body)
    assert told.start_date_time == START
    assert body["total_reservation_cost"] == euros(2.0)
    assert body["total_energy_cost"] == euros(2.5)
    assert body["total_cost"] == euros(4.5)
    assert body["total_time"] == 1.0
    assert [one.type for one in told.charging_periods[0].dimensions] == ["RESERVATION_TIME"]
    assert told.charging_periods[1].start_date_time == START + timedelta(minutes=30)


def test_one_that_nobody_came_for_costs_what_an_expired_one_costs_until_it_expired(anywhere: Indoors) -> None:
    there = driver(anywhere, RESERVED, EXPIRED, ENERGY)
    there.reserves(minutes=60)
    there.does_not_come()
    [body] = there.cdrs()
    assert body["total_reservation_cost"] == body["total_cost"] == euros(7.0)
    assert only(body, "total_energy", "total_time", "end_date_time") == {
        "total_energy": 0.0,
        "total_time": 0.0,
        "end_date_time": "2026-03-01T13:00:00Z",
    }


def test_one_that_its_emsp_cancelled_costs_what_a_reservation_costs_until_then(anywhere: Indoors) -> None:
    there = driver(anywhere, RESERVED, EXPIRED, ENERGY)
    there.reserves()
    anywhere.pass_(minutes=15)
    there.cancels()
    [body] = there.cdrs()
    assert body["total_reservation_cost"] == body["total_cost"] == euros(1.5)


def test_one_that_the_station_dropped_costs_nothing(indoors: Indoors) -> None:
    there = driver(indoors, RESERVED, EXPIRED)
    held = there.reserves()
    indoors.pass_(minutes=15)
    indoors.run(reservations.ended, there.station, held["number"], "Removed", indoors.rules, indoors.now)
    assert [row["state"] for row in indoors.rows("session")] == ["COMPLETED"]
    assert there.cdrs() == []


def test_one_that_costs_nothing_has_none(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.reserves()
    there.does_not_come()
    there.reserves("R-2")
    there.cancels("R-2")
    assert [row["state"] for row in indoors.rows("session")] == ["COMPLETED", "COMPLETED"]
    assert there.cdrs() == []


def test_one_that_was_used_in_time_by_a_station_that_was_offline_is_not_billed_as_expired(indoors: Indoors) -> None:
    there = driver(indoors, EXPIRED, ENERGY)
    held = there.reserves(minutes=60)
    began = indoors.now + timedelta(minutes=30)
    there.does_not_come()
    there.reserves("R-2")
    transaction = there.begins(held["number"], began)
    there.ends(transaction, 10_000)
    billed, taken_back, charge = there.cdrs()
    assert taken_back["credit_reference_id"] == billed["id"]
    assert charge["total_cost"] == euros(2.5)


def test_no_partner_pays_for_a_reservation_of_the_cpos_own(indoors: Indoors) -> None:
    there = driver(indoors, RESERVED, ENERGY)
    there.asks_to_start()
    there.ends(there.begins(), 100)  # the card is known at the station for a while
    until = indoors.now + timedelta(hours=2)
    wanted = reserving.Wanted(location_id=there.location, token="STAFF", until=until, evse_uid="E1")
    errand = indoors.run(reserving.make, wanted, indoors.rules, indoors.online, indoors.now)
    indoors.run(commands.dispatch, [errand], indoors.now)
    indoors.next(there.station, ACCEPTED)
    held = indoors.reservation()
    assert (held["partner"], held["state"]) == (None, "ACTIVE")
    transaction = there.begins(held["number"], indoors.now + timedelta(minutes=3))  # the station's clock is ahead
    indoors.pass_(hours=1)
    there.ends(transaction, 10_000)
    _, body = there.cdrs()
    assert only(body, "total_reservation_cost", "total_cost") == {
        "total_reservation_cost": None,
        "total_cost": euros(2.5),
    }


def test_one_whose_cancellation_got_no_answer_costs_nothing_when_it_expires(anywhere: Indoors) -> None:
    there = driver(anywhere, RESERVED, EXPIRED)
    there.reserves(minutes=60)
    anywhere.pass_(minutes=5)
    anywhere.cancel(there.partner)
    anywhere.next(there.station, None)
    assert (anywhere.reservation()["state"], anywhere.told()) == ("UNKNOWN", ["ACCEPTED", "TIMEOUT"])
    there.does_not_come()
    assert anywhere.reservation()["state"] == "EXPIRED"
    assert there.cdrs() == []


def test_a_driver_who_was_started_in_time_is_not_billed_as_one_who_never_came(anywhere: Indoors) -> None:
    there = driver(anywhere, EXPIRED, ENERGY)
    there.reserves(minutes=60)
    anywhere.pass_(minutes=59, seconds=30)
    there.asks_to_start()
    anywhere.pass_(seconds=61)
    anywhere.run(reservations.expire, anywhere.rules, anywhere.now)
    there.charges()
    assert [body["total_energy"] for body in there.cdrs()] == [10.0]
    assert [row["state"] for row in anywhere.rows("session")] == ["COMPLETED"]


def test_a_start_that_became_no_charge_does_not_keep_its_reservation_from_expiring(anywhere: Indoors) -> None:
    there = driver(anywhere, EXPIRED, ENERGY)
    there.reserves(minutes=60)
    anywhere.pass_(minutes=59)
    there.asks_to_start()
    there.does_not_come()
    assert anywhere.reservation()["state"] == "EXPIRED"
    assert [body["total_cost"] for body in there.cdrs()] == [euros(6)]


# Where it was


def _moves_to_zwolle(there: Driver) -> None:
    """An import: another town, another connector, another zone, and E1 is gone."""
    moved = location_body(there.location, (Spot(there.station, uid="E2"),))
    moved |= {"city": "Zwolle", "time_zone": "America/New_York"}
    moved["evses"][0]["connectors"][0]["standard"] = "CHADEMO"
    there.indoors.run(topology.put_location, there.indoors.cpo.id, Location.model_validate(moved), moved)


def test_a_place_that_was_imported_anew_is_called_what_it_was_called_at_the_start(anywhere: Indoors) -> None:
    there = driver(anywhere, element(("FLAT", 1), start_time="13:00", end_time="14:00"))  # it is 13:00 there
    there.asks_to_start()
    transaction = there.begins()
    _moves_to_zwolle(there)
    anywhere.pass_(hours=1)
    there.ends(transaction, 10_000)
    [body] = there.cdrs()
    place = body["cdr_location"]
    assert only(place, "city", "evse_uid", "connector_id", "connector_standard") == {
        "city": "Utrecht",
        "evse_uid": "E1",
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
    }
    assert body["total_cost"] == euros(1)
    _, [told] = anywhere.run(views, there.partner.id, None, [anywhere.cpo.id], Page(None, None, 0, 10))
    assert told.total_cost.wire() == euros(1)


def test_a_reservation_that_nobody_came_for_is_where_it_was_made(indoors: Indoors) -> None:
    there = driver(indoors, EXPIRED)
    there.reserves(minutes=60)
    _moves_to_zwolle(there)
    there.does_not_come()
    assert only(there.cdrs()[0]["cdr_location"], "city", "evse_uid") == {"city": "Utrecht", "evse_uid": "E1"}


def test_a_place_that_was_not_kept_is_called_what_it_is_called_at_the_end(indoors: Indoors) -> None:
    """A charge that began before places were kept."""
    there = driver(indoors, ENERGY)
    there.asks_to_start()
    transaction = there.begins()
    _moves_to_zwolle(there)
    with indoors.db() as db:
        db.execute(update(rows.session).values(cdr_location=None, time_zone=None))
    there.ends(transaction, 10_000)
    [body] = there.cdrs()
    assert only(body["cdr_location"], "city", "evse_uid", "evse_id", "connector_id") == {
        "city": "Zwolle",
        "evse_uid": "E1",
        "evse_id": "#NA",
        "connector_id": "1",
    }
    assert body["total_cost"] == euros(2.5)


def test_a_spot_that_is_bound_to_nothing_is_where_its_station_stands(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.asks_to_start()
    there.charges()
    [row] = indoors.rows("session")
    _forget_place(indoors, row["id"])
    indoors.run(cdrs.settle, row["id"], indoors.now)
    assert only(there.cdrs()[0]["cdr_location"], "id", "evse_uid") == {"id": there.location, "evse_uid": "#NA"}


def test_of_a_place_that_nobody_knows_there_is_no_cdr(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.asks_to_start()
    there.charges()
    [row] = indoors.rows("session")
    _forget_place(indoors, row["id"])
    with indoors.db() as db:
        db.execute(rows.binding.delete())
    with pytest.raises(NotPossible, match="Its Location is not known"):
        indoors.run(cdrs.settle, row["id"], indoors.now)
    assert there.cdrs() == []


def _forget_place(indoors: Indoors, session: int) -> None:
    with indoors.db() as db:
        db.execute(rows.cdr.delete())
    nowhere = {"location": None, "cdr_location": None, "time_zone": None, "evse_uid": "#NA", "connector_id": "#NA"}
    indoors.run(sessions.change, session, indoors.now, **nowhere)


# Taken back


@pytest.fixture
def billed(anywhere: Indoors) -> Driver:
    there = driver(anywhere, ENERGY)
    there.asks_to_start()
    there.charges()
    return there


def test_a_credit_cdr_repeats_all_but_the_amount(anywhere: Indoors, billed: Driver) -> None:
    [row] = anywhere.rows("cdr")
    anywhere.pass_(days=1)
    made = anywhere.run(cdrs.credit, row["id"], "Billed twice.", anywhere.now)
    credit = anywhere.run(table.by_pk, made)["body"]
    assert CDR.model_validate(credit).wire() == credit
    assert credit == row["body"] | {
        "id": f"{row['cdr_id']}-C",
        "credit": True,
        "credit_reference_id": row["cdr_id"],
        "total_cost": euros(-2.5),
        "remark": "Billed twice.",
        "last_updated": "2026-03-02T13:00:00Z",
    }
    assert anywhere.rows("cdr")[0] == row


def test_a_cdr_is_credited_once_and_a_credit_never(anywhere: Indoors, billed: Driver) -> None:
    [row] = anywhere.rows("cdr")
    made = anywhere.run(cdrs.credit, row["id"], "One.", anywhere.now)
    for cdr in (row["id"], made):
        with pytest.raises(NotPossible):
            anywhere.run(cdrs.credit, cdr, "Two.", anywhere.now)
    assert len(billed.cdrs()) == 2


def test_what_was_credited_can_be_billed_anew_and_what_stands_cannot(anywhere: Indoors, billed: Driver) -> None:
    [row] = anywhere.rows("cdr")
    with pytest.raises(NotPossible):
        anywhere.run(cdrs.replace, row["id"], anywhere.now)
    anywhere.run(cdrs.credit, row["id"], "Wrong.", anywhere.now)
    anywhere.run(cdrs.settle, row["session"], anywhere.now)
    assert len(billed.cdrs()) == 2, "a Session is settled once, whatever became of its CDR"
    anywhere.run(cdrs.replace, row["id"], anywhere.now)
    with pytest.raises(NotPossible):
        anywhere.run(cdrs.replace, row["id"], anywhere.now)
    first, _, new = billed.cdrs()
    assert new == first | {"id": new["id"]}
    assert new["id"] != first["id"]


# Whose it is


def test_a_partner_that_takes_cdrs_is_owed_each_of_them(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    endpoint = {"identifier": "cdrs", "role": "RECEIVER", "url": "https://emsp.example/cdrs"}
    with indoors.db() as db:
        db.execute(rows.partner_endpoint.insert().values(partner=there.partner.id, **endpoint))
    there.asks_to_start()
    there.charges()
    indoors.run(cdrs.credit, indoors.rows("cdr")[0]["id"], "Wrong.", indoors.now)
    owed = indoors.rows("push", module="cdrs")
    assert [(row["partner"], row["object"]) for row in owed] == [
        (there.partner.id, row["id"]) for row in indoors.rows("cdr")
    ]


def test_the_cdrs_of_a_session_are_told_one_after_the_other(anywhere: Indoors) -> None:
    there = driver(anywhere, ENERGY)
    endpoint = {"identifier": "cdrs", "role": "RECEIVER", "url": "https://emsp.example/cdrs"}
    with anywhere.db() as db:
        db.execute(rows.partner_endpoint.insert().values(partner=there.partner.id, **endpoint))
    there.asks_to_start()
    there.charges()
    first = anywhere.rows("cdr")[0]["id"]
    credit = anywhere.run(cdrs.credit, first, "Wrong.", anywhere.now)
    new = anywhere.run(cdrs.replace, first, anywhere.now)
    for cdr in (first, credit, new):
        [due] = anywhere.run(pushes.take_due, there.partner.id, anywhere.now, timedelta(seconds=6), 16)
        assert due.object == cdr
        assert anywhere.run(pushes.take_due, there.partner.id, anywhere.now, timedelta(seconds=6), 16) == []
        anywhere.run(pushes.record, due, pushes.Attempt(told={"id": str(cdr)}), anywhere.now)
    assert anywhere.run(pushes.partners_due, anywhere.now) == []


def test_a_cdr_is_seen_by_its_partner_and_by_its_party_alone(indoors: Indoors, anywhere: Indoors) -> None:
    there = driver(anywhere, ENERGY)
    there.asks_to_start()
    there.charges()
    other, all_ = anywhere.partner(), Page(None, None, 0, 100)
    mine = there.partner.party

    def seen(partner: int, party: tuple[str, str] | None, cpo: int) -> int:
        return anywhere.run(table.page, partner, party, cpo, all_)[0]

    assert seen(there.partner.id, None, [anywhere.cpo.id]) == 1
    assert seen(there.partner.id, (mine.country_code.lower(), mine.party_id), [anywhere.cpo.id]) == 1
    assert seen(there.partner.id, (mine.country_code, "OTH"), [anywhere.cpo.id]) == 0
    assert seen(there.partner.id, None, [anywhere.cpo.id + 1]) == 0
    assert seen(other.id, None, [anywhere.cpo.id]) == 0


# Signed


def test_the_signed_beginning_and_end_are_told(indoors: Indoors) -> None:
    there = driver(indoors, ENERGY)
    there.asks_to_start()
    transaction = there.begins()
    indoors.pass_(hours=1)
    signed = [
        Reading(at=indoors.now, context="Transaction.Begin", signed=Signed(data="OCMF|{0}|x", encoding="OCMF")),
        Reading(at=indoors.now, context="Transaction.End", signed=Signed(data="T0NNRg==", public_key="KEY")),
    ]
    there.ends(transaction, 10_000, readings=tuple(signed))
    assert there.cdrs()[0]["signed_data"] == {
        "encoding_method": "OCMF",
        "public_key": "KEY",
        "signed_values": [
            {"nature": "Start", "plain_data": "OCMF|{0}|x", "signed_data": "T0NNRnx7MH18eA=="},
            {"nature": "End", "plain_data": "OCMF", "signed_data": "T0NNRg=="},
        ],
    }


def test_a_session_that_runs_shows_what_it_has_cost_so_far(indoors: Indoors) -> None:
    there = driver(indoors, RESERVED, ENERGY)
    held = there.reserves()
    indoors.pass_(minutes=30)
    transaction = there.begins(held["number"])
    indoors.pass_(minutes=6)
    there.goes_on(transaction, 1_000)
    [row] = indoors.rows("session")
    price = indoors.run(lambda db: cdrs.session_cost(db, row, cdrs.usage(db, row, indoors.now)))
    assert price.wire() == euros(2.25)


def test_a_session_that_is_over_shows_what_its_cdr_says(indoors: Indoors) -> None:
    there = driver(indoors, RESERVED, EXPIRED, ENERGY)
    held = there.reserves()
    indoors.pass_(minutes=30)
    there.charges(held["number"])
    there.reserves("R-2")
    there.does_not_come()
    _, told = indoors.run(views, there.partner.id, None, [indoors.cpo.id], Page(None, None, 0, 10))
    assert [one.wire()["total_cost"] for one in told] == [body["total_cost"] for body in there.cdrs()]
    assert [float(one.kwh) for one in told] == [body["total_energy"] for body in there.cdrs()] == [10, 0]


def test_one_that_is_not_billed_shows_that_it_costs_nothing(indoors: Indoors) -> None:
    there = driver(indoors, RESERVED)
    held = there.reserves()
    indoors.pass_(minutes=15)
    indoors.run(reservations.ended, there.station, held["number"], "Removed", indoors.rules, indoors.now)
    _, [told] = indoors.run(views, there.partner.id, None, [indoors.cpo.id], Page(None, None, 0, 10))
    assert told.total_cost is not None
    assert told.total_cost.excl_vat == 0


def test_a_session_that_cannot_be_priced_is_told_without_a_cost_beside_the_others(indoors: Indoors) -> None:
    there = driver(indoors, element(("ENERGY", 1e290)))
    for wh in (10_000, 10**14):
        there.asks_to_start()
        there.charges(wh=wh)
    _, told = indoors.run(views, there.partner.id, None, [indoors.cpo.id], Page(None, None, 0, 10))
    assert [one.total_cost is None for one in told] == [False, True]


def test_a_time_zone_that_nobody_knows_is_taken_for_utc(indoors: Indoors) -> None:
    there = driver(indoors, element(("FLAT", 1), start_time="12:00", end_time="12:30"))
    body = indoors.rows("location")[0]["body"] | {"time_zone": "Europe/Nowhere"}
    indoors.run(topology.put_location, indoors.cpo.id, Location.model_validate(body), body)
    there.asks_to_start()
    there.charges()
    assert there.cdrs()[0]["total_cost"] == euros(1)


def test_a_bad_moment_of_the_database_costs_no_cdr(indoors: Indoors) -> None:
    """A deadlock, say: the end is told again, or tried again, as a whole."""
    there = driver(indoors, element(("FLAT", 1)))
    there.asks_to_start()
    transaction = there.begins()
    good: list[str] = []

    def fail(_cursor: sqlite3.Cursor, statement: str, _parameters: Any) -> None:
        if statement.startswith("INSERT INTO cdr") and not good:
            good.append("from now on")
            raise sqlite3.OperationalError("deadlock detected")

    overhear(indoors.engine, fail)
    with pytest.raises(OperationalError):
        there.ends(transaction, 5_000)
    assert (indoors.rows("session")[0]["state"], there.cdrs()) == ("ACTIVE", [])
    there.ends(transaction, 5_000)
    assert [one["total_cost"] for one in there.cdrs()] == [euros(1)]


@pytest.mark.parametrize("answer", ["while it runs", "after its end"])
def test_a_charge_whose_driver_is_known_only_by_the_answer_to_its_start_costs_what_it_costs(
    indoors: Indoors, answer: str
) -> None:
    """2.x F01.FR.13: the cable came first, and the station answers with the transaction that runs already."""
    there = driver(indoors, element(("ENERGY", 1)), subprotocol="ocpp2.0.1")

    def tell(phase: Phase, seq: int, wh: int) -> None:
        reading = Reading(at=indoors.now, register_wh=Decimal(wh))
        event = TransactionChanged(
            phase=phase, transaction_id="TX", at=indoors.now, seq=seq, evse=1, connector=1, readings=(reading,)
        )
        indoors.run(charging.transaction, there.station, event, indoors.rules, indoors.now)

    tell(Phase.STARTED, 0, 0)
    indoors.start(there.partner, there.location, token=there.card)
    claimed = indoors.claim(there.station)
    assert claimed is not None
    indoors.pass_(seconds=5)
    if answer == "after its end":
        tell(Phase.ENDED, 1, 10_000)
    known = Answer(ending=Ending.RESULT, status="Accepted", transaction_id="TX")
    indoors.answer(there.station, claimed.id, known)
    if answer == "while it runs":
        tell(Phase.ENDED, 1, 10_000)
    assert [one["total_cost"] for one in there.cdrs()] == [euros(10)]
