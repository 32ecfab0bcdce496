"""Partners in the operator API: what operators do there is what the command line does."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway import Gateway
from tests.support.operators import Operators
from tests.support.platforms import peer


@pytest.fixture
async def operators(gateway: Gateway) -> AsyncIterator[Operators]:
    async with Operators(gateway) as opened:
        yield opened


async def test_a_partner_is_invited_seen_suspended_and_let_go(gateway: Gateway, operators: Operators) -> None:
    async with peer(gateway) as one:
        invitation = await operators.post("/partners/invitations", {"name": one.name}, 201)
        assert invitation["versions_url"] == one.versions_url
        await operators.post("/partners/invitations", {"name": one.name}, 409)
        await one.platform.register(one.versions_url, invitation["token"])
        operators.secrets += [one.platform.token, *one.platform.accepted, invitation["token"]]
        newest = (await operators.get("/partners", limit=1))["items"][0]
        assert (newest["name"], newest["state"]) == (one.name, "ACTIVE")
        path = f"/partners/{newest['id']}"
        whole = await operators.get(path)
        assert whole["versions_url"] == one.platform.versions_url
        assert [one["role"] for one in whole["parties"]] == ["EMSP"]
        assert whole["tolerance"]["raw_token"] == "no"

        one.platform.tokens = [one.platform.card("A"), one.platform.card("B")]
        assert await operators.post(f"{path}/token-pull", {"again": True}) == {"taken": 2, "skipped": 0}
        before = one.platform.token
        await operators.post(f"{path}/rotate")
        assert one.platform.token != before

        await operators.post(f"{path}/resume", status=409)
        assert (await operators.post(f"{path}/suspend"))["state"] == "SUSPENDED"
        assert not await one.is_let_in()
        await operators.post(f"{path}/rotate", status=409)
        assert (await operators.post(f"{path}/resume"))["state"] == "ACTIVE"
        assert await one.is_let_in()

        ended = await operators.ask("DELETE", path)
        assert ended.json() == {"id": newest["id"], "problem": None}
        assert one.platform.token is None
        assert (await operators.ask("DELETE", path)).status_code == 409
        assert (await operators.get(path))["state"] == "REMOVED"


async def test_a_partner_is_registered_with(gateway: Gateway, operators: Operators) -> None:
    async with peer(gateway) as one:
        sought = {"versions_url": one.platform.versions_url, "token": one.platform.invite(), "name": one.name}
        refused = await operators.post("/partners/registrations", sought | {"token": "another"}, 409)
        assert "401" in refused["detail"]
        whole = await operators.post("/partners/registrations", sought, 201)
        assert (whole["state"], whole["version"]) == ("ACTIVE", "2.2.1")
        assert await one.both_talk()
        again = await operators.post("/partners/registrations", sought, 409)
        assert "401" in again["detail"]


async def test_who_does_not_take_the_end_is_told_of(gateway: Gateway, operators: Operators) -> None:
    async with peer(gateway) as one:
        await one.register()
        path = f"/partners/{one.row['id']}"
        one.platform.accepted.clear()
        assert "401" in (await operators.ask("DELETE", path)).json()["problem"]
        assert one.row["state"] == "REMOVED"


async def test_what_is_not_there_or_not_said_well(operators: Operators) -> None:
    for method, path in (("GET", ""), ("POST", "/rotate"), ("POST", "/suspend"), ("DELETE", "")):
        assert (await operators.ask(method, f"/partners/999999{path}")).status_code == 404
    assert (await operators.ask("POST", "/partners/999999/token-pull", json={})).status_code == 404
    await operators.post("/partners/invitations", {"name": "no such partner", "again": True}, 404)
    for body in ({"name": "17"}, {"name": ""}, {}, {"name": "x", "more": 1}):
        await operators.post("/partners/invitations", body, 400)
    for url in ("ftp://a/", "https://user@a.example/", "not a url"):
        await operators.post("/partners/registrations", {"versions_url": url, "token": "t"}, 400)


@pytest.mark.parametrize("path", ["/partners/1%0A", "/%0A"])
async def test_a_path_with_a_line_feed_is_told_like_any_other(operators: Operators, path: str) -> None:
    assert (await operators.ask("GET", path)).status_code in (400, 404)


async def test_a_parameter_that_is_misspelt_is_told_and_not_ignored(operators: Operators) -> None:
    for path in ("/partners?limt=1", "/sessions?partnr=x", "/stations?=1"):
        answer = await operators.ask("GET", path)
        assert (answer.status_code, "no such parameter" in answer.json()["detail"]) == (400, True)
