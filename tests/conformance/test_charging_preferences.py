"""Charging preferences: who may wish what of which Session (mod_sessions §Set: Charging Preferences)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ocpi.dialects import DIALECTS
from ocpi.headers import Party
from tests.support.emsp import Emsp, Told
from tests.support.gateway import ALL, Gateway, Spot
from tests.support.scene import Scene, scene

WISH = {"profile_type": "GREEN", "departure_time": "2026-03-01T18:00:00Z", "energy_need": 20, "discharge_allowed": True}
CAPABLE = Spot("", capabilities=(*ALL, "CHARGING_PREFERENCES_CAPABLE"))


async def wishes(
    emsp: Emsp, session: str, body: Any = WISH, version: str = "2.2.1", **headers: str | None
) -> tuple[int, int, Any]:
    """HTTP status, OCPI code, data."""
    told: Told = await emsp.ask("PUT", f"/ocpi/cpo/{version}/sessions/{session}/charging_preferences", body, **headers)
    return told.http, told.code, told.json.get("data")


@pytest.fixture
async def place(gateway: Gateway) -> AsyncIterator[Scene]:
    async with scene(gateway, CAPABLE) as place:
        yield place


@pytest.mark.parametrize("version", DIALECTS)
async def test_rule_195_where_an_evse_is_not_capable_a_wish_is_answered_with_404_and_2001(
    gateway: Gateway, version: str
):
    async with scene(gateway) as place:
        session = await place.charge()
        assert await wishes(place.emsp, session, version=version) == (404, 2001, None)


@pytest.mark.parametrize("version", DIALECTS)
async def test_rule_195_where_it_is_the_gateway_says_that_it_cannot_steer_the_charge(place: Scene, version: str):
    session = await place.charge()
    assert await wishes(place.emsp, session, version=version) == (200, 1000, "NOT_POSSIBLE")
    assert await wishes(place.emsp, session.upper(), {"profile_type": "FAST"}) == (200, 1000, "NOT_POSSIBLE")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        WISH | {"profile_type": "NICE"},
        WISH | {"energy_need": "20"},
        WISH | {"discharge_allowed": "yes"},
        WISH | {"departure_time": "at six"},
    ],
)
async def test_a_wish_that_makes_no_sense_is_an_invalid_parameter(place: Scene, body: Any):
    session = await place.charge()
    assert await wishes(place.emsp, session, body) == (200, 2001, None)


async def test_a_wish_that_is_no_json_is_answered_with_400(place: Scene):
    assert (await wishes(place.emsp, "any", b"{"))[0] == 400


async def test_of_a_session_that_is_unknown_or_another_emsps_nothing_is_told(place: Scene, gateway: Gateway):
    session = await place.charge()
    assert await wishes(place.emsp, "no-such-session") == (404, 2000, None)
    async with gateway.emsp() as other:
        assert await wishes(other, session) == (404, 2000, None)
    assert await wishes(place.emsp, session, Authorization="Token x") == (401, 2000, None)


async def test_behind_a_hub_each_emsp_wishes_of_its_own_sessions(gateway: Gateway):
    one, other = Party("DE", "ONE"), Party("DE", "TWO")
    async with scene(gateway, CAPABLE, role="HUB") as place:
        assert await place.emsp.result(await start(place, one)) == "ACCEPTED"
        [session] = await sessions_of(place.emsp, one)
        assert await wishes(place.emsp, session, **named(one)) == (200, 1000, "NOT_POSSIBLE")
        assert await wishes(place.emsp, session, **named(other)) == (404, 2000, None)
        assert await sessions_of(place.emsp, other) == []


def named(party: Party) -> dict[str, str]:
    return {"OCPI_from_country_code": party.country_code, "OCPI_from_party_id": party.party_id}


async def sessions_of(hub: Emsp, party: Party) -> list[str]:
    told = await hub.get("/ocpi/cpo/2.2.1/sessions?date_from=2020-01-01T00:00:00Z", **named(party))
    return [one["id"] for one in told.json["data"]]


async def start(place: Scene, party: Party) -> Told:
    token = place.emsp.token_body(party=party)
    return await place.emsp.start_session(place.location, token=token, routing=party)
