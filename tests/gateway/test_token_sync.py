"""Pulling a partner's tokens: page by page, on where it broke off, what has changed since, and nowhere else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.parties import Partner
from gateway.house import utc_now
from gateway.office import Office
from gateway.paged import NotPulled, next_page
from gateway.settings import Settings
from gateway.store import endpoints, partners, schema, token_syncs
from gateway.token_sync import Pulled, sync, sync_what_is_due
from ocpi.headers import Party
from tests.support.gateway import Gateway
from tests.support.tokens_module import Reply, TokensModule

OWNER = Party("DE", "ONE")
UPDATED = "2026-03-01T12:00:00Z"


def token(uid: str, **changes: Any) -> dict[str, Any]:
    return {
        "country_code": "DE", "party_id": "ONE", "uid": uid, "type": "RFID", "contract_id": f"C-{uid}",
        "issuer": "It", "valid": True, "whitelist": "ALWAYS", "last_updated": UPDATED,
    } | changes  # fmt: skip


class Place:
    """A database, and a partner with a Tokens module."""

    def __init__(self, gateway: Gateway, office: Office, module: TokensModule) -> None:
        self.gateway, self.office, self.module = gateway, office, module
        gateway.cpo()
        emsp = gateway.emsp(party=("DE", "ONE"))
        with gateway.database() as db:
            endpoints.put(db, emsp.partner_id, "tokens", "SENDER", module.url)
        self.id, self.token_out = emsp.partner_id, emsp.token

    @property
    def partner(self) -> Partner:
        with self.gateway.database(reads_only=True) as db:
            return partners.by_id(db, self.id)

    async def pull(self, **more: bool) -> Pulled:
        return await sync(self.office, self.partner, **more)

    @property
    def uids(self) -> list[str]:
        return sorted(row["body"]["uid"] for row in self.gateway.rows("token", partner=self.id))

    def page(self, *tokens: Any, following: str | None = None) -> Reply:
        link = {} if following is None else {"Link": f'<{following}>; rel="next"'}
        return Reply(data=list(tokens), headers=link)

    @property
    def queries(self) -> list[str]:
        return [one.path.partition("?")[2] for one in self.module.asked]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    settings = Settings(data_dir=tmp_path, allow_private_callbacks=True, token_pull_interval=timedelta(hours=6))
    office = Office.open(settings, "unix:///nowhere")
    schema.upgrade(office.store._engine)
    async with TokensModule(Reply(data=[])) as module:
        yield Place(Gateway(tmp_path, 0, 0), office, module)
    await office.close()


async def test_rule_45_rule_53_all_pages_are_read_and_the_headers_are_ours(place: Place) -> None:
    place.module.replies = [
        place.page(token("A"), token("B"), following=f"{place.module.url}?offset=2&limit=2"),
        place.page(token("C")),
    ]
    assert await place.pull() == Pulled(taken=3, skipped=0)
    assert place.uids == ["A", "B", "C"]
    assert place.queries == ["offset=0&limit=100", "offset=2&limit=2"]
    headers = place.module.asked[0].headers
    assert (headers["OCPI-to-party-id"], headers["OCPI-from-party-id"]) == ("ONE", "CPO")
    assert {one.method for one in place.module.asked} == {"GET"}


async def test_rule_15_rule_16_rule_30_what_is_invalid_or_foreign_is_left_out_and_the_rest_taken(place: Place) -> None:
    place.module.replies = [
        place.page(token("A"), token("B", valid="yes"), "nonsense", token("C", party_id="XXX"), token("D"))
    ]
    assert await place.pull() == Pulled(taken=2, skipped=3)
    assert place.uids == ["A", "D"]


async def test_a_pull_that_broke_off_goes_on_where_it_was(place: Place) -> None:
    second = f"{place.module.url}?offset=1"
    place.module.replies = [place.page(token("A"), following=second), Reply(http=503, code=3000)]
    with pytest.raises(NotPulled, match="503"):
        await place.pull()
    assert place.uids == ["A"]
    place.module.replies = [place.page(token("B"))]
    assert await place.pull() == Pulled(taken=2, skipped=0)
    assert place.queries[2:] == ["offset=1"]


async def test_a_page_that_is_not_there_any_more_lets_a_pull_begin_anew(place: Place) -> None:
    place.module.replies = [
        place.page(token("A"), following=f"{place.module.url}?cursor=x"),
        Reply(http=404, code=2000),
    ]
    with pytest.raises(NotPulled, match="404"):
        await place.pull()
    place.module.replies = [place.page(token("A"), token("B"))]
    assert await place.pull() == Pulled(taken=2, skipped=0)
    assert place.queries[2:] == ["offset=0&limit=100"]


async def test_the_next_pull_asks_for_what_has_changed_since_unless_told_otherwise(place: Place) -> None:
    await place.pull()
    began = utc_now()
    await place.pull()
    await place.pull(again=True)
    since = place.queries[1].partition("date_from=")[2][:13]
    assert since == (began - timedelta(minutes=5)).strftime("%Y-%m-%dT%H")
    assert place.queries[2] == "offset=0&limit=100"


@pytest.mark.parametrize(
    "link", ["http://169.254.169.254/tokens?offset=1", "http://127.0.0.2:1/tokens", "https://127.0.0.1/x", "ftp://a/"]
)
async def test_a_link_that_leads_elsewhere_is_not_followed(place: Place, link: str) -> None:
    place.module.replies = [place.page(token("A"), following=link)]
    with pytest.raises(NotPulled, match="not where the module is"):
        await place.pull()
    assert len(place.module.asked) == 1


async def test_a_link_to_the_same_page_ends_the_pull(place: Place) -> None:
    place.module.replies = [place.page(token("A"), following=f"{place.module.url}?offset=0&limit=100")]
    assert await place.pull() == Pulled(taken=1, skipped=0)
    assert len(place.module.asked) == 1


async def test_an_older_token_of_a_page_does_not_undo_a_newer_one(place: Place) -> None:
    place.module.replies = [place.page(token("A", valid=False, last_updated="2026-04-01T00:00:00Z"))]
    await place.pull()
    place.module.replies = [place.page(token("A"))]
    await place.pull(again=True)
    [row] = place.gateway.rows("token", partner=place.id)
    assert row["body"]["valid"] is False


@pytest.mark.parametrize(
    "reply",
    [
        Reply(http=401, code=2000),
        Reply(code=2001),
        Reply(code=3000),
        Reply(body=b"<html>"),
        Reply(body=b"[]"),
        Reply(http=302, headers={"Location": "http://127.0.0.1:1/"}),
    ],
)
async def test_what_is_no_page_is_told(place: Place, reply: Reply) -> None:
    place.module.replies = [reply]
    with pytest.raises(NotPulled, match="cannot be read"):
        await place.pull()
    with place.gateway.database(reads_only=True) as db:
        row = token_syncs.find(db, place.id)
        assert row is not None
        assert row["error"] != ""


async def test_data_that_is_absent_or_no_list_is_forgiven(place: Place) -> None:
    place.module.replies = [Reply()]
    assert await place.pull() == Pulled(taken=0, skipped=0)
    place.module.replies = [Reply(data=token("A"))]
    assert await place.pull(again=True) == Pulled(taken=1, skipped=0)


async def test_a_partner_without_a_tokens_module_is_not_asked(place: Place) -> None:
    with place.gateway.database() as db:
        endpoints.remove(db, place.id, "tokens", "SENDER")
    with pytest.raises(NotPulled, match="no Tokens module"):
        await place.pull()


async def test_rule_11_rule_201_partners_are_asked_in_hours_and_not_all_at_once(place: Place) -> None:
    await sync_what_is_due(place.office)
    [row] = place.gateway.rows("token_sync")
    assert timedelta(0) <= row["due_at"] - utc_now() <= timedelta(hours=1.5)
    assert place.module.asked == []
    with place.gateway.database() as db:
        db.exec_driver_sql("UPDATE token_sync SET due_at = '2020-01-01 00:00:00'")
    await sync_what_is_due(place.office)
    await sync_what_is_due(place.office)
    assert len(place.module.asked) == 1
    [row] = place.gateway.rows("token_sync")
    assert timedelta(hours=4) <= row["due_at"] - utc_now() <= timedelta(hours=8)


async def test_nobody_is_asked_by_itself_unless_the_setting_says_so(place: Place) -> None:
    settings = place.office.rules.settings.model_copy(update={"token_pull_interval": timedelta(0)})
    quiet = replace(place.office, rules=replace(place.office.rules, settings=settings))
    await sync_what_is_due(quiet)
    assert place.gateway.rows("token_sync") == []


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ('<https://a/x?offset=1>; rel="next"', "https://a/x?offset=1"),
        ("<https://a/x>; rel=next", "https://a/x"),
        ('<https://a/first>; rel="first", <https://a/next>; rel="next"', "https://a/next"),
        ('<https://a/x>; title="t"; rel="next"', "https://a/x"),
        ('<https://a/x>; rel="prev"', None),
        ("https://a/x", None),
        ("", None),
        (None, None),
    ],
)
def test_the_link_that_leads_on(link: str | None, url: str | None) -> None:
    assert next_page(link) == url
