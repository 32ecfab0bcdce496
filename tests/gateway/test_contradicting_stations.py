"""Stations that tell of charges late, twice, without an id, or as if they were somebody else's."""

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway import charging, measuring, reservations, whitelists
from gateway import stations as station_story
from gateway.holding import taken
from gateway.store import partners, sessions, stations
from ocpi.headers import Party
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, Reading, StatusChanged, TransactionChanged
from tests.gateway.test_authorization_real_time import Street, TokensModule, opened, street, word  # noqa: F401
from tests.gateway.test_authorization_real_time import card as listed
from tests.gateway.test_session_life import (
    BOTH,
    CARD,
    FRIEND,
    NEW,
    OLD,
    Charge,
    begin,
    card,
    only,
    remote,
    reserve,
    running,
)
from tests.support.charges import driver
from tests.support.gateway import Spot
from tests.support.indoors import ACCEPTED, START, Indoors
from tests.support.overheard import overhear
from tests.support.tariffs import element
from workers.desk import HouseDesk


def two_connectors(indoors: Indoors) -> tuple[str, str]:
    station = indoors.station(OLD)
    return indoors.location(Spot(station, None, 1, uid="E1"), Spot(station, None, 2, uid="E2")), station


def told(indoors: Indoors, station: str, phase: Phase, wh: int, at: datetime, **more) -> None:
    readings = (Reading(at=at, register_wh=Decimal(wh)),)
    event = TransactionChanged(**{"phase": phase, "transaction_id": None, "at": at, "readings": readings} | more)
    indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)


# 1


@BOTH
@pytest.mark.parametrize("how", ["started", "reserved"])
def test_where_a_charge_that_was_waited_for_begins_no_other_runs_any_more(indoors, subprotocol, how) -> None:
    partner, location, station, order = begin(indoors, subprotocol)
    lost = Charge(indoors, station)
    lost.begin(**remote(station, indoors, order))
    indoors.pass_(minutes=30)
    lost.tell(Phase.UPDATED, 4000)
    ended = indoors.now
    indoors.pass_(hours=3)  # its end is never told
    more = {}
    if how == "started":
        indoors.start(partner, location, token=card(partner.party, FRIEND))
        more = remote(station, indoors, indoors.next(station).order)
    else:
        indoors.reserve(partner, location, token=card(partner.party, FRIEND))
        more = {"reservation": indoors.next(station).order.number}
    next_ = Charge(indoors, station)
    next_.id = None if subprotocol == OLD else "TX-2"
    next_.begin(FRIEND, **more)
    next_.end(9000)
    indoors.pass_(hours=25)
    indoors.run(charging.close, indoors.rules, indoors.now)
    first, second = indoors.rows("session")
    assert (second["state"], first["state"], first["end_date_time"]) == ("COMPLETED", "COMPLETED", ended)


# 2


def test_an_end_without_an_id_of_an_earlier_charge_ends_no_other_driver_s(indoors: Indoors) -> None:
    location, station = two_connectors(indoors)
    partner = indoors.partner()
    indoors.pass_(hours=5)
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station)
    charge = Charge(indoors, station)
    charge.begin(wh=1000)
    indoors.pass_(minutes=1)  # the queue of connector 2, whose StartTransaction was never answered
    told(indoors, station, Phase.ENDED, 900_000, START + timedelta(hours=1), id_token=FRIEND)
    assert only(indoors)["state"] == "ACTIVE"
    indoors.pass_(minutes=59)
    charge.end(9000)
    assert (only(indoors)["state"], only(indoors)["kwh"]) == ("COMPLETED", 8)


# 3


def test_a_charge_uses_up_no_other_emsp_s_reservation_when_its_number_is_said_later(indoors: Indoors) -> None:
    one, (location, station) = indoors.partner(), indoors.one_evse(NEW)
    two = indoors.partner(Party("DE", "TWO"))
    indoors.reserve(one, location, token=card(one.party))
    number = indoors.next(station).order.number
    indoors.start(two, location, token=card(two.party))  # it calls the card its own
    charge = Charge(indoors, station)
    charge.begin(CARD, remote_start_id=indoors.next(station).order.remote_start_id)
    charge.tell(Phase.UPDATED, 2000, reservation=number)
    charge.end()
    assert indoors.rows("session", partner=two.id)[0]["reservation"] is None
    indoors.pass_(days=3)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert indoors.rows("session", partner=one.id)[0]["state"] == "COMPLETED"


# 4


def test_a_stop_that_was_done_once_stops_no_later_charge_of_the_card(indoors: Indoors) -> None:
    partner, _, station, _ = begin(indoors, OLD)
    indoors.ask(partner, "STOP_SESSION", {"session_id": only(indoors)["session_id"]})
    indoors.pass_(seconds=21)
    indoors.conclude(2)
    charge = Charge(indoors, station)
    charge.begin()
    assert len(charge.dispatched) == 1  # as its driver wished
    charge.end()
    indoors.pass_(minutes=3)
    again = Charge(indoors, station)
    again.begin(wh=7000)  # the card is presented at the station, within its quarter of an hour
    assert again.dispatched == []


# 5


def test_a_reservation_whose_start_the_station_has_accepted_does_not_expire_before_the_driver_plugs_in(indoors) -> None:
    expired = element(("FLAT", 5), reservation="RESERVATION_EXPIRES")
    there = driver(indoors, element(("TIME", 2)), expired, subprotocol=NEW)
    indoors.run(stations.change, there.station, abilities={"TxCtrlr.EVConnectionTimeOut": "300"})
    there.reserves(minutes=60)
    indoors.pass_(minutes=59)
    there.asks_to_start()  # which uses the reservation up at the station (H03.FR.09)
    start = indoors.rows("command", type="START_SESSION")[0]["order"]["remote_start_id"]
    indoors.pass_(seconds=100)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    more = {"transaction_id": "T", "seq": 0, "evse": 1, "connector": 1, "id_token": CARD, "remote_start_id": start}
    told(indoors, there.station, Phase.STARTED, 0, indoors.now, **more)
    assert (there.cdrs(), [row["state"] for row in indoors.rows("session")]) == ([], ["ACTIVE"])
    assert indoors.reservation()["state"] == "USED"


# 6


def test_a_charge_that_goes_on_is_not_over_because_an_older_one_was_told_late(indoors: Indoors) -> None:
    _, _, station, _ = begin(indoors, OLD)
    charge = Charge(indoors, station)
    charge.begin()
    indoors.pass_(minutes=10)
    charge.tell(Phase.UPDATED, 2000)
    old = Charge(indoors, station)  # from the offline queue
    old.begin(FRIEND, at=START - timedelta(hours=3), wh=100)
    old.end(900, at=START - timedelta(hours=2))
    for hour in range(25):
        indoors.pass_(hours=1)
        charge.tell(Phase.UPDATED, 3000 + 1000 * hour)
        indoors.run(charging.close, indoors.rules, indoors.now)
    charge.end(30_000)
    first = indoors.rows("session")[0]
    assert (first["kwh"], first["end_date_time"]) == (29, indoors.now)


# 7


def test_a_charge_that_is_told_to_go_on_is_not_doubted_any_more(indoors: Indoors) -> None:
    station, charge = running(indoors, OLD)  # the station refused to stop it
    indoors.next(station, Answer(ending=Ending.NOT_SENT))
    indoors.next(station)
    indoors.pass_(minutes=30)
    charge.tell(Phase.UPDATED, 9000)
    indoors.pass_(minutes=30)
    free = StatusChanged(evse=None, connector=1, status="Available", at=indoors.now)
    indoors.run(station_story.status_changed, station, free, indoors.rules, indoors.now)
    charge.end(15_000)  # the queue comes after the statuses
    assert (only(indoors)["state"], only(indoors)["kwh"]) == ("COMPLETED", 14)


# 8


def test_a_start_that_is_told_before_it_is_answered_is_one_session_on_its_reservation(indoors: Indoors) -> None:
    partner, location, station, _ = reserve(indoors, OLD)
    indoors.start(partner, location, token=card(partner.party, group_id="Fleet"))
    claimed = indoors.claim(station)
    Charge(indoors, station).begin()
    indoors.answer(station, claimed.id, ACCEPTED)
    assert [row["state"] for row in indoors.rows("session")] == ["ACTIVE"]


def test_of_two_starts_with_one_card_each_is_its_own_session(indoors: Indoors) -> None:
    location, station = two_connectors(indoors)
    partner = indoors.partner()
    indoors.start(partner, location, token=card(partner.party))
    first = indoors.claim(station)
    indoors.start(partner, location, token=card(partner.party), evse_uid="E2")
    Charge(indoors, station).begin()  # before the station answers
    indoors.answer(station, first.id, ACCEPTED)
    indoors.next(station)
    Charge(indoors, station, connector=2).begin()
    found = [(row["state"], row["evse_uid"], row["command"]) for row in indoors.rows("session")]
    assert found == [("ACTIVE", "E1", 1), ("ACTIVE", "E2", 2)]


# 9


@BOTH
def test_a_reservation_that_was_used_before_it_was_answered_is_not_told_as_cancelled(indoors, subprotocol) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.reserve(partner, location, token=card(partner.party))
    claimed = indoors.claim(station)
    Charge(indoors, station).begin(reservation=claimed.order.number)  # queued before the answer, on the next socket
    indoors.answer(station, claimed.id, ACCEPTED)
    assert (indoors.told(), only(indoors)["state"], len(indoors.rows("command"))) == (["ACCEPTED"], "ACTIVE", 1)


# 10


@BOTH
def test_where_one_emsp_s_start_waits_another_s_with_the_same_card_is_refused(indoors, subprotocol) -> None:
    one, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    two = indoors.partner(Party("DE", "TWO"))
    indoors.start(two, location, token=card(two.party))
    indoors.next(station)
    indoors.start(one, location, token=card(one.party))
    claimed = indoors.claim(station)
    why = indoors.run(taken, station, claimed.id, claimed.order, indoors.now)
    assert why == "Somebody else is about to charge at the EVSE."


# 11


@pytest.mark.parametrize(
    ("before", "phase"),
    [
        (Phase.STARTED, Phase.STARTED),
        (Phase.ENDED, Phase.STARTED),
        (Phase.ENDED, Phase.UPDATED),
        (Phase.ENDED, Phase.ENDED),
    ],
)
def test_whatever_a_station_calls_them_only_so_many_messages_are_kept(
    indoors: Indoors, before: Phase, phase: Phase
) -> None:
    station = indoors.station(NEW)
    told(indoors, station, Phase.STARTED, 0, indoors.now, transaction_id="T", seq=0, evse=1)
    told(indoors, station, before, 0, indoors.now, transaction_id="T", seq=2, evse=1)
    [session] = indoors.rows("session")
    nearly = session["tally"] | {"count": measuring.MOST_MESSAGES - 1}
    indoors.run(sessions.change, session["id"], indoors.now, tally=nearly)
    for number in range(2, 8):
        told(indoors, station, phase, number, indoors.now, transaction_id="T", seq=2 * number, evse=1)
    assert len(indoors.rows("transaction_event")) == 3


@pytest.mark.parametrize("phase", [Phase.STARTED, Phase.UPDATED, Phase.ENDED])
def test_a_message_costs_as_much_as_the_one_before_whatever_a_station_calls_it(indoors: Indoors, phase: Phase) -> None:
    """Also after the end was told: what is missing is waited for before all messages are looked at again."""
    station, read = indoors.station(NEW), list[str]()

    def hear(_cursor: sqlite3.Cursor, statement: str, _parameters: Any) -> None:
        if statement.startswith("SELECT transaction_event.id, transaction_event.session"):
            read.append(statement)

    told(indoors, station, Phase.STARTED, 0, indoors.now, transaction_id="T", seq=0, evse=1)
    overhear(indoors.engine, hear)
    for number in range(1, 50):
        told(indoors, station, phase, number, indoors.now, transaction_id="T", seq=2 * number, evse=1)
    assert len(read) <= 1


def test_charges_that_a_station_begins_without_a_time_are_numbered(indoors: Indoors) -> None:
    _, station = indoors.one_evse(OLD)
    for _ in range(12):
        charge = Charge(indoors, station)
        charge.begin(at=None, wh=0)
        charge.tell(Phase.UPDATED, 1000)
        charge.end(2000)
    keys = [row["start_key"] for row in indoors.rows("session")]
    assert len({key.partition(":")[0] for key in keys}) == 1
    assert [int(key.partition(":")[2]) for key in keys] == list(range(12))


# 12


def test_what_the_meter_says_at_the_end_counts_more_than_one_reading_in_between(indoors: Indoors) -> None:
    _, _, station, _ = begin(indoors, OLD)
    charge = Charge(indoors, station)
    charge.begin(wh=1000)
    for wh in (2000, 4_294_967_295, 3000):
        indoors.pass_(minutes=10)
        charge.tell(Phase.UPDATED, wh)
    charge.end(6000)
    assert only(indoors)["kwh"] == 5


# 13


async def test_a_card_that_is_good_at_one_evse_is_charged_when_the_station_names_it(street: Street) -> None:  # noqa: F811
    where = {"location_id": street.location, "evse_uids": ["E1"]}
    async with TokensModule(word(listed(), location=where)) as module:
        partner = street.emsp(module)
        desk, now = HouseDesk(street.real_time._office), datetime.now(UTC)
        same = {"transaction_id": "T", "at": now}
        tap = TransactionChanged(phase=Phase.STARTED, seq=0, id_token=CARD, trigger="Authorized", **same)
        plug = TransactionChanged(phase=Phase.UPDATED, seq=1, evse=1, connector=1, trigger="CablePluggedIn", **same)
        answer = await desk.transaction(street.station, tap)
        await desk.transaction(street.station, plug)
    [row] = street.gateway.rows("session", station=street.station)
    assert (answer.token.status, row["partner"]) == ("Accepted", partner)


# 14


@pytest.mark.parametrize("state", ["SUSPENDED", "REMOVED"])
def test_what_a_command_brought_is_not_good_any_more_when_its_emsp_is_gone(indoors: Indoors, state: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(OLD)
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station, Answer(ending=Ending.RESULT, status="Rejected"))
    indoors.run(partners.become, partner.id, state)
    found = indoors.run(whitelists.decide, station, CARD, whitelists.ANYWHERE, indoors.now)
    assert found.status == whitelists.authorization.INVALID


# 15


def test_a_status_is_not_older_than_one_of_a_clock_that_was_ahead(indoors: Indoors) -> None:
    _, _, station, _ = reserve(indoors, OLD)

    def tell(status: str, at: datetime) -> None:
        event = StatusChanged(evse=None, connector=1, status=status, at=at)
        indoors.run(station_story.status_changed, station, event, indoors.rules, indoors.now)

    tell("Reserved", indoors.now + timedelta(minutes=4))
    indoors.pass_(minutes=1)
    tell("Faulted", indoors.now)  # its clock was set right by a Heartbeat
    assert indoors.reservation()["state"] == "REMOVED"


# 16


@BOTH
def test_no_session_ends_before_it_began(indoors, subprotocol) -> None:
    _, _, station, order = begin(indoors, subprotocol)
    charge = Charge(indoors, station)
    charge.begin(at=indoors.now + timedelta(minutes=4), **remote(station, indoors, order))
    indoors.pass_(minutes=2)
    charge.end(6000)
    assert only(indoors)["start_date_time"] <= only(indoors)["end_date_time"]


# 17


def test_a_card_that_ends_a_stranger_s_charge_does_not_take_it_over(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(OLD)
    stranger = Charge(indoors, station)
    stranger.begin(FRIEND)
    indoors.reserve(partner, location, token=card(partner.party))
    indoors.next(station)
    indoors.pass_(minutes=30)
    stranger.tell(Phase.ENDED, 9000, id_token=CARD)
    assert indoors.reservation()["state"] == "ACTIVE"


def test_intervals_are_not_lost_when_the_register_is_read_once(indoors: Indoors) -> None:
    _, _, station, order = begin(indoors, NEW)
    charge = Charge(indoors, station)
    charge.begin(wh=None, remote_start_id=order.remote_start_id)
    for _ in range(3):
        indoors.pass_(minutes=10)
        charge.tell(Phase.UPDATED, readings=(Reading(at=indoors.now, interval_wh=Decimal(1000)),))
    charge.end(123_456)
    assert only(indoors)["kwh"] == 3


def test_a_start_from_before_the_socket_was_lost_is_the_one_that_waits(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(OLD)
    indoors.run(stations.change, station, abilities={"ConnectionTimeOut": "600"})
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station)
    indoors.pass_(seconds=20)
    indoors.run(station_story.disconnected, station, indoors.rules, indoors.now)
    plugged = indoors.now + timedelta(seconds=5)
    indoors.pass_(minutes=6)
    indoors.run(station_story.connected, station, OLD, indoors.rules, indoors.now)
    Charge(indoors, station).begin(at=plugged)
    assert [row["state"] for row in indoors.rows("session")] == ["ACTIVE"]
