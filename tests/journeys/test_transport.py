"""The transport of every exchange: message ids, routing headers, credentials, slashes, and what is read tolerantly."""

import asyncio
import base64
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from gateway.domain.lifecycle import PartnerState
from gateway.store import partners, rows
from ocpi.dialects import DIALECTS
from ocpi.headers import Party
from ocpi.types import parse_datetime
from tests.ocpi.vectors import ours
from tests.support.gateway import Gateway
from tests.support.office import office
from tests.support.scene import orders, scene

OCPI = tuple(DIALECTS)
SESSIONS = "/ocpi/cpo/{version}/sessions?date_from=2020-01-01T00:00:00Z"
COMMAND = "/ocpi/cpo/{version}/commands/{command}"
ROUTED = {
    "OCPI_from_country_code": "DE",
    "OCPI_from_party_id": "ABC",
    "OCPI_to_country_code": "NL",
    "OCPI_to_party_id": "CPO",
}
SWAPPED = {
    "OCPI-from-country-code": "NL",
    "OCPI-from-party-id": "CPO",
    "OCPI-to-country-code": "DE",
    "OCPI-to-party-id": "ABC",
}

versions = pytest.mark.parametrize("version", OCPI)


@pytest.fixture
async def emsp(gateway: Gateway):
    gateway.cpo()
    async with gateway.emsp(party=("DE", "ABC")) as client:
        yield client


@pytest.fixture
async def place(gateway: Gateway):
    async with scene(gateway, party=("DE", "ABC")) as made:
        yield made


async def every_kind_of_answer(emsp, version: str, **headers):
    """{HTTP status: answers} of a functional module."""
    stop = COMMAND.format(version=version, command="STOP_SESSION")
    reboot = COMMAND.format(version=version, command="REBOOT")
    return {
        200: [
            await emsp.ask("GET", SESSIONS.format(version=version), **headers),
            await emsp.ask("GET", f"/ocpi/cpo/{version}/sessions", **headers),
            await emsp.ask("POST", stop, {"response_url": emsp.url_for("x"), "session_id": "none"}, **headers),
            await emsp.ask("POST", stop, {}, **headers),
        ],
        400: [await emsp.ask("POST", stop, b"{", **headers)],
        401: [await emsp.ask("POST", stop, {}, **headers | {"Authorization": None})],
        404: [await emsp.ask("POST", reboot, {}, **headers)],
        405: [await emsp.ask("GET", stop, **headers)],
    }


# Message ids


@versions
async def test_rule_48_rule_49_every_answer_repeats_both_ids(emsp, version):
    ids = {"X_Request_ID": "r-Id 1", "X_Correlation_ID": f"c-{uuid.uuid4()}"}
    for status, answers in (await every_kind_of_answer(emsp, version, **ids, **ROUTED)).items():
        for told in answers:
            assert told.http == status
            assert told.headers["X-Request-ID"] == ids["X_Request_ID"]
            assert told.headers["X-Correlation-ID"] == ids["X_Correlation_ID"]


@versions
async def test_ids_that_are_missing_are_made_and_nothing_is_refused_for_it(emsp, version):
    missing = {"X_Request_ID": None, "X_Correlation_ID": None}
    made = set()
    for status, answers in (await every_kind_of_answer(emsp, version, **missing, **ROUTED)).items():
        for told in answers:
            assert told.http == status
            made |= {uuid.UUID(told.headers["X-Request-ID"]), uuid.UUID(told.headers["X-Correlation-ID"])}
    assert len(made) == 16


async def test_versions_and_unknown_paths_repeat_the_ids_too(emsp):
    for path, status in (("/ocpi/versions", 200), ("/ocpi/2.2.1", 200), ("/ocpi/9.9", 404), ("/nowhere", 404)):
        told = await emsp.ask("GET", path, X_Request_ID="r", X_Correlation_ID="c")
        assert (told.http, told.headers["X-Request-ID"], told.headers["X-Correlation-ID"]) == (status, "r", "c")


# Routing headers


@versions
async def test_rule_35_rule_38_the_parties_are_swapped_on_every_answer_of_a_functional_module(emsp, version):
    for answers in (await every_kind_of_answer(emsp, version, **ROUTED)).values():
        for told in answers:
            assert {name: told.headers.get(name) for name in SWAPPED} == SWAPPED


async def test_the_parties_are_repeated_as_they_were_spelt(emsp):
    spelt = ROUTED | {"OCPI_from_country_code": "de", "OCPI_to_party_id": "cpO"}
    told = await emsp.ask("GET", SESSIONS.format(version="2.2.1"), **spelt)
    assert told.code == 1000
    assert (told.headers["OCPI-to-country-code"], told.headers["OCPI-from-party-id"]) == ("de", "cpO")


@pytest.mark.parametrize("path", ["/ocpi/versions", "/ocpi/2.2", "/ocpi/2.2.1"])
async def test_rule_37_configuration_modules_are_not_routed(emsp, path):
    for given in ({}, ROUTED):
        told = await emsp.ask("GET", path, **given)
        assert told.code == 1000
        assert [name for name in told.headers if name.lower().startswith("ocpi-")] == []


@versions
async def test_without_routing_headers_the_only_parties_are_meant(place, version):
    left_out = dict.fromkeys(ROUTED)
    told = await place.emsp.unlock(place.location, version=version, **left_out)
    assert await place.emsp.result(told) == "ACCEPTED"
    assert [name for name in told.headers if name.lower().startswith("ocpi-")] == []
    # Our own request names both all the same.
    callback = place.emsp.callback_of(told)
    assert {name: callback.headers.get(name) for name in SWAPPED} == SWAPPED


@versions
async def test_rule_39_the_result_goes_from_our_party_to_the_one_that_asked(place, version):
    told = await place.emsp.unlock(place.location, version=version)
    assert await place.emsp.result(told) == "ACCEPTED"
    callback = place.emsp.callback_of(told)
    assert {name: callback.headers.get(name) for name in SWAPPED} == SWAPPED
    assert callback.headers["X-Request-ID"] != told.headers["X-Request-ID"]


@versions
@pytest.mark.parametrize(
    "wrong",
    [
        {"OCPI_from_party_id": "XYZ"},
        {"OCPI_from_country_code": "FR"},
        {"OCPI_to_party_id": "XXX"},
        {"OCPI_to_country_code": "BE"},
        {"OCPI_from_party_id": None},  # half a party
        {"OCPI_to_country_code": None},
        {"OCPI_from_party_id": "ABCD"},  # too long
        {"OCPI_to_country_code": "NLD"},
    ],
    ids=str,
)
async def test_a_party_that_is_not_of_the_connection_or_not_here_is_2001(place, version, wrong):
    told = await place.emsp.unlock(place.location, version=version, **ROUTED | wrong)
    assert (told.http, told.code) == (200, 2001)
    assert "data" not in told.json
    assert "-".join(next(iter(wrong)).split("_")[:2]) in told.json["status_message"]
    await place.nothing_followed(told)


# Credentials


@pytest.mark.parametrize(
    "written",
    [
        "Token {base64}",
        "Token {raw}",
        "Token {newline}",
        "token {base64}",
        "TOKEN {raw}",
        "Token   {base64}",
        "Token {base64} ",
    ],
)
@versions
async def test_rule_3_a_token_is_known_however_it_is_written(emsp, version, written):
    raw = emsp.token_in
    header = written.format(
        raw=raw, base64=base64.b64encode(raw.encode()).decode(), newline=base64.b64encode(f"{raw}\n".encode()).decode()
    )
    for path in ("/ocpi/versions", SESSIONS.format(version=version)):
        assert (await emsp.ask("GET", path, Authorization=header, **ROUTED)).code == 1000


async def test_a_raw_token_that_is_base64_by_chance_is_known_in_both_ways(gateway, emsp):
    raw = base64.b64encode(f"by chance {uuid.uuid4()}".encode()).decode()
    with gateway.database() as db:
        hashed = gateway._secrets.token_hash(raw)
        db.execute(
            update(rows.partner_token).where(rows.partner_token.c.partner == emsp.partner_id).values(hash=hashed)
        )
    for header in (f"Token {raw}", f"Token {base64.b64encode(raw.encode()).decode()}"):
        assert (await emsp.ask("GET", "/ocpi/versions", Authorization=header)).code == 1000
    decoded = base64.b64decode(raw).decode().replace(" ", "-")
    assert (await emsp.ask("GET", "/ocpi/versions", Authorization=f"Token {decoded}")).http == 401


UNKNOWN = [
    None,
    "",
    "Token",
    "Token ",
    "Token unknown",
    "Bearer {raw}",
    "Basic {base64}",
    "{raw}",
    "{base64}",
    "Token {raw} {raw}",
    "Token {base64}{base64}",
    "Token IpbJOXxkxOAuKR92z0nEcmVF3Qw09VG7I7d/WCg0koM=",  # decodes to bytes that are no text
    "Token \u00e9",
    *[one["header"] for one in ours("transport/authorization_headers.json") if one["credentials_token"] is None],
]


@pytest.mark.parametrize("header", UNKNOWN, ids=repr)
async def test_rule_5_rule_6_a_missing_or_unknown_token_is_401_and_never_403(emsp, header):
    raw = emsp.token_in
    if header is not None:
        header = header.format(raw=raw, base64=base64.b64encode(raw.encode()).decode())
    for told in (
        await emsp.ask("GET", "/ocpi/versions", Authorization=header),
        await emsp.ask("GET", "/ocpi/2.2", Authorization=header),
        await emsp.ask("GET", SESSIONS.format(version="2.2.1"), Authorization=header),
        await emsp.send("RESERVE_NOW", b"{not even json", Authorization=header),
        await emsp.send("RESERVE_NOW", {}, Authorization=header, OCPI_to_party_id="XXX"),
    ):
        assert (told.http, told.code) == (401, 2000)
        assert "data" not in told.json


@versions
@pytest.mark.parametrize("state", [PartnerState.SUSPENDED, PartnerState.REMOVED])
async def test_a_suspended_or_removed_partner_is_401_from_one_request_to_the_next(place, version, state):
    assert (await place.emsp.ask("GET", SESSIONS.format(version=version))).code == 1000
    with place.gateway.database() as db:
        assert partners.become(db, place.emsp.partner_id, state)
    assert (await place.emsp.ask("GET", SESSIONS.format(version=version))).http == 401
    assert (await place.emsp.ask("GET", "/ocpi/versions")).http == 401
    told = await place.emsp.unlock(place.location, version=version)
    assert (told.http, told.code) == (401, 2000)
    await place.nothing_followed(told)


# Paths and methods


@versions
async def test_a_trailing_slash_is_the_same_path_without_a_redirect(place, version):
    for path in ("/ocpi/versions", f"/ocpi/{version}", SESSIONS.format(version=version)):
        plain, _, query = path.partition("?")
        with_slash = f"{plain}/?{query}" if query else f"{plain}/"
        one, other = await place.emsp.ask("GET", path), await place.emsp.ask("GET", with_slash)
        assert one.http == other.http == 200
        assert one.json["data"] == other.json["data"]
    told = await place.emsp.send(
        "UNLOCK_CONNECTOR/",
        {"location_id": place.location, "evse_uid": "E1", "connector_id": "1"},
        version=version,
    )
    assert await place.emsp.result(told) == "ACCEPTED"


@versions
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_rule_119_commands_are_only_posted(place, version, method):
    for command in DIALECTS[version].commands:
        told = await place.emsp.ask(method, COMMAND.format(version=version, command=command), {}, **ROUTED)
        assert (told.http, told.code) == (405, 2000)
        assert told.headers["Allow"] == "POST"


@pytest.mark.parametrize("type_", ["application/json; charset=utf-8", "Application/JSON", "text/plain", None])
async def test_a_body_is_json_whatever_its_content_type_says(place, type_):
    body = json.dumps(
        {
            "response_url": place.emsp.url_for("plain"),
            "location_id": place.location,
            "evse_uid": "E1",
            "connector_id": "1",
        }
    ).encode()
    told = await place.emsp.send("UNLOCK_CONNECTOR", body, Content_Type=type_)
    told.name = "plain"
    assert await place.emsp.result(told) == "ACCEPTED"


async def test_a_body_that_is_nested_without_end_is_a_parameter_that_is_wrong(emsp):
    for depth in (300, 1000):
        nested = b"[" * depth + b"]" * depth
        url = emsp.url_for("deep").encode()
        told = await emsp.send("STOP_SESSION", b'{"response_url":"%s","session_id":"S","x":%s}' % (url, nested))
        assert (told.http, told.code) == (200, 2001)


# What is read tolerantly


@versions
async def test_rule_237_unknown_fields_are_not_heard(place, version):
    token = place.emsp.token_body(x_extra={"a": [None, 1.5]}, energy_contract={"supplier_name": "S", "x": 1})
    told = await place.emsp.start_session(place.location, token=token, version=version, body={"x-1": None, "y": [{}]})
    assert await place.emsp.result(told) == "ACCEPTED"


@versions
async def test_rule_77_null_says_the_same_as_absent_where_a_field_is_optional(place, version):
    token = place.emsp.token_body(
        visual_number=None, group_id=None, language=None, default_profile_type=None, energy_contract=None
    )
    nulls = {"authorization_reference": None, "evse_uid": None}
    told = await place.emsp.reserve(place.location, token=token, evse=None, version=version, body=nulls)
    assert await place.emsp.result(told) == "ACCEPTED"
    told = await place.emsp.start_session(
        place.location, token=token, evse=None, version=version, body=nulls | {"connector_id": None}
    )
    assert await place.emsp.result(told) == "ACCEPTED"
    (asked,) = place.station.all_asked("RequestStartTransaction")
    assert None not in asked.values()


@versions
@pytest.mark.parametrize("said", [("uid", "type", "contract_id"), ("uid", "type")])
async def test_a_partner_may_be_allowed_tokens_that_say_little(gateway, version, said):
    for lenient in (True, False):
        async with scene(gateway, lenient_token=lenient) as place:
            token = {name: place.emsp.token_body()[name] for name in said}
            told = await place.emsp.reserve(place.location, token=token, version=version)
            if not lenient:
                assert (told.http, told.code) == (200, 2001)
                await place.nothing_followed(told)
            else:
                assert await place.emsp.result(told) == "ACCEPTED"


@pytest.mark.parametrize(
    "written",
    [
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S.0Z",
        "%Y-%m-%dT%H:%M:%S.123",
        "%Y-%m-%dT%H:%M:%S.123456789Z",
        "%Y-%m-%dT%H:%M:%S+00:00",
        "%Y-%m-%dt%H:%M:%Sz",
    ],
)
async def test_rule_71_rule_72_a_moment_is_utc_however_it_is_written(place, written):
    at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    told = await place.emsp.reserve(place.location, body={"expiry_date": at.strftime(written)})
    assert await place.emsp.result(told) == "ACCEPTED"
    asked = parse_datetime((await place.station.was_asked("ReserveNow"))["expiryDateTime"])
    assert asked.replace(microsecond=0) == at


@versions
async def test_rule_73_ids_are_the_same_in_any_case(gateway, version):
    async with scene(gateway, party=("DE", "aBc")) as place:
        location, token = place.location.lower(), place.emsp.token_body(party=Party("de", "AbC"))
        spelt = {"OCPI_from_country_code": "De", "OCPI_from_party_id": "ABc", "OCPI_to_party_id": "cpo"}
        told = await place.emsp.reserve(location, "e1", id="Ab-1", token=token, version=version, **spelt)
        assert await place.emsp.result(told) == "ACCEPTED"
        told = await place.emsp.reserve(place.location, "E1", id="aB-1", token=token, version=version)
        assert await place.emsp.result(told) == "ACCEPTED"
        one, other = place.station.all_asked("ReserveNow")
        assert one["id"] == other["id"]
        assert await place.emsp.result(await place.emsp.cancel("AB-1", version=version)) == "ACCEPTED"
        assert await place.emsp.result(await place.emsp.unlock(location, "e1", version=version)) == "ACCEPTED"


# The same POST again


def unlocking(place, name: str) -> dict:
    return {
        "response_url": place.emsp.url_for(name),
        "location_id": place.location,
        "evse_uid": "E1",
        "connector_id": "1",
    }


@versions
async def test_the_same_post_again_gets_the_stored_answer_and_asks_nobody(place, version):
    body = unlocking(place, "one")
    first = await place.emsp.send("UNLOCK_CONNECTOR", body, version=version, X_Request_ID="same")
    first.name = "one"
    assert await place.emsp.result(first) == "ACCEPTED"
    # White space, the order of the fields and what is not heard make no other body.
    again = json.dumps(dict(reversed(body.items())) | {"unheard": 1}, indent=3)
    for told in (
        await place.emsp.send("UNLOCK_CONNECTOR", body, version=version, X_Request_ID="same"),
        await place.emsp.send("UNLOCK_CONNECTOR/", again, version=version, X_Request_ID="same"),
    ):
        assert (told.http, told.json["data"]) == (200, first.json["data"])
    await _asked_once(place, "one")


async def _asked_once(place, name: str) -> None:
    """And what comes after it is asked after it."""
    assert await place.emsp.result(await place.emsp.unlock(place.location)) == "ACCEPTED"
    assert [action for action, _ in orders(place.station)] == ["UnlockConnector"] * 2
    assert [one.name for one in place.emsp.callbacks].count(name) == 1
    assert len(place.gateway.rows("callback", partner=place.emsp.partner_id)) == 2


@versions
async def test_ten_times_the_same_post_at_once_is_one_command(place, version):
    body = unlocking(place, "ten")
    told = await asyncio.gather(
        *(place.emsp.send("UNLOCK_CONNECTOR", body, version=version, X_Request_ID="ten") for _ in range(10))
    )
    assert {(one.http, one.code, one.result, one.json["data"]["timeout"]) for one in told} == {
        (200, 1000, "ACCEPTED", 30)
    }
    told[0].name = "ten"
    assert await place.emsp.result(told[0]) == "ACCEPTED"
    await _asked_once(place, "ten")


async def test_a_refusal_is_repeated_too_even_when_it_would_be_another_now(gateway, place):
    body = unlocking(place, "x") | {"evse_uid": "E2"}
    first = await place.emsp.send("UNLOCK_CONNECTOR", body, X_Request_ID="refused")
    assert first.code == 2003
    with gateway.database() as db:
        here = select(rows.location.c.id).where(rows.location.c.location_id == place.location)
        db.execute(update(rows.evse).where(rows.evse.c.location.in_(here)).values(evse_uid="E2", evse_key="e2"))
    again = await place.emsp.send("UNLOCK_CONNECTOR", body, X_Request_ID="refused")
    assert (again.code, again.json["data"]) == (2003, first.json["data"])
    assert (await place.emsp.send("UNLOCK_CONNECTOR", body)).result == "ACCEPTED"


async def test_another_body_or_command_under_an_old_id_is_a_new_command(place):
    same = {"X_Request_ID": "reused"}
    unlocked = await place.emsp.unlock(place.location, **same)
    assert await place.emsp.result(unlocked) == "ACCEPTED"
    assert await place.emsp.result(await place.emsp.unlock(place.location, **same)) == "ACCEPTED"
    assert await place.emsp.result(await place.emsp.start_session(place.location, **same)) == "ACCEPTED"
    assert [action for action, _ in orders(place.station)] == [
        "UnlockConnector",
        "UnlockConnector",
        "RequestStartTransaction",
    ]


async def test_another_partners_id_is_no_duplicate(place):
    body = unlocking(place, "shared")
    async with place.gateway.emsp(party=("DE", "ABC")) as other:
        for client in (place.emsp, other):
            told = await client.send("UNLOCK_CONNECTOR", body | {"response_url": client.url_for("s")}, X_Request_ID="s")
            told.name = "s"
            assert await client.result(told) == "ACCEPTED"
    assert len(orders(place.station)) == 2


async def test_a_post_without_an_id_of_its_own_is_never_a_duplicate(place):
    body = unlocking(place, "anonymous")
    for _ in range(2):
        told = await place.emsp.send("UNLOCK_CONNECTOR", body, X_Request_ID=None)
        assert told.result == "ACCEPTED"
    await place.station.was_asked("UnlockConnector", 2)


# Our own mistakes


async def test_a_failure_of_ours_is_3000_over_200_with_the_ids_and_the_parties(tmp_path, redis_url):
    async with office(tmp_path, redis_url, allow_private_callbacks=True) as desk:
        desk.gateway.cpo()
        emsp = desk.gateway.emsp(party=("DE", "ABC"))
        with desk.gateway.database() as db:
            db.exec_driver_sql("DROP TABLE session")
        headers = {"X-Request-ID": "r", "X-Correlation-ID": "c", "Authorization": f"Token {emsp.token_in}"}
        headers |= {name.replace("_", "-"): value for name, value in ROUTED.items()}
        body = {"response_url": "http://127.0.0.1/", "session_id": "S"}
        told = await desk.client.post("/ocpi/cpo/2.2/commands/STOP_SESSION", json=body, headers=headers)
        assert (told.status_code, told.json()["status_code"]) == (200, 3000)
        assert told.json().keys() == {"status_code", "status_message", "timestamp"}
        assert "session" not in told.json()["status_message"]
        assert (told.headers["X-Request-ID"], told.headers["X-Correlation-ID"]) == ("r", "c")
        assert {name: told.headers.get(name) for name in SWAPPED} == SWAPPED
