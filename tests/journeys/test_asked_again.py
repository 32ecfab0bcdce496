"""An eMSP that missed a callback looks up what became of its command, and sees nobody else's (our own extension)."""

import pytest

from ocpi.headers import Party
from tests.support.emsp import Emsp, Told
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.scene import scene

FROM = ("OCPI_from_country_code", "OCPI_from_party_id")


async def looked_up(emsp: Emsp, told: Told | str, party: Party | None = None) -> Told:
    name = told if isinstance(told, str) else told.name
    speaking = {} if party is None else dict(zip(FROM, (party.country_code, party.party_id), strict=True))
    return await emsp.get(f"/partner/v1/commands/{name}", **speaking)


async def test_what_became_of_a_command_can_be_looked_up(gateway: Gateway) -> None:
    async with scene(gateway) as place:
        told = await place.emsp.reserve(place.location)
        assert await place.emsp.result(told) == "ACCEPTED"
        found = await eventually_delivered(place.emsp, told)
        assert (found["command"], found["response"], found["progress"]) == ("RESERVE_NOW", "ACCEPTED", "CONCLUDED")
        assert [(one["result"], one["state"]) for one in found["results"]] == [("ACCEPTED", "DELIVERED")]
        assert found["response_url"] == place.emsp.url_for(told.name)
        assert (found["request_id"], found["status_code"]) == (told.name, 1000)


async def test_a_result_that_nobody_took_is_found_all_the_same(hasty: Gateway) -> None:
    async with scene(hasty) as place:
        place.emsp.faults = type(place.emsp.faults)(["500"], {"500": ""})
        told = await place.emsp.unlock(place.location)
        await place.emsp.callback(told.name)
        found = (await looked_up(place.emsp, told)).json["data"]
        assert found["results"][0]["result"] == "ACCEPTED"
        assert found["results"][0]["state"] in ("DUE", "ABANDONED")


async def test_a_refusal_can_be_looked_up(gateway: Gateway) -> None:
    async with scene(gateway) as place:
        told = await place.emsp.unlock("NOWHERE")
        found = (await looked_up(place.emsp, told)).json["data"]
        assert (found["response"], found["status_code"], found["progress"]) == ("REJECTED", 2003, "REFUSED")
        assert "results" not in found
        assert "promised_until" not in found


async def test_nobody_sees_anothers_command(gateway: Gateway) -> None:
    async with scene(gateway) as place, gateway.emsp() as other:
        told = await place.emsp.unlock(place.location)
        for unknown in (await looked_up(other, told), await looked_up(place.emsp, "no such id")):
            assert (unknown.http, unknown.code) == (404, 2000)
        assert (await other.ask("GET", f"/partner/v1/commands/{told.name}", Authorization="Token x")).http == 401
        assert (await other.ask("DELETE", f"/partner/v1/commands/{told.name}")).http == 405


async def test_behind_a_hub_each_party_sees_its_own(gateway: Gateway) -> None:
    one, two = Party("NL", "ONE"), Party("NL", "TWO")
    async with scene(gateway, Spot("", uid="E1"), role="HUB", party=("DE", "HUB")) as place:
        told = await place.emsp.unlock(place.location, routing=one)
        assert (await looked_up(place.emsp, told, one)).json["data"]["request_id"] == told.name
        assert (await looked_up(place.emsp, told, two)).http == 404
        assert (await looked_up(place.emsp, told)).code == 2001


@pytest.mark.parametrize("name", ["with/slash", "with space", "ü"])
async def test_an_id_may_be_any_text(gateway: Gateway, name: str) -> None:
    async with scene(gateway) as place:
        quoted = {"with/slash": "with%2Fslash", "with space": "with%20space", "ü": "%C3%BC"}[name]
        sent = name if name.isascii() else None
        await place.emsp.unlock(place.location, X_Request_ID=sent)
        found = await looked_up(place.emsp, quoted)
        assert found.http == (200 if sent else 404)


async def eventually_delivered(emsp: Emsp, told: Told) -> dict:
    async def once() -> dict | None:
        data = (await looked_up(emsp, told)).json["data"]
        return data if data["results"][-1]["state"] == "DELIVERED" else None

    for _ in range(100):
        if (data := await once()) is not None:
            return data
        await eventually(lambda: True)
    raise AssertionError("the result was not delivered")
