"""What becomes of reservations when orders, answers and the station's own news cross each other."""

from datetime import timedelta

import pytest

from gateway import charging, reservations
from gateway.commands import recall, receive
from gateway.store import commands
from gateway.store import reservations as ledger
from ocpi.headers import Party
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.orders import CancelReservation, IdToken, ReserveNow
from tests.support.gateway import Spot
from tests.support.indoors import ACCEPTED, OCCUPIED, REJECTED, Indoors

NOT_SENT = Answer(ending=Ending.NOT_SENT, detail="It is offline.")
LOST = Answer(ending=Ending.CONNECTION_LOST)
BAD = Answer(ending=Ending.BAD_RESULT)


@pytest.fixture
def held(indoors: Indoors):
    """A partner with an ACTIVE reservation: (partner, location, station)."""
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    indoors.next(station)
    assert indoors.reservation()["state"] == "ACTIVE"
    return partner, location, station


def clean(indoors: Indoors, station: str | None = None) -> list[int]:
    errands = indoors.run(reservations.clean, indoors.rules, indoors.now, station)
    if errands:
        indoors.run(commands.dispatch, errands, indoors.now)
    return errands


def test_a_change_that_is_accepted_keeps_the_number(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location, id="r-1", minutes=90)
    order = indoors.next(station).order
    [row] = indoors.rows("reservation")
    assert isinstance(order, ReserveNow)
    assert (row["number"], row["state"], row["expiry_date"]) == (order.number, "ACTIVE", order.expiry)


def test_a_refused_change_ends_the_reservation_and_its_owner_is_told(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location)
    indoors.next(station, OCCUPIED)
    assert indoors.reservation()["state"] == "UNKNOWN"
    assert indoors.told() == ["ACCEPTED", "EVSE_OCCUPIED", "CANCELED_RESERVATION"]
    assert isinstance(indoors.next(station).order, CancelReservation)
    assert indoors.reservation()["state"] == "CANCELLED"
    assert len(indoors.told()) == 3


def test_a_change_that_was_never_sent_leaves_the_reservation_as_it_was(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location)
    indoors.next(station, NOT_SENT)
    assert indoors.reservation()["state"] == "ACTIVE"
    assert indoors.told() == ["ACCEPTED", "FAILED"]


@pytest.mark.parametrize("first", [OCCUPIED, NOT_SENT])
def test_the_second_of_two_equal_requests_may_still_be_accepted(indoors: Indoors, first: Answer) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    indoors.reserve(partner, location)
    indoors.next(station, first)
    indoors.next(station)
    assert indoors.reservation()["state"] == "ACTIVE"
    indoors.cancel(partner)
    assert isinstance(indoors.next(station).order, CancelReservation)
    assert indoors.reservation()["state"] == "CANCELLED"


@pytest.mark.parametrize("first", [None, BAD])
def test_no_cleaning_up_ends_what_was_asked_for_again(indoors: Indoors, first: Answer | None) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    indoors.pass_(seconds=5)
    indoors.reserve(partner, location)
    indoors.next(station, first)
    assert indoors.reservation()["state"] == "UNKNOWN"
    indoors.next(station)
    assert indoors.claim(station) is None
    assert indoors.reservation()["state"] == "ACTIVE"


def test_both_changes_refused_tell_the_owner_once(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location)
    indoors.reserve(partner, location)
    indoors.next(station, OCCUPIED)
    indoors.next(station, OCCUPIED)
    indoors.next(station, REJECTED)
    assert indoors.told() == ["ACCEPTED", "EVSE_OCCUPIED", "EVSE_OCCUPIED", "CANCELED_RESERVATION"]
    assert indoors.reservation()["state"] == "CANCELLED"


def test_a_reservation_asked_for_behind_its_cancellation_is_another(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.cancel(partner)
    indoors.reserve(partner, location)
    cancelled, reserved = indoors.next(station).order, indoors.next(station).order
    assert isinstance(cancelled, CancelReservation)
    assert isinstance(reserved, ReserveNow)
    assert cancelled.number != reserved.number
    assert [row["state"] for row in indoors.rows("reservation")] == ["CANCELLED", "ACTIVE"]
    assert indoors.told() == ["ACCEPTED"] * 3


def test_cleaning_up_that_was_not_sent_yet_gives_way_to_a_new_request(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    indoors.next(station, None)
    indoors.reserve(partner, location)
    order = indoors.next(station).order
    assert isinstance(order, ReserveNow)
    assert indoors.reservation()["state"] == "ACTIVE"
    assert len(indoors.rows("reservation")) == 1
    assert indoors.claim(station) is None


def test_what_is_unknown_is_cancelled_again_until_the_station_has_answered(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    indoors.next(station, None)
    indoors.next(station, None)
    assert clean(indoors) == []
    indoors.pass_(seconds=31)
    assert len(clean(indoors)) == 1
    assert clean(indoors) == []
    indoors.next(station, NOT_SENT)
    assert len(clean(indoors, station)) == 1  # it is there again
    indoors.next(station, REJECTED)
    assert indoors.reservation()["state"] == "CANCELLED"
    assert indoors.told() == ["TIMEOUT"]


def test_the_clock_ends_even_what_no_station_ever_confirmed(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location, minutes=2)
    indoors.next(station, None)
    indoors.next(station, None)
    row = indoors.reservation()
    indoors.now = row["expiry_date"] + indoors.rules.settings.reservation_grace - timedelta(seconds=1)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert indoors.reservation()["state"] == "UNKNOWN"
    indoors.pass_(seconds=1)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert indoors.reservation()["state"] == "EXPIRED"


def two_stations(indoors: Indoors) -> tuple[str, str, str]:
    one, other = indoors.station(), indoors.station()
    spots = (Spot(one, evse=None, uid="E1"), Spot(other, evse=None, uid="E2"))
    return indoors.location(*spots), one, other


def test_a_reservation_that_moves_is_cancelled_where_it_was(indoors: Indoors) -> None:
    partner, (location, one, other) = indoors.partner(), two_stations(indoors)
    indoors.reserve(partner, location)
    number = indoors.next(one).order.number
    indoors.reserve(partner, location, evse_uid="E2")
    assert indoors.next(other).order.number == number
    assert indoors.next(one).order == CancelReservation(number=number)
    assert [row["state"] for row in indoors.rows("reservation")] == ["CANCELLED", "ACTIVE"]
    assert indoors.told() == ["ACCEPTED", "ACCEPTED"]


def test_the_old_place_is_cancelled_again_when_it_could_not_be_reached(indoors: Indoors) -> None:
    partner, (location, one, other) = indoors.partner(), two_stations(indoors)
    indoors.reserve(partner, location)
    indoors.next(one)
    indoors.reserve(partner, location, evse_uid="E2")
    indoors.next(other)
    indoors.next(one, NOT_SENT)
    assert len(clean(indoors, one)) == 1
    indoors.next(one)
    assert [row["state"] for row in indoors.rows("reservation")] == ["CANCELLED", "ACTIVE"]


def test_a_reservation_may_come_back_to_where_it_was(indoors: Indoors) -> None:
    partner, (location, one, other) = indoors.partner(), two_stations(indoors)
    numbers = []
    for uid, station in (("E1", one), ("E2", other), ("E1", one)):
        assert indoors.reserve(partner, location, evse_uid=uid).response == "ACCEPTED"
        order = indoors.next(station).order
        while isinstance(order, CancelReservation):
            order = indoors.next(station).order
        numbers.append(order.number)
    assert numbers[0] == numbers[1] != numbers[2]
    indoors.next(other)
    states = [(row["station"], row["state"]) for row in indoors.rows("reservation")]
    assert states == [(one, "CANCELLED"), (other, "CANCELLED"), (one, "ACTIVE")]
    indoors.cancel(partner)
    assert indoors.next(one).order.number == numbers[2]


def test_a_move_that_is_refused_leaves_the_owner_with_nothing_and_it_is_told(indoors: Indoors) -> None:
    partner, (location, one, other) = indoors.partner(), two_stations(indoors)
    indoors.reserve(partner, location)
    indoors.next(one)
    indoors.reserve(partner, location, evse_uid="E2")
    indoors.next(other, OCCUPIED)
    indoors.next(one)
    assert indoors.told() == ["ACCEPTED", "EVSE_OCCUPIED", "CANCELED_RESERVATION"]


@pytest.mark.parametrize(
    ("elsewhere", "told"), [(ACCEPTED, []), (OCCUPIED, ["CANCELED_RESERVATION"])], ids=["has it", "has nothing"]
)
def test_one_given_up_before_its_station_accepted_it_is_no_session_of_its_own(
    indoors: Indoors, elsewhere: Answer, told: list[str]
) -> None:
    partner, (location, one, other) = indoors.partner(), two_stations(indoors)
    indoors.reserve(partner, location)
    indoors.reserve(partner, location, evse_uid="E2")
    indoors.next(other, elsewhere)
    indoors.next(one)
    indoors.next(one)
    first, second = indoors.rows("reservation")
    assert first["state"] == "CANCELLED"
    assert indoors.told()[1:] == ["ACCEPTED", *told]
    assert [row["reservation"] for row in indoors.rows("session")] == [second["id"]] * (not told)


def test_an_extension_outlives_the_expiry_that_overtakes_it(indoors: Indoors, held) -> None:
    partner, location, station = held
    number = indoors.reservation()["number"]
    indoors.reserve(partner, location, minutes=90)
    indoors.run(reservations.ended, station, number, "Expired", indoors.rules, indoors.now)
    assert indoors.reservation()["state"] == "UNKNOWN"
    assert indoors.next(station).order.number == number
    assert indoors.reservation()["state"] == "ACTIVE"


def test_an_extension_of_unknown_fate_may_hold_until_its_own_expiry(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location, minutes=90)
    indoors.next(station, BAD)
    indoors.pass_(minutes=70)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert indoors.reservation()["state"] == "UNKNOWN"
    assert isinstance(indoors.next(station).order, CancelReservation)
    assert indoors.reservation()["state"] == "CANCELLED"


@pytest.mark.parametrize(
    ("update", "state"), [("Expired", "EXPIRED"), ("Removed", "REMOVED"), ("NoTransaction", "EXPIRED")]
)
def test_the_station_tells_that_a_reservation_is_over(indoors: Indoors, held, update: str, state: str) -> None:
    partner, _, station = held
    indoors.run(reservations.ended, station, indoors.reservation()["number"], update, indoors.rules, indoors.now)
    indoors.run(reservations.ended, station, 2**31 - 1, update, indoors.rules, indoors.now)  # not ours
    assert indoors.reservation()["state"] == state
    assert indoors.cancel(partner).response == "REJECTED"


def begin(indoors: Indoors, station: str, number: int) -> None:
    token = IdToken(value=indoors.rows("reservation", number=number)[0]["id_token"])
    event = TransactionChanged(
        phase=Phase.STARTED, transaction_id=None, at=indoors.now, connector=1, id_token=token, reservation=number
    )
    indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)


def test_a_charge_proves_a_reservation_whose_answer_was_lost(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    claimed = indoors.claim(station)
    assert claimed is not None
    indoors.answer(station, claimed.id, LOST)
    begin(indoors, station, claimed.order.number)
    assert indoors.reservation()["state"] == "USED"
    indoors.now = claimed.deadline
    indoors.conclude(claimed.id)
    assert indoors.reservation()["state"] == "USED"


def test_a_reservation_used_up_before_its_change_is_accepted_is_given_back(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location, minutes=90)
    claimed = indoors.claim(station)
    begin(indoors, station, claimed.order.number)
    indoors.answer(station, claimed.id, ACCEPTED)
    assert indoors.told() == ["ACCEPTED", "ACCEPTED", "CANCELED_RESERVATION"]
    assert isinstance(indoors.next(station).order, CancelReservation)
    assert indoors.reservation()["state"] == "USED"


def test_a_change_that_is_refused_because_the_car_is_there_changes_nothing(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location, minutes=90)
    claimed = indoors.claim(station)
    begin(indoors, station, claimed.order.number)
    indoors.answer(station, claimed.id, OCCUPIED)
    assert indoors.told() == ["ACCEPTED", "EVSE_OCCUPIED"]
    assert indoors.claim(station) is None


def test_a_reservation_that_is_accepted_after_timeout_is_cancelled_at_the_station(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    reserved = indoors.next(station, None)
    cancelling = indoors.claim(station)
    indoors.answer(station, cancelling.id, REJECTED)  # it has not got there yet, it seems
    assert indoors.reservation()["state"] == "CANCELLED"
    indoors.answer(station, reserved.id, ACCEPTED)
    assert indoors.next(station).order == CancelReservation(number=reserved.order.number)
    assert indoors.told() == ["TIMEOUT"]


def test_each_of_two_answers_to_a_lost_call_counts_once(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    claimed = indoors.claim(station)
    indoors.answer(station, claimed.id, LOST)
    assert indoors.reservation()["state"] == "PENDING"
    indoors.answer(station, claimed.id, ACCEPTED)  # on the new socket, in time
    indoors.answer(station, claimed.id, OCCUPIED)
    assert indoors.reservation()["state"] == "ACTIVE"
    assert indoors.told() == ["ACCEPTED"]


def test_a_cancellation_of_unknown_fate_is_repeated(indoors: Indoors, held) -> None:
    partner, _, station = held
    indoors.cancel(partner)
    indoors.next(station, None)
    assert indoors.reservation()["state"] == "UNKNOWN"
    indoors.pass_(seconds=31)
    clean(indoors)
    indoors.next(station)
    assert indoors.reservation()["state"] == "CANCELLED"
    assert indoors.told() == ["ACCEPTED", "TIMEOUT"]


def test_a_reservation_the_station_has_lost_is_removed_when_it_says_so(indoors: Indoors, held) -> None:
    partner, _, station = held
    indoors.cancel(partner)
    indoors.next(station, REJECTED)
    assert indoors.reservation()["state"] == "REMOVED"
    assert indoors.told() == ["ACCEPTED", "UNKNOWN_RESERVATION"]


def test_a_withdrawn_request_is_as_if_it_had_never_been(indoors: Indoors) -> None:
    partner, (location, _) = indoors.partner(), indoors.one_evse()
    asked = indoors.asked(partner, "RESERVE_NOW", indoors.reserve_body(partner, location))
    said = indoors.run(receive, asked, indoors.rules, indoors.online)
    back = indoors.run(recall, said.dispatch, indoors.now)
    assert (back.response, back.timeout) == ("REJECTED", 0)
    assert indoors.reservation()["state"] == "REFUSED"
    assert indoors.run(receive, asked, indoors.rules, indoors.online).response == "ACCEPTED"  # the same POST again
    assert indoors.run(recall, said.dispatch, indoors.now) is None


def test_a_withdrawn_repetition_leaves_the_first_request_alone(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    asked = indoors.asked(partner, "RESERVE_NOW", indoors.reserve_body(partner, location))
    again = indoors.run(receive, asked, indoors.rules, indoors.online)
    indoors.run(recall, again.dispatch, indoors.now)
    indoors.next(station)
    assert indoors.reservation()["state"] == "ACTIVE"
    assert indoors.told() == ["ACCEPTED"]


def test_the_ledger_finds_tokens_whatever_their_case(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(Party("NL", "TWO")), indoors.one_evse()
    token = {
        "country_code": "nl", "party_id": "two", "uid": "04aabbcc", "type": "RFID", "contract_id": "C", "issuer": "I",
        "valid": True, "whitelist": "NEVER", "last_updated": "2026-01-01T00:00:00Z", "group_id": "Fleet",
    }  # fmt: skip
    indoors.reserve(partner, location, token=token)
    assert len(indoors.run(ledger.live_for_token, station, ["04AABBCC"])) == 1
    group = indoors.reservation()["group_id_token"]
    assert len(indoors.run(ledger.live_for_token, station, [group.lower()])) == 1
    assert indoors.run(ledger.live_for_token, station, ["", "04"]) == []
