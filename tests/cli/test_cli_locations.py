"""`locations import` brings everything or nothing and says what is wrong where; `stations` shows what came of it."""

import gc
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.secrets import password_fits
from gateway.store import rows, stations, topology
from tests.cli.conftest import PASSWORD, Operator, application, connector, evse, location

File = dict[str, Any]
_AT = re.compile(r"line \d+, column \d+: ")
BOUND = {
    "location_id": "LOC-1",
    "evse_uid": "E-2",
    "station": "CS-1",
    "evse": 2,
    "connector": None,
    "connector_id": None,
}


def problems(operator: Operator, contents: Any) -> list[str]:
    """What is wrong with a file; and nothing of it was brought in."""
    before = operator.sees("locations", "list"), operator.sees("stations", "list")
    first, *lines = operator.hears("locations", "import", operator.file(contents)).splitlines()
    assert first == "Nothing was imported:"
    assert (operator.sees("locations", "list"), operator.sees("stations", "list")) == before
    return [line.strip().partition(": ")[2] if _AT.match(line.strip()) else line.strip() for line in lines]


def kept(operator: Operator, station: str) -> Any:
    return operator.database(lambda db: stations.find(db, station))


def test_a_whole_file_is_brought_in_and_counted(cpo: Operator, whole: File) -> None:
    counts = cpo.sees("locations", "import", cpo.file(whole))
    expected = {"locations": 2, "evses": 3, "connectors": 4, "stations": 2, "bindings": 4, "tariffs": 0}
    changes = counts.pop("changes")
    assert counts == expected | {"unbound_evses": 0, "unknown_tariffs": [], "unheard": []}
    assert {one["what"] for one in changes} == {"added"}
    assert [one["name"] for one in changes if one["kind"] == "location"] == ["NL*CPO LOC-1", "NL*CPO LOC-2"]
    assert [one["name"] for one in changes if one["kind"] == "binding"] == [
        "NL*CPO LOC-1/E-1/1",
        "NL*CPO LOC-1/E-1/2",
        "NL*CPO LOC-1/E-2",
        "NL*CPO LOC-2/E-1",
    ]
    sentence = "Imported 2 locations, 3 EVSEs, 4 connectors, 2 stations, 4 bindings, 0 tariffs.\n"
    assert cpo.imports(whole).stdout == f"{sentence}Nothing has changed.\n"


def test_importing_again_changes_nothing(cpo: Operator, whole: File) -> None:
    def everything() -> Any:
        tables = (rows.location, rows.evse, rows.connector, rows.station, rows.binding)
        return cpo.database(lambda db: [sorted(map(repr, db.execute(table.select()))) for table in tables])

    cpo.imports(whole)
    first = everything()
    assert cpo.imports(whole).exit_code == 0
    assert everything() == first


def test_locations_are_listed_with_their_stations(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    first, second = cpo.sees("locations", "list")
    assert (first["country_code"], first["party_id"], first["id"], first["name"]) == (
        "NL",
        "CPO",
        "LOC-1",
        "Place LOC-1",
    )
    # Of this moment: partners that ask what is new must hear of it, whatever the file says.
    assert first["last_updated"] > "2026-01-01T00:00:00Z"
    assert [one["uid"] for one in first["evses"]] == ["E-1", "E-2"]
    assert first["evses"][0]["connectors"] == ["1", "2"]
    assert first["evses"][1]["bindings"] == [BOUND]
    assert second["evses"][0]["bindings"][0]["connector"] == 1
    lines = cpo.does("locations", "list").splitlines()
    assert any("E-2" in line and "CS-1 2/-" in line for line in lines)
    assert any("LOC-2" in line and "CS-16 -/1" in line for line in lines)


def test_stations_are_listed_and_shown_without_their_passwords(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    listed = cpo.sees("stations", "list")
    assert [(one["id"], one["security_profile"], one["connected"]) for one in listed] == [
        ("CS-1", 1, False),
        ("CS-16", 0, False),
    ]
    assert listed[0] == cpo.sees("stations", "show", "CS-1")
    assert BOUND in listed[0]["bindings"]
    assert "password" not in json.dumps(listed)
    text = cpo.does("stations", "list")
    assert "LOC-1/E-1/1" in text
    assert "never" in text


def test_a_station_shows_what_it_told(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    at = cpo.database(lambda db: db.execute(rows.location.select()).mappings().first())["last_updated"]
    told = {"subprotocol": "ocpp2.0.1", "registration": "Accepted", "connected_at": at, "heard_at": at, "booted_at": at}
    boot = {"vendor": "Acme\x1b[31m", "model": "M", "serial": None}

    def tell(db: Any) -> None:
        stations.change(db, "CS-1", **told, boot=boot, abilities={"ReservationCtrlr.Enabled": "true"})
        stations.put_status(db, "CS-1", (1, 2), "Faulted", "GroundFailure", at)

    cpo.database(tell)
    shown = cpo.sees("stations", "show", "CS-1")
    assert shown["connected"] is True
    assert shown["connected_at"] == at.isoformat().replace("+00:00", "Z")
    status = {
        "evse": 1,
        "connector": 2,
        "status": "Faulted",
        "error": "GroundFailure",
        "told_at": shown["connected_at"],
    }
    assert shown["connectors"] == [status]
    text = cpo.does("stations", "show", "CS-1")
    for word in (f"since {at:%Y-%m-%dT%H:%M:%S}", "ReservationCtrlr.Enabled", "Faulted", r"Acme\x1b[31m", "LOC-1"):
        assert word in text
    assert "\x1b" not in text
    assert "ocpp2.0.1" in cpo.does("stations", "list")


def test_an_unknown_station_is_a_sentence(operator: Operator) -> None:
    assert operator.hears("stations", "show", "CS-9") == "There is no station 'CS-9'.\n"


def test_an_evse_that_is_nowhere_is_remarked_upon(cpo: Operator, whole: File) -> None:
    del whole["bindings"][2]
    result = cpo.imports(whole)
    assert result.exit_code == 0
    assert "1 EVSE bound to no station" in result.stderr


def test_without_a_party_of_ours_there_is_nothing_to_import_for(operator: Operator, whole: File) -> None:
    assert "cpo add" in problems(operator, whole)[0]


def test_bindings_may_name_what_is_in_the_database(cpo: Operator, whole: File) -> None:
    cpo.imports({"locations": whole["locations"]})
    assert cpo.imports({"stations": whole["stations"], "bindings": whole["bindings"]}).exit_code == 0
    assert cpo.sees("locations", "list")[0]["evses"][1]["bindings"] == [BOUND]


def test_names_are_found_in_any_case(cpo: Operator, whole: File) -> None:
    for one in whole["bindings"]:
        one |= {"location_id": one["location_id"].lower(), "evse_uid": one["evse_uid"].lower()}
    whole["locations"][0] |= {"country_code": "nl", "party_id": "cpo"}
    assert cpo.imports(whole).exit_code == 0


def test_a_file_with_a_byte_order_mark_is_read(cpo: Operator, whole: File) -> None:
    assert cpo.imports(b"\xef\xbb\xbf" + json.dumps(whole).encode()).exit_code == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: f["locations"][0]["evses"][1].pop("status"), "locations[0].evses[1].status: Field required"),
        (
            lambda f: f["locations"][0].update(party_id="XYZ"),
            "locations[0].party_id: NL*XYZ is none of our parties (NL*CPO)",
        ),
        (lambda f: f["locations"][1].update(id="loc-1"), 'locations[1].id: "loc-1" is locations[0] too'),
        (
            lambda f: f["locations"][0]["evses"].append(evse("e-1")),
            'locations[0].evses[2].uid: "e-1" is locations[0].evses[0] too',
        ),
        (
            lambda f: f["locations"][0]["evses"][1]["connectors"].append(connector("1")),
            'locations[0].evses[1].connectors[1].id: "1" is locations[0].evses[1].connectors[0] too',
        ),
        (
            lambda f: f["stations"][0].pop("password"),
            "stations[0].password: needed; only security_profile 0 goes without",
        ),
        (lambda f: f["stations"][0].update(password="short"), "stations[0].password: a station's password is 16 to 40"),
        (
            lambda f: f["stations"][0].update(password="x" * 41),
            "stations[0].password: a station's password is 16 to 40",
        ),
        (
            lambda f: f["stations"][1].update(password=PASSWORD),
            "stations[1].password: security profile 0 has no password",
        ),
        (lambda f: f["stations"][0].update(security_profile=3), "stations[0].security_profile: profile 3 (client"),
        (
            lambda f: f["stations"][0].update(security_profile=7),
            "stations[0].security_profile: a security profile is 0",
        ),
        (
            lambda f: f["stations"].append({"id": "A:B", "password": PASSWORD}),
            "stations[2].security_profile: an identity",
        ),
        (
            lambda f: f["stations"].append({"id": "CS 9", "security_profile": 0}),
            "stations[2].id: a station's identity is",
        ),
        (
            lambda f: f["stations"].append({"id": "x" * 49, "security_profile": 0}),
            "stations[2].id: a station's identity",
        ),
        (lambda f: f["stations"].append(f["stations"][0]), 'stations[2].id: "CS-1" is stations[0] too'),
        (lambda f: f["stations"][1].update(passwort="x"), "stations[1].passwort: Extra inputs are not permitted"),
        (
            lambda f: f["bindings"][2].update(station="CS-9"),
            'bindings[2].station: no station "CS-9" in the file or the database',
        ),
        (
            lambda f: f["bindings"][2].update(location_id="LOC-9"),
            'bindings[2].location_id: no location "LOC-9" in the file or the database',
        ),
        (lambda f: f["bindings"][2].update(evse_uid="E-9"), 'bindings[2].evse_uid: no EVSE "E-9" in location "LOC-1"'),
        (
            lambda f: f["locations"][0]["evses"][1].update(status="REMOVED"),
            'bindings[2].evse_uid: no EVSE "E-2" in location "LOC-1"',
        ),
        (
            lambda f: f["bindings"][0].update(connector_id="9"),
            'bindings[0].connector_id: no connector "9" in EVSE "E-1"',
        ),
        (lambda f: f["bindings"][2].pop("evse"), "bindings[2]: evse (2.x) or connector (1.6) is needed"),
        (lambda f: f["bindings"][2].update(evse=0), "bindings[2].evse: Input should be greater than or equal to 1"),
        (lambda f: f["bindings"][2].update(evse="2"), "bindings[2].evse: Input should be a valid integer"),
        (
            lambda f: f["bindings"].append(f["bindings"][2]),
            "bindings[4]: says where something is of which bindings[2] says it too",
        ),
        (
            lambda f: f["bindings"][2].update(evse=1, connector=2),
            'bindings[2]: this spot of station "CS-1" is EVSE "E-1" of location "LOC-1"',
        ),
        (
            lambda f: f["bindings"][3].update(station="CS-1", connector=1),
            'bindings[3]: this spot of station "CS-1" is EVSE "E-1" of location "LOC-1"',
        ),
        (lambda f: f.update(tokens=[]), "tokens: not known; known are locations, stations, bindings, tariffs"),
        (
            lambda f: f["stations"].append("CS-3"),
            "stations[2]: Input should be a valid dictionary or instance of Station",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(cpo: Operator, whole: File, change: Any, expected: str) -> None:
    change(whole)
    found = problems(cpo, whole)
    assert any(line.startswith(expected) for line in found), found


def test_every_problem_is_told_at_once_and_none_for_anothers_fault(cpo: Operator, whole: File) -> None:
    whole["locations"][0]["evses"][0]["status"] = "BROKEN"
    whole["stations"][1]["id"] = "CS-16?"
    whole["bindings"][3]["station"] = "CS-16?"
    whole["bindings"].append({"location_id": "LOC-9", "evse_uid": "E", "station": "CS-1", "evse": 9})
    found = problems(cpo, whole)
    assert [line.partition(":")[0] for line in found] == [
        "locations[0].evses[0].status",
        "stations[1].id",
        "bindings[3].station",
        "bindings[4].location_id",
    ]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            b'{"locations": [\n  {,}]}',
            "Not JSON: Expecting property name enclosed in double quotes (line 2, column 4).",
        ),
        (b"", "Not JSON: Expecting value (line 1, column 1)."),
        (b'{"stations": [\xff]}', "Not UTF-8: byte 14."),
        (b'{"stations": [NaN]}', "Not JSON that can be read: NaN is no JSON."),
        (b"[" * 200_000, "Not JSON that can be read:"),
        (b"[]", "The file is to be a JSON object with locations, stations, bindings, tariffs."),
        (b"{}", "The file is to be a JSON object with locations, stations, bindings, tariffs."),
        (b'{"stations": {}}', "stations: is to be a list"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(cpo: Operator, raw: bytes, sentence: str) -> None:
    gc.collect()  # what earlier tests have left has no stack to be finalized on, in the depth of nested brackets
    assert problems(cpo, raw)[0].startswith(sentence)


def test_a_missing_file_and_a_folder_are_sentences(operator: Operator, tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    assert operator.hears("locations", "import", missing) == f"{missing}: No such file or directory.\n"
    assert operator.hears("locations", "import", tmp_path) == f"{tmp_path}: Is a directory.\n"


def test_a_known_station_keeps_its_password_when_none_is_written(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    before = kept(cpo, "CS-1")["password"]
    assert password_fits(PASSWORD.encode(), before)
    assert cpo.imports({"stations": [{"id": "CS-1", "security_profile": 2}]}).exit_code == 0
    assert kept(cpo, "CS-1")["password"] == before
    assert kept(cpo, "CS-1")["security_profile"] == 2
    assert cpo.imports({"stations": [{"id": "CS-1", "password": "another-password-1"}]}).exit_code == 0
    assert password_fits(b"another-password-1", kept(cpo, "CS-1")["password"])
    assert cpo.imports({"stations": [{"id": "CS-1", "security_profile": 0}]}).exit_code == 0
    assert kept(cpo, "CS-1")["password"] is None
    assert "stations[0].password" in problems(cpo, {"stations": [{"id": "CS-1"}]})[0]


def test_an_evses_bindings_are_those_of_the_file(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    moved = {"location_id": "LOC-1", "evse_uid": "E-1", "station": "CS-1", "evse": 1}
    assert cpo.imports({"bindings": [moved]}).exit_code == 0
    evses = cpo.sees("locations", "list")[0]["evses"]
    assert evses[0]["bindings"] == [moved | {"connector_id": None, "connector": None}]
    assert evses[1]["bindings"] == [BOUND]


def test_two_evses_may_change_places(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    one, other = ({"location_id": "LOC-1", "evse_uid": uid, "station": "CS-1"} for uid in ("E-1", "E-2"))
    assert cpo.imports({"bindings": [one | {"evse": 2}, other | {"evse": 1}]}).exit_code == 0
    spot = 'bindings[0]: this spot of station "CS-1" is EVSE "E-1" of location "LOC-1"'
    assert problems(cpo, {"bindings": [other | {"evse": 2}]}) == [spot]


def test_a_new_evse_takes_the_spot_of_one_that_left(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    whole["locations"][0]["evses"][1] = evse("E-3")
    whole["bindings"][2]["evse_uid"] = "E-3"
    assert cpo.imports(whole).exit_code == 0
    status = {one["uid"]: (one["status"], len(one["bindings"])) for one in cpo.sees("locations", "list")[0]["evses"]}
    assert status == {"E-1": ("UNKNOWN", 2), "E-2": ("REMOVED", 0), "E-3": ("UNKNOWN", 1)}


def test_a_location_id_that_two_of_our_parties_have_is_ambiguous(cpo: Operator) -> None:
    cpo.does("cpo", "add", "--country", "BE", "--party", "CPO", "--name", "Our other CPO")
    both = [location("LOC-1", evse("E-1")), location("LOC-1", evse("E-1"), country_code="BE")]
    assert cpo.imports({"locations": both}).exit_code == 0
    contents = {
        "stations": [{"id": "CS-1", "security_profile": 0}],
        "bindings": [{"location_id": "LOC-1", "evse_uid": "E-1", "station": "CS-1", "evse": 1}],
    }
    assert problems(cpo, contents) == ['bindings[0].location_id: several of our parties have a location "LOC-1"']
    assert cpo.imports(contents | {"locations": both[1:]}).exit_code == 0


def test_importing_on_either_database(database_url: str, tmp_path: Path, whole: File) -> None:
    operator = Operator(url=database_url, data=tmp_path / "data", app=application())
    operator.does("cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Our CPO")
    broken = whole | {"bindings": [whole["bindings"][0] | {"station": "CS-9"}]}
    assert problems(operator, broken) == ['bindings[0].station: no station "CS-9" in the file or the database']
    for _ in range(2):
        assert operator.imports(whole).exit_code == 0
    assert len(operator.sees("stations", "show", "CS-1")["bindings"]) == 3
    found = operator.database(lambda db: topology.place_of(db, "CS-16", None, 1))
    assert (found.location_id, found.evse_uid) == ("LOC-2", "E-1")


# What is new


def changed(operator: Operator, contents: Any, *words: str) -> list[str]:
    found = operator.sees("locations", "import", operator.file(contents), *words)["changes"]
    return [f"{one['what']} {one['kind']} {one['name']}" for one in found]


def kept_evses(operator: Operator) -> dict[tuple[str, str], str]:
    return {
        (place["id"], one["uid"]): one["status"]
        for place in operator.sees("locations", "list")
        for one in place["evses"]
    }


def test_a_second_import_says_what_is_other_than_it_was(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    assert changed(cpo, whole) == []
    whole["locations"][0]["name"] = "Another name"
    whole["locations"][0]["evses"][0]["physical_reference"] = "7"
    whole["locations"][1]["evses"][0]["connectors"].append(connector("2"))
    whole["locations"].append(location("LOC-3"))
    whole["stations"][1] = {"id": "CS-16", "password": "another-password-1"}
    whole["bindings"][2]["evse"] = 3
    assert changed(cpo, whole) == [
        "changed location NL*CPO LOC-1",
        "changed evse NL*CPO LOC-1/E-1",
        "changed evse NL*CPO LOC-2/E-1",
        "added location NL*CPO LOC-3",
        "changed binding NL*CPO LOC-1/E-2",
        "changed station CS-16",
    ]
    assert changed(cpo, whole) == []
    text = cpo.does("locations", "import", cpo.file(whole | {"locations": [location("LOC-3", name="Third")]}))
    assert "  changed location NL*CPO LOC-3\n" in text


def test_only_what_has_changed_is_of_this_moment(cpo: Operator, whole: File) -> None:
    def updated() -> dict[str, Any]:
        bodies = cpo.database(lambda db: [row.body for row in db.execute(rows.location.select())])
        found = {}
        for body in bodies:
            found[body["id"]] = body["last_updated"]
            for one in body["evses"]:
                found[f"{body['id']}/{one['uid']}"] = one["last_updated"]
                found |= {f"{body['id']}/{one['uid']}/{c['id']}": c["last_updated"] for c in one["connectors"]}
        return found

    cpo.imports(whole)
    long_ago = "2020-01-01T00:00:00Z"

    def age(db: Any) -> None:
        for row in db.execute(rows.location.select()).mappings().all():
            text = re.sub(r'"last_updated": ?"[^"]*"', f'"last_updated":"{long_ago}"', json.dumps(row["body"]))
            db.execute(rows.location.update().where(rows.location.c.id == row["id"]).values(body=json.loads(text)))

    cpo.database(age)
    whole["locations"][0]["evses"][0]["connectors"][1]["max_amperage"] = 16
    whole["locations"][0]["last_updated"] = "2026-05-05T00:00:00Z"  # says nothing of what is new
    cpo.imports(whole)
    fresh = {name for name, at in updated().items() if at != long_ago}
    assert fresh == {"LOC-1/E-1", "LOC-1/E-1/2"}
    row = cpo.database(lambda db: db.execute(rows.evse.select().order_by(rows.evse.c.id)).mappings().first())
    assert row["last_updated"].year > 2020  # and so the Location's, as it is told


def test_an_evse_that_is_missing_is_removed_and_one_that_comes_back_is_there_again(cpo: Operator, whole: File) -> None:
    cpo.imports(whole)
    gone = whole["locations"][0]["evses"].pop()
    without = whole | {"bindings": [one for one in whole["bindings"] if one["evse_uid"] != "E-2"]}
    assert changed(cpo, without) == ["removed evse NL*CPO LOC-1/E-2", "removed binding NL*CPO LOC-1/E-2"]
    assert changed(cpo, without) == []
    assert kept_evses(cpo)["LOC-1", "E-2"] == "REMOVED"
    whole["locations"][0]["evses"].append(gone)
    assert changed(cpo, whole) == ["added evse NL*CPO LOC-1/E-2", "added binding NL*CPO LOC-1/E-2"]
    assert kept_evses(cpo)["LOC-1", "E-2"] == "UNKNOWN"  # its station has never been there


def test_locations_that_are_missing_stay_unless_the_file_has_all_there_are(cpo: Operator, whole: File) -> None:
    cpo.does("cpo", "add", "--country", "BE", "--party", "CPO", "--name", "Our other CPO")
    cpo.imports(whole)
    cpo.imports({"locations": [location("LOC-9", evse("E-9"), country_code="BE")]})
    only = {"locations": [whole["locations"][0]], "bindings": whole["bindings"][:3]}
    assert changed(cpo, only) == []
    assert kept_evses(cpo)["LOC-2", "E-1"] == "UNKNOWN"
    broken = {"locations": [whole["locations"][0] | {"country": "Holland"}]}
    assert cpo("locations", "import", "--replace", cpo.file(broken)).exit_code == 1
    assert changed(cpo, only, "--replace") == [
        "removed location NL*CPO LOC-2",
        "removed evse NL*CPO LOC-2/E-1",
        "removed binding NL*CPO LOC-2/E-1",
    ]
    assert changed(cpo, only, "--replace") == []
    # Nothing is deleted, and the other party's are not its business.
    found = kept_evses(cpo)
    assert (found["LOC-2", "E-1"], found["LOC-9", "E-9"]) == ("REMOVED", "AVAILABLE")


# Where it is wrong


def test_every_mistake_is_told_with_its_line_and_column(cpo: Operator) -> None:
    text = """{
  "stations": [{"id": "CS 1", "security_profile": 0}],
  "locations": [
    {"country_code": "NL", "party_id": "CPO", "id": "LOC-1",
     "publish": true, "publish_allowed_to": [{"uid": "X"}, {"issuer": "Y"}],
     "address": "Square 1", "city": "Utrecht", "country": "nld",
     "coordinates": {"latitude": "91.00000", "longitude": "4.89943"},
     "time_zone": "Europe/Nowhere", "last_updated": "2026-01-01T00:00:00Z",
     "opening_times": {"twentyfourseven": false,
                       "regular_hours": [{"weekday": 1, "period_begin": "18:00", "period_end": "08:00"}]},
     "energy_mix": {"is_green_energy": true, "energy_sources": [{"source": "SOLAR", "percentage": 60}]}
    },
    {"country_code": "NL", "party_id": "CPO", "id": "LOC-2", "id": "LOC-3"}
  ]
}"""
    lines = cpo.hears("locations", "import", cpo.file(text.encode())).splitlines()[1:]
    found = [re.match(r"\s*line (\d+), column (\d+): ([^:]+): ", line) for line in lines]
    assert None not in found, lines
    assert [(int(one[1]), int(one[2]), one[3]) for one in found if one][:9] == [
        (2, 23, "stations[0].id"),
        (5, 45, "locations[0].publish_allowed_to"),
        (5, 46, "locations[0].publish_allowed_to[0].type"),
        (5, 60, "locations[0].publish_allowed_to[1]"),
        (6, 59, "locations[0].country"),
        (7, 34, "locations[0].coordinates.latitude"),
        (8, 19, "locations[0].time_zone"),
        (10, 96, "locations[0].opening_times.regular_hours[0].period_end"),
        (11, 64, "locations[0].energy_mix.energy_sources"),
    ]
    rest = {(int(one[1]), int(one[2]), one[3]) for one in found[9:] if one}
    # What is missing is told where it should be.
    assert {(13, 5, f"locations[1].{name}") for name in ("publish", "address", "coordinates")} <= rest
    assert (13, 68, "locations[1].id") in rest


def test_a_field_that_nobody_reads_is_remarked_upon(cpo: Operator, whole: File) -> None:
    whole["locations"][0]["evses"][1]["capabilites"] = ["RESERVABLE"]
    whole["locations"][0]["evses"][1]["connectors"][0]["voltage"] = 230
    whole["locations"][1]["comment"] = None
    result = cpo.imports(whole)
    assert result.exit_code == 0
    assert "locations[0].evses[1].capabilites is no field that is read." in result.stderr
    unheard = cpo.sees("locations", "import", cpo.file(whole))["unheard"]
    assert unheard == ["locations[0].evses[1].connectors[0].voltage", "locations[0].evses[1].capabilites"]
