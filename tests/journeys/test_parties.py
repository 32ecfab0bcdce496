"""Whose command it is: eMSPs behind one hub are strangers to each other, and a gateway may be several CPOs."""

import pytest

from ocpi.headers import Party
from tests.support.gateway import CPO, Gateway, Spot, running
from tests.support.scene import Scene, orders, scene

ANNA, BERT = Party("DE", "ANN"), Party("FR", "BRT")
SECOND = Party("BE", "CP2")


@pytest.fixture
async def hub(gateway: Gateway):
    """A hub's connection; its eMSPs are named by ``routing``."""
    async with scene(gateway, Spot(None), Spot(None, 2, uid="E2"), role="HUB", party=("NL", "HUB")) as made:
        yield made


def of(place: Scene, party: Party) -> dict:
    """What a command with a token of ``party`` is sent with."""
    return {"routing": party, "token": place.emsp.token_body(party=party)}


def to(party: Party) -> dict[str, str]:
    return {"OCPI_from_country_code": party.country_code, "OCPI_from_party_id": party.party_id}


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
async def test_rule_118_a_hub_speaks_for_parties_that_are_not_its_own(hub, version):
    for party, evse in ((ANNA, "E1"), (BERT, "E2")):
        told = await hub.emsp.start_session(hub.location, evse, version=version, **of(hub, party))
        assert await hub.emsp.result(told) == "ACCEPTED"
        headers = hub.emsp.callback_of(told).headers
        assert (headers["OCPI-to-country-code"], headers["OCPI-to-party-id"]) == (party.country_code, party.party_id)
        assert (headers["OCPI-from-country-code"], headers["OCPI-from-party-id"]) == ("NL", "CPO")


async def test_a_hub_must_name_the_party_that_asks(hub):
    nobody = {"OCPI_from_country_code": None, "OCPI_from_party_id": None}
    told = await hub.emsp.start_session(hub.location, **nobody)
    assert (told.http, told.code) == (200, 2001)
    assert "OCPI-from-country-code" in told.json["status_message"]
    assert (await hub.emsp.get("/ocpi/cpo/2.2.1/sessions?date_from=2020-01-01T00:00:00Z")).code == 2001
    await hub.nothing_followed(told)


async def test_a_party_behind_a_hub_uses_only_its_own_tokens(hub):
    told = await hub.emsp.start_session(hub.location, routing=ANNA, token=hub.emsp.token_body(party=BERT))
    assert (told.code, told.result) == (1000, "REJECTED")
    # Nor the hub's.
    also = await hub.emsp.reserve(hub.location, routing=ANNA, token=hub.emsp.token_body())
    assert (also.code, also.result) == (1000, "REJECTED")
    await hub.nothing_followed(told, also)


async def test_two_emsps_behind_one_hub_have_their_own_reservations(hub):
    anna = await hub.emsp.reserve(hub.location, "E1", id="R-1", **of(hub, ANNA))
    assert await hub.emsp.result(anna) == "ACCEPTED"
    # The same id elsewhere at the Location is another reservation: nothing of Anna's is replaced.
    bert = await hub.emsp.reserve(hub.location, "E2", id="r-1", **of(hub, BERT))
    assert await hub.emsp.result(bert) == "ACCEPTED"
    annas, berts = hub.station.all_asked("ReserveNow")
    assert annas["id"] != berts["id"]
    assert annas["idToken"]["idToken"] != berts["idToken"]["idToken"]  # although both have the uid APP-USER-1
    # Each cancels its own.
    assert await hub.emsp.result(await hub.emsp.cancel("R-1", routing=BERT)) == "ACCEPTED"
    assert [one["reservationId"] for one in hub.station.all_asked("CancelReservation")] == [berts["id"]]
    told = await hub.emsp.cancel("R-1", routing=BERT)
    assert (told.code, told.result) == (1000, "REJECTED")
    assert await hub.emsp.result(await hub.emsp.cancel("R-1", routing=ANNA)) == "ACCEPTED"


async def test_a_party_behind_a_hub_cannot_cancel_what_another_has_reserved(hub):
    assert await hub.emsp.result(await hub.emsp.reserve(hub.location, id="A-1", **of(hub, ANNA))) == "ACCEPTED"
    foreign, unknown = [await hub.emsp.cancel(name, routing=BERT) for name in ("A-1", "A-2")]
    assert (foreign.code, foreign.result) == (1000, "REJECTED")
    assert foreign.json["data"] == unknown.json["data"]
    assert hub.station.all_asked("CancelReservation") == []


async def test_two_emsps_behind_one_hub_have_their_own_sessions(hub):
    told = await hub.emsp.start_session(hub.location, "E1", **of(hub, ANNA))
    assert await hub.emsp.result(told) == "ACCEPTED"
    asked = await hub.station.was_asked("RequestStartTransaction")
    await hub.station.begin(asked["idToken"]["idToken"])
    pull = "/ocpi/cpo/2.2.1/sessions?date_from=2020-01-01T00:00:00Z"
    (session,) = (await hub.emsp.get(pull, **to(ANNA))).json["data"]
    assert (session["cdr_token"]["country_code"], session["cdr_token"]["party_id"]) == ("DE", "ANN")
    berts = await hub.emsp.get(pull, **to(BERT))
    assert (berts.json["data"], berts.headers["X-Total-Count"]) == ([], "0")
    refused = await hub.emsp.stop_session(session["id"], routing=BERT)
    assert (refused.code, refused.result) == (1000, "REJECTED")
    assert hub.station.all_asked("RequestStopTransaction") == []
    unlocked = await hub.emsp.unlock(hub.location, "E1", routing=BERT)
    assert (unlocked.code, unlocked.result) == (1000, "REJECTED")
    assert await hub.emsp.result(await hub.emsp.stop_session(session["id"], routing=ANNA)) == "ACCEPTED"


async def test_one_id_of_two_parties_behind_a_hub_is_two_commands(hub):
    body = {
        "response_url": hub.emsp.url_for("both"),
        "location_id": hub.location,
        "evse_uid": "E1",
        "connector_id": "1",
    }
    for party in (ANNA, BERT):
        told = await hub.emsp.send("UNLOCK_CONNECTOR", body, routing=party, X_Request_ID="both")
        assert told.result == "ACCEPTED"
    await hub.station.was_asked("UnlockConnector", 2)


async def test_a_party_is_the_same_behind_a_hub_in_any_case(hub):
    assert await hub.emsp.result(await hub.emsp.reserve(hub.location, id="A", **of(hub, ANNA))) == "ACCEPTED"
    assert await hub.emsp.result(await hub.emsp.cancel("a", routing=Party("de", "aNn"))) == "ACCEPTED"


async def test_a_party_behind_a_hub_and_on_a_connection_of_its_own_are_two_strangers(hub):
    """Ids are remembered by connection and party: a hub cannot act on what was asked for directly."""
    async with hub.gateway.emsp(party=("DE", "ANN")) as direct:
        assert await direct.result(await direct.reserve(hub.location, id="D-1")) == "ACCEPTED"
        told = await hub.emsp.cancel("D-1", routing=ANNA)
        assert (told.code, told.result) == (1000, "REJECTED")
        assert [action for action, _ in orders(hub.station)] == ["ReserveNow"]


# Several CPOs on one platform


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    with running(tmp_path_factory.mktemp("several")) as started:
        started.cpo(CPO)
        started.cpo(SECOND)
        yield started


def cpo(party: Party) -> dict[str, str]:
    return {"OCPI_to_country_code": party.country_code, "OCPI_to_party_id": party.party_id}


NO_CPO = {"OCPI_to_country_code": None, "OCPI_to_party_id": None}


async def test_where_there_are_several_cpos_the_one_that_has_the_location_is_meant(several):
    async with scene(several) as place:
        second = several.location(Spot(place.station.id, 2), cpo=SECOND)
        for location, party in ((place.location, CPO), (second, SECOND)):
            told = await place.emsp.unlock(location, **NO_CPO)
            assert (told.headers["OCPI-from-country-code"], told.headers["OCPI-from-party-id"]) == (
                party.country_code,
                party.party_id,
            )
            assert await place.emsp.result(told) == "ACCEPTED"
            headers = place.emsp.callback_of(told).headers
            assert Party(headers["OCPI-from-country-code"], headers["OCPI-from-party-id"]) == party
        unknown = await place.emsp.unlock("LOC-404", **NO_CPO)
        assert (unknown.http, unknown.code, unknown.result) == (200, 2003, "REJECTED")


async def test_where_two_cpos_have_the_location_the_one_that_is_meant_must_be_named(several):
    async with scene(several) as place:
        several.location(Spot(place.station.id, 2), cpo=SECOND, id=place.location)
        told = await place.emsp.unlock(place.location, **NO_CPO)
        assert (told.http, told.code) == (200, 2001)
        assert "OCPI-to-country-code" in told.json["status_message"]
        await place.nothing_followed(told)


async def test_each_cpo_has_its_own_locations(several):
    async with scene(several) as place:
        second = several.location(Spot(place.station.id, 2), cpo=SECOND)
        for location, wrong in ((place.location, SECOND), (second, CPO)):
            told = await place.emsp.unlock(location, **cpo(wrong))
            assert (told.http, told.code, told.result) == (200, 2003, "REJECTED")
            assert orders(place.station) == []
        told = await place.emsp.unlock(second, **cpo(Party("be", "cP2")))
        assert told.headers["OCPI-from-party-id"] == "cP2"
        assert await place.emsp.result(told) == "ACCEPTED"
        headers = place.emsp.callback_of(told).headers
        assert Party(headers["OCPI-from-country-code"], headers["OCPI-from-party-id"]) == SECOND


async def test_each_cpo_has_its_own_sessions(several):
    async with scene(several) as place:
        second = several.location(Spot(place.station.id, 2), cpo=SECOND)
        assert await place.emsp.result(await place.emsp.start_session(second, **cpo(SECOND))) == "ACCEPTED"
        asked = await place.station.was_asked("RequestStartTransaction")
        await place.station.begin(asked["idToken"]["idToken"], evse=2)
        pull = "/ocpi/cpo/2.2.1/sessions?date_from=2020-01-01T00:00:00Z"
        (session,) = (await place.emsp.get(pull, **cpo(SECOND))).json["data"]
        assert (session["country_code"], session["party_id"]) == ("BE", "CP2")
        assert (await place.emsp.get(pull, **cpo(CPO))).json["data"] == []
        assert (await place.emsp.get(pull)).code == 2001
