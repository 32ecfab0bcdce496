"""What is true of every message: who sends it, what it carries, and how mistakes are told (transport_and_format)."""

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import pytest

from gateway.api.app import documents
from gateway.simulators.emsp import SimulatedEmsp
from ocpi.dialects import DIALECTS
from tests.support.gateway import Gateway, eventually
from tests.support.platforms import SINCE, peer
from tests.support.scene import scene

IDS = ("X-Request-ID", "X-Correlation-ID")
ROUTING = ("OCPI-from-country-code", "OCPI-from-party-id", "OCPI-to-country-code", "OCPI-to-party-id")


async def heard(emsp: SimulatedEmsp, pushes: int) -> list[Any]:
    """Its callbacks, and so many pushes."""
    await eventually(lambda: len(emsp.receiver.pushes) >= pushes)
    return [*emsp.callbacks, *emsp.receiver.pushes]


async def test_rule_1_rule_12_rule_36_rule_47_every_message_of_ours_is_whole(gateway: Gateway) -> None:
    """Results, Sessions and CDRs alike; the simulated eMSP judges them too, by other code."""
    async with scene(gateway) as place:
        session = await place.charge()
        await place.emsp.result(await place.emsp.stop_session(session))
        messages = await heard(place.emsp, 1)
        assert len(messages) >= 3
        for one in messages:
            assert one.problems == ()
            assert one.headers["Authorization"].startswith("Token ")
            assert one.headers["Content-Type"] == "application/json"
            assert {one.headers[name] for name in ROUTING} >= {"NL", "CPO", place.emsp.party.party_id}
        for name in IDS:
            assert len({one.headers[name] for one in messages}) == len(messages)
        uuid.UUID(messages[0].headers["X-Request-ID"])


async def test_rule_1_rule_37_so_is_every_message_of_a_handshake(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        seen: list[Any] = []
        door = one.platform._shown_token

        def noted(request: Any) -> str | None:
            seen.append(request.headers.copy())
            return door(request)

        one.platform._shown_token = noted  # type: ignore[method-assign]
        await one.register()
        assert len(seen) == 2
        for headers in seen:
            assert headers["Authorization"].startswith("Token ")
            assert not set(ROUTING) & set(headers)
        assert len({headers["X-Request-ID"] for headers in seen}) == 2


async def test_rule_4_a_token_is_of_one_partner_alone(gateway: Gateway) -> None:
    words = ("--country", "DE", "--party", "AAA", "--token-out", "x", "--token-in", f"t-{uuid.uuid4()}")
    first = await asyncio.to_thread(gateway.cli, "partner", "add", "--name", f"a-{uuid.uuid4()}", *words)
    second = await asyncio.to_thread(gateway.cli, "partner", "add", "--name", f"b-{uuid.uuid4()}", *words)
    assert (first.returncode, second.returncode) == (0, 1)
    assert "in use" in second.stderr


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_rule_13_a_request_is_not_refused_for_its_content_type(gateway: Gateway, kind: str | None) -> None:
    gateway.cpo()
    async with gateway.emsp() as emsp:
        assert (await emsp.get("/ocpi/versions", Content_Type=kind)).code == 1000
        assert (await emsp.get(f"/ocpi/cpo/2.2.1/sessions{SINCE}", Content_Type=kind)).code == 1000
        told = await emsp.ask("POST", "/ocpi/cpo/2.2.1/commands/STOP_SESSION", json.dumps({}), Content_Type=kind)
        assert (told.http, told.code) == (200, 2001)


@pytest.mark.parametrize("version", DIALECTS)
async def test_rule_51_every_endpoint_has_the_version_in_its_url(gateway: Gateway, version: str) -> None:
    async with gateway.emsp() as emsp:
        endpoints = (await emsp.get(f"/ocpi/{version}")).json["data"]["endpoints"]
        assert [one["url"] for one in endpoints if f"/{version}/" not in one["url"]] == []


@pytest.mark.parametrize("version", DIALECTS)
async def test_rule_84_rule_83_credentials_are_there_and_what_commands_depend_on(
    gateway: Gateway, version: str
) -> None:
    async with gateway.emsp() as emsp:
        endpoints = (await emsp.get(f"/ocpi/{version}")).json["data"]["endpoints"]
        there = [(one["identifier"], one["role"]) for one in endpoints]
        assert len(there) == len(set(there))
        wanted = [("credentials", "SENDER"), ("commands", "RECEIVER"), ("sessions", "SENDER"), ("tokens", "RECEIVER")]
        assert set(wanted) <= set(there)


@pytest.mark.parametrize(
    ("method", "path", "http", "code"),
    [
        ("GET", "/ocpi/versions", 200, 1000),
        ("GET", "/ocpi/2.2.1", 200, 1000),
        ("GET", "/ocpi/9.9", 404, 2000),
        ("GET", "/ocpi", 404, 2000),
        ("GET", "/", 404, 2000),
        ("DELETE", "/ocpi/versions", 405, 2000),
        ("GET", "/ocpi/cpo/2.2.1/sessions", 200, 2001),
        ("PUT", "/ocpi/cpo/2.2.1/tokens/XX/YYY/1", 404, 2000),
        ("POST", "/ocpi/2.2.1/credentials", 405, 2000),
    ],
)
async def test_rule_33_rule_59_rule_62_every_answer_is_an_envelope(
    gateway: Gateway, method: str, path: str, http: int, code: int
) -> None:
    async with gateway.emsp() as emsp:
        told = await emsp.ask(method, path)
        assert (told.http, told.code) == (http, code)
        assert ("data" in told.json) is (code == 1000)
        unknown = await emsp.ask(method, path, Authorization="Token nobody")
        assert unknown.code >= 2000


async def test_rule_61_what_is_specified_is_in_every_good_answer(gateway: Gateway) -> None:
    async with scene(gateway) as place:
        await place.charge()
        for path in ("sessions" + SINCE, "cdrs" + SINCE, "tariffs"):
            told = await place.emsp.get(f"/ocpi/cpo/2.2.1/{path}")
            assert isinstance(told.json["data"], list)
        assert (await place.emsp.reserve(place.location)).json["data"]["result"]


async def test_rule_79_an_invitation_names_the_versions_url(gateway: Gateway) -> None:
    gateway.cpo()
    told = await asyncio.to_thread(gateway.cli, "partner", "invite", "--name", f"guest-{uuid.uuid4()}")
    invitation = json.loads(told.stdout)
    assert set(invitation) == {"versions_url", "token"}
    assert invitation["versions_url"] == f"{gateway.api}/ocpi/versions"
    headers = {"Authorization": f"Token {invitation['token']}"}
    async with aiohttp.ClientSession() as client, client.get(invitation["versions_url"], headers=headers) as answer:
        assert (await answer.json())["status_code"] == 1000


async def test_rule_87_versions_may_be_asked_for_again_and_again(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        token_a = one.invite()
        tables = ("partner", "partner_token", "partner_party", "partner_endpoint", "command")
        before = {table: gateway.rows(table) for table in tables}
        for _ in range(3):
            assert (await one.status("GET", "/ocpi/versions", token_a))[0] == 200
            assert (await one.status("GET", "/ocpi/2.2", token_a))[0] == 200
        assert {table: gateway.rows(table) for table in tables if table != "command"} == {
            table: rows for table, rows in before.items() if table != "command"
        }


async def test_rule_233_two_commands_may_name_one_response_url(gateway: Gateway) -> None:
    async with scene(gateway) as place:
        url = {"response_url": place.emsp.url_for("the-same")}
        body = {"location_id": place.location, "evse_uid": "E1", "connector_id": "1"} | url
        for _ in range(2):
            assert (await place.emsp.send("UNLOCK_CONNECTOR", body)).result == "ACCEPTED"
        await eventually(lambda: len([one for one in place.emsp.callbacks if one.name == "the-same"]) >= 2)


async def test_rule_237_rule_238_what_we_add_is_no_field_of_an_ocpi_object(gateway: Gateway) -> None:
    """Nothing of ours is in OCPI's objects; what we offer beside it has a place of its own."""
    names = {
        name
        for made in documents().values()
        for schema in made["components"]["schemas"].values()  # type: ignore[index]
        for name in schema.get("properties", {})
    }
    assert [name for name in names if name.startswith(("x-", "x_", "custom"))] == []
    async with gateway.emsp() as emsp:
        endpoints = (await emsp.get("/ocpi/2.2.1")).json["data"]["endpoints"]
        assert [one["url"] for one in endpoints if "/partner/" in one["url"]] == []


def test_rule_241_each_version_has_one_document() -> None:
    assert {version: made["info"]["version"] for version, made in documents().items()} == {  # type: ignore[index]
        version: version for version in DIALECTS
    }


async def test_an_emsp_finds_all_it_needs_by_details_alone(gateway: Gateway) -> None:
    gateway.cpo()
    async with gateway.emsp() as emsp:
        for version in DIALECTS:
            for one in (await emsp.get(f"/ocpi/{version}")).json["data"]["endpoints"]:
                path = one["url"].removeprefix(gateway.api)
                told = await emsp.get(f"{path}{SINCE}")
                assert told.http in ((404, 405) if one["role"] == "RECEIVER" else (200,))
