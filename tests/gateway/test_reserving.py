"""The CPO's own hand, the ledger as the tables say it, and what a station's words teach about reservations."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from gateway import errands, evses, holding, reservations, reserving, stations
from gateway.domain.ledger import CheckStatus
from gateway.house import utc_now
from gateway.reserving import Impossible, Wanted
from gateway.store import commands, rows, topology
from gateway.store import stations as hardware
from ocpi.headers import Party
from ocpi.locations import Location
from ocpi.tokens import TokenType
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Booted, StatusChanged
from ocpp_bridge.orders import AskBoot, CancelReservation, Configure, IdToken, RequestStart, ReserveNow
from tests.support.gateway import Spot, location_body
from tests.support.indoors import ACCEPTED, OCCUPIED, REJECTED, Indoors, token_body
from workers.desk import _claim_one

NOT_SENT = Answer(ending=Ending.NOT_SENT, detail="It is offline.")
SECURITY = Answer(ending=Ending.CALL_ERROR, status="SecurityError")


@pytest.fixture
def held(indoors: Indoors):
    """A partner with an ACTIVE reservation: (partner, location, station)."""
    return reserved(indoors)


def reserved(indoors: Indoors, subprotocol: str = "ocpp1.6", **more):
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.reserve(partner, location, **more)
    indoors.next(station)
    assert indoors.reservation()["state"] == "ACTIVE"
    return partner, location, station


def dispatched(indoors: Indoors, errand: int) -> int:
    indoors.run(commands.dispatch, [errand], indoors.now)
    return errand


def cpo_cancels(indoors: Indoors, reason: str = "The street is closed.") -> int:
    number = indoors.reservation()["number"]
    return dispatched(indoors, indoors.run(reserving.cancel, number, reason, indoors.rules, indoors.now))


def wants(indoors: Indoors, location: str, **changes) -> Wanted:
    return Wanted(**{"location_id": location, "token": "STAFF-1", "until": indoors.now + timedelta(hours=1)} | changes)


def makes(indoors: Indoors, wanted: Wanted) -> int:
    errand = indoors.run(reserving.make, wanted, indoors.rules, indoors.online, indoors.now)
    return dispatched(indoors, errand)


# The CPO cancels


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (ACCEPTED, "CANCELLED"),
        (REJECTED, "REMOVED"),
        (NOT_SENT, "UNKNOWN"),
        (None, "UNKNOWN"),
        (Answer(ending=Ending.CALL_ERROR, status="NotSupported"), "UNKNOWN"),
    ],
)
def test_the_cpo_cancels_and_its_owner_is_told_why_once_whatever_the_station_says(
    anywhere: Indoors, answer: Answer | None, state: str
) -> None:
    _, _, station = reserved(anywhere, minutes=20 * 60)
    anywhere.pass_(hours=9)
    cpo_cancels(anywhere)
    assert isinstance(anywhere.next(station, answer).order, CancelReservation)
    assert anywhere.reservation()["state"] == state
    assert anywhere.told() == ["ACCEPTED", "CANCELED_RESERVATION"]
    told = anywhere.rows("callback")[-1]
    assert (told["command"], told["result_text"]) == (anywhere.rows("command")[0]["id"], "The street is closed.")
    if state == "UNKNOWN":
        anywhere.pass_(seconds=31)
        again = anywhere.run(reservations.clean, anywhere.rules, anywhere.now)
        anywhere.run(commands.dispatch, again, anywhere.now)
        anywhere.next(station, REJECTED)
        assert anywhere.reservation()["state"] == "CANCELLED"
        assert anywhere.told() == ["ACCEPTED", "CANCELED_RESERVATION"]


def test_what_the_cpo_cancels_is_told_to_the_newest_response_url(indoors: Indoors, held) -> None:
    partner, location, station = held
    indoors.reserve(partner, location, minutes=90)
    indoors.next(station)
    cpo_cancels(indoors)
    indoors.next(station)
    newest = [row["id"] for row in indoors.rows("command", type="RESERVE_NOW")][-1]
    assert [(row["command"], row["result"]) for row in indoors.rows("callback")][-1] == (newest, "CANCELED_RESERVATION")


def test_a_reservation_used_while_the_cpo_cancels_it_stays_used_and_nobody_is_told(indoors: Indoors, held) -> None:
    *_, station = held
    errand = cpo_cancels(indoors)
    claimed = indoors.claim(station)
    indoors.run(reservations.used, indoors.reservation()["id"], indoors.now)
    indoors.answer(station, claimed.id, REJECTED)
    assert indoors.reservation()["state"] == "USED"
    assert indoors.told() == ["ACCEPTED"]
    [row] = indoors.rows("command", id=errand)
    assert (row["result"], row["result_text"]) == ("REJECTED", "The reservation was used.")


def test_what_is_over_is_being_cancelled_or_was_never_there_cannot_be_cancelled(indoors: Indoors, held) -> None:
    *_, station = held
    number = indoors.reservation()["number"]
    with pytest.raises(Impossible, match="A reason is one to 512"):
        indoors.run(reserving.cancel, number, "  ", indoors.rules, indoors.now)
    for unsayable in ("The road is closed.\nWe are sorry.", "Stra\udcdfe", "\x1b[1mClosed.", "x" * 513):
        with pytest.raises(Impossible, match="A reason is"):
            indoors.run(reserving.cancel, number, unsayable, indoors.rules, indoors.now)
    with pytest.raises(Impossible, match="There is no reservation 4711"):
        indoors.run(reserving.cancel, 4711, "Closed.", indoors.rules, indoors.now)
    cpo_cancels(indoors)
    with pytest.raises(Impossible, match="being cancelled already"):
        indoors.run(reserving.cancel, number, "Closed.", indoors.rules, indoors.now)
    indoors.next(station)
    with pytest.raises(Impossible, match=f"Reservation {number} is over: it was cancelled"):
        indoors.run(reserving.cancel, number, "Closed.", indoors.rules, indoors.now)


def test_no_new_request_of_its_owner_takes_the_cpos_cancellation_back(anywhere: Indoors) -> None:
    partner, location, station = reserved(anywhere)
    cpo_cancels(anywhere)
    anywhere.reserve(partner, location, minutes=90)
    cancelled, again = anywhere.next(station).order, anywhere.next(station).order
    assert isinstance(cancelled, CancelReservation)
    assert isinstance(again, ReserveNow)
    assert cancelled.number != again.number
    assert [row["state"] for row in anywhere.rows("reservation")] == ["CANCELLED", "ACTIVE"]


def test_an_owner_who_asks_again_in_vain_is_told_of_the_cpos_cancellation(anywhere: Indoors) -> None:
    partner, location, station = reserved(anywhere)
    cpo_cancels(anywhere)
    anywhere.reserve(partner, location, minutes=90)
    assert isinstance(anywhere.next(station).order, CancelReservation)
    assert isinstance(anywhere.next(station, OCCUPIED).order, ReserveNow)
    assert [row["state"] for row in anywhere.rows("reservation")] == ["CANCELLED", "REFUSED"]
    assert anywhere.told() == ["ACCEPTED", "CANCELED_RESERVATION", "EVSE_OCCUPIED"]
    assert [row["state"] for row in anywhere.rows("session")] == ["COMPLETED"]


@pytest.mark.parametrize("first", ["cancelled", "refused"])
def test_an_owner_who_asks_elsewhere_in_vain_is_told_the_cpos_reason_once(indoors: Indoors, first: str) -> None:
    one, other = indoors.station(), indoors.station()
    location = indoors.location(Spot(one, evse=None, uid="E1"), Spot(other, evse=None, uid="E2"))
    partner = indoors.partner()
    indoors.reserve(partner, location)
    indoors.next(one)
    cpo_cancels(indoors)
    indoors.reserve(partner, location, evse_uid="E2")
    answers = {one: ACCEPTED, other: OCCUPIED}
    for station in (one, other) if first == "cancelled" else (other, one):
        indoors.next(station, answers[station])
    told = [row["result_text"] for row in indoors.rows("callback", result="CANCELED_RESERVATION")]
    assert told == ["The street is closed."]


# The CPO's own reservations


@pytest.mark.parametrize("subprotocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
def test_the_cpo_reserves_an_evse_for_its_own_app(indoors: Indoors, subprotocol: str) -> None:
    location, station = indoors.one_evse(subprotocol)
    makes(indoors, wants(indoors, location, evse_uid="E1", group="STAFF"))
    order = indoors.next(station).order
    assert isinstance(order, ReserveNow)
    row = indoors.reservation()
    assert (row["state"], row["partner"], row["reservation_id"]) == ("ACTIVE", None, f"cpo-{order.number}")
    assert row["reservation_key"] == row["reservation_id"]
    assert 0 < order.number < 2**31
    assert len(order.id_token.value) == len(order.group.value) == 20  # nobody else's app can mean it
    assert order.connector_type is None
    assert indoors.told() == []
    cpo_cancels(indoors)
    indoors.next(station)
    assert indoors.reservation()["state"] == "CANCELLED"
    assert indoors.told() == []


@pytest.mark.parametrize(("answer", "state"), [(OCCUPIED, "REFUSED"), (NOT_SENT, "REFUSED"), (None, "UNKNOWN")])
def test_what_the_cpo_did_not_get(indoors: Indoors, answer: Answer | None, state: str) -> None:
    location, station = indoors.one_evse()
    makes(indoors, wants(indoors, location, evse_uid="E1"))
    indoors.next(station, answer)
    assert indoors.reservation()["state"] == state


def test_a_card_is_reserved_for_as_it_is(indoors: Indoors) -> None:
    location, station = indoors.one_evse()
    makes(indoors, wants(indoors, location, evse_uid="E1", token="04AABBCC", token_type=TokenType.RFID))
    assert indoors.next(station).order.id_token == IdToken(value="04AABBCC", type="ISO14443")


def test_a_type_of_connector_goes_to_the_station_that_has_it_and_names_no_evse(indoors: Indoors) -> None:
    one, other = indoors.station("ocpp1.6"), indoors.station("ocpp2.0.1")
    location = indoors.location(Spot(one, evse=None, uid="E1"), Spot(other, evse=2, uid="E2"))
    makes(indoors, wants(indoors, location, connector_type="sType2"))
    order = indoors.next(other).order
    assert (order.evse, order.connector, order.connector_type) == (None, None, "sType2")
    row = indoors.reservation()
    assert (row["evse"], row["station_evse"], row["connector_type"]) == (None, None, "sType2")


@pytest.mark.parametrize("subprotocol", ["ocpp1.6", "ocpp2.0.1"])
def test_a_whole_station_is_reserved_unless_it_has_said_no(indoors: Indoors, subprotocol: str) -> None:
    location, station = indoors.one_evse(subprotocol)
    makes(indoors, wants(indoors, location))
    order = indoors.next(station).order
    assert (order.evse, order.connector) == (None, None)
    name = "ReserveConnectorZeroSupported" if subprotocol == "ocpp1.6" else "ReservationCtrlr.NonEvseSpecific"
    indoors.run(hardware.change, station, abilities={name: "false"})
    with pytest.raises(Impossible, match="takes no reservation that names no EVSE"):
        makes(indoors, wants(indoors, location))
    makes(indoors, wants(indoors, location, evse_uid="E1"))


@pytest.mark.parametrize(
    ("subprotocol", "changes", "why"),
    [
        ("ocpp2.0.1", {"evse_uid": "E1", "connector_type": "cCCS2"}, "not of both"),
        ("ocpp2.0.1", {"connector_type": "cMCS"}, "cannot be told 'cMCS', only .*cCCS2"),
        ("ocpp1.6", {"connector_type": "cCCS2"}, "its OCPP version reserves no type of connector"),
        ("ocpp1.6", {"evse_uid": "E9"}, "There is no EVSE 'E9'"),
        ("ocpp1.6", {"location_id": "nowhere"}, "There is no location 'nowhere'"),
        ("ocpp1.6", {"token": "x" * 37}, "1 to 36"),
    ],
)
def test_what_the_cpo_cannot_reserve_is_a_sentence(indoors: Indoors, subprotocol, changes, why) -> None:
    location, _ = indoors.one_evse(subprotocol)
    with pytest.raises(Impossible, match=why):
        makes(indoors, wants(indoors, location, **changes))
    assert indoors.rows("reservation") == []


def test_a_newer_version_is_told_any_type_of_connector(indoors: Indoors) -> None:
    location, station = indoors.one_evse("ocpp2.1")
    makes(indoors, wants(indoors, location, connector_type="cMCS"))
    assert indoors.next(station).order.connector_type == "cMCS"


def test_nothing_is_reserved_offline_in_the_past_or_for_ever(indoors: Indoors) -> None:
    location, station = indoors.one_evse()
    for until in (timedelta(seconds=-1), timedelta(seconds=59), timedelta(hours=25)):
        with pytest.raises(Impossible, match="lasts from 60 to 86400 seconds"):
            makes(indoors, wants(indoors, location, until=indoors.now + until))
    del indoors.online[station]
    with pytest.raises(Impossible, match="offline"):
        makes(indoors, wants(indoors, location))


# The ledger, as the tables have it


def says(indoors: Indoors, station: str, token: str = "X", **asked) -> CheckStatus:
    wanted = {"evse": None, "connector_type": None, "group": None} | asked
    return indoors.run(holding.may_use, station, token=token, now=indoors.now, **wanted)


@pytest.mark.parametrize("subprotocol", ["ocpp1.6", "ocpp2.0.1"])
def test_the_tables_say_who_may_use_an_evse(anywhere: Indoors, subprotocol: str) -> None:
    *_, station = reserved(anywhere, subprotocol)
    token = anywhere.reservation()["id_token"]
    assert says(anywhere, station, evse=1) == "ReservedForOtherToken"
    assert says(anywhere, station, token.lower(), evse=1) == "ReservedForToken"
    assert says(anywhere, station) == "ReservedForOtherToken"
    anywhere.now = anywhere.reservation()["expiry_date"]
    assert says(anywhere, station, evse=1) == "NotReserved"


def test_an_evse_that_is_out_of_order_makes_a_global_reservation_need_the_other(indoors: Indoors) -> None:
    station = indoors.station("ocpp2.0.1")
    location = indoors.location(Spot(station, evse=1, uid="E1"), Spot(station, evse=2, uid="E2"))
    makes(indoors, wants(indoors, location))
    indoors.next(station)
    assert says(indoors, station, evse=1) == "NotReserved"
    tell(indoors, station, "Occupied", evse=2)
    assert says(indoors, station, evse=1) == "ReservedForOtherToken"
    assert indoors.run(holding.held_up_at, station, indoors.now) == {1}
    assert says(indoors, station, connector_type="sType2") == "ReservedForOtherToken"
    tell(indoors, station, "Available", evse=2)
    assert indoors.run(holding.held_up_at, station, indoors.now) == set()


@pytest.mark.parametrize("named", [True, False])
def test_an_evse_is_shown_as_reserved_until_the_reservation_has_ended(indoors: Indoors, named: bool) -> None:
    station = indoors.station("ocpp2.0.1")
    location = indoors.location(Spot(station, evse=1, uid="E1"))
    makes(indoors, wants(indoors, location, **({"evse_uid": "E1"} if named else {})))
    indoors.next(station)
    indoors.now = indoors.reservation()["expiry_date"] + timedelta(seconds=1)
    indoors.run(evses.follow, station, indoors.now)  # something happened there
    assert indoors.rows("evse")[-1]["status"] == "RESERVED"
    indoors.pass_(seconds=60)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert indoors.rows("evse")[-1]["status"] == "AVAILABLE"


@pytest.mark.parametrize("named", [True, False])
def test_an_evse_is_shown_as_reserved_while_what_was_moved_away_is_not_cancelled_there(
    indoors: Indoors, named: bool
) -> None:
    partner, here, there = indoors.partner(), indoors.station("ocpp2.0.1"), indoors.station("ocpp2.0.1")
    location = indoors.location(Spot(here, evse=1, uid="E1"), Spot(there, evse=1, uid="E2"))
    indoors.reserve(partner, location)
    if not named:
        nowhere = {"evse": None, "station_evse": None, "station_connector": None}
        indoors.run(lambda db: db.execute(update(rows.reservation).values(**nowhere)))
        order = indoors.rows("command")[-1]["order"] | {"evse": None, "connector": None}
        indoors.run(lambda db: db.execute(update(rows.command).values(order=order)))
    indoors.next(here)
    indoors.reserve(partner, location, evse_uid="E2")
    indoors.run(evses.follow, here, indoors.now)
    assert indoors.rows("evse")[0]["status"] == "RESERVED"
    indoors.next(here)
    assert indoors.rows("evse")[0]["status"] == "AVAILABLE"


#: A command of the party whose reservation, or charge, it is.
FIRST = 1


def start_for(token: str, group: str | None = None, connector: int | None = 1) -> RequestStart:
    parent = IdToken(value=group) if group else None
    return RequestStart(id_token=IdToken(value=token), group=parent, remote_start_id=1, connector=connector)


def test_a_start_is_certain_to_be_refused_only_at_an_evse_that_is_anothers(indoors: Indoors, held) -> None:
    partner, _, station = held
    row = indoors.reservation()
    taken = "The EVSE is reserved for somebody else."
    assert indoors.run(holding.taken, station, FIRST, start_for("X"), indoors.now) == taken
    assert indoors.run(holding.taken, station, FIRST, start_for(row["id_token"].lower()), indoors.now) == ""
    assert indoors.run(holding.taken, station, FIRST, start_for("X", connector=2), indoors.now) == ""
    assert indoors.run(holding.taken, station, FIRST, start_for("X", connector=None), indoors.now) == ""
    assert indoors.run(holding.taken, station, FIRST, start_for("X"), row["expiry_date"]) == ""
    indoors.cancel(partner)  # on its way: nobody knows any more
    assert indoors.run(holding.taken, station, FIRST, start_for("X"), indoors.now) == ""


NEEDED = "Every EVSE that is free is reserved for somebody else."


@pytest.fixture
def two(indoors: Indoors) -> tuple[str, str]:
    """(a Location of two EVSEs, their 2.x station), any one of which the CPO has reserved."""
    station = indoors.station("ocpp2.0.1")
    location = indoors.location(Spot(station, evse=1, uid="E1"), Spot(station, evse=2, uid="E2"))
    makes(indoors, wants(indoors, location))
    indoors.next(station)
    return location, station


def at_evse(indoors: Indoors, station: str, number: int, token: str = "X") -> str:
    order = RequestStart(id_token=IdToken(value=token), remote_start_id=1, evse=number)
    return indoors.run(holding.taken, station, FIRST, order, indoors.now)


def test_a_start_at_the_last_evse_that_a_reservation_of_any_needs_is_certain_to_be_refused(
    indoors: Indoors, two: tuple[str, str]
) -> None:
    _, station = two
    assert at_evse(indoors, station, 1) == ""
    tell(indoors, station, "Occupied", evse=2)
    assert at_evse(indoors, station, 1) == NEEDED
    assert at_evse(indoors, station, 2) == ""  # it is not free: the station may still know better
    assert at_evse(indoors, station, 1, indoors.reservation()["id_token"].lower()) == ""
    indoors.now += timedelta(hours=1)
    assert at_evse(indoors, station, 1) == ""


def test_a_start_is_not_sent_where_a_reservation_of_the_whole_station_needs_its_only_evse(indoors: Indoors) -> None:
    indoors.now = utc_now()  # a node's desk has a clock of its own
    location, station = indoors.one_evse("ocpp2.0.1")
    makes(indoors, wants(indoors, location))
    indoors.next(station)
    indoors.start(indoors.partner(), location)
    found, rings = indoors.run(_claim_one, station, indoors.rules)
    assert found is None
    indoors.conclude(*rings.conclude)
    assert indoors.told() == ["EVSE_OCCUPIED"]


def test_no_start_is_refused_for_what_is_not_certain(indoors: Indoors, two: tuple[str, str]) -> None:
    _, station = two
    tell(indoors, station, "Occupied", evse=2)
    assert at_evse(indoors, station, 1) == NEEDED
    tell(indoors, station, "Available", evse=3)  # which no Location has, and a driver may use
    assert at_evse(indoors, station, 1) == ""
    tell(indoors, station, "Faulted", evse=3)
    assert at_evse(indoors, station, 1) == NEEDED
    cpo_cancels(indoors)  # on its way: nobody knows any more
    assert at_evse(indoors, station, 1) == ""


def test_an_old_station_of_which_not_every_connector_is_known_decides_itself(indoors: Indoors) -> None:
    location, station = indoors.one_evse()
    makes(indoors, wants(indoors, location))
    indoors.next(station)
    for count, why in (("1", NEEDED), ("2", ""), ("nonsense", NEEDED)):
        indoors.run(hardware.change, station, abilities={"NumberOfConnectors": count})
        assert indoors.run(holding.taken, station, FIRST, start_for("X"), indoors.now) == why


def test_a_start_uses_no_reservation_of_any_evse_that_is_another_emsp_s(indoors: Indoors) -> None:
    """Two eMSPs may name one card (P4)."""
    location, station = indoors.one_evse("ocpp2.0.1")
    indoors.run(hardware.change, station, abilities={"ReservationCtrlr.NonEvseSpecific": "true"})
    one, other = indoors.partner(Party("DE", "ONE")), indoors.partner(Party("DE", "TWO"))
    card = {"uid": "04AABBCC", "type": "RFID"}
    indoors.reserve(one, location, token=token_body(one.party, **card), evse_uid=None)
    assert indoors.next(station).order.evse is None
    for partner, why in ((other, NEEDED), (one, "")):
        indoors.start(partner, location, token=token_body(partner.party, **card))
        claimed = indoors.claim(station)
        assert indoors.run(holding.taken, station, claimed.id, claimed.order, indoors.now) == why


def test_another_of_the_group_may_be_started(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    body = indoors.reserve_body(partner, location)
    body["token"]["group_id"] = "Fleet"
    indoors.ask(partner, "RESERVE_NOW", body)
    indoors.next(station)
    group = indoors.reservation()["group_id_token"]
    assert indoors.run(holding.taken, station, FIRST, start_for("X", group.lower()), indoors.now) == ""
    assert indoors.run(holding.taken, station, FIRST, start_for("X"), indoors.now) != ""


def test_who_may_still_plug_in_has_the_evse_until_the_time_for_it_is_over(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location)
    mine = indoors.next(station).order.id_token.value
    about = "Somebody else is about to charge at the EVSE."
    assert indoors.run(holding.taken, station, FIRST, start_for("X"), indoors.now) == about
    assert indoors.run(holding.taken, station, FIRST, start_for(mine), indoors.now) == ""
    assert indoors.run(holding.taken, station, FIRST, start_for("X"), indoors.now + timedelta(hours=1)) == ""


# Lost reservations (1.6 has no word for them)


def tell(indoors: Indoors, station: str, status: str, connector: int = 1, evse: int | None = None, at=None) -> None:
    event = StatusChanged(evse=evse, connector=connector, status=status, at=at or indoors.now)
    _, orders = indoors.run(stations.status_changed, station, event, indoors.rules, indoors.now)
    if orders:
        indoors.run(commands.dispatch, orders, indoors.now)
    indoors.pass_(seconds=1)


def boot(indoors: Indoors, station: str) -> None:
    indoors.run(stations.booted, station, Booted(), indoors.rules, indoors.now)
    indoors.pass_(seconds=1)


@pytest.mark.parametrize("how", ["it was Reserved", "it has booted"])
def test_a_lost_reservation_is_made_again_with_the_same_number(indoors: Indoors, held, how: str) -> None:
    *_, station = held
    before = indoors.reservation()
    indoors.pass_(seconds=1)
    if how == "it was Reserved":
        tell(indoors, station, "Reserved")
    else:
        boot(indoors, station)
    tell(indoors, station, "Available")
    order = indoors.next(station).order
    assert isinstance(order, ReserveNow)
    assert (order.number, order.expiry) == (before["number"], before["expiry_date"])
    after = indoors.reservation()
    assert (after["state"], after["command"]) == ("ACTIVE", before["command"])
    assert after["confirmed_at"] > before["confirmed_at"]
    tell(indoors, station, "Available")
    assert indoors.claim(station) is None
    assert indoors.told() == ["ACCEPTED"]


@pytest.mark.parametrize(("answer", "state"), [(OCCUPIED, "REMOVED"), (NOT_SENT, "REMOVED"), (None, "UNKNOWN")])
def test_what_cannot_be_made_again_is_told_to_its_owner(indoors: Indoors, held, answer, state: str) -> None:
    *_, station = held
    tell(indoors, station, "Reserved")
    tell(indoors, station, "Available")
    indoors.next(station, answer)
    assert indoors.reservation()["state"] == state
    assert indoors.told() == ["ACCEPTED", "CANCELED_RESERVATION"]


def test_with_a_minute_left_or_by_setting_it_is_not_made_again(tmp_path) -> None:
    for minutes, again in ((1.75, True), (60, False)):
        indoors = Indoors(f"sqlite:///{tmp_path / f'{again}.sqlite'}", reserve_again=again)
        *_, station = reserved(indoors, minutes=minutes)
        tell(indoors, station, "Reserved")
        indoors.pass_(seconds=45)
        tell(indoors, station, "Available")
        assert indoors.claim(station) is None
        assert indoors.reservation()["state"] == "REMOVED"
        assert indoors.told() == ["ACCEPTED", "CANCELED_RESERVATION"]
        indoors.close()


def test_available_is_no_loss_at_expiry_during_a_cancellation_after_preparing_or_at_another(indoors: Indoors, held):
    partner, _, station = held
    tell(indoors, station, "Available")  # it never said Reserved, and never booted
    tell(indoors, station, "Reserved", connector=2)
    tell(indoors, station, "Available", connector=2)
    tell(indoors, station, "Available", connector=0)
    tell(indoors, station, "Reserved")
    tell(indoors, station, "Preparing")
    tell(indoors, station, "Available")
    assert indoors.claim(station) is None
    tell(indoors, station, "Reserved")
    indoors.cancel(partner)
    claimed = indoors.claim(station)
    tell(indoors, station, "Available")  # before its answer
    indoors.answer(station, claimed.id, ACCEPTED)
    assert indoors.claim(station) is None
    assert indoors.reservation()["state"] == "CANCELLED"
    indoors.reserve(partner, indoors.rows("location")[0]["location_id"])
    indoors.next(station)
    tell(indoors, station, "Reserved")
    indoors.now = indoors.reservation()["expiry_date"] - timedelta(seconds=20)  # the station's clock is ahead
    tell(indoors, station, "Available")
    assert indoors.claim(station) is None
    assert indoors.reservation()["state"] == "ACTIVE"


@pytest.mark.parametrize(("subprotocol", "status"), [("ocpp1.6", "Preparing"), ("ocpp2.0.1", "Occupied")])
def test_a_reservation_that_is_being_used_does_not_expire_yet(indoors: Indoors, subprotocol: str, status: str) -> None:
    *_, station = reserved(indoors, subprotocol)
    evse = None if subprotocol == "ocpp1.6" else 1
    tell(indoors, station, "Reserved", evse=evse)
    tell(indoors, station, status, evse=evse)
    settings, expiry = indoors.rules.settings, indoors.reservation()["expiry_date"]
    for after, state in ((timedelta(0), "ACTIVE"), (settings.connection_timeout, "EXPIRED")):
        indoors.now = expiry + settings.reservation_grace + after
        indoors.run(reservations.expire, indoors.rules, indoors.now)
        assert indoors.reservation()["state"] == state


def test_stations_of_2_x_keep_reservations_over_a_reboot(indoors: Indoors) -> None:
    *_, station = reserved(indoors, "ocpp2.0.1")
    tell(indoors, station, "Reserved", evse=1)
    boot(indoors, station)
    tell(indoors, station, "Available", evse=1)
    assert indoors.claim(station) is None
    assert indoors.reservation()["state"] == "ACTIVE"


@pytest.mark.parametrize("connector", [0, 1])
@pytest.mark.parametrize("status", ["Faulted", "Unavailable"])
def test_a_1_6_connector_out_of_order_holds_nothing(indoors: Indoors, held, status: str, connector: int) -> None:
    *_, station = held
    tell(indoors, station, status, connector=connector)
    assert indoors.reservation()["state"] == "REMOVED"
    assert indoors.told() == ["ACCEPTED", "CANCELED_RESERVATION"]


@pytest.mark.parametrize(("number", "update"), [(None, "Lost"), (None, ""), (4711, "Removed"), (4711, "Expired")])
def test_a_number_or_a_word_that_means_nothing_changes_nothing(indoors: Indoors, held, number, update: str) -> None:
    *_, station = held
    told = indoors.reservation()["number"] if number is None else number
    assert indoors.run(reservations.ended, station, told, update, indoors.rules, indoors.now) == []
    other = indoors.station()
    mine = indoors.reservation()["number"]
    assert indoors.run(reservations.ended, other, mine, "Removed", indoors.rules, indoors.now) == []
    assert indoors.reservation()["state"] == "ACTIVE"


# What a station's words teach


def shown(indoors: Indoors) -> list[str]:
    return [row["status"] for row in indoors.rows("evse")]


def test_an_evse_shows_what_its_station_told_last_and_a_file_does_not_change_it(anywhere: Indoors) -> None:
    location, station = anywhere.one_evse()
    noon = anywhere.now
    for told, status in (
        ("Preparing", "CHARGING"), ("Charging", "CHARGING"), ("SuspendedEV", "CHARGING"), ("Finishing", "CHARGING"),
        ("Reserved", "RESERVED"), ("Faulted", "OUTOFORDER"), ("Unavailable", "INOPERATIVE"), ("Available", "AVAILABLE"),
        ("SuspendedEVSE", "CHARGING"), ("Humming", "CHARGING"),
    ):  # fmt: skip
        tell(anywhere, station, told)
        assert shown(anywhere) == [status]
    tell(anywhere, station, "Available", at=noon)  # late
    tell(anywhere, station, "Unavailable", connector=0)
    assert shown(anywhere) == ["CHARGING"]
    imported(anywhere, location, Spot(None, status="AVAILABLE"))
    assert shown(anywhere) == ["CHARGING"]
    imported(anywhere, location, Spot(None, status="REMOVED"))
    tell(anywhere, station, "Available")
    assert shown(anywhere) == ["REMOVED"]


def imported(indoors: Indoors, location: str, *spots: Spot) -> None:
    body = location_body(location, spots)
    indoors.run(topology.put_location, indoors.cpo.id, Location.model_validate(body), body)


def test_the_least_available_connector_is_its_evses(indoors: Indoors) -> None:
    station = indoors.station("ocpp2.0.1")
    indoors.location(Spot(station, evse=1, connector=None))
    tell(indoors, station, "Available", evse=1, connector=1)
    tell(indoors, station, "Occupied", evse=1, connector=2)
    assert shown(indoors) == ["CHARGING"]
    tell(indoors, station, "Available", evse=1, connector=2)
    assert shown(indoors) == ["AVAILABLE"]
    tell(indoors, station, "Faulted", evse=1, connector=None)  # NotifyEvent about the EVSE itself
    assert shown(indoors) == ["OUTOFORDER"]
    tell(indoors, station, "Available", evse=1, connector=2)
    assert shown(indoors) == ["AVAILABLE"]


@pytest.mark.parametrize(
    ("subprotocol", "ability"), [("ocpp1.6", "SupportedFeatureProfiles"), ("ocpp2.0.1", "ReservationCtrlr.Enabled")]
)
def test_a_station_that_takes_no_reservations_is_not_asked(indoors: Indoors, subprotocol: str, ability: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.run(hardware.change, station, abilities={})
    assert indoors.reserve(partner, location).response == "ACCEPTED"
    indoors.run(hardware.change, station, abilities={ability: "Core" if subprotocol == "ocpp1.6" else "false"})
    assert indoors.reserve(partner, location, id="R-2").response == "NOT_SUPPORTED"
    with pytest.raises(Impossible, match="takes no reservations"):
        makes(indoors, wants(indoors, location, evse_uid="E1"))


@pytest.mark.parametrize(
    ("subprotocol", "key", "name"),
    [
        ("ocpp1.6", "reserveconnectorzerosupported", "ReserveConnectorZeroSupported"),
        ("ocpp2.0.1", "reservationCtrlr.nonEvseSpecific", "ReservationCtrlr.NonEvseSpecific"),
    ],
)
def test_an_ability_that_was_set_is_known_at_once(indoors: Indoors, subprotocol: str, key: str, name: str) -> None:
    _, station = indoors.one_evse(subprotocol)
    indoors.run(hardware.change, station, abilities={name: "false"})
    for value, answer in (("true", REJECTED), ("true", ACCEPTED), ("maybe", Answer(ending=Ending.NO_ANSWER))):
        dispatched(indoors, indoors.run(errands.configure, indoors.rules, station, key, value, indoors.now))
        assert indoors.next(station, answer).order == Configure(key=key, value=value)
        expected = "false" if answer is REJECTED else "true"
        assert indoors.rows("station", id=station)[0]["abilities"] == {name: expected}


def test_a_station_that_was_not_accepted_yet_is_asked_for_its_boot_once_in_a_contact(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    for _ in range(2):
        indoors.run(hardware.change, station, connected_at=indoors.now)
        indoors.reserve(partner, location, id="one")
        indoors.reserve(partner, location, id="two")
        indoors.next(station, SECURITY)
        indoors.next(station, SECURITY)
        assert isinstance(indoors.next(station, SECURITY).order, AskBoot)
        assert indoors.claim(station) is None
        indoors.pass_(hours=1)
