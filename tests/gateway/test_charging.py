"""A station's transactions, in whatever order and how often it tells of them, and the Sessions that they are."""

import sqlite3
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway import authorization, charging, measuring, reservations
from gateway.sessions import view
from gateway.store import sessions, stations
from ocpi.dialects import DIALECTS
from ocpi.headers import Party
from ocpi.paging import Page
from ocpi.sessions import Session
from ocpp_bridge.events import Phase, Reading, TransactionAnswer, TransactionChanged
from ocpp_bridge.orders import IdToken
from tests.support.gateway import Spot
from tests.support.indoors import START, Indoors, token_body
from tests.support.overheard import overhear

CARD = IdToken(value="04AABBCC", type="ISO14443")
STRANGER = IdToken(value="04FFFFFF", type="ISO14443")
OLD, NEW = "ocpp1.6", "ocpp2.0.1"


def tell(indoors: Indoors, station: str, phase: Phase, transaction: str | None = None, **changes) -> TransactionAnswer:
    given = {"at": indoors.now} | changes
    if (wh := given.pop("meter_wh", None)) is not None:
        given["readings"] = (Reading(at=given["at"], register_wh=Decimal(str(wh))),)
    event = TransactionChanged(phase=phase, transaction_id=transaction, **given)
    noted = indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)
    token = event.id_token and indoors.run(authorization.authorize, station, event.id_token, indoors.now)
    return TransactionAnswer(transaction_id=noted.transaction_id, token=token)


def new(indoors: Indoors, station: str, phase: Phase, seq: int, **changes) -> TransactionAnswer:
    """A 2.x TransactionEvent of the transaction TX."""
    return tell(indoors, station, phase, "TX", seq=seq, **changes)


def card(party: Party, **changes) -> dict:
    return token_body(party, CARD.value, "RFID", **changes)


@pytest.fixture
def brought(indoors: Indoors):
    """A card that a START_SESSION brought: (partner, location, station) of 1.6."""
    partner, (location, station) = indoors.partner(), indoors.one_evse(OLD)
    indoors.start(partner, location, token=card(partner.party), authorization_reference="REF")
    indoors.next(station)
    return partner, location, station


@pytest.fixture
def modern(indoors: Indoors):
    """The same on 2.0.1."""
    partner, (location, station) = indoors.partner(), indoors.one_evse(NEW)
    indoors.start(partner, location, token=card(partner.party))
    indoors.next(station)
    return partner, location, station


def charges(indoors: Indoors) -> list[dict]:
    """Sessions that a station has told of."""
    return [row for row in indoors.rows("session") if row["transaction_id"] is not None]


def session(indoors: Indoors) -> dict:
    [row] = charges(indoors)
    return row


# Repeated, and out of order


def test_a_start_that_is_told_again_is_the_same_transaction(indoors: Indoors, brought) -> None:
    _, _, station = brought
    first = tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD, meter_wh=100.0)
    indoors.pass_(minutes=10)
    again = tell(indoors, station, Phase.STARTED, at=START, connector=1, id_token=CARD, meter_wh=100.0)
    assert again == first
    assert first.token.status == "Accepted"
    assert session(indoors)["transaction_id"] == first.transaction_id


@pytest.mark.parametrize("other", [{"connector": 2}, {"meter_wh": 101.0}, {"at": START + timedelta(seconds=1)}])
def test_another_start_is_another_transaction(indoors: Indoors, brought, other: dict) -> None:
    _, _, station = brought
    told = {"connector": 1, "id_token": CARD, "meter_wh": 100.0}
    first = tell(indoors, station, Phase.STARTED, **told)
    second = tell(indoors, station, Phase.STARTED, **told | other)
    assert int(first.transaction_id) != int(second.transaction_id)


def test_a_transaction_ends_once_and_stays_ended(indoors: Indoors, brought) -> None:
    _, _, station = brought
    transaction = tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD, meter_wh=1000.0).transaction_id
    indoors.pass_(minutes=30)
    tell(indoors, station, Phase.UPDATED, transaction, meter_wh=3000.0)
    tell(indoors, station, Phase.ENDED, transaction, meter_wh=6000.0)
    ended = session(indoors)["end_date_time"]
    indoors.pass_(minutes=30)
    tell(indoors, station, Phase.ENDED, transaction, meter_wh=6000.0)
    tell(indoors, station, Phase.UPDATED, transaction, meter_wh=5000.0)
    row = session(indoors)
    assert (row["state"], row["end_date_time"]) == ("COMPLETED", ended)
    assert row["kwh"] == 5


def test_the_end_may_be_told_before_the_beginning(indoors: Indoors, modern) -> None:
    partner, _, station = modern
    indoors.pass_(hours=1)
    new(indoors, station, Phase.ENDED, 2, at=START + timedelta(hours=1), meter_wh=9000.0)
    new(indoors, station, Phase.UPDATED, 1, at=START + timedelta(minutes=30), meter_wh=5000.0)
    new(indoors, station, Phase.STARTED, 0, at=START, meter_wh=1000.0, evse=1, connector=1, id_token=CARD)
    row = session(indoors)
    assert (row["state"], row["partner"]) == ("COMPLETED", partner.id)
    assert (row["start_date_time"], row["end_date_time"]) == (START, START + timedelta(hours=1))
    assert row["kwh"] == 8
    assert (row["evse_uid"], row["station_evse"]) == ("E1", 1)


def test_a_beginning_that_is_never_told_is_a_session_all_the_same(indoors: Indoors, modern) -> None:
    _, _, station = modern
    new(indoors, station, Phase.UPDATED, 3, evse=1, connector=1, id_token=CARD, meter_wh=1500.0)
    new(indoors, station, Phase.ENDED, 7, meter_wh=2500.0)
    assert (session(indoors)["state"], session(indoors)["kwh"]) == ("ACTIVE", 1)
    indoors.pass_(hours=24)
    indoors.run(charging.close, indoors.rules, indoors.now)
    row = session(indoors)
    assert (row["state"], row["kwh"], row["end_date_time"]) == ("COMPLETED", 1, START)


def test_the_token_may_be_told_after_the_cable(indoors: Indoors, modern) -> None:
    partner, location, station = modern
    indoors.reserve(partner, location, token=card(partner.party))
    indoors.next(station)
    answer = new(indoors, station, Phase.STARTED, 0, evse=1, connector=1)
    assert answer.token is None
    assert session(indoors)["partner"] is None
    answer = new(indoors, station, Phase.UPDATED, 1, id_token=CARD)  # which names no EVSE any more
    assert answer.token.status == "Accepted"
    assert (session(indoors)["partner"], session(indoors)["command"]) == (partner.id, 2)
    assert indoors.rows("transaction_event", session=session(indoors)["id"], seq=0) != []
    assert indoors.reservation()["state"] == "USED"
    assert session(indoors)["reservation"] == indoors.reservation()["id"]


def test_a_card_that_ends_a_charge_does_not_take_it_over(indoors: Indoors, modern) -> None:
    partner, location, station = modern
    other = indoors.partner(Party("DE", "TWO"))
    new(indoors, station, Phase.STARTED, 0, evse=1, connector=1, id_token=CARD)
    indoors.start(other, location, token=token_body(other.party, STRANGER.value, "RFID"))
    new(indoors, station, Phase.UPDATED, 1, id_token=STRANGER)
    assert session(indoors)["partner"] == partner.id


def test_a_stop_without_an_id_ends_the_only_transaction_and_no_other(indoors: Indoors) -> None:
    station = indoors.station(OLD)
    indoors.location(Spot(station, evse=None, connector=1, uid="E1"), Spot(station, evse=None, connector=2, uid="E2"))
    tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD)
    tell(indoors, station, Phase.STARTED, connector=2, id_token=CARD)
    assert tell(indoors, station, Phase.ENDED).transaction_id is None
    assert [row["state"] for row in indoors.rows("session")] == ["ACTIVE", "ACTIVE"]
    tell(indoors, station, Phase.ENDED, connector=2)
    assert [row["state"] for row in indoors.rows("session")] == ["ACTIVE", "COMPLETED"]
    tell(indoors, station, Phase.ENDED)
    assert [row["state"] for row in indoors.rows("session")] == ["COMPLETED", "COMPLETED"]


def test_what_was_never_begun_is_answered_and_forgotten(indoors: Indoors, brought) -> None:
    _, _, station = brought
    answer = tell(indoors, station, Phase.ENDED, "4711", id_token=CARD)
    assert (answer.transaction_id, answer.token.status) == (None, "Accepted")
    assert tell(indoors, station, Phase.UPDATED, "4711", meter_wh=1.0) == TransactionAnswer()
    assert charges(indoors) == []


def test_transaction_ids_are_ours_on_1_6_and_the_station_s_on_2(indoors: Indoors) -> None:
    old, new_ = indoors.station(OLD), indoors.station(NEW)
    ids = [tell(indoors, old, Phase.STARTED, connector=number, id_token=CARD).transaction_id for number in (1, 2, 3)]
    assert [int(one) for one in ids] == sorted({int(one) for one in ids})
    assert new(indoors, new_, Phase.STARTED, 0, evse=1).transaction_id == "TX"


# Whose it is


def test_a_session_is_its_command_s(indoors: Indoors, brought) -> None:
    partner, location, station = brought
    tell(indoors, station, Phase.STARTED, connector=1, id_token=IdToken(value="04aabbcc"))
    row = session(indoors)
    assert (row["partner"], row["from_country"], row["from_party"]) == (partner.id, "DE", "ONE")
    assert (row["cpo"], row["command"], row["authorization_reference"]) == (indoors.cpo.id, 1, "REF")
    assert row["cdr_token"] == {
        "country_code": "DE", "party_id": "ONE", "uid": CARD.value, "type": "RFID", "contract_id": "C-1",
    }  # fmt: skip
    assert indoors.rows("location", id=row["location"])[0]["location_id"] == location


def test_a_charge_of_somebody_whom_no_partner_sent_has_no_owner(indoors: Indoors, brought) -> None:
    partner, _, station = brought
    answer = tell(indoors, station, Phase.STARTED, connector=1, id_token=STRANGER, meter_wh=1.0)
    assert answer.transaction_id is not None  # it must be answered, whatever we think of it
    assert answer.token.status == "Invalid"
    row = session(indoors)
    assert (row["partner"], row["cpo"], row["cdr_token"], row["from_party"]) == (None, None, None, "")
    assert [one.status for one in page(indoors, partner.id)] == ["PENDING"]  # its own start still waits


def test_a_place_that_nobody_bound_is_not_available(indoors: Indoors) -> None:
    station = indoors.station(OLD)
    tell(indoors, station, Phase.STARTED, connector=9, id_token=STRANGER)
    row = session(indoors)
    assert (row["location"], row["evse_uid"], row["connector_id"]) == (None, "#NA", "#NA")


# Reservations


def reserved(indoors: Indoors, subprotocol: str = OLD, **changes):
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    indoors.reserve(partner, location, token=card(partner.party, **changes))
    return partner, location, station, indoors.next(station).order.number


def at_evse(subprotocol: str) -> dict:
    return {"connector": 1} if subprotocol == OLD else {"evse": 1, "connector": 1}


@pytest.mark.parametrize("subprotocol", [OLD, NEW])
@pytest.mark.parametrize("number", ["its own", None, 999_999])
def test_a_charge_uses_its_reservation_up_by_number_or_else_by_token(
    indoors: Indoors, subprotocol: str, number: object
) -> None:
    partner, _, station, own = reserved(indoors, subprotocol)
    named = own if number == "its own" else number
    transaction = None if subprotocol == OLD else "TX"
    place = at_evse(subprotocol) | ({} if subprotocol == OLD else {"seq": 0})
    tell(indoors, station, Phase.STARTED, transaction, id_token=CARD, reservation=named, **place)
    assert indoors.reservation()["state"] == "USED"
    assert (session(indoors)["reservation"], session(indoors)["partner"]) == (indoors.reservation()["id"], partner.id)


def test_another_card_of_the_group_uses_it_up_too(indoors: Indoors) -> None:
    partner, location, station, _ = reserved(indoors, group_id="Fleet")
    other = token_body(partner.party, STRANGER.value, "RFID", group_id="fleet")
    indoors.start(partner, location, token=other)
    indoors.next(station)
    tell(indoors, station, Phase.STARTED, connector=1, id_token=STRANGER)
    assert indoors.reservation()["state"] == "USED"
    assert session(indoors)["cdr_token"]["uid"] == STRANGER.value


@pytest.mark.parametrize(
    ("token", "place"), [(STRANGER, {"connector": 1}), (CARD, {"connector": 2}), (STRANGER, {"connector": 2})]
)
def test_a_stranger_or_another_connector_leaves_a_reservation_alone(
    indoors: Indoors, token: IdToken, place: dict
) -> None:
    _, _, station, _ = reserved(indoors)
    tell(indoors, station, Phase.STARTED, id_token=token, **place)
    assert indoors.reservation()["state"] == "ACTIVE"


def test_a_car_that_is_plugged_in_without_a_token_leaves_a_reservation_alone(indoors: Indoors) -> None:
    _, _, station, _ = reserved(indoors, NEW)
    new(indoors, station, Phase.STARTED, 0, evse=1, connector=1)
    new(indoors, station, Phase.ENDED, 1)
    assert indoors.reservation()["state"] == "ACTIVE"
    assert session(indoors)["partner"] is None


def test_a_reservation_of_the_whole_station_is_used_at_any_connector(indoors: Indoors) -> None:
    station = indoors.station(OLD)
    indoors.run(stations.change, station, abilities={"ReserveConnectorZeroSupported": "true"})
    spots = (Spot(station, evse=None, connector=1, uid="E1"), Spot(station, evse=None, connector=2, uid="E2"))
    partner, location = indoors.partner(), indoors.location(*spots)
    indoors.reserve(partner, location, token=card(partner.party), evse_uid=None)
    order = indoors.next(station).order
    assert (order.evse, order.connector) == (None, None)
    tell(indoors, station, Phase.STARTED, connector=2, id_token=CARD)
    assert indoors.reservation()["state"] == "USED"
    assert session(indoors)["evse_uid"] == "E2"


def test_an_offline_station_tells_late_that_a_reservation_was_used_in_time(indoors: Indoors) -> None:
    _, _, station, number = reserved(indoors)
    over = indoors.reservation()["expiry_date"]
    indoors.now = over + timedelta(hours=3)
    indoors.run(reservations.expire, indoors.rules, indoors.now)
    assert indoors.reservation()["state"] == "EXPIRED"
    [unused] = indoors.rows("session")
    assert (unused["state"], unused["end_date_time"]) == ("COMPLETED", over)
    tell(indoors, station, Phase.STARTED, at=START, connector=1, id_token=CARD, reservation=number)
    assert indoors.reservation()["state"] == "USED"
    assert (session(indoors)["start_date_time"], session(indoors)["id"]) == (START, unused["id"] + 1)
    assert indoors.rows("session", id=unused["id"]) == [unused]  # what is COMPLETED does not change


# What a token is told


def authorized(indoors: Indoors, station: str, token: IdToken = CARD) -> str:
    return indoors.run(authorization.authorize, station, token, indoors.now).status


def test_a_card_is_accepted_for_a_quarter_of_an_hour_where_its_command_was_for(indoors: Indoors, brought) -> None:
    _, _, station = brought
    indoors.pass_(minutes=14, seconds=59)
    assert authorized(indoors, station, IdToken(value="04aabbcc")) == "Accepted"
    assert authorized(indoors, indoors.station()) == "Invalid"
    indoors.pass_(seconds=1)
    assert authorized(indoors, station) == "Invalid"


def test_a_card_is_accepted_for_as_long_as_its_reservation_and_then_its_charge_last(indoors: Indoors) -> None:
    partner, _, station, number = reserved(indoors)
    indoors.pass_(minutes=40)
    assert authorized(indoors, station) == "Accepted"
    started = tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD, reservation=number)
    assert started.token.status == "Accepted"
    assert session(indoors)["partner"] == partner.id
    again = tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD, reservation=number)
    assert again == started
    tell(indoors, station, Phase.ENDED, started.transaction_id)
    assert authorized(indoors, station) == "Invalid"


def test_an_app_user_s_alias_is_accepted_for_good_and_names_its_group(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(OLD)
    indoors.start(partner, location, token=token_body(partner.party, group_id="Fleet"))
    order = indoors.next(station).order
    indoors.pass_(days=30)
    told = indoors.run(authorization.authorize, station, order.id_token, indoors.now)
    assert (told.status, told.group) == ("Accepted", IdToken(value=order.group.value))


# How it is told to eMSPs


def page(indoors: Indoors, partner: int, party: tuple[str, str] | None = None, **wanted) -> list[Session]:
    _, rows = indoors.run(
        sessions.page,
        partner,
        party,
        [indoors.cpo.id],
        Page(**{"date_from": None, "date_to": None, "offset": 0, "limit": 10} | wanted),
    )
    return [indoors.run(view, row) for row in rows]


@pytest.mark.parametrize("version", DIALECTS)
def test_a_session_is_told_in_each_version_s_words(indoors: Indoors, brought, version: str) -> None:
    partner, location, station = brought
    transaction = tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD, meter_wh=1000.0).transaction_id
    indoors.pass_(minutes=30)
    tell(indoors, station, Phase.ENDED, transaction, meter_wh=8345.0)
    [told] = page(indoors, partner.id, ("de", "one"))
    wire = DIALECTS[version].render_session(told)
    expected = {
        "country_code": "NL", "party_id": "CPO", "id": session(indoors)["session_id"], "kwh": 7.345,
        "start_date_time": "2026-03-01T12:00:00Z", "end_date_time": "2026-03-01T12:30:00Z", "auth_method": "COMMAND",
        "authorization_reference": "REF", "location_id": location, "evse_uid": "E1", "connector_id": "1",
        "currency": "EUR", "status": "COMPLETED", "last_updated": "2026-03-01T12:30:00Z",
    }  # fmt: skip
    assert {name: wire[name] for name in expected} == expected
    assert {"uid": CARD.value, "type": "RFID", "contract_id": "C-1"}.items() <= wire["cdr_token"].items()


def test_a_running_session_has_no_end_and_never_less_than_nothing(indoors: Indoors, brought) -> None:
    partner, _, station = brought
    tell(indoors, station, Phase.STARTED, connector=1, id_token=CARD)
    [told] = page(indoors, partner.id)
    assert (told.kwh, told.end_date_time, told.status) == (0.0, None, "ACTIVE")


def test_sessions_are_listed_to_their_party_alone(indoors: Indoors) -> None:
    hub, (location, station) = indoors.partner(Party("XX", "HUB"), role="HUB"), indoors.one_evse(OLD)
    one, two = Party("DE", "ONE"), Party("DE", "TWO")
    for party, uid in ((one, "04AA0001"), (two, "04AA0002"), (one, "04AA0003")):
        body = {"token": token_body(party, uid, "RFID"), "location_id": location, "evse_uid": "E1"}
        indoors.ask(hub, "START_SESSION", body, emsp=party)
        indoors.next(station)
        started = tell(indoors, station, Phase.STARTED, connector=1, id_token=IdToken(value=uid))
        tell(indoors, station, Phase.ENDED, started.transaction_id)
        indoors.pass_(minutes=1)
    assert [one.cdr_token.uid for one in page(indoors, hub.id, ("DE", "one"))] == ["04AA0001", "04AA0003"]
    assert [one.cdr_token.uid for one in page(indoors, hub.id, ("DE", "TWO"))] == ["04AA0002"]
    assert len(page(indoors, hub.id)) == 3
    since: datetime = START + timedelta(minutes=1)
    assert len(page(indoors, hub.id, date_from=since)) == 2
    assert len(page(indoors, hub.id, date_to=since)) == 1
    assert len(page(indoors, hub.id, offset=1, limit=1)) == 1
    assert page(indoors, hub.id + 1) == []


def test_a_card_that_two_emsps_bring_charges_for_the_one_whose_reservation_it_is(indoors: Indoors) -> None:
    station = indoors.station(NEW)
    location = indoors.location(Spot(station, 1, 1, uid="E1"), Spot(station, 2, 1, uid="E2"))
    one, other = indoors.partner(), indoors.partner(Party("NL", "OTH"))
    for partner, evse_uid in ((one, "E1"), (other, "E2")):
        indoors.reserve(partner, location, evse_uid=evse_uid, token=card(partner.party))
        indoors.next(station)
    for transaction, evse in (("TX-1", 1), ("TX-2", 2)):
        tell(indoors, station, Phase.STARTED, transaction, seq=0, evse=evse, connector=1, id_token=CARD)
    assert [row["partner"] for row in indoors.rows("session")] == [one.id, other.id]


def test_a_card_that_two_emsps_bring_charges_for_the_one_whose_start_it_is(indoors: Indoors) -> None:
    station = indoors.station(NEW)
    location = indoors.location(Spot(station, 1, 1, uid="E1"), Spot(station, 2, 1, uid="E2"))
    one, other = indoors.partner(), indoors.partner(Party("NL", "OTH"))
    started = []
    for partner, evse_uid in ((one, "E1"), (other, "E2")):
        indoors.start(partner, location, evse_uid=evse_uid, token=card(partner.party))
        started.append(indoors.next(station).order.remote_start_id)
    for transaction, remote_start_id in zip(("TX-1", "TX-2"), started, strict=True):
        told = {"evse": 1, "id_token": CARD, "remote_start_id": remote_start_id}
        tell(indoors, station, Phase.STARTED, transaction, seq=0, **told)
    assert [row["partner"] for row in indoors.rows("session")] == [one.id, other.id]


def test_a_long_charge_is_added_up_and_not_read_again_with_every_message(indoors: Indoors, modern) -> None:
    read: list[str] = []

    def hear(_cursor: sqlite3.Cursor, statement: str, _parameters: Any) -> None:
        if statement.startswith("SELECT transaction_event"):
            read.append(statement)

    _, _, station = modern
    new(indoors, station, Phase.STARTED, 0, evse=1, id_token=CARD, meter_wh=1000)
    overhear(indoors.engine, hear)
    for seq in range(1, 31):
        indoors.pass_(minutes=1)
        new(indoors, station, Phase.UPDATED, seq, meter_wh=1000 + 100 * seq)
    assert read == []
    assert indoors.rows("session")[0]["kwh"] == 3
    indoors.pass_(minutes=1)
    new(indoors, station, Phase.UPDATED, 32, meter_wh=4200)
    new(indoors, station, Phase.UPDATED, 31, meter_wh=4100)  # out of order: all of them are looked at
    assert len(read) == 1
    new(indoors, station, Phase.ENDED, 33, meter_wh=4300)
    [session] = indoors.rows("session")
    assert (session["state"], session["kwh"]) == ("COMPLETED", Decimal("3.3"))


def test_of_a_charge_without_end_only_so_many_messages_are_kept(indoors: Indoors, modern) -> None:
    _, _, station = modern
    new(indoors, station, Phase.STARTED, 0, evse=1, id_token=CARD, meter_wh=0)
    [session] = indoors.rows("session")
    nearly = session["tally"] | {"count": measuring.MOST_MESSAGES - 1}
    indoors.run(sessions.change, session["id"], indoors.now, tally=nearly)
    with capture_logs() as logged:
        for seq in range(1, 6):
            new(indoors, station, Phase.UPDATED, seq, meter_wh=seq)
    assert len(indoors.rows("transaction_event")) == 2
    assert [one["event"] for one in logged] == ["a transaction has as many messages as are kept"]
    new(indoors, station, Phase.ENDED, 6, meter_wh=6000)
    indoors.pass_(days=2)
    indoors.run(charging.close, indoors.rules, indoors.now)
    [session] = indoors.rows("session")
    assert (session["state"], session["kwh"]) == ("COMPLETED", 6)
