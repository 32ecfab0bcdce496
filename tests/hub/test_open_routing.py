"""A hub may leave it open which of our parties is meant, or mean all of them (transport_and_format §Open Routing)."""

import pytest

from ocpi.headers import Party
from tests.hub.conftest import ANNA, HUB, SECOND, Roaming
from tests.support.emsp import Told
from tests.support.gateway import CPO, Spot
from tests.support.hub import headers

BOTH = (CPO, SECOND)
#: How it can be left open: without a TO, or with the hub's own as for what it tells all.
OPEN = pytest.mark.parametrize("to", [None, HUB], ids=["nobody", "the hub"])


def answered_by(told: Told) -> Party:
    return Party(told.headers["OCPI-from-country-code"], told.headers["OCPI-from-party-id"])


@OPEN
async def test_a_command_is_for_the_one_that_has_the_location(roaming: Roaming, to: Party | None):
    for cpo in BOTH:
        told = await roaming.anna.reserve(roaming.locations[cpo], id=f"R-{cpo}", cpo=to)
        assert answered_by(told) == cpo
        assert await roaming.anna.result(told) == "ACCEPTED"  # and so its result comes from there
        told = await roaming.anna.cancel(f"R-{cpo}", cpo=to)
        assert answered_by(told) == cpo
        assert await roaming.anna.result(told) == "ACCEPTED"
        told = await roaming.anna.unlock(roaming.locations[cpo], "E2", cpo=to)
        assert answered_by(told) == cpo
        assert await roaming.anna.result(told) == "ACCEPTED"
        session, _ = await roaming.charge(roaming.anna, 3, cpo)
        told = await roaming.anna.stop_session(session, cpo=to)
        assert answered_by(told) == cpo
        assert await roaming.anna.result(told) == "ACCEPTED"


@OPEN
async def test_what_nobody_has_is_unknown(roaming: Roaming, to: Party | None):
    told = await roaming.anna.start_session("LOC-404", cpo=to)
    assert (told.http, told.code, told.result) == (200, 2003, "REJECTED")
    told = await roaming.anna.stop_session("S-404", cpo=to)
    assert (told.code, told.result) == (1000, "UNKNOWN_SESSION")
    told = await roaming.anna.cancel("R-404", cpo=to)
    assert (told.code, told.result) == (1000, "REJECTED")


async def test_what_two_of_us_have_must_be_said(roaming: Roaming):
    roaming.house.location(Spot(roaming.stations[SECOND].id, 3), cpo=SECOND, id=roaming.locations[CPO])
    told = await roaming.anna.start_session(roaming.locations[CPO], cpo=None)
    assert (told.http, told.code) == (200, 2001)
    assert "OCPI-to-country-code" in told.json["status_message"]
    told = await roaming.anna.start_session(roaming.locations[CPO], cpo=CPO)
    assert await roaming.anna.result(told) == "ACCEPTED"


async def test_rule_45_the_hub_gets_the_lists_of_all_of_us(roaming: Roaming):
    """GET-all: the hub asks for itself, and leaves it open whom (§GET All via Hubs)."""
    roaming.house.shows(roaming.hub, *roaming.locations.values())
    for asked in (headers(from_=HUB, to=HUB), headers(from_=HUB)):
        told = await roaming.hub.get("/ocpi/cpo/2.2.1/locations", **asked)
        assert [one["id"] for one in told.json["data"]] == [roaming.locations[cpo] for cpo in BOTH]
        assert told.headers["X-Total-Count"] == "2"
    told = await roaming.hub.get("/ocpi/cpo/2.2.1/locations", **headers(from_=HUB, to=HUB))
    assert Party(told.headers["OCPI-to-country-code"], told.headers["OCPI-to-party-id"]) == HUB


async def test_of_its_own_sessions_a_party_may_ask_all_of_us_at_once(roaming: Roaming):
    sessions = [(await roaming.charge(roaming.anna, 1, cpo))[0] for cpo in BOTH]
    pull = "/ocpi/cpo/2.2.1/sessions?date_from=2020-01-01T00:00:00Z"
    told = await roaming.hub.get(pull, **headers(from_=ANNA))
    assert [one["id"] for one in told.json["data"]] == sessions
    for other in (roaming.bert.party, HUB):
        assert (await roaming.hub.get(pull, **headers(from_=other))).json["data"] == []


async def test_a_party_that_is_not_here_is_no_party_of_ours(roaming: Roaming):
    told = await roaming.anna.start_session(roaming.locations[CPO], cpo=Party("NL", "XXX"))
    assert (told.http, told.code) == (200, 2001)
    assert "OCPI-to-party-id" in told.json["status_message"]


async def test_rule_40_what_the_hub_hands_to_all_of_us_is_answered_to_the_hub(roaming: Roaming):
    """A broadcast comes from the hub; the URL names the owner (§Broadcast Push)."""
    path = "/ocpi/cpo/2.2.1/tokens/DE/ANN/CARD-9?type=RFID"
    body = roaming.anna.token(uid="CARD-9", type="RFID")
    told = await roaming.hub.ask("PUT", path, body, **headers(from_=HUB, to=CPO))
    assert (told.http, told.code) == (201, 1000)
    assert Party(told.headers["OCPI-to-country-code"], told.headers["OCPI-to-party-id"]) == HUB
    assert answered_by(told) == CPO
