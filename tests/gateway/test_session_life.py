"""One Session from the reservation or the start to its end, whatever the station does and when it tells of it."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from gateway import charging, reservations, sessions, stopping
from gateway import stations as station_story
from gateway.store import commands, stations
from ocpi.headers import Party
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, Reading, StatusChanged, TransactionChanged
from ocpp_bridge.orders import AskStatus, AskTransaction, IdToken, RequestStop
from tests.support.gateway import Spot
from tests.support.indoors import ACCEPTED, REJECTED, START, Indoors, token_body

OLD, NEW = "ocpp1.6", "ocpp2.0.1"
BOTH = pytest.mark.parametrize("subprotocol", [OLD, NEW])
CARD = IdToken(value="04AABBCC", type="ISO14443")
STRANGER = IdToken(value="04FFFFFF", type="ISO14443")
FRIEND = IdToken(value="04112233", type="ISO14443")


class Charge:
    """A station's messages about one transaction, in its version's way."""

    def __init__(self, indoors: Indoors, station: str, *, connector: int = 1) -> None:
        self.indoors, self.station, self.is_1 = indoors, station, indoors.online[station] == OLD
        self.place = {"connector": connector} if self.is_1 else {"evse": connector, "connector": 1}
        self.id: str | None = None if self.is_1 else "TX"
        self.seq = 0
        self.dispatched: list[int] = []

    def tell(self, phase: Phase, wh: object = None, **more) -> None:
        event = {"phase": phase, "transaction_id": self.id, "at": self.indoors.now}
        event |= {"seq": self.seq} if not self.is_1 else {}
        if wh is not None:
            event["readings"] = (Reading(at=self.indoors.now, register_wh=Decimal(str(wh))),)
        self.seq += 1
        told = TransactionChanged(**event | more)
        noted = self.indoors.run(charging.transaction, self.station, told, self.indoors.rules, self.indoors.now)
        self.id, self.dispatched = noted.transaction_id or self.id, noted.dispatch

    def begin(self, token: IdToken | None = CARD, wh: object = 1000, **more) -> None:
        self.tell(Phase.STARTED, wh, **self.place | {"id_token": token} | more)

    def end(self, wh: object = 6000, **more) -> None:
        self.tell(Phase.ENDED, wh, **more)


def card(party: Party, token: IdToken = CARD, **changes) -> dict:
    return token_body(party, token.value, "RFID", **changes)


def only(indoors: Indoors) -> dict:
    [row] = indoors.rows("session")
    return row


def begin(indoors: Indoors, subprotocol: str, **changes):
    """A START_SESSION that the station has accepted: (partner, location, station, the order)."""
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.start(partner, location, token=card(partner.party), authorization_reference="REF", **changes)
    return partner, location, station, indoors.next(station).order


def remote(station: str, indoors: Indoors, order) -> dict:
    return {} if indoors.online[station] == OLD else {"remote_start_id": order.remote_start_id}


# From the start to the end


@BOTH
def test_an_accepted_start_is_pending_then_active_then_completed_as_one_session(indoors, subprotocol) -> None:
    partner, _, station, order = begin(indoors, subprotocol)
    pending = only(indoors)
    assert (pending["state"], pending["partner"], pending["start_date_time"]) == ("PENDING", partner.id, START)
    assert (pending["auth_method"], pending["authorization_reference"]) == ("COMMAND", "REF")
    assert pending["cdr_token"]["uid"] == CARD.value
    indoors.pass_(seconds=40)
    charge = Charge(indoors, station)
    charge.begin(**remote(station, indoors, order))
    active = only(indoors)
    assert (active["state"], active["session_id"]) == ("ACTIVE", pending["session_id"])
    assert active["start_date_time"] == START + timedelta(seconds=40)  # and not when it was asked for
    indoors.pass_(minutes=30)
    charge.tell(Phase.UPDATED, 3500)
    assert only(indoors)["kwh"] == Decimal("2.5")
    indoors.pass_(minutes=30)
    charge.end()
    ended = only(indoors)
    assert (ended["state"], ended["kwh"], ended["end_date_time"]) == ("COMPLETED", 5, indoors.now)


@BOTH
def test_a_start_that_the_station_refuses_begins_no_session(indoors, subprotocol) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station, REJECTED)
    assert indoors.rows("session") == []


@pytest.mark.parametrize(("told", "window"), [({}, 150), ({"ConnectionTimeOut": "60"}, 90)])
def test_a_start_that_becomes_no_charge_in_the_station_s_own_time_is_invalid(indoors, told, window) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(OLD)
    indoors.run(stations.change, station, abilities=told)
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station)
    indoors.pass_(seconds=window - 1)
    indoors.run(sessions.lapse, indoors.rules, indoors.now)
    assert only(indoors)["state"] == "PENDING"
    indoors.pass_(seconds=1)
    indoors.run(sessions.lapse, indoors.rules, indoors.now)
    assert (only(indoors)["state"], only(indoors)["end_date_time"]) == ("INVALID", indoors.now)


@BOTH
def test_a_charge_that_begins_after_its_start_was_given_up_is_a_session_of_its_own(indoors, subprotocol) -> None:
    partner, _, station, order = begin(indoors, subprotocol)
    indoors.pass_(minutes=5)
    indoors.run(sessions.lapse, indoors.rules, indoors.now)
    Charge(indoors, station).begin(**remote(station, indoors, order))
    given_up, charge = indoors.rows("session")
    assert (given_up["state"], charge["state"]) == ("INVALID", "ACTIVE")
    assert (charge["partner"], charge["authorization_reference"]) == (partner.id, "REF")


@BOTH
def test_a_start_whose_result_was_timeout_is_a_session_that_its_emsp_hears_of(indoors, subprotocol) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.start(partner, location, token=card(partner.party), authorization_reference="REF")
    order = indoors.next(station, None).order
    assert indoors.told() == ["TIMEOUT"]
    Charge(indoors, station).begin(**remote(station, indoors, order))
    assert (only(indoors)["partner"], only(indoors)["state"]) == (partner.id, "ACTIVE")
    assert only(indoors)["authorization_reference"] == "REF"


def test_a_start_that_is_accepted_late_may_still_become_a_charge(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(NEW)
    indoors.start(partner, location, token=card(partner.party))
    claimed = indoors.next(station, None)
    indoors.answer(station, claimed.id, ACCEPTED)
    assert only(indoors)["state"] == "PENDING"
    assert indoors.told() == ["TIMEOUT"]
    Charge(indoors, station).begin(remote_start_id=claimed.order.remote_start_id)
    assert only(indoors)["state"] == "ACTIVE"


def test_a_cable_that_came_first_and_a_driver_who_came_later_are_one_session(indoors: Indoors) -> None:
    """TxStartPoint EVConnected: the transaction runs before anybody knows whose it is."""
    partner, (location, station) = indoors.partner(), indoors.one_evse(NEW)
    charge = Charge(indoors, station)
    charge.begin(None)
    indoors.pass_(minutes=2)
    indoors.start(partner, location, token=card(partner.party))
    order = indoors.next(station).order
    unowned, pending = indoors.rows("session")
    assert (unowned["partner"], pending["state"]) == (None, "PENDING")
    charge.tell(Phase.UPDATED, id_token=CARD, remote_start_id=order.remote_start_id)
    assert only(indoors)["session_id"] == pending["session_id"]
    assert (only(indoors)["state"], only(indoors)["evse_uid"]) == ("ACTIVE", "E1")
    charge.end()
    assert (only(indoors)["state"], only(indoors)["kwh"]) == ("COMPLETED", 5)


def test_a_station_that_answers_a_start_with_a_running_transaction_gives_it_to_the_driver(indoors: Indoors) -> None:
    """2.x F01.FR.13."""
    partner, (location, station) = indoors.partner(), indoors.one_evse(NEW)
    Charge(indoors, station).begin(None)
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station, Answer(ending=Ending.RESULT, status="Accepted", transaction_id="TX"))
    assert (only(indoors)["state"], only(indoors)["partner"]) == ("ACTIVE", partner.id)


def test_another_driver_s_charge_is_not_the_one_that_waits(indoors: Indoors) -> None:
    _, _, station, _ = begin(indoors, OLD)
    Charge(indoors, station).begin(FRIEND)
    pending, stranger = indoors.rows("session")
    assert (pending["state"], pending["transaction_id"], stranger["partner"]) == ("PENDING", None, None)


def test_an_offline_start_from_before_the_command_is_not_the_one_that_waits(indoors: Indoors) -> None:
    _, _, station, _ = begin(indoors, OLD)
    indoors.run(stations.change, station, connected_at=START)
    Charge(indoors, station).begin(at=START - timedelta(hours=2))
    pending, old = indoors.rows("session")
    assert (pending["state"], old["state"]) == ("PENDING", "ACTIVE")
    assert old["start_date_time"] == START - timedelta(hours=2)


def test_a_station_whose_clock_is_wrong_answers_its_start_all_the_same(indoors: Indoors) -> None:
    for wrong in (-45, 45):
        _, _, station, _ = begin(indoors, OLD)
        indoors.run(stations.change, station, connected_at=indoors.now - timedelta(hours=1))
        Charge(indoors, station).begin(at=indoors.now + timedelta(minutes=wrong))
        assert [row["state"] for row in indoors.rows("session", station=station)] == ["ACTIVE"]


# Messages that are missing


def test_an_end_waits_for_what_was_told_before_it(indoors: Indoors) -> None:
    _, _, station, order = begin(indoors, NEW)
    charge = Charge(indoors, station)
    charge.begin(remote_start_id=order.remote_start_id)
    indoors.pass_(minutes=10)
    charge.seq = 2
    charge.end(6000)
    assert (only(indoors)["state"], only(indoors)["end_date_time"]) == ("ACTIVE", indoors.now)
    charge.seq = 1
    charge.tell(Phase.UPDATED, 4000, at=START + timedelta(minutes=5))
    assert (only(indoors)["state"], only(indoors)["kwh"]) == ("COMPLETED", 5)


def test_an_end_does_not_wait_for_ever(indoors: Indoors) -> None:
    _, _, station, order = begin(indoors, NEW)
    charge = Charge(indoors, station)
    charge.begin(remote_start_id=order.remote_start_id)
    charge.seq = 5
    charge.end()
    ended_at = indoors.now
    indoors.pass_(hours=24)
    indoors.run(charging.close, indoors.rules, indoors.now)
    assert (only(indoors)["state"], only(indoors)["end_date_time"]) == ("COMPLETED", ended_at)
    before = only(indoors)
    charge.seq = 1
    charge.tell(Phase.UPDATED, 9000)  # it comes all the same: it is kept, and changes nothing
    assert only(indoors) == before
    assert len(indoors.rows("transaction_event", seq=1)) == 1


# Stopping


@BOTH
def test_a_stop_before_the_transaction_waits_for_its_id(indoors, subprotocol) -> None:
    partner, _, station, order = begin(indoors, subprotocol)
    said = indoors.ask(partner, "STOP_SESSION", {"session_id": only(indoors)["session_id"]})
    assert said.response == "ACCEPTED"
    assert indoors.claim(station) is None
    charge = Charge(indoors, station)
    charge.begin(**remote(station, indoors, order))
    indoors.run(commands.dispatch, charge.dispatched, indoors.now)
    assert indoors.next(station).order == RequestStop(transaction_id=charge.id)
    assert indoors.told() == ["ACCEPTED", "ACCEPTED"]


@BOTH
def test_a_stop_whose_charge_never_begins_fails_and_a_late_charge_is_stopped_at_once(indoors, subprotocol) -> None:
    partner, _, station, order = begin(indoors, subprotocol)
    indoors.ask(partner, "STOP_SESSION", {"session_id": only(indoors)["session_id"]})
    indoors.pass_(seconds=21)
    indoors.conclude(2)
    assert indoors.told() == ["ACCEPTED", "FAILED"]
    charge = Charge(indoors, station)
    charge.begin(**remote(station, indoors, order))
    [errand] = charge.dispatched
    row = indoors.rows("command", id=errand)[0]
    assert (row["partner"], row["order"]["transaction_id"]) == (None, charge.id)
    charge.tell(Phase.UPDATED)
    assert charge.dispatched == []


def running(indoors: Indoors, subprotocol: str):
    partner, _, station, order = begin(indoors, subprotocol)
    charge = Charge(indoors, station)
    charge.begin(**remote(station, indoors, order))
    indoors.pass_(minutes=5)
    charge.tell(Phase.UPDATED, 2000)
    indoors.pass_(minutes=5)
    indoors.ask(partner, "STOP_SESSION", {"session_id": only(indoors)["session_id"]})
    indoors.next(station, REJECTED)
    assert indoors.told()[-1] == "REJECTED"
    return station, charge


def test_a_station_that_will_not_stop_is_asked_what_it_knows_and_what_it_forgot_is_over(indoors: Indoors) -> None:
    station, charge = running(indoors, NEW)
    forgotten = Answer(ending=Ending.RESULT, status="Accepted", ongoing=False, messages_in_queue=False)
    assert indoors.next(station, forgotten).order == AskTransaction(transaction_id=charge.id)
    assert (only(indoors)["state"], only(indoors)["end_date_time"]) == ("COMPLETED", START + timedelta(minutes=5))


@pytest.mark.parametrize("told", [{"ongoing": True}, {"ongoing": False, "messages_in_queue": True}, {}])
def test_what_a_station_still_knows_goes_on(indoors: Indoors, told: dict) -> None:
    station, _ = running(indoors, NEW)
    indoors.next(station, Answer(ending=Ending.RESULT, status="Accepted", **told))
    assert only(indoors)["state"] == "ACTIVE"


def test_on_1_6_a_free_connector_says_that_a_transaction_it_would_not_stop_is_over(indoors: Indoors) -> None:
    station, _ = running(indoors, OLD)
    assert indoors.next(station, Answer(ending=Ending.NOT_SENT)).order == AskTransaction(transaction_id="1")
    assert indoors.next(station).order == AskStatus(evse=None, connector=1)
    indoors.run(stopping.seen_free, station, None, 2, indoors.rules, indoors.now)
    assert only(indoors)["state"] == "ACTIVE"
    indoors.run(stopping.seen_free, station, None, 1, indoors.rules, indoors.now)
    assert only(indoors)["state"] == "COMPLETED"


def test_a_status_that_is_older_than_what_is_known_ends_no_charge(indoors: Indoors) -> None:
    station, _ = running(indoors, OLD)

    def tell(status: str, at: datetime) -> str:
        event = StatusChanged(evse=None, connector=1, status=status, at=at)
        indoors.run(station_story.status_changed, station, event, indoors.rules, indoors.now)
        return str(only(indoors)["state"])

    assert tell("Charging", indoors.now) == "ACTIVE"
    assert tell("Available", indoors.now - timedelta(hours=3)) == "ACTIVE"
    assert tell("Available", indoors.now) == "COMPLETED"


def test_a_free_connector_ends_no_charge_that_nobody_doubts(indoors: Indoors) -> None:
    _, _, station, _ = begin(indoors, OLD)
    Charge(indoors, station).begin()
    indoors.run(stopping.seen_free, station, None, 1, indoors.rules, indoors.now)
    assert only(indoors)["state"] == "ACTIVE"


# Reservations


def reserve(indoors: Indoors, subprotocol: str = OLD, **changes):
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    token = card(partner.party, group_id="Fleet")
    indoors.reserve(partner, location, token=token, authorization_reference="R-REF", **changes)
    return partner, location, station, indoors.next(station).order


@BOTH
def test_a_reservation_is_a_session_that_its_charge_goes_on_with(indoors, subprotocol) -> None:
    partner, _, station, order = reserve(indoors, subprotocol)
    kept = only(indoors)
    assert (kept["state"], kept["partner"], kept["start_date_time"]) == ("RESERVATION", partner.id, START)
    assert (kept["authorization_reference"], kept["evse_uid"]) == ("R-REF", "E1")
    indoors.pass_(minutes=20)
    charge = Charge(indoors, station)
    charge.begin(reservation=order.number)
    assert (only(indoors)["session_id"], only(indoors)["state"]) == (kept["session_id"], "ACTIVE")
    assert only(indoors)["start_date_time"] == indoors.now
    charge.end()
    assert only(indoors)["state"] == "COMPLETED"


@BOTH
def test_a_start_for_what_is_reserved_is_the_same_session_with_the_last_reference(indoors, subprotocol) -> None:
    partner, location, station, _ = reserve(indoors, subprotocol)
    token = card(partner.party, group_id="Fleet")
    indoors.start(partner, location, token=token, authorization_reference="S-REF")
    order = indoors.next(station).order
    assert (only(indoors)["state"], only(indoors)["authorization_reference"]) == ("RESERVATION", "S-REF")
    Charge(indoors, station).begin(None if subprotocol == NEW else CARD, **remote(station, indoors, order))
    assert (only(indoors)["state"], indoors.reservation()["state"]) == ("ACTIVE", "USED")


@BOTH
def test_another_card_of_the_group_charges_on_the_reservation_and_is_named(indoors, subprotocol) -> None:
    partner, location, station, _ = reserve(indoors, subprotocol)
    indoors.start(partner, location, token=card(partner.party, FRIEND, group_id="fleet"))
    indoors.next(station)
    Charge(indoors, station).begin(FRIEND)
    assert (only(indoors)["state"], only(indoors)["cdr_token"]["uid"]) == ("ACTIVE", FRIEND.value)
    assert indoors.reservation()["state"] == "USED"


@pytest.mark.parametrize("end", ["cancelled", "expired", "removed"])
def test_a_reservation_that_is_not_used_is_a_completed_session(indoors: Indoors, end: str) -> None:
    partner, _, station, order = reserve(indoors, NEW)
    indoors.pass_(minutes=10)
    if end == "cancelled":
        indoors.cancel(partner)
        indoors.next(station)
        over = indoors.now
    elif end == "removed":
        indoors.run(reservations.ended, station, order.number, "Removed", indoors.rules, indoors.now)
        over = indoors.now
    else:
        over = indoors.reservation()["expiry_date"]
        indoors.now = over + timedelta(minutes=5)
        indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert (only(indoors)["state"], only(indoors)["end_date_time"], only(indoors)["kwh"]) == ("COMPLETED", over, 0)


def test_a_reservation_that_is_changed_stays_the_same_session(indoors: Indoors) -> None:
    partner, location, station, _ = reserve(indoors)
    indoors.reserve(
        partner, location, token=card(partner.party, group_id="Fleet"), authorization_reference="NEW", minutes=90
    )
    indoors.next(station)
    assert (only(indoors)["state"], only(indoors)["authorization_reference"]) == ("RESERVATION", "NEW")


def test_a_change_that_gives_no_reference_keeps_the_last_one_given(indoors: Indoors) -> None:
    partner, location, station, _ = reserve(indoors)
    indoors.reserve(partner, location, token=card(partner.party, group_id="Fleet"), minutes=90)
    indoors.next(station)
    assert only(indoors)["authorization_reference"] == "R-REF"


def test_a_reservation_that_moves_to_another_station_stays_the_same_session(indoors: Indoors) -> None:
    one, other = indoors.station(OLD), indoors.station(OLD)
    location = indoors.location(Spot(one, evse=None, uid="E1"), Spot(other, evse=None, uid="E2"))
    partner = indoors.partner()
    indoors.reserve(partner, location, token=card(partner.party))
    indoors.next(one)
    first = only(indoors)
    indoors.reserve(partner, location, token=card(partner.party), evse_uid="E2")
    indoors.next(one)
    indoors.next(other)
    assert (only(indoors)["session_id"], only(indoors)["evse_uid"]) == (first["session_id"], "E2")
    assert (only(indoors)["state"], only(indoors)["station"]) == ("RESERVATION", other)
    Charge(indoors, other).begin()
    assert only(indoors)["state"] == "ACTIVE"


def test_a_number_that_a_station_says_for_another_emsp_s_card_is_nonsense(indoors: Indoors) -> None:
    _, location, station, order = reserve(indoors)
    other = indoors.partner(Party("DE", "TWO"))
    indoors.start(other, location, token=card(other.party, FRIEND))
    indoors.next(station)
    Charge(indoors, station).begin(FRIEND, reservation=order.number)
    assert indoors.reservation()["state"] == "ACTIVE"
    assert {row["partner"]: row["state"] for row in indoors.rows("session")} == {1: "RESERVATION", other.id: "ACTIVE"}


# What is told in pieces, or never


def test_a_reservation_that_is_named_after_its_token_goes_on_in_its_own_session(indoors: Indoors) -> None:
    """2.x TxStartPoint Authorized: token first, EVSE and reservationId with the cable."""
    partner, _, station, order = reserve(indoors, NEW)
    kept = only(indoors)
    charge = Charge(indoors, station)
    charge.tell(Phase.STARTED, 1000, id_token=CARD)
    indoors.pass_(seconds=20)
    charge.tell(Phase.UPDATED, evse=1, connector=1, reservation=order.number)
    charge.end()
    own, told = indoors.rows("session")
    assert (own["id"], own["state"], own["kwh"], own["evse_uid"]) == (kept["id"], "COMPLETED", 5, "E1")
    assert (told["state"], told["partner"], told["transaction_id"]) == ("INVALID", partner.id, None)
    assert indoors.reservation()["state"] == "USED"


def test_a_start_whose_evse_is_told_later_is_the_session_that_waits(indoors: Indoors) -> None:
    _, _, station, _ = begin(indoors, NEW)
    pending = only(indoors)
    charge = Charge(indoors, station)
    charge.tell(Phase.STARTED, 1000, id_token=CARD)
    charge.tell(Phase.UPDATED, evse=1, connector=1)
    states = {row["id"]: row["state"] for row in indoors.rows("session")}
    assert states == {pending["id"]: "ACTIVE", pending["id"] + 1: "INVALID"}


@BOTH
def test_where_a_charge_begins_no_other_runs_any_more(indoors, subprotocol) -> None:
    _, _, station, order = begin(indoors, subprotocol)
    lost = Charge(indoors, station)
    lost.begin(**remote(station, indoors, order))
    indoors.pass_(minutes=30)
    lost.tell(Phase.UPDATED, 4000)
    ended = indoors.now
    indoors.pass_(hours=3)
    next_ = Charge(indoors, station)
    next_.id = None if subprotocol == OLD else "TX-2"
    next_.begin(FRIEND)
    indoors.pass_(hours=24)
    indoors.run(charging.close, indoors.rules, indoors.now)
    first, second = indoors.rows("session")
    assert (first["state"], first["end_date_time"], first["kwh"]) == ("COMPLETED", ended, 3)
    assert second["state"] == "ACTIVE"


def test_a_start_without_a_time_is_another_one_once_the_first_has_ended(indoors: Indoors) -> None:
    _, station = indoors.one_evse(OLD)
    ids = []
    for _ in range(3):
        charge = Charge(indoors, station)
        charge.begin(at=None)
        first = charge.id
        charge.id = None
        charge.begin(at=None)  # told again
        assert charge.id == first
        charge.end()
        ids.append(first)
    assert len(set(ids)) == 3


def test_one_session_that_cannot_be_ended_keeps_no_other_from_its_end(indoors: Indoors) -> None:
    spoilt, fine = (begin(indoors, OLD)[2] for _ in range(2))
    indoors.pass_(minutes=10)

    def spoil(db) -> None:
        db.exec_driver_sql(
            f"CREATE TRIGGER spoilt BEFORE UPDATE ON session WHEN OLD.station = '{spoilt}' "
            "BEGIN SELECT RAISE(ABORT, 'spoilt'); END"
        )

    indoors.run(spoil)
    indoors.run(sessions.lapse, indoors.rules, indoors.now)
    states = {row["station"]: row["state"] for row in indoors.rows("session")}
    assert states == {spoilt: "PENDING", fine: "INVALID"}


# Whose it is


@BOTH
@pytest.mark.parametrize("connector", [1, 2])
def test_a_stranger_s_card_uses_nobody_s_reservation_whatever_number_is_said(indoors, subprotocol, connector) -> None:
    _, _, station, order = reserve(indoors, subprotocol)
    Charge(indoors, station, connector=connector).begin(STRANGER, reservation=order.number)
    kept, charge = indoors.rows("session")
    assert (kept["state"], charge["partner"]) == ("RESERVATION", None)
    assert indoors.reservation()["state"] == "ACTIVE"


@pytest.mark.parametrize("answer", ["late", "overtaken"])
def test_a_start_s_number_says_whose_a_charge_is_before_any_token_does(indoors: Indoors, answer: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(NEW)
    indoors.start(partner, location, token=card(partner.party))
    claimed = indoors.claim(station)
    if answer == "late":
        indoors.pass_(seconds=25)
        indoors.conclude(claimed.id)
        assert indoors.told() == ["TIMEOUT"]
    Charge(indoors, station).begin(None, remote_start_id=claimed.order.remote_start_id)
    indoors.answer(station, claimed.id, ACCEPTED)
    assert (only(indoors)["partner"], only(indoors)["state"]) == (partner.id, "ACTIVE")
    assert only(indoors)["cdr_token"]["uid"] == CARD.value


@BOTH
def test_a_stop_that_failed_is_done_when_the_charge_begins_after_its_start_was_given_up(indoors, subprotocol) -> None:
    partner, _, station, order = begin(indoors, subprotocol)
    indoors.ask(partner, "STOP_SESSION", {"session_id": only(indoors)["session_id"]})
    indoors.pass_(minutes=5)
    indoors.conclude(2)
    indoors.run(sessions.lapse, indoors.rules, indoors.now)
    charge = Charge(indoors, station)
    charge.begin(**remote(station, indoors, order))
    assert [indoors.rows("command", id=one)[0]["type"] for one in charge.dispatched] == ["STOP_SESSION"]


def test_a_1_6_station_of_which_every_connector_is_out_of_order_holds_nothing_of_any_of_them(indoors: Indoors) -> None:
    station = indoors.station(OLD)
    indoors.run(stations.change, station, abilities={"ReserveConnectorZeroSupported": "true"})
    location = indoors.location(Spot(station, evse=None, uid="E1"), Spot(station, evse=None, connector=2, uid="E2"))
    partner = indoors.partner()
    indoors.reserve(partner, location, token=card(partner.party), evse_uid=None)
    indoors.next(station)

    def tell(connector: int, status: str) -> str:
        event = StatusChanged(evse=None, connector=connector, status=status, at=indoors.now)
        indoors.run(station_story.status_changed, station, event, indoors.rules, indoors.now)
        return str(indoors.reservation()["state"])

    assert [tell(1, "Faulted"), tell(1, "Available"), tell(2, "Unavailable")] == ["ACTIVE"] * 3
    assert tell(1, "Faulted") == "REMOVED"
    assert indoors.told() == ["ACCEPTED", "CANCELED_RESERVATION"]
