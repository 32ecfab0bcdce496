"""Sessions are pulled in pages, each partner its own, and those of nobody by nobody."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.store import partners
from ocpi.headers import Party
from ocpp_bridge.events import Phase
from ocpp_bridge.orders import IdToken
from tests.support.charges import Driver, priced_location
from tests.support.emsp import Emsp
from tests.support.indoors import Indoors
from tests.support.office import Desk, office

SINCE = "?date_from=2020-01-01T00:00:00Z"


@dataclass
class House:
    """An api process' application, and its database."""

    desk: Desk
    indoors: Indoors

    def partner(self, **changes: str) -> Emsp:
        return self.desk.gateway.emsp(**changes)

    def charges(self, emsp: Emsp, times: int = 1, party: Party | None = None) -> list[str]:
        """The ids of what they are, oldest first."""
        indoors, connection = self.indoors, self.indoors.run(partners.by_id, emsp.partner_id)
        station = indoors.station()
        there = Driver(indoors, connection, priced_location(indoors, station), station, party)
        for _ in range(times):
            there.asks_to_start()
            there.charges()
        return [row["session_id"] for row in indoors.rows("session", station=station)]

    async def page(self, emsp: Emsp, query: str = SINCE, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Token {emsp.token_in}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.desk.client.get(f"/ocpi/cpo/2.2.1/sessions{query}", headers=sent)
        assert answer.status_code == 200
        return answer

    async def ids(self, emsp: Emsp, query: str = SINCE, **headers: str) -> list[str]:
        return [one["id"] for one in (await self.page(emsp, query, **headers)).json()["data"]]


@pytest.fixture
async def house(tmp_path: Path, redis_url: str) -> AsyncIterator[House]:
    async with office(tmp_path, redis_url, allow_private_callbacks=True) as desk:
        indoors = Indoors(desk.office.rules.settings.database)
        yield House(desk, indoors)
        indoors.close()


async def test_rule_179_rule_21_rule_22_rule_23_sessions_come_in_pages_that_lead_on(house: House) -> None:
    one = house.partner()
    made = house.charges(one, 3)
    house.charges(house.partner())
    first = await house.page(one, f"{SINCE}&limit=2")
    assert [told["id"] for told in first.json()["data"]] == made[:2]
    assert (first.headers["X-Total-Count"], first.headers["X-Limit"]) == ("3", "100")
    url, _, rel = first.headers["Link"].partition(">; ")
    assert rel == 'rel="next"'
    assert url.startswith("<http://gateway.example/ocpi/cpo/2.2.1/sessions?")
    last = await house.page(one, "?" + url.partition("?")[2])
    assert [told["id"] for told in last.json()["data"]] == made[2:]
    assert "Link" not in last.headers
    assert last.headers["X-Total-Count"] == "3"


async def test_rule_179_sessions_are_asked_for_since_a_moment(house: House) -> None:
    one = house.partner()
    made = house.charges(one, 2)
    for query in ("", "?limit=1", "?date_from=yesterday"):
        assert (await house.page(one, query)).json()["status_code"] == 2001
    _, second = (await house.page(one)).json()["data"]
    assert await house.ids(one, f"?date_from={second['last_updated']}") == made[1:]
    assert await house.ids(one, f"{SINCE}&date_to={second['last_updated']}") == made[:1]


async def test_rule_14_a_session_is_pulled_by_nobody_else(house: House) -> None:
    one, other, hub = house.partner(), house.partner(), house.partner(role="HUB")
    made, behind = house.charges(one), house.charges(hub, party=Party("DE", "ONE"))
    assert (await house.ids(one), await house.ids(other)) == (made, [])
    for party, seen in (("one", behind), ("TWO", [])):
        assert await house.ids(hub, OCPI_from_country_code="DE", OCPI_from_party_id=party) == seen
    assert (await house.page(hub)).json()["status_code"] == 2001


async def test_what_a_stranger_charges_is_a_session_that_nobody_pulls(house: House) -> None:
    one = house.partner()
    station = house.indoors.station()
    connection = house.indoors.run(partners.by_id, one.partner_id)
    there = Driver(house.indoors, connection, priced_location(house.indoors, station), station)
    stranger = IdToken(value="STRANGER", type="ISO14443")
    there.tells(Phase.STARTED, None, [(house.indoors.now, 0)], id_token=stranger)
    assert [row["partner"] for row in house.indoors.rows("session")] == [None]
    assert await house.ids(one) == []
