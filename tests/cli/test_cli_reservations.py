"""`reservations` and `stations set` where no gateway runs: what is known is shown, what cannot be done is said."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.house import utc_now
from gateway.store import bindings, reservations, stations
from tests.cli.conftest import Operator, application

WORDS = ("--location", "LOC-1", "--token", "STAFF-1", "--until", "PT1H")


def reserved(db: Connection, partner: int | None, **changes: Any) -> None:
    now = utc_now()
    [location] = bindings.locations_named(db, "LOC-1")
    row = {
        "number": 7,
        "partner": partner,
        "party_key": "de*ems",
        "reservation_id": "R-1",
        "reservation_key": "r-1",
        "location": location,
        "station": "CS-1",
        "station_evse": 1,
        "id_token": "DRIVER",
        "id_token_type": "Central",
        "group_id_token": "FLEET",
        "group_id_token_type": "Central",
        "expiry_date": now + timedelta(hours=1),
        "state": "ACTIVE",
        "superseded": False,
        "created_at": now,
        "updated_at": now,
    }
    reservations.add(db, row | changes)


@pytest.fixture
def house(cpo: Operator, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Operator:
    """A file imported; an eMSP's reservation of an EVSE, and the CPO's own of any with a type of connector."""
    monkeypatch.setenv("GATEWAY_STATION_TIMEOUT", "0.2")
    assert cpo.imports(whole).exit_code == 0
    cpo.adds_partner("Emsp")
    cpo.database(lambda db: reserved(db, 1))
    own = {"number": 8, "reservation_id": "cpo-8", "reservation_key": "cpo-8", "party_key": "", "station_evse": None}
    cpo.database(lambda db: reserved(db, None, connector_type="sType2", id_token="STAFF", **own))
    return cpo


def connect(db: Connection, station: str, subprotocol: str) -> None:
    stations.change(db, station, subprotocol=subprotocol, connected_at=utc_now(), abilities={})


def test_reservations_are_listed_with_what_they_hold_up(house: Operator) -> None:
    own, emsps = house.sees("reservations", "list")
    assert (own["number"], own["partner"], own["connector_type"], own["holds_up"]) == (8, None, "sType2", [2])
    assert (emsps["number"], emsps["partner"]["name"], emsps["holds_up"]) == (7, "Emsp", [1])
    text = house.does("reservations", "list")
    assert "the CPO" in text
    assert "LOC-1/sType2" in text
    assert house.sees("reservations", "list", "--station", "CS-16") == []
    assert house.sees("reservations", "list", "--state", "used") == []
    assert "the newest 1" in house("reservations", "list", "--limit", "1").stderr


def test_a_reservation_is_shown(house: Operator) -> None:
    [shown] = house.sees("reservations", "show", "7")
    assert (shown["reservation_id"], shown["state"], shown["group_id_token"]) == ("R-1", "ACTIVE", "FLEET")
    text = house.does("reservations", "show", "7")
    assert "Reservation 7 at CS-1" in text
    assert "DRIVER (Central)" in text
    assert house.hears("reservations", "show", "99") == "There is no reservation 99.\n"
    assert house("reservations", "show", "-7").exit_code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--evse", "1"), "ReservedForOtherTokenAndHasParentToken"),
        (("--evse", "1", "--token", "driver"), "ReservedForToken"),
        (("--evse", "1", "--token", "X", "--group", "fleet"), "ReservedForToken"),
        (("--evse", "1", "--token", "X", "--group", "other"), "ReservedForOtherToken"),
        (("--evse", "9"), "NotReserved"),
        (("--connector-type", "sType2", "--token", "STAFF"), "ReservedForToken"),
    ],
)
def test_who_may_use_it_is_said_in_the_stations_word(house: Operator, words: tuple[str, ...], says: str) -> None:
    assert house.does("reservations", "check", "CS-1", *words) == f"{says}\n"
    assert house.sees("reservations", "check", "CS-1", *words) == {"status": says, "held_up": [2]}
    assert house.hears("reservations", "check", "nobody") == "There is no station 'nobody'.\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--location", "LOC-9"), "There is no location 'LOC-9'."),
        (("--evse", "E-9"), "There is no EVSE 'E-9' at location 'LOC-1'."),
        (("--evse", "E-1"), "The charging station is offline."),
        (("--evse", "E-1", "--connector-type", "cCCS2"), "not of both"),
        (("--until", "tomorrow"), "--until is a time as in 2026-01-31T12:00:00Z"),
        (("--until", "2020-01-01T00:00:00Z"), "A reservation lasts from 60 to 86400 seconds."),
    ],
)
def test_what_cannot_be_reserved_is_a_sentence(house: Operator, words: tuple[str, ...], why: str) -> None:
    assert why in house.hears("reservations", "make", *WORDS, *words)


def test_where_nothing_runs_it_is_said_in_the_time_a_station_has(house: Operator) -> None:
    assert house.hears("stations", "set", "nobody", "A.B", "1") == "There is no station 'nobody'.\n"
    assert house.hears("stations", "set", "CS-1", "A.B", "1") == "Charging station CS-1 is offline.\n"
    house.database(lambda db: connect(db, "CS-1", "ocpp2.0.1"))
    set_ = house("stations", "set", "CS-1", "A.B", "1")
    assert (set_.exit_code, set_.stdout) == (1, "No gateway is running that could ask CS-1.\n")
    made = house("reservations", "make", *WORDS)
    assert made.exit_code == 1
    assert "No gateway is running that could ask CS-1. Reservation 1 is REFUSED." in made.stdout
    cancelled = house.does("reservations", "cancel", "7", "--reason", "Closed.")
    assert "Reservation 7 is UNKNOWN: the station is asked again" in cancelled
    assert [one["result"] for one in house.sees("commands", "list")] == ["FAILED"] * 3


@pytest.mark.parametrize("reason", ["", "two\nlines", "Stra\udcdfe", "x" * 513])
def test_what_cannot_be_told_to_an_owner_is_no_reason(house: Operator, reason: str) -> None:
    assert "A reason is" in house.hears("reservations", "cancel", "7", "--reason", reason)
    assert house.sees("reservations", "show", "7")[0]["state"] == "ACTIVE"


def test_what_is_no_text_is_set_nowhere(house: Operator) -> None:
    house.database(lambda db: connect(db, "CS-1", "ocpp2.0.1"))
    assert house.hears("stations", "set", "CS-1", "A.B", "\udcdf") == "What was given is no text that can be kept.\n"
    assert house.sees("commands", "list") == []


def test_reservations_on_either_database(database_url: str, tmp_path: Path, whole: dict[str, Any]) -> None:
    operator = Operator(url=database_url, data=tmp_path / "data", app=application())
    operator.does("cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Our CPO")
    assert operator.imports(whole).exit_code == 0
    operator.database(lambda db: reserved(db, None))
    assert operator.sees("reservations", "list")[0]["number"] == 7
    assert operator.sees("reservations", "check", "CS-1", "--evse", "1")["held_up"] == []
    assert "over" not in operator.does("reservations", "show", "7")
