"""What eMSPs push of their tokens: what is kept, what is not theirs to say, what they see (mod_tokens §Receiver)."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from gateway.domain.parties import Role
from gateway.store import partners, rows
from ocpi.headers import Party
from tests.support.emsp import Emsp
from tests.support.office import Desk, office

NEW, LATER, EARLIER = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", "2026-03-01T11:00:00Z"


@pytest.fixture
async def desk(tmp_path: Path, redis_url: str) -> AsyncIterator[Desk]:
    async with office(tmp_path, redis_url, allow_private_callbacks=True) as desk:
        desk.gateway.cpo()
        yield desk


class Pusher:
    """One eMSP at the desk."""

    def __init__(self, desk: Desk, emsp: Emsp) -> None:
        self.desk, self.emsp = desk, emsp

    def token(self, uid: str = "CARD-1", **changes: Any) -> dict[str, Any]:
        return self.emsp.token_body(uid, "RFID") | {"whitelist": "ALLOWED", "last_updated": NEW} | changes

    async def ask(
        self,
        method: str,
        body: Any = None,
        *,
        uid: str = "CARD-1",
        query: str = "",
        party: Party | None = None,
        version: str = "2.2.1",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        owner = party or self.emsp.party
        path = f"/ocpi/cpo/{version}/tokens/{owner.country_code}/{owner.party_id}/{uid}{query}"
        sent = {"Authorization": f"Token {self.emsp.token_in}"} | dict(headers or {})
        return await self.desk.client.request(method, path, json=body, headers=sent)

    async def code(self, method: str, body: Any = None, **more: Any) -> tuple[int, int]:
        """(HTTP status, OCPI status)."""
        answer = await self.ask(method, body, **more)
        return answer.status_code, answer.json()["status_code"]

    async def seen(self, **more: Any) -> dict[str, Any] | None:
        answer = await self.ask("GET", **more)
        assert (answer.status_code, answer.json()["status_code"]) in ((200, 1000), (404, 2004))
        return answer.json().get("data")


@pytest.fixture
def one(desk: Desk) -> Pusher:
    return Pusher(desk, desk.gateway.emsp())


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
async def test_rule_196_rule_57_rule_58_rule_24_a_token_is_put_seen_and_put_again(one: Pusher, version: str) -> None:
    first = one.token(group_id="GROUP", visual_number="No. 1")
    assert await one.code("PUT", first, version=version) == (201, 1000)
    assert await one.seen(version=version) == first
    # A PUT is the whole object: what it leaves out is not there any more.
    second = one.token(valid=False, last_updated=LATER)
    assert await one.code("PUT", second, version=version) == (200, 1000)
    assert await one.seen(version="2.2.1") == second


async def test_rule_196_no_other_method_is_there(one: Pusher) -> None:
    for method in ("POST", "DELETE"):
        status, code = await one.code(method, one.token())
        assert (status, code) == (405, 2000)


async def test_rule_197_the_type_is_rfid_unless_the_url_says_another(one: Pusher) -> None:
    card, app = one.token(issuer="card"), one.token(type="APP_USER", issuer="app")
    assert await one.code("PUT", card) == (201, 1000)
    assert await one.code("PUT", app, query="?type=APP_USER") == (201, 1000)
    assert await one.seen() == await one.seen(query="?type=RFID") == card
    assert await one.seen(query="?type=APP_USER") == app
    assert await one.seen(query="?type=OTHER") is None
    assert await one.code("GET", query="?type=rfid") == (200, 2001)
    # Whoever leaves the type out of the URL has it in the body.
    assert await one.code("PUT", one.token("APP-2", type="APP_USER"), uid="APP-2") == (201, 1000)


@pytest.mark.parametrize(
    ("changes", "query"),
    [
        ({"country_code": "FR"}, ""),
        ({"party_id": "XXX"}, ""),
        ({"uid": "CARD-2"}, ""),
        ({"type": "APP_USER"}, "?type=RFID"),
    ],
)
async def test_rule_198_rule_29_url_and_token_are_about_the_same(one: Pusher, changes: dict, query: str) -> None:
    assert await one.code("PUT", one.token(**changes), query=query) == (200, 2001)
    assert await one.seen() is None
    assert await one.code("PUT", one.token()) == (201, 1000)
    assert await one.code("PATCH", changes | {"last_updated": LATER}, query=query) == (200, 2001)
    assert await one.seen() == one.token()


async def test_rule_199_rule_63_a_patch_has_last_updated(one: Pusher) -> None:
    await one.ask("PUT", one.token())
    for body in ({"valid": False}, {"valid": False, "last_updated": None}, [], "valid"):
        assert await one.code("PATCH", body) == (200, 2001)
    assert await one.seen() == one.token()


async def test_rule_25_rule_200_a_patch_changes_what_it_says_and_nothing_else(one: Pusher) -> None:
    await one.ask("PUT", one.token(group_id="GROUP"))
    assert await one.code("PATCH", {"valid": False, "last_updated": LATER}) == (200, 1000)
    assert await one.seen() == one.token(group_id="GROUP", valid=False, last_updated=LATER)
    assert await one.code("PATCH", {"whitelist": "PERHAPS", "last_updated": LATER}) == (200, 2001)
    assert await one.seen() == one.token(group_id="GROUP", valid=False, last_updated=LATER)


async def test_rule_66_rule_56_a_token_that_was_never_pushed_is_unknown(one: Pusher) -> None:
    assert await one.code("GET") == (404, 2004)
    assert await one.code("PATCH", {"valid": False, "last_updated": NEW}) == (404, 2004)


async def test_rule_28_an_emsp_has_no_say_in_anothers_tokens(desk: Desk, one: Pusher) -> None:
    other = Pusher(desk, desk.gateway.emsp())
    await one.ask("PUT", one.token())
    mine = one.emsp.party
    for method, body in (("GET", None), ("PUT", one.token(valid=False)), ("PATCH", {"last_updated": LATER})):
        assert await other.code(method, body, party=mine) == (404, 2000)
    assert await one.seen() == one.token()
    # The same uid of another eMSP is another token.
    assert await other.code("PUT", other.token()) == (201, 1000)
    assert await one.seen() == one.token()


async def test_rule_28_rule_116_each_party_of_a_platform_pushes_its_own(desk: Desk, one: Pusher) -> None:
    second = Party("AT", "TWO")
    with desk.gateway.database() as db:
        partners.declare(db, one.emsp.partner_id, [Role(party=p, role="EMSP") for p in (one.emsp.party, second)])
    theirs = one.token() | {"country_code": "AT", "party_id": "TWO"}
    assert await one.code("PUT", theirs, party=second) == (201, 1000)
    from_first = {"OCPI-from-country-code": one.emsp.party.country_code, "OCPI-from-party-id": one.emsp.party.party_id}
    assert await one.code("PUT", theirs, party=second, headers=from_first) == (404, 2000)
    assert await one.seen() is None


async def test_rule_40_a_hub_hands_on_tokens_for_those_behind_it_and_they_only_their_own(desk: Desk) -> None:
    hub = Pusher(desk, desk.gateway.emsp(party=("DE", "HUB"), role="HUB", open_parties=False))
    behind, stranger = Party("NL", "ONE"), Party("NL", "TWO")
    with desk.gateway.database() as db:
        roles = [Role(party=hub.emsp.party, role="HUB"), Role(party=behind, role="EMSP")]
        partners.declare(db, hub.emsp.partner_id, roles)

    def speaking(party: Party) -> dict[str, str]:
        return {"OCPI-from-country-code": party.country_code, "OCPI-from-party-id": party.party_id}

    token = hub.token() | {"country_code": "NL", "party_id": "ONE"}
    answer = await hub.ask("PUT", token, party=behind, headers=speaking(hub.emsp.party))
    assert answer.status_code == 201
    assert answer.headers["OCPI-to-party-id"] == "HUB"
    assert await hub.code("GET", party=behind, headers=speaking(behind)) == (200, 1000)
    foreign = hub.token() | {"country_code": "NL", "party_id": "TWO"}
    assert await hub.code("PUT", foreign, party=stranger, headers=speaking(hub.emsp.party)) == (404, 2000)
    assert await hub.code("PUT", foreign, party=stranger, headers=speaking(behind)) == (404, 2000)
    assert await hub.code("PUT", token, party=behind) == (200, 2001)


async def test_news_of_a_token_that_are_older_than_what_is_known_change_nothing(one: Pusher) -> None:
    await one.ask("PUT", one.token(last_updated=NEW))
    for method, body in (
        ("PUT", one.token(valid=False, last_updated=EARLIER)),
        ("PATCH", {"valid": False, "last_updated": EARLIER}),
    ):
        answer = await one.ask(method, body)
        assert (answer.status_code, answer.json()["status_code"]) == (200, 1000)
        assert "newer" in answer.json()["status_message"]
    assert await one.seen() == one.token()
    assert await one.code("PUT", one.token(valid=False)) == (200, 1000)
    assert await one.seen() == one.token(valid=False)


async def test_rule_73_ids_are_the_same_in_any_case_and_kept_as_they_were_spelt(one: Pusher) -> None:
    await one.ask("PUT", one.token("Card-1"), uid="card-1")
    lower = Party(one.emsp.party.country_code.lower(), one.emsp.party.party_id.lower())
    assert await one.seen(uid="CARD-1", party=lower) == one.token("Card-1")


async def test_rule_120_rule_73_a_uid_may_have_signs_that_urls_know_otherwise(one: Pusher) -> None:
    for written, uid in (("a%2Fb", "a/b"), ("a%3Fb%23c", "a?b#c"), ("a%20b", "a b"), ("%25", "%")):
        assert await one.code("PUT", one.token(uid), uid=written) == (201, 1000)
        assert await one.seen(uid=written) == one.token(uid)


async def test_rule_77_what_is_null_or_unknown_in_a_token_is_not_heard(one: Pusher) -> None:
    told = one.token() | {"visual_number": None, "group_id": None, "shoe_size": 43}
    assert await one.code("PUT", told) == (201, 1000)
    assert await one.seen() == one.token()
    assert await one.code("PUT", one.token() | {"issuer": None}) == (200, 2001)


async def test_rule_211_a_group_may_be_longer_than_older_stations_take(one: Pusher) -> None:
    assert await one.code("PUT", one.token(group_id="G" * 36)) == (201, 1000)
    assert await one.code("PUT", one.token(group_id="G" * 37)) == (200, 2001)


async def test_partial_tokens_are_taken_from_a_partner_to_whom_they_are_forgiven(desk: Desk, one: Pusher) -> None:
    partial = {"contract_id": "C-1", "last_updated": NEW}
    assert await one.code("PUT", partial) == (200, 2001)
    with desk.gateway.database() as db:
        mine = rows.partner.c.id == one.emsp.partner_id
        db.execute(update(rows.partner).where(mine).values(lenient_token=True))
    assert await one.code("PUT", partial) == (201, 1000)
    seen = await one.seen()
    assert seen is not None
    assert (seen["uid"], seen["type"], seen["whitelist"], seen["contract_id"]) == ("CARD-1", "RFID", "NEVER", "C-1")


async def test_rule_5_rule_6_rule_54_whoever_is_unknown_and_what_is_no_json(one: Pusher) -> None:
    assert (await one.ask("GET", headers={"Authorization": "Token nobody"})).status_code == 401
    path = f"/ocpi/cpo/2.2.1/tokens/{one.emsp.party.country_code}/{one.emsp.party.party_id}/CARD-1"
    sent = {"Authorization": f"Token {one.emsp.token_in}"}
    assert (await one.desk.client.put(path, content=b"{", headers=sent)).status_code == 400
