"""What an eMSP is answered at once, row by row, and that nothing follows from a refusal: no station, no callback."""

import json

import pytest

from ocpi.dialects import DIALECTS
from ocpi.headers import Party
from tests.support.emsp import moment
from tests.support.gateway import ALL, Gateway, Spot
from tests.support.scene import orders, scene

OCPI = tuple(DIALECTS)
STRANGER = Party("FR", "XYZ")

versions = pytest.mark.parametrize("version", OCPI)


@pytest.fixture
async def place(gateway: Gateway):
    async with scene(gateway) as made:
        yield made


def all_commands(emsp, location: str) -> dict[str, dict]:
    """Every command as it may be sent; nothing in them is refused by its form."""
    return {
        "RESERVE_NOW": {
            "token": emsp.token_body(),
            "expiry_date": moment(hours=1),
            "reservation_id": "R-1",
            "location_id": location,
            "evse_uid": "E1",
        },
        "START_SESSION": {"token": emsp.token_body(), "location_id": location, "evse_uid": "E1"},
        "UNLOCK_CONNECTOR": {"location_id": location, "evse_uid": "E1", "connector_id": "1"},
        "STOP_SESSION": {"session_id": "no such session"},
        "CANCEL_RESERVATION": {"reservation_id": "no such reservation"},
    }


AT_A_LOCATION = ("RESERVE_NOW", "START_SESSION", "UNLOCK_CONNECTOR")
REQUIRED = [
    (command, field)
    for command, fields in {
        "RESERVE_NOW": ("response_url", "token", "expiry_date", "reservation_id", "location_id"),
        "START_SESSION": ("response_url", "token", "location_id"),
        "UNLOCK_CONNECTOR": ("response_url", "location_id", "evse_uid", "connector_id"),
        "STOP_SESSION": ("response_url", "session_id"),
        "CANCEL_RESERVATION": ("response_url", "reservation_id"),
    }.items()
    for field in fields
]


# Not JSON


@versions
@pytest.mark.parametrize("body", [b"", b"{not json", b'{"a": 1', b'{"a": NaN}', b'{"a": "\xff"}', b"response_url=x"])
async def test_rule_33_rule_54_a_body_that_is_not_json_is_an_http_error_in_an_envelope(place, version, body):
    told = await place.emsp.send("RESERVE_NOW", body, version=version)
    assert (told.http, told.code) == (400, 2001)
    assert "data" not in told.json
    await place.nothing_followed(told)


# A field is missing or invalid


@versions
@pytest.mark.parametrize(("command", "field"), REQUIRED)
async def test_rule_63_rule_153_rule_155_rule_163_rule_168_rule_169_a_missing_field_is_2001_without_data(
    place, version, command, field
):
    body = {"response_url": place.emsp.url_for("x")} | all_commands(place.emsp, place.location)[command]
    body.pop(field)
    told = await place.emsp.send(command, json.dumps(body), version=version)
    assert (told.http, told.code) == (200, 2001)
    assert "data" not in told.json
    assert field in told.json["status_message"]
    assert place.gateway.rows("command", partner=place.emsp.partner_id) == []
    assert orders(place.station) == []


@versions
@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("RESERVE_NOW", {"reservation_id": "x" * 37}),
        ("RESERVE_NOW", {"reservation_id": 456}),
        ("RESERVE_NOW", {"reservation_id": ""}),
        ("RESERVE_NOW", {"reservation_id": None}),
        ("RESERVE_NOW", {"reservation_id": "snowman \u2603"}),
        ("RESERVE_NOW", {"expiry_date": "tomorrow"}),
        ("RESERVE_NOW", {"expiry_date": "2030-01-01T10:00:00+01:00"}),
        ("RESERVE_NOW", {"expiry_date": 1893456000}),
        ("RESERVE_NOW", {"expiry_date": "2030-02-30T10:00:00Z"}),
        ("RESERVE_NOW", {"location_id": "x" * 37}),
        ("RESERVE_NOW", {"evse_uid": ["E1"]}),
        ("RESERVE_NOW", {"token": "APP-USER-1"}),
        ("RESERVE_NOW", {"authorization_reference": "x" * 37}),
        ("RESERVE_NOW", {"response_url": f"http://127.0.0.1/{'x' * 255}"}),
        ("RESERVE_NOW", {"response_url": 7}),
        ("START_SESSION", {"token": None}),
        ("START_SESSION", {"token": {"uid": "APP-USER-1", "type": "APP_USER", "contract_id": "C"}}),
        ("STOP_SESSION", {"session_id": "x" * 37}),
        ("CANCEL_RESERVATION", {"reservation_id": {}}),
        ("UNLOCK_CONNECTOR", {"connector_id": None}),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:40],
)
async def test_an_invalid_field_is_2001_without_data(place, version, command, wrong):
    told = await place.emsp.send(command, all_commands(place.emsp, place.location)[command] | wrong, version=version)
    assert (told.http, told.code) == (200, 2001)
    assert "data" not in told.json
    assert place.gateway.rows("command", partner=place.emsp.partner_id) == []
    assert orders(place.station) == []


@versions
@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"RESERVE_NOW"', b'[{"reservation_id": "R-1"}]'])
async def test_rule_55_json_that_is_no_object_is_2001_and_no_http_error(place, version, body):
    told = await place.emsp.send("RESERVE_NOW", body, version=version)
    assert (told.http, told.code) == (200, 2001)
    assert "data" not in told.json


@versions
@pytest.mark.parametrize(
    "field", sorted({"country_code", "party_id", "contract_id", "issuer", "valid", "last_updated"})
)
async def test_a_token_without_a_required_field_is_2001(place, version, field):
    token = place.emsp.token_body()
    token.pop(field)
    told = await place.emsp.start_session(place.location, token=token, version=version)
    assert (told.http, told.code) == (200, 2001)
    assert f"token.{field}" in told.json["status_message"]


async def test_rule_164_a_connector_without_its_evse_is_2001_where_connectors_are_heard(place):
    told = await place.emsp.start_session(place.location, evse=None, body={"connector_id": "1"})
    assert (told.http, told.code) == (200, 2001)
    assert "data" not in told.json
    await place.nothing_followed(told)


async def test_a_body_longer_than_any_command_is_2001(place):
    told = await place.emsp.start_session(place.location, body={"filling": "x" * 70_000})
    assert (told.http, told.code) == (200, 2001)
    await place.nothing_followed(told)


# An unknown command


@versions
@pytest.mark.parametrize("command", ["REBOOT", "reserve_now", "RESERVE_NOW/1", "RESERVE%20NOW", ""])
async def test_rule_120_an_unknown_command_is_404_with_2000(place, version, command):
    body = all_commands(place.emsp, place.location)["RESERVE_NOW"]
    told = await place.emsp.send(command, body, version=version)
    assert (told.http, told.code) == (404, 2000)
    assert "data" not in told.json
    await place.nothing_followed(told)


async def test_an_unknown_version_is_404_with_2000(place):
    told = await place.emsp.send("RESERVE_NOW", {}, version="2.0")
    assert (told.http, told.code) == (404, 2000)


# The EVSE cannot do it


@versions
@pytest.mark.parametrize(
    ("command", "capability"),
    [
        ("RESERVE_NOW", "RESERVABLE"),
        ("START_SESSION", "REMOTE_START_STOP_CAPABLE"),
        ("UNLOCK_CONNECTOR", "UNLOCK_CAPABLE"),
    ],
)
async def test_rule_136_an_evse_that_lacks_the_capability_is_not_supported(gateway, version, command, capability):
    capable = tuple(one for one in ALL if one != capability)
    async with scene(gateway, Spot(None, capabilities=capable)) as place:
        body = all_commands(place.emsp, place.location)[command]
        told = await place.emsp.send(command, body, version=version)
        assert (told.http, told.code, told.result) == (200, 1000, "NOT_SUPPORTED")
        assert told.json["data"]["timeout"] == 0
        assert told.text
        await place.nothing_followed(told)


@pytest.mark.parametrize("command", AT_A_LOCATION)
async def test_an_evse_that_is_at_no_station_is_not_supported(place, command):
    nowhere = place.gateway.location(Spot(None))
    told = await place.emsp.send(command, all_commands(place.emsp, nowhere)[command])
    assert (told.http, told.code, told.result) == (200, 1000, "NOT_SUPPORTED")
    await place.nothing_followed(told)


# What is asked for is not here


@versions
@pytest.mark.parametrize("command", AT_A_LOCATION)
async def test_rule_65_rule_137_an_unknown_location_is_2003_rejected(place, version, command):
    body = all_commands(place.emsp, "NOPE")[command]
    told = await place.emsp.send(command, body, version=version)
    assert (told.http, told.code, told.result) == (200, 2003, "REJECTED")
    assert told.json["data"]["timeout"] == 0
    await place.nothing_followed(told)


@versions
@pytest.mark.parametrize("command", AT_A_LOCATION)
async def test_an_unknown_evse_is_2003_rejected(place, version, command):
    body = all_commands(place.emsp, place.location)[command] | {"evse_uid": "E404"}
    told = await place.emsp.send(command, body, version=version)
    assert (told.http, told.code, told.result) == (200, 2003, "REJECTED")
    await place.nothing_followed(told)


@pytest.mark.parametrize("command", AT_A_LOCATION)
async def test_a_removed_evse_is_an_unknown_one(gateway, command):
    async with scene(gateway, Spot(None, status="REMOVED")) as place:
        told = await place.emsp.send(command, all_commands(place.emsp, place.location)[command])
        assert (told.http, told.code, told.result) == (200, 2003, "REJECTED")
        await place.nothing_followed(told)


@pytest.mark.parametrize(
    ("command", "version"), [("START_SESSION", "2.2.1"), ("UNLOCK_CONNECTOR", "2.2"), ("UNLOCK_CONNECTOR", "2.2.1")]
)
async def test_an_unknown_connector_is_2003_rejected(place, command, version):
    body = all_commands(place.emsp, place.location)[command] | {"connector_id": "404"}
    told = await place.emsp.send(command, body, version=version)
    assert (told.http, told.code, told.result) == (200, 2003, "REJECTED")
    await place.nothing_followed(told)


async def test_a_connector_is_not_heard_where_the_version_has_none(place):
    told = await place.emsp.start_session(place.location, body={"connector_id": "404"}, version="2.2")
    assert await place.emsp.result(told) == "ACCEPTED"


@versions
async def test_rule_64_rule_165_a_connector_that_is_required_and_not_named_is_2002_rejected(gateway, version):
    needs = (*ALL, "START_SESSION_CONNECTOR_REQUIRED")
    async with scene(gateway, Spot(None, capabilities=needs)) as place:
        told = await place.emsp.start_session(place.location, version=version)
        assert (told.http, told.code, told.result) == (200, 2002, "REJECTED")
        await place.nothing_followed(told)


async def test_a_connector_that_is_required_and_named_is_taken(gateway):
    needs = (*ALL, "START_SESSION_CONNECTOR_REQUIRED")
    async with scene(gateway, Spot(None, capabilities=needs)) as place:
        told = await place.emsp.start_session(place.location, body={"connector_id": "1"})
        assert await place.emsp.result(told) == "ACCEPTED"


# No EVSE is named


@versions
@pytest.mark.parametrize(
    ("command", "capability"), [("RESERVE_NOW", "RESERVABLE"), ("START_SESSION", "REMOTE_START_STOP_CAPABLE")]
)
async def test_no_evse_named_and_none_that_can_is_not_supported(gateway, version, command, capability):
    capable = tuple(one for one in ALL if one != capability)
    spots = [Spot(None, number, uid=f"E{number}", capabilities=capable) for number in (1, 2)]
    async with scene(gateway, *spots) as place:
        body = all_commands(place.emsp, place.location)[command]
        body.pop("evse_uid")
        told = await place.emsp.send(command, body, version=version)
        assert (told.http, told.code, told.result) == (200, 1000, "NOT_SUPPORTED")
        await place.nothing_followed(told)


@pytest.mark.parametrize("command", ["RESERVE_NOW", "START_SESSION"])
async def test_no_evse_named_and_none_online_is_rejected(gateway, command):
    async with gateway.emsp() as emsp:
        body = all_commands(emsp, gateway.location(Spot(gateway.station_name())))[command]
        body.pop("evse_uid")
        told = await emsp.send(command, body)
        assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
        assert "offline" in told.text
        assert gateway.rows("callback", partner=emsp.partner_id) == []


# Whose token, whose session, whose reservation


@versions
@pytest.mark.parametrize("command", ["RESERVE_NOW", "START_SESSION"])
async def test_rule_232_a_token_of_another_party_is_rejected(place, version, command):
    body = all_commands(place.emsp, place.location)[command] | {"token": place.emsp.token_body(party=STRANGER)}
    told = await place.emsp.send(command, body, version=version)
    assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
    assert told.json["data"]["timeout"] == 0
    await place.nothing_followed(told)


async def test_a_token_of_the_same_party_in_other_letters_is_its_own(gateway):
    async with scene(gateway, party=("DE", "aBc")) as place:
        token = place.emsp.token_body(party=Party("de", "AbC"))
        assert await place.emsp.result(await place.emsp.start_session(place.location, token=token)) == "ACCEPTED"


@versions
async def test_rule_134_an_unknown_session_is_an_unknown_session(place, version):
    told = await place.emsp.stop_session("0f0e0d0c", version=version)
    assert (told.http, told.code, told.result) == (200, 1000, "UNKNOWN_SESSION")
    assert told.json["data"]["timeout"] == 0
    await place.nothing_followed(told)


@versions
async def test_rule_135_a_session_of_another_emsp_is_rejected(place, version):
    session = await place.charge()
    before = orders(place.station)
    async with place.gateway.emsp() as other:
        told = await other.stop_session(session, version=version)
        assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
        assert other.callbacks == []
        assert place.gateway.rows("callback", partner=other.partner_id) == []
    assert orders(place.station) == before
    # Its owner stops it all the same, by any spelling of the id.
    assert await place.emsp.result(await place.emsp.stop_session(session.upper(), version=version)) == "ACCEPTED"


@versions
async def test_an_unknown_and_a_foreign_reservation_look_the_same(gateway, place, version):
    assert await place.emsp.result(await place.emsp.reserve(place.location, id="Mine-1")) == "ACCEPTED"
    before = orders(place.station)
    async with gateway.emsp() as other:
        foreign = await other.cancel("Mine-1", version=version)
        unknown = await other.cancel("Nobodys-1", version=version)
        assert (unknown.http, unknown.code, unknown.result) == (200, 1000, "REJECTED")
        assert unknown.text
        assert foreign.http == unknown.http
        changing = {"timestamp"}
        seen = [{k: v for k, v in told.json.items() if k not in changing} for told in (foreign, unknown)]
        assert seen[0] == seen[1]
        changing = {"x-request-id", "x-correlation-id", "date"}
        seen = [
            {k.lower(): v for k, v in told.headers.items() if k.lower() not in changing} for told in (foreign, unknown)
        ]
        assert seen[0] == seen[1]
        assert gateway.rows("callback", partner=other.partner_id) == []
    assert orders(place.station) == before
    assert await place.emsp.result(await place.emsp.cancel("Mine-1")) == "ACCEPTED"


async def test_a_reservation_that_is_over_is_rejected_without_asking(place):
    assert await place.emsp.result(await place.emsp.reserve(place.location)) == "ACCEPTED"
    assert await place.emsp.result(await place.emsp.cancel()) == "ACCEPTED"
    before = orders(place.station)
    told = await place.emsp.cancel()
    assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
    assert told.text == "The reservation was cancelled already."
    assert orders(place.station) == before
    assert len(place.gateway.rows("callback", partner=place.emsp.partner_id)) == 2


async def test_a_live_reservation_id_at_another_location_is_rejected(place):
    elsewhere = place.gateway.location(Spot(place.station.id, 2))
    assert await place.emsp.result(await place.emsp.reserve(place.location, id="r-1")) == "ACCEPTED"
    before = orders(place.station)
    told = await place.emsp.reserve(elsewhere, id="R-1")
    assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
    assert "another location" in told.text
    assert orders(place.station) == before
    # Another eMSP's id is no obstacle; nor is one's own once it is free.
    async with place.gateway.emsp() as other:
        assert await other.result(await other.reserve(elsewhere, id="R-1")) == "ACCEPTED"
        assert await other.result(await other.cancel("R-1")) == "ACCEPTED"
    assert await place.emsp.result(await place.emsp.cancel("R-1")) == "ACCEPTED"
    assert await place.emsp.result(await place.emsp.reserve(elsewhere, id="R-1")) == "ACCEPTED"


# Until when


@versions
@pytest.mark.parametrize("minutes", [-60, -0.01, 0.5, 24 * 60 + 5, 365 * 24 * 60])
async def test_an_expiry_in_the_past_or_too_far_away_is_rejected(place, version, minutes):
    told = await place.emsp.reserve(place.location, minutes=minutes, version=version)
    assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
    assert "expiry_date must be at" in told.text
    await place.nothing_followed(told)


# The station is not there


@versions
@pytest.mark.parametrize("command", AT_A_LOCATION)
async def test_a_station_that_never_came_is_rejected_as_offline(gateway, version, command):
    async with gateway.emsp() as emsp:
        body = all_commands(emsp, gateway.location(Spot(gateway.station_name())))[command]
        told = await emsp.send(command, body, version=version)
        assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
        assert "offline" in told.text
        assert gateway.rows("callback", partner=emsp.partner_id) == []


async def test_every_command_to_a_station_that_has_left_is_rejected_as_offline(place):
    session = await place.charge()
    assert await place.emsp.result(await place.emsp.reserve(place.location)) == "ACCEPTED"
    before = orders(place.station)
    await place.station.disconnect()
    # Its end is noticed a moment later; until then a command may be taken on, and fails.
    while (told := await place.emsp.unlock(place.location)).result == "ACCEPTED":
        assert await place.emsp.result(told) in {"FAILED", "TIMEOUT"}
    owed = len(place.gateway.rows("callback", partner=place.emsp.partner_id))
    bodies = all_commands(place.emsp, place.location)
    bodies |= {"STOP_SESSION": {"session_id": session}, "CANCEL_RESERVATION": {"reservation_id": "R-1"}}
    for command, body in bodies.items():
        told = await place.emsp.send(command, body)
        assert (told.http, told.code, told.result) == (200, 1000, "REJECTED"), command
        assert "offline" in told.text
    assert len(place.gateway.rows("callback", partner=place.emsp.partner_id)) == owed
    # Nothing of it waits for the station.
    await place.station.connect()
    await place.station.boot()
    assert await place.emsp.result(await place.emsp.unlock(place.location)) == "ACCEPTED"
    assert [action for action, _ in orders(place.station)[len(before) :]] == ["UnlockConnector"]


# Not open to everybody


@versions
async def test_rule_170_unlock_is_not_supported_for_a_partner_that_may_not(gateway, version):
    async with scene(gateway, allow_unlock=False) as place:
        told = await place.emsp.unlock(place.location, version=version)
        assert (told.http, told.code, told.result) == (200, 1000, "NOT_SUPPORTED")
        # Nor does it learn which Locations exist.
        assert (await place.emsp.unlock("NOPE", version=version)).json["data"] == told.json["data"]
        await place.nothing_followed(told)


# Taken on


@versions
async def test_rule_125_rule_128_a_command_that_is_taken_on_promises_one_result_within_the_timeout(place, version):
    session = await place.charge(version=version)
    reserved = await place.emsp.reserve(place.location, version=version)
    assert await place.emsp.result(reserved) == "ACCEPTED"
    bodies = all_commands(place.emsp, place.location)
    bodies |= {"STOP_SESSION": {"session_id": session}, "CANCEL_RESERVATION": {"reservation_id": "R-1"}}
    for command, body in bodies.items():
        told = await place.emsp.send(command, body, version=version)
        assert (told.http, told.code, told.result) == (200, 1000, "ACCEPTED"), command
        assert told.json["data"] == {"result": "ACCEPTED", "timeout": 30}
        assert await place.emsp.result(told) == "ACCEPTED"
    assert len(place.gateway.rows("callback", partner=place.emsp.partner_id)) == len(place.emsp.callbacks) == 7
