"""CDRs and Tariffs are pulled in pages, each partner its own, in the words of the version that is asked."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import cdrs
from gateway.store import partners, tariffs
from ocpi.dialects import DIALECTS
from ocpi.headers import Party
from ocpi.tariffs import Tariff
from tests.support.charges import Driver, priced_location
from tests.support.gateway import Gateway
from tests.support.indoors import Indoors
from tests.support.office import office
from tests.support.tariffs import tariff

OCPI = tuple(DIALECTS)


class Partner:
    """A connection with a driver at a place of ours, and what it pulls."""

    def __init__(self, client: httpx.AsyncClient, indoors: Indoors, gateway: Gateway, **changes: Any) -> None:
        self.client, self.indoors = client, indoors
        self.emsp = gateway.emsp(**changes)
        self.connection = indoors.run(partners.by_id, self.emsp.partner_id)

    def drivers(self, emsp: Party | None = None) -> Driver:
        station = self.indoors.station()
        return Driver(self.indoors, self.connection, priced_location(self.indoors, station, "T-1"), station, emsp)

    def charged(self, times: int = 1, emsp: Party | None = None) -> None:
        there = self.drivers(emsp)
        for _ in range(times):
            there.asks_to_start(authorization_reference="REF")
            there.charges()

    async def get(self, module: str, version: str = "2.2.1", query: str = "", **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Token {self.emsp.token_in}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.get(f"/ocpi/cpo/{version}/{module}{query}", headers=sent)
        assert answer.status_code == 200
        return answer

    async def pulls(self, module: str, version: str = "2.2.1", query: str = "", **headers: str) -> list[dict[str, Any]]:
        told = (await self.get(module, version, query, **headers)).json()
        assert told["status_code"] == 1000, told
        return told["data"]


class House:
    """An api process' application, and a house around its database."""

    def __init__(self, client: httpx.AsyncClient, indoors: Indoors, gateway: Gateway) -> None:
        self.client, self.indoors, self.gateway = client, indoors, gateway
        self.puts(tariff("T-1"))

    def puts(self, *ones: dict[str, Any]) -> None:
        for one in ones:
            self.indoors.run(tariffs.put, self.indoors.cpo.id, Tariff.model_validate(one))

    def partner(self, **changes: Any) -> Partner:
        return Partner(self.client, self.indoors, self.gateway, **changes)


@pytest.fixture
async def house(tmp_path: Path, redis_url: str) -> AsyncIterator[House]:
    async with office(tmp_path, redis_url, allow_private_callbacks=True) as desk:
        indoors = Indoors(desk.office.rules.settings.database)
        yield House(desk.client, indoors, desk.gateway)
        indoors.close()


def following(answer: httpx.Response) -> str | None:
    """The query of the next page."""
    link = answer.headers.get("Link")
    found = re.fullmatch(r'<http://gateway\.example/ocpi/cpo/[\d.]+/\w+(\?.+)>; rel="next"', link) if link else None
    assert link is None or found
    return found[1] if found else None


async def ids(partner: Partner, module: str, query: str = "") -> list[list[str]]:
    """Page by page, as far as the links lead."""
    pages: list[list[str]] = []
    asked: str | None = query
    while asked is not None:
        answer = await partner.get(module, query=asked)
        pages.append([one["id"] for one in answer.json()["data"]])
        asked = following(answer)
    return pages


@pytest.mark.parametrize("version", OCPI)
async def test_rule_9_a_partner_pulls_its_cdrs_in_the_version_that_it_asks(house: House, version: str) -> None:
    one = house.partner()
    one.charged()
    [told] = await one.pulls("cdrs", version)
    assert DIALECTS[version].cdr.model_validate(told).wire() == told
    assert ("party_id" in told["cdr_token"]) == (version != "2.2")
    assert ("postal_code" in told["cdr_location"]) == (version == "2.2")
    assert (told["total_cost"], told["authorization_reference"]) == ({"excl_vat": 2.5}, "REF")


async def test_rule_17_rule_20_rule_21_the_pages_of_cdrs_lead_from_the_oldest_to_the_newest(house: House) -> None:
    one = house.partner()
    one.charged(5)
    made = [row["cdr_id"] for row in house.indoors.rows("cdr")]
    assert await ids(one, "cdrs", "?limit=2") == [made[:2], made[2:4], made[4:]]
    assert await ids(one, "cdrs") == [made]
    assert await ids(one, "cdrs", "?offset=4") == [made[4:]]
    assert await ids(one, "cdrs", "?offset=5") == [[]]


async def test_rule_18_cdrs_are_filtered_by_when_they_were_made_the_end_exclusive(house: House) -> None:
    one = house.partner()
    one.charged(3)
    first, second, third = ((row["cdr_id"], row["body"]["last_updated"]) for row in house.indoors.rows("cdr"))
    assert await ids(one, "cdrs", f"?date_from={second[1]}&limit=1") == [[second[0]], [third[0]]]
    assert await ids(one, "cdrs", f"?date_from={first[1]}&date_to={third[1]}") == [[first[0], second[0]]]


async def test_rule_22_rule_23_a_page_says_how_many_there_are_and_how_long_pages_are(house: House) -> None:
    one, other = house.partner(), house.partner()
    one.charged(3)
    other.charged()
    answer = await one.get("cdrs", query="?limit=1")
    assert (answer.headers["X-Total-Count"], answer.headers["X-Limit"]) == ("3", "100")


async def test_rule_14_a_cdr_is_pulled_by_nobody_else(house: House) -> None:
    one, other = house.partner(), house.partner()
    one.charged()
    assert len(await one.pulls("cdrs")) == 1
    assert await other.pulls("cdrs") == []


async def test_rule_14_behind_a_hub_each_emsp_pulls_its_own(house: House) -> None:
    hub, one, other = house.partner(role="HUB"), Party("DE", "ONE"), Party("DE", "TWO")
    hub.charged(1, one)
    hub.charged(2, other)
    for party, count in ((one, 1), (other, 2), (Party("DE", "XXX"), 0)):
        named = {"OCPI_from_country_code": party.country_code, "OCPI_from_party_id": party.party_id}
        told = await hub.pulls("cdrs", **named)
        assert [each["cdr_token"]["party_id"] for each in told] == [party.party_id] * count
    assert (await hub.get("cdrs")).json()["status_code"] == 2001


async def test_of_several_parties_of_ours_the_one_that_is_addressed_answers(house: House) -> None:
    one = house.partner()
    one.charged()
    house.indoors.run(partners.add_cpo, Party("NL", "OTH"), "Another CPO")
    assert (await one.get("cdrs")).json()["status_code"] == 2001
    for party, count in (("CPO", 1), ("OTH", 0)):
        addressed = {"OCPI_to_country_code": "NL", "OCPI_to_party_id": party}
        assert len(await one.pulls("cdrs", **addressed)) == count
        assert len(await one.pulls("tariffs", **addressed)) == count


async def test_a_credit_cdr_is_pulled_like_any_other(house: House) -> None:
    one = house.partner()
    one.charged()
    [row] = house.indoors.rows("cdr")
    house.indoors.run(cdrs.credit, row["id"], "Wrong.", house.indoors.now)
    for version in OCPI:
        billed, credit = await one.pulls("cdrs", version)
        assert (credit["credit"], credit["credit_reference_id"]) == (True, billed["id"])


@pytest.mark.parametrize("version", OCPI)
async def test_rule_9_every_partner_pulls_the_tariffs(house: House, version: str) -> None:
    house.puts(tariff("T-2", type="AD_HOC_PAYMENT"))
    assert await house.partner().pulls("tariffs", version) == [tariff("T-1"), tariff("T-2", type="AD_HOC_PAYMENT")]


async def test_rule_17_rule_18_tariffs_are_paged_and_filtered_too(house: House) -> None:
    one = house.partner()
    house.puts(*(tariff(f"T-{day}", last_updated=f"2026-01-0{day}T00:00:00Z") for day in range(2, 5)))
    assert await ids(one, "tariffs", "?limit=3") == [["T-1", "T-2", "T-3"], ["T-4"]]
    filtered = "?date_from=2026-01-02T00:00:00Z&date_to=2026-01-04T00:00:00Z&limit=1"
    assert await ids(one, "tariffs", filtered) == [["T-2"], ["T-3"]]


@pytest.mark.parametrize("module", ["cdrs", "tariffs"])
@pytest.mark.parametrize("query", ["?date_from=yesterday", "?date_to=7", "?limit=0", "?limit=-1", "?offset=x"])
async def test_a_page_that_makes_no_sense_is_an_invalid_parameter(house: House, module: str, query: str) -> None:
    assert (await house.partner().get(module, query=query)).json()["status_code"] == 2001


@pytest.mark.parametrize("module", ["cdrs", "tariffs"])
async def test_nobody_pulls_without_a_token(house: House, module: str) -> None:
    assert (await house.client.get(f"/ocpi/cpo/2.2.1/{module}")).status_code == 401
