"""Locations as partners are told them: mod_locations §Flow, §Sender, §Capability, and §Pagination of their list."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.store import rows
from tests.conformance.places import every_ocpp, operator, says, shown
from tests.journeys.test_hard_cases import a_station, spot
from tests.support.gateway import ALL, Gateway, Spot, eventually, location_body
from tests.support.scene import scene, willing
from tests.support.station import ScriptedStation, token_in

versions = pytest.mark.parametrize("version", ["2.2", "2.2.1"])
PLACE = "/ocpi/cpo/{version}/locations/{location}"


async def imported(gateway: Gateway, tmp_path: Path, *locations: dict, **more) -> list[dict]:
    """What an import has changed."""
    file = tmp_path / "import.json"
    file.write_text(json.dumps({"locations": locations} | more))
    return (await operator(gateway, "locations", "import", str(file)))["changes"]


async def sees_only(gateway: Gateway, emsp, *locations: str) -> None:
    words = [word for one in locations for word in ("--location", one)]
    shown_ = await operator(gateway, "locations", "show-to", str(emsp.partner_id), *words)
    assert [one["location"] for one in shown_["sees"]] == list(locations)


# What is pushed


@every_ocpp
async def test_rule_221_a_status_is_patched_with_the_moment_of_its_change(hasty: Gateway, ocpp: str):
    name = hasty.station_name()
    location = hasty.location(spot(name, ocpp))
    async with hasty.emsp() as emsp, a_station(hasty, name, ocpp) as station:
        hasty.shows(emsp, location)
        await station.tell_status("Unavailable")
        before = await emsp.evse_becomes(location, "INOPERATIVE")
        await station.tell_status("Available")
        await emsp.evse_becomes(location, "AVAILABLE")
        [patch] = [one for one in emsp.place_pushes if one.method == "PATCH"]
        assert patch.path == f"/ocpi/emsp/2.2.1/locations/NL/CPO/{location}/E1"
        assert patch.json.keys() == {"status", "last_updated"}
        assert patch.json["last_updated"] >= before["last_updated"]


@every_ocpp
async def test_an_evse_is_reserved_and_in_use_for_whoever_looks(hasty: Gateway, ocpp: str):
    """§4.4: reserved after RESERVE_NOW, free after its end, in use from the start."""
    name = hasty.station_name()
    location = hasty.location(spot(name, ocpp))
    async with hasty.emsp() as emsp, hasty.emsp() as other, a_station(hasty, name, ocpp) as station:
        seen = []

        async def look() -> None:
            [pulled] = [one for one in await other.locations() if one["id"] == location]
            seen.append(pulled["evses"][0]["status"])

        await look()
        assert await emsp.result(await emsp.reserve(location)) == "ACCEPTED"
        await look()
        assert await emsp.result(await emsp.cancel()) == "ACCEPTED"
        await look()
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        transaction = await station.begin(token_in(await station.asked_for("START_SESSION")))
        await look()
        await station.end(transaction)
        await look()
        assert seen == ["AVAILABLE", "RESERVED", "AVAILABLE", "CHARGING", "AVAILABLE"]


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
async def test_a_reservation_of_any_evse_takes_the_last_that_is_free(hasty: Gateway, ocpp: str):
    name = hasty.station_name()
    location = hasty.location(spot(name, ocpp), spot(name, ocpp, 2))
    script = says(ocpp, "NonEvseSpecific", "true")
    async with hasty.emsp() as emsp, a_station(hasty, name, ocpp, script) as station:
        await eventually(lambda: hasty.rows("station", id=name)[0]["abilities"])
        assert await emsp.result(await emsp.reserve(location, None)) == "ACCEPTED"
        assert shown(hasty, location) == {"E1": "AVAILABLE", "E2": "AVAILABLE"}  # it may be either
        await station.tell_status("Occupied", evse=1)
        assert shown(hasty, location) == {"E1": "CHARGING", "E2": "RESERVED"}
        await station.tell_status("Available", evse=1)
        assert shown(hasty, location) == {"E1": "AVAILABLE", "E2": "AVAILABLE"}


# What is told of changes


@versions
async def test_rule_222_what_is_new_of_a_part_is_new_of_all_that_it_is_in(hasty: Gateway, tmp_path: Path, version: str):
    hasty.cpo()
    location = f"{hasty.station_name()}-LOC"[:36]
    spots = (Spot(None, uid="E1", connectors=("1", "2")), Spot(None, uid="E2"))
    await imported(hasty, tmp_path, location_body(location, spots))
    _age(hasty, location)
    async with hasty.emsp() as emsp:
        await sees_only(hasty, emsp, location)
        since = f"/ocpi/cpo/{version}/locations?date_from={datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        assert (await emsp.get(since)).json["data"] == []
        body = location_body(location, spots)
        body["evses"][0]["connectors"][1]["max_amperage"] = 16
        assert [one["name"] for one in await imported(hasty, tmp_path, body)] == [f"NL*CPO {location}/E1"]
        [found] = (await emsp.get(since)).json["data"]
        moments = [found["last_updated"], found["evses"][0]["last_updated"]]
        moments.append(found["evses"][0]["connectors"][1]["last_updated"])
        assert len(set(moments)) == 1
        # The others are as old as they were.
        assert found["evses"][0]["connectors"][0]["last_updated"] < moments[0]
        assert found["evses"][1]["last_updated"] < moments[0]


def _age(gateway: Gateway, location: str) -> None:
    """As if it had been imported long ago."""
    [row] = gateway.rows("location", location_id=location)
    old = datetime(2026, 1, 1, tzinfo=UTC)
    body = row["body"] | {"last_updated": "2026-01-01T00:00:00Z"}
    for evse in body["evses"]:
        evse["last_updated"] = body["last_updated"]
        for connector in evse["connectors"]:
            connector["last_updated"] = body["last_updated"]
    with gateway.database() as db:
        db.execute(rows.location.update().where(rows.location.c.id == row["id"]).values(body=body, last_updated=old))
        db.execute(rows.evse.update().where(rows.evse.c.location == row["id"]).values(last_updated=old))


async def test_rule_222_a_status_is_news_of_the_location(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"), spot(name, "2.0.1", 2))
    async with hasty.emsp() as emsp, a_station(hasty, name, "2.0.1") as station:
        hasty.shows(emsp, location)
        await station.tell_status("Faulted", evse=2)
        [found] = await emsp.locations()
        assert found["last_updated"] == found["evses"][1]["last_updated"] > found["evses"][0]["last_updated"]


@versions
async def test_rule_223_an_evse_that_is_gone_is_removed_and_stays(hasty: Gateway, tmp_path: Path, version: str):
    hasty.cpo()
    location = f"{hasty.station_name()}-LOC"[:36]
    spots = (Spot(None, uid="E1"), Spot(None, uid="E2"))
    await imported(hasty, tmp_path, location_body(location, spots))
    async with hasty.emsp(version=version) as emsp:
        hasty.shows(emsp, location, version=version)
        await imported(hasty, tmp_path, location_body(location, spots) | {"name": "The square"})
        await eventually(lambda: emsp.places_pushed.get(location, {}).get("name") == "The square")
        await imported(hasty, tmp_path, location_body(location, spots[:1]) | {"name": "The square"})
        gone = await emsp.evse_becomes(location, "REMOVED", "E2")
        # Nobody deletes anything, and a status is all that is told.
        assert [one.method for one in emsp.place_pushes if one.path.endswith("/E2")] == ["PATCH"]
        [pulled] = await emsp.locations(version)
        assert [(one["uid"], one["status"]) for one in pulled["evses"]] == [("E1", "AVAILABLE"), ("E2", "REMOVED")]
        assert pulled["evses"][1] == gone
        path = PLACE.format(version=version, location=location)
        assert (await emsp.get(f"{path}/E2")).json["data"]["status"] == "REMOVED"
        told = await emsp.unlock(location, "E2", version=version)
        assert (told.code, told.result) == (2003, "REJECTED")


# What an EVSE is told to be able to


async def test_rule_224_where_a_1_6_station_has_several_connectors_the_one_must_be_named(
    hasty: Gateway, tmp_path: Path
):
    hasty.cpo()
    name, location = hasty.station_name(), f"{hasty.station_name()}-LOC"[:36]
    body = location_body(location, (Spot(name, None, 1, uid="E1", connectors=("1", "2")),))
    binding = {"location_id": location, "evse_uid": "E1", "station": name}
    await imported(
        hasty,
        tmp_path,
        body,
        stations=[{"id": name, "security_profile": 0}],
        bindings=[binding | {"connector_id": one, "connector": int(one)} for one in ("1", "2")],
    )
    async with hasty.emsp() as emsp, ScriptedStation(hasty.ocpp, name, "1.6", willing("1.6")) as station:
        path = PLACE.format(version="2.2.1", location=location)
        told = (await emsp.get(f"{path}/E1")).json["data"]["capabilities"]
        assert told == [*ALL, "START_SESSION_CONNECTOR_REQUIRED"]
        refused = await emsp.start_session(location)
        assert (refused.code, refused.result) == (2002, "REJECTED")
        taken = await emsp.start_session(location, body={"connector_id": "2"})
        assert await emsp.result(taken) == "ACCEPTED"
        assert station.all_asked("RemoteStartTransaction") == [
            {"connectorId": 2, "idTag": token_in(station.all_asked("RemoteStartTransaction")[0])}
        ]
        # 2.2 has no word for the connector, so that no start can be asked for.
        path = PLACE.format(version="2.2", location=location)
        told = (await emsp.get(f"{path}/E1")).json["data"]["capabilities"]
        assert told == ["RESERVABLE", "UNLOCK_CAPABLE"]
        refused = await emsp.start_session(location, version="2.2")
        assert (refused.code, refused.result) == (2002, "REJECTED")


#: A capability, and how it is asked for.
ASKED = {
    "RESERVABLE": lambda emsp, location: emsp.reserve(location),
    "REMOTE_START_STOP_CAPABLE": lambda emsp, location: emsp.start_session(location),
    "UNLOCK_CAPABLE": lambda emsp, location: emsp.unlock(location),
}


async def told_and_taken(place) -> tuple[set[str], set[str]]:
    """(the capabilities that the eMSP is told, those whose commands are taken on)."""
    path = PLACE.format(version="2.2.1", location=place.location)
    told = set((await place.emsp.get(f"{path}/E1")).json["data"].get("capabilities", []))
    taken = set()
    for capability, ask in ASKED.items():
        answer = await ask(place.emsp, place.location)
        assert answer.result in ("ACCEPTED", "NOT_SUPPORTED"), answer.json
        if answer.result == "ACCEPTED":
            await place.emsp.result(answer)
            taken.add(capability)
    return told & set(ASKED), taken


@pytest.mark.parametrize("capabilities", [ALL, ALL[:1], ALL[1:2], ALL[2:], ()], ids="+".join)
async def test_rule_225_what_is_told_is_what_is_taken_on(gateway: Gateway, capabilities: tuple[str, ...]):
    async with scene(gateway, Spot(None, capabilities=capabilities)) as place:
        assert await told_and_taken(place) == (set(capabilities), set(capabilities))


@pytest.mark.parametrize(
    ("ocpp", "name", "value"), [("1.6", "SupportedFeatureProfiles", "Core"), ("2.0.1", "Enabled", "false")]
)
async def test_rule_225_a_station_that_takes_no_reservations_is_not_told_to(
    hasty: Gateway, ocpp: str, name: str, value: str
):
    async with scene(hasty, Spot(None), ocpp=ocpp, script=says(ocpp, name, value)) as place:
        hasty.shows(place.emsp, place.location)
        await eventually(lambda: hasty.rows("station", id=place.station.id)[0]["abilities"])
        expected = {"REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE"}
        assert await told_and_taken(place) == (expected, expected)
        # And who wants to hear of Locations hears of it.
        await eventually(lambda: place.location in place.emsp.places_pushed)
        await eventually(
            lambda: "RESERVABLE" not in place.emsp.places_pushed[place.location]["evses"][0]["capabilities"]
        )
        place.emsp.pushes_are_right()


async def test_rule_225_an_unlock_is_told_of_where_it_is_open_to_the_partner(gateway: Gateway):
    async with scene(gateway, Spot(None), allow_unlock=False) as place:
        expected = {"RESERVABLE", "REMOTE_START_STOP_CAPABLE"}
        assert await told_and_taken(place) == (expected, expected)


async def test_rule_225_what_cannot_be_reached_can_be_asked_for_nothing(hasty: Gateway, tmp_path: Path):
    hasty.cpo()
    location = f"{hasty.station_name()}-LOC"[:36]
    await imported(hasty, tmp_path, location_body(location, (Spot(None),)))
    async with hasty.emsp() as emsp:
        told = (await emsp.get(PLACE.format(version="2.2.1", location=location) + "/E1")).json["data"]
        assert told.get("capabilities", []) == []
        for ask in ASKED.values():
            assert (await ask(emsp, location)).result == "NOT_SUPPORTED"


async def test_rule_225_nobody_is_told_that_a_charge_can_be_steered(gateway: Gateway, tmp_path: Path):
    gateway.cpo()
    location = f"{gateway.station_name()}-LOC"[:36]
    steered = ("CHARGING_PROFILE_CAPABLE", "CHARGING_PREFERENCES_CAPABLE", "RFID_READER")
    await imported(gateway, tmp_path, location_body(location, (Spot(None, capabilities=steered),)))
    async with gateway.emsp() as emsp:
        told = (await emsp.get(PLACE.format(version="2.2.1", location=location) + "/E1")).json["data"]
        assert told["capabilities"] == ["RFID_READER"]


# The list and its objects


@versions
async def test_rule_17_rule_18_rule_21_rule_22_rule_23_locations_are_listed_page_by_page(hasty: Gateway, version: str):
    locations = [hasty.location(Spot(None)) for _ in range(5)]
    path = f"/ocpi/cpo/{version}/locations"
    async with hasty.emsp() as emsp:
        hasty.shows(emsp, *locations)
        assert [one["id"] for one in await emsp.locations(version)] == locations
        first = await emsp.get(f"{path}?limit=2&date_from=2020-01-01T00:00:00Z")
        assert [one["id"] for one in first.json["data"]] == locations[:2]
        assert (first.headers["X-Total-Count"], first.headers["X-Limit"]) == ("5", "100")
        link = first.headers["Link"].partition(">")[0].removeprefix(f"<{emsp.api}")
        assert "date_from=2020" in link
        second = await emsp.get(link)
        assert [one["id"] for one in second.json["data"]] == locations[2:4]
        last = await emsp.get(f"{path}?offset=4")
        assert ([one["id"] for one in last.json["data"]], "Link" in last.headers) == (locations[4:], False)
        # From that moment on, and not to it.
        moment = (await emsp.get(path)).json["data"][0]["last_updated"]
        assert (await emsp.get(f"{path}?date_to={moment}")).json["data"] == []
        assert len((await emsp.get(f"{path}?date_from={moment}")).json["data"]) == 5
        for wrong in ("limit=0", "offset=x", "date_from=yesterday"):
            assert (await emsp.get(f"{path}?{wrong}")).code == 2001


@versions
async def test_rule_56_a_location_an_evse_and_a_connector_are_shown_and_what_is_none_is_404(
    hasty: Gateway, version: str
):
    location = hasty.location(Spot(None, connectors=("1", "2")))
    path = PLACE.format(version=version, location=location)
    async with hasty.emsp() as emsp:
        whole = (await emsp.get(path)).json["data"]
        assert (await emsp.get(f"{path}/E1")).json["data"] == whole["evses"][0]
        assert (await emsp.get(f"{path}/e1/2")).json["data"] == whole["evses"][0]["connectors"][1]
        for none in (path + "-404", f"{path}/E9", f"{path}/E1/3", f"{path}/E9/1"):
            told = await emsp.get(none)
            assert (told.http, told.code) == (404, 2000)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await emsp.ask(method, path, {})).http == 405


async def test_an_id_may_have_whatever_a_url_has_to_write_otherwise(hasty: Gateway):
    location = hasty.location(Spot(None, uid="E/1 %2F?"), id=f"{hasty.station_name()[-20:]}/A B+%")
    path = PLACE.format(version="2.2.1", location=quote(location, safe=""))
    async with hasty.emsp() as emsp:
        whole = (await emsp.get(path)).json["data"]
        assert (whole["id"], whole["evses"][0]["uid"]) == (location, "E/1 %2F?")
        assert (await emsp.get(f"{path}/E%2F1%20%252F%3F")).json["data"] == whole["evses"][0]
        assert (await emsp.get(f"{path}/E%2f1%20%252F%3F/1/")).json["data"] == whole["evses"][0]["connectors"][0]
        for none in (path.replace("%2F", "/"), f"{path}/E%2F1", f"{path}/E%2F1%20%252F%3F/1/1"):
            assert (await emsp.get(none)).http == 404


@versions
async def test_a_partner_is_told_a_location_in_the_words_of_its_version(hasty: Gateway, tmp_path: Path, version: str):
    hasty.cpo()
    location = f"{hasty.station_name()}-LOC"[:36]
    body = location_body(location, (Spot(None, uid="E1", connectors=("1", "2")), Spot(None, uid="E2")))
    body |= {
        "address": "A street with a name that is longer than forty-five letters 1",
        "state": "Noord-Holland en meer",
    }
    body["evses"][0]["connectors"][0]["standard"] = body["evses"][1]["connectors"][0]["standard"] = "NEMA_14_50"
    body["evses"][0]["connectors"][1]["power_type"] = "AC_2_PHASE"
    await imported(hasty, tmp_path, body)
    async with hasty.emsp(version=version) as emsp:
        hasty.shows(emsp, location, version=version)
        await imported(hasty, tmp_path, body | {"name": "New"})
        await eventually(lambda: emsp.places_pushed.get(location, {}).get("name") == "New")
        [pulled] = await emsp.locations(version)
        assert emsp.places_pushed[location] == pulled
        plugs = [[one["standard"] for one in evse["connectors"]] for evse in pulled["evses"]]
        if version == "2.2":
            assert (len(pulled["address"]), len(pulled["state"])) == (45, 20)
            assert plugs == [["IEC_62196_T2"]]  # it has no word for the others
            assert pulled["evses"][0]["connectors"][0]["power_type"] == "AC_1_PHASE"
        else:
            assert pulled["address"] == body["address"]
            assert plugs == [["NEMA_14_50", "IEC_62196_T2"], ["NEMA_14_50"]]


async def test_a_location_that_is_not_published_says_for_whom_it_is(hasty: Gateway, tmp_path: Path):
    """Who may show it to whom is said in it; that binds whoever shows it (mod_locations §Location)."""
    hasty.cpo()
    location = f"{hasty.station_name()}-LOC"[:36]
    body = location_body(location, (Spot(None),)) | {
        "publish": False,
        "publish_allowed_to": [{"group_id": "FLEET-1"}, {"visual_number": "V-1", "issuer": "An eMSP"}],
    }
    await imported(hasty, tmp_path, body)
    async with hasty.emsp() as emsp:
        told = (await emsp.get(PLACE.format(version="2.2.1", location=location))).json["data"]
        assert (told["publish"], told["publish_allowed_to"]) == (False, body["publish_allowed_to"])
