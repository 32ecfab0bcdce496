"""What partners see of EVSEs, and whether they are to hear of it, on either database."""

from datetime import timedelta
from typing import Any

import pytest

from gateway import evses, sight
from gateway import stations as story
from gateway.domain.evse_status import DECIDED, shown_status
from gateway.domain.offers import Way, offered
from gateway.location_pushes import MOST_EVSES, digest, steps
from gateway.store import announcements, client_infos, endpoints, locations, partners, pushes, rows, stations
from gateway.store import evses as store
from ocpi.headers import Party
from ocpi.hub_client_info import ClientInfo
from ocpi.locations import Status
from ocpi.paging import Page
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import StatusChanged
from tests.support.gateway import Spot
from tests.support.indoors import Indoors

ANYTHING = Page(None, None, 0, 100)


def tell(indoors: Indoors, station: str, status: str, evse: int | None = 1, connector: int = 1) -> None:
    event = StatusChanged(evse=evse, connector=connector, status=status, error="", at=indoors.now)
    indoors.run(story.status_changed, station, event, indoors.rules, indoors.now)


def shown(indoors: Indoors) -> list[str]:
    return [row["status"] for row in indoors.rows("evse")]


# The rule


@pytest.mark.parametrize(
    ("imported", "told", "known", "status"),
    [
        ("AVAILABLE", None, "", "AVAILABLE"),
        ("BLOCKED", None, "", "BLOCKED"),
        ("BLOCKED", "AVAILABLE", "", "AVAILABLE"),
        ("AVAILABLE", "AVAILABLE", "reserved", "RESERVED"),
        ("AVAILABLE", "RESERVED", "charging", "CHARGING"),
        ("AVAILABLE", "CHARGING", "reserved", "CHARGING"),
        ("AVAILABLE", "OUTOFORDER", "reserved charging", "OUTOFORDER"),
        ("AVAILABLE", "INOPERATIVE", "charging", "INOPERATIVE"),
        ("AVAILABLE", "AVAILABLE", "reserved charging", "CHARGING"),
        ("AVAILABLE", "OUTOFORDER", "offline", "UNKNOWN"),
        ("AVAILABLE", "CHARGING", "reserved charging offline", "UNKNOWN"),
        ("PLANNED", "AVAILABLE", "reserved", "PLANNED"),
        ("REMOVED", "CHARGING", "charging offline", "REMOVED"),
    ],
)
def test_the_least_available_of_what_is_known_is_shown(
    imported: str, told: str | None, known: str, status: str
) -> None:
    flags = {name: name in known.split() for name in ("reserved", "charging", "offline")}
    assert shown_status(Status(imported), Status(told) if told else None, **flags) == status


def test_every_status_can_be_compared_with_every_other() -> None:
    for imported in Status:
        for told in (None, *(one for one in Status if one not in DECIDED)):
            for reserved in (False, True):
                assert shown_status(imported, told, reserved=reserved, charging=not reserved, offline=False) in Status


WAY = Way(connector_key="", station_connector=1, refuses_reservations=False, starts_connectors=False)
ALL = ["RESERVABLE", "REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE", "RFID_READER"]


@pytest.mark.parametrize(
    ("ways", "missing"),
    [
        ([], {"RESERVABLE", "REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE"}),
        ([WAY], set()),
        ([{"refuses_reservations": True}], {"RESERVABLE"}),
        ([{"station_connector": None}], {"UNLOCK_CAPABLE"}),
        ([{"station_connector": None}, {"connector_key": "2", "station_connector": 2}], set()),
    ],
)
def test_what_is_offered_is_what_a_way_leads_to(ways: list[Any], missing: set[str]) -> None:
    made = [one if isinstance(one, Way) else Way(**(vars(WAY) | one)) for one in ways]
    assert set(offered(ALL, made)) == set(ALL) - missing


@pytest.mark.parametrize(
    ("keys", "connectors", "needed"),
    [(("1", "2"), (1, 2), True), (("1", "2"), (1, 1), False), (("1",), (1,), False), (("", "2"), (1, 2), False)],
)
def test_a_connector_is_needed_where_several_of_a_1_x_station_s_are_one_evse(
    keys: tuple[str, ...], connectors: tuple[int, ...], needed: bool
) -> None:
    for starts in (True, False):
        more = {"refuses_reservations": False, "starts_connectors": starts}
        ways = [Way(connector_key=k, station_connector=c, **more) for k, c in zip(keys, connectors, strict=True)]
        assert ("START_SESSION_CONNECTOR_REQUIRED" in offered(ALL, ways)) is (needed and starts)


# Followed


def test_what_happens_at_a_station_is_followed_once(anywhere: Indoors) -> None:
    _, station = anywhere.one_evse("ocpp2.0.1")
    anywhere.pass_(minutes=1)
    tell(anywhere, station, "Occupied")
    assert shown(anywhere) == ["CHARGING"]
    [row] = anywhere.rows("evse")
    assert row["last_updated"] == anywhere.now
    assert len(anywhere.rows("location_news")) == 1
    anywhere.pass_(minutes=1)
    tell(anywhere, station, "Occupied")
    assert anywhere.rows("evse")[0]["last_updated"] == row["last_updated"]
    assert len(anywhere.rows("location_news")) == 1


def test_what_another_process_has_changed_meanwhile_is_read_again(anywhere: Indoors) -> None:
    _, station = anywhere.one_evse("ocpp2.0.1")
    [seen] = anywhere.run(store.facts_at, station)
    tell(anywhere, station, "Occupied")
    assert anywhere.run(store.show, seen, "RESERVED", anywhere.now) is False
    assert shown(anywhere) == ["CHARGING"]


def test_a_reservation_of_no_evse_needs_what_is_left(anywhere: Indoors) -> None:
    partner, station = anywhere.partner(), anywhere.station("ocpp2.0.1")
    location = anywhere.location(Spot(station, 1, uid="E1"), Spot(station, 2, uid="E2"))
    anywhere.run(stations.change, station, abilities={"ReservationCtrlr.NonEvseSpecific": "true"})
    body = anywhere.reserve_body(partner, location)
    del body["evse_uid"]
    assert anywhere.ask(partner, "RESERVE_NOW", body).response == "ACCEPTED"
    anywhere.next(station)
    assert anywhere.reservation()["evse"] is None
    assert shown(anywhere) == ["AVAILABLE", "AVAILABLE"]
    tell(anywhere, station, "Occupied", evse=2)
    assert shown(anywhere) == ["RESERVED", "CHARGING"]
    anywhere.cancel(partner)
    anywhere.next(station)
    assert shown(anywhere) == ["AVAILABLE", "CHARGING"]


def test_a_station_that_is_gone_fades_and_comes_back(anywhere: Indoors) -> None:
    _, station = anywhere.one_evse("ocpp2.0.1")
    tell(anywhere, station, "Occupied")
    anywhere.run(story.disconnected, station, anywhere.rules, anywhere.now)
    anywhere.pass_(seconds=59)
    anywhere.run(evses.fade, anywhere.rules, anywhere.now)
    assert shown(anywhere) == ["CHARGING"]
    anywhere.pass_(seconds=1)
    anywhere.run(evses.fade, anywhere.rules, anywhere.now)
    assert shown(anywhere) == ["UNKNOWN"]
    anywhere.run(evses.fade, anywhere.rules, anywhere.now)
    assert len(anywhere.rows("location_news")) == 2
    anywhere.run(story.connected, station, "ocpp2.0.1", anywhere.rules, anywhere.now)
    assert shown(anywhere) == ["CHARGING"]


def test_what_a_station_says_of_itself_is_what_its_evses_offer(anywhere: Indoors) -> None:
    _, station = anywhere.one_evse("ocpp2.0.1")
    for value, there in (("false", False), ("true", True)):
        answer = Answer(ending=Ending.RESULT, abilities={"ReservationCtrlr.Enabled": value})
        anywhere.run(story.told_abilities, station, answer, anywhere.now)
        assert ("RESERVABLE" in anywhere.rows("evse")[0]["offered"]) is there
    assert len(anywhere.rows("location_news")) == 2
    anywhere.run(story.told_abilities, station, answer, anywhere.now)
    assert len(anywhere.rows("location_news")) == 2


# Told


def test_what_is_new_is_owed_to_all_who_see_it_and_to_nobody_twice(anywhere: Indoors) -> None:
    (first, station), (second, _) = anywhere.one_evse("ocpp2.0.1"), anywhere.one_evse("ocpp2.0.1")
    pks = {row["location_id"]: row["id"] for row in anywhere.rows("location")}
    everything, one, other, deaf, gone = (anywhere.partner() for _ in range(5))
    for partner in (everything, one, other, gone):
        anywhere.run(endpoints.put, partner.id, "locations", "RECEIVER", "https://p.example/locations")
    anywhere.run(sight.show_only, one, [(anywhere.cpo.id, pks[first])], anywhere.now)
    anywhere.run(sight.show_only, other, [(anywhere.cpo.id, pks[second])], anywhere.now)
    anywhere.run(lambda db: partners.change(db, gone.id, state="SUSPENDED"))
    anywhere.run(lambda db: db.execute(rows.push.delete()))
    for _ in range(2):
        tell(anywhere, station, "Occupied")
        tell(anywhere, station, "Available")
        with anywhere.db() as db:
            announcements.announce(db, store.take_news(db), anywhere.now)
    owed = {(row["partner"], row["object"]): row for row in anywhere.rows("push")}
    assert set(owed) == {(everything.id, pks[first]), (one.id, pks[first])}
    assert {row["revision"] for row in owed.values()} == {2}
    assert {row["module"] for row in owed.values()} == {"locations"}
    assert anywhere.rows("location_news") == []
    [due] = anywhere.run(pushes.take_due, one.id, anywhere.now, timedelta(seconds=5), 16)
    assert (due.from_party, due.to_party, due.is_hub) == (("NL", "CPO"), ("DE", "ONE"), False)
    assert deaf.id not in {partner for partner, _ in owed}


def test_who_sees_what(anywhere: Indoors) -> None:
    places = [anywhere.one_evse("ocpp2.0.1")[0] for _ in range(3)]
    pks = {row["location_id"]: row["id"] for row in anywhere.rows("location")}
    second = anywhere.run(partners.add_cpo, Party("BE", "CP2"), "Another")
    partner = anywhere.partner()

    def seen() -> list[str]:
        now = anywhere.run(partners.by_id, partner.id)
        total, found = anywhere.run(locations.page, now, [anywhere.cpo.id, second], ANYTHING)
        assert total == len(found)
        for place, pk in pks.items():
            assert anywhere.run(locations.sees, now, pk) is (place in {one.row["location_id"] for one in found})
        return [one.row["location_id"] for one in found]

    assert seen() == places
    anywhere.run(sight.show_only, partner, [(anywhere.cpo.id, pks[places[1]]), (second, None)], anywhere.now)
    assert seen() == places[1:2]
    assert anywhere.run(locations.cpos_seen, partner.id) == {anywhere.cpo.id, second}
    anywhere.run(sight.show_only, partner, [(anywhere.cpo.id, None)] * 2, anywhere.now)
    assert seen() == places
    anywhere.run(sight.show_only, partner, [(second, None)], anywhere.now)
    assert seen() == []
    anywhere.run(sight.show_everything, partner, anywhere.now)
    assert seen() == places


def test_of_a_party_the_hub_s_newest_word_counts_on_either_database(anywhere: Indoors) -> None:
    hub = anywhere.partner(role="HUB", open_parties=False)
    anna = Party("DE", "ANN")

    def put(status: str, updated: str, role: str = "EMSP") -> bool:
        told = {"country_code": "de", "party_id": "ann", "role": role, "status": status, "last_updated": updated}
        return bool(anywhere.run(client_infos.put, hub.id, ClientInfo.model_validate(told), anywhere.now))

    def away() -> str:
        return str(anywhere.run(client_infos.away, hub.id, anna))

    assert (away(), anywhere.run(partners.parties, hub.id, anna)) == ("", [])
    assert put("OFFLINE", "2026-01-01T00:00:02Z")
    assert away() == "The hub says that DE*ANN is OFFLINE."
    assert anywhere.run(partners.parties, hub.id, anna) == [anna]
    assert not put("CONNECTED", "2026-01-01T00:00:01Z")
    anywhere.pass_(seconds=1)
    assert anywhere.run(client_infos.heard, hub.id, anna, anywhere.now)
    assert not anywhere.run(client_infos.heard, hub.id, anna, anywhere.now)
    assert away() == ""
    anywhere.pass_(seconds=1)
    assert put("OFFLINE", "2026-01-01T00:00:02Z")  # the same again, as in a list that is pulled
    assert away() == ""
    assert put("OFFLINE", "2026-01-01T00:00:03Z")
    assert away() != ""
    assert put("CONNECTED", "2026-01-01T00:00:03Z", role="CPO")  # in another role it may be there
    assert away() != ""
    assert put("SUSPENDED", "2026-01-01T00:00:04Z")
    assert not anywhere.run(client_infos.heard, hub.id, anna, anywhere.now)
    assert anywhere.run(partners.parties, hub.id, anna) == [anna]  # as CPO
    assert put("SUSPENDED", "2026-01-01T00:00:04Z", role="CPO")
    assert anywhere.run(partners.parties, hub.id, anna) == []


# Which messages


def place(**evses: str) -> dict[str, Any]:
    return {
        "id": "L",
        "name": "A place",
        "evses": [{"uid": uid, "status": status, "last_updated": "t1"} for uid, status in evses.items()],
        "last_updated": "t1",
    }


def said(before: dict[str, Any] | None, now: dict[str, Any]) -> list[tuple[str, str | None]]:
    has, made = None if before is None else digest(before), list(steps(None if before is None else digest(before), now))
    if made:
        assert made[-1].has == digest(now)
    else:
        assert has == digest(now)
    return [(one.method, one.evse_uid) for one in made]


def test_only_what_has_changed_is_told() -> None:
    before = place(E1="AVAILABLE", E2="AVAILABLE")
    assert said(None, before) == [("PUT", None)]
    assert said(before, before) == []
    assert said(before, before | {"last_updated": "t2"}) == []
    assert said(before, place(E1="AVAILABLE", E2="CHARGING")) == [("PATCH", "E2")]
    assert said(before, place(E1="RESERVED", E2="CHARGING")) == [("PATCH", "E1"), ("PATCH", "E2")]
    assert said(before, before | {"name": "Another"}) == [("PUT", None)]
    assert said(before, place(E1="AVAILABLE", E2="AVAILABLE", E3="PLANNED")) == [("PUT", "E3")]
    other = place(E1="AVAILABLE", E2="AVAILABLE")
    other["evses"][1]["physical_reference"] = "7"
    assert said(before, other) == [("PUT", "E2")]
    assert said(before, place(E1="AVAILABLE")) == [("PUT", None)]  # one that this version has no word for any more
    many = {f"E{number}": "AVAILABLE" for number in range(MOST_EVSES + 1)}
    assert said(place(**many), place(**dict.fromkeys(many, "CHARGING"))) == [("PUT", None)]
    [step] = steps(digest(before), place(E1="AVAILABLE", E2="CHARGING"))
    assert step.body == {"status": "CHARGING", "last_updated": "t1"}
