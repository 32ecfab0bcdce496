"""Three eMSPs and two CPO parties over one connection: each talks to whom it means, and hears nothing of the others."""

import pytest

from ocpi.headers import Party
from tests.hub.conftest import ANNA, BERT, HUB, PARTIES, SECOND, Roaming
from tests.support.gateway import CPO, Spot, eventually
from tests.support.hub import headers, routed
from tests.support.together import together

BOTH = (CPO, SECOND)


@pytest.mark.parametrize("cpo", BOTH, ids=str)
async def test_all_five_commands_of_all_three(roaming: Roaming, cpo: Party):
    location, station = roaming.locations[cpo], roaming.stations[cpo]

    async def story(number: int) -> None:
        who, evse = roaming.all[number - 1], f"E{number}"
        told = await who.reserve(location, evse, cpo=cpo)
        # The answer goes from the party that was asked to the one that asked.
        assert Party(told.headers["OCPI-from-country-code"], told.headers["OCPI-from-party-id"]) == cpo
        assert Party(told.headers["OCPI-to-country-code"], told.headers["OCPI-to-party-id"]) == who.party
        assert await who.result(told) == "ACCEPTED"
        assert await who.result(await who.cancel(cpo=cpo)) == "ACCEPTED"
        assert await who.result(await who.unlock(location, evse, cpo=cpo)) == "ACCEPTED"

    # All three have chosen the same reservation_id.
    await together(story, (1, 2, 3))
    numbers = [one["id"] for one in station.all_asked("ReserveNow")]
    assert len(set(numbers)) == 3
    assert sorted(one["reservationId"] for one in station.all_asked("CancelReservation")) == sorted(numbers)
    for number, who in enumerate(roaming.all, start=1):
        session, transaction = await roaming.charge(who, number, cpo)
        assert await who.result(await who.stop_session(session, cpo=cpo)) == "ACCEPTED"
        await station.end(transaction)
    # Ten callbacks and more, each to the one whose it is.
    assert {routed(one) for one in roaming.hub.callbacks} == {(cpo, party) for party in PARTIES}


async def test_nobody_touches_what_is_another_s(roaming: Roaming):
    anna, bert, _ = roaming.all
    location, station = roaming.locations[CPO], roaming.stations[CPO]
    assert await anna.result(await anna.reserve(location, "E1", id="A-1")) == "ACCEPTED"
    session, _ = await roaming.charge(anna, 2)
    foreign, unknown = await bert.cancel("A-1"), await bert.cancel("A-404")
    assert (foreign.code, foreign.result, foreign.json["data"]) == (1000, "REJECTED", unknown.json["data"])
    refused = await bert.stop_session(session)
    assert (refused.code, refused.result) == (1000, "REJECTED")
    refused = await bert.unlock(location, "E2")
    assert (refused.code, refused.result) == (1000, "REJECTED")
    # Nor with the other's token, nor in the hub's own name.
    for told in (
        await bert.start_session(location, "E3", token=anna.token()),
        await roaming.hub.start_session(location, "E3", token=anna.token(), routing=HUB),
    ):
        assert (told.code, told.result) == (1000, "REJECTED")
    # A start at what another has reserved is not even asked for at the station.
    assert await bert.result(await bert.start_session(location, "E1")) == "EVSE_OCCUPIED"
    assert [action for action, _ in station.asked if action in ("CancelReservation", "RequestStopTransaction")] == []
    assert len(station.all_asked("RequestStartTransaction")) == 1


async def test_one_of_us_knows_nothing_of_what_another_was_asked(roaming: Roaming):
    anna = roaming.anna
    assert await anna.result(await anna.reserve(roaming.locations[SECOND], "E1", cpo=SECOND)) == "ACCEPTED"
    session, _ = await roaming.charge(anna, 2, SECOND)
    told = await anna.cancel(cpo=CPO)
    assert (told.code, told.result) == (1000, "REJECTED")
    told = await anna.stop_session(session, cpo=CPO)
    assert (told.code, told.result) == (1000, "UNKNOWN_SESSION")
    told = await anna.start_session(roaming.locations[SECOND], "E3", cpo=CPO)
    assert (told.code, told.result) == (2003, "REJECTED")
    assert await anna.pull("sessions", CPO) == []


async def test_each_hears_of_its_own_sessions_and_cdrs_alone(roaming: Roaming):
    ended = {}
    for number, who in enumerate(roaming.all, start=1):
        cpo = BOTH[number % 2]
        session, transaction = await roaming.charge(who, number, cpo)
        await roaming.hub.session_becomes(session, "ACTIVE")
        await roaming.stations[cpo].end(transaction)
        await roaming.hub.session_becomes(session, "COMPLETED")
        ended[who.party] = (session, cpo)
    await eventually(lambda: len(roaming.hub.cdrs) == 3)
    roaming.hub.pushes_are_right()
    for who in roaming.all:
        session, cpo = ended[who.party]
        assert {routed(one) for one in who.pushes} == {(cpo, who.party)}
        assert {one.method for one in who.pushes} >= {"PUT", "PATCH", "POST"}
        put = [one.json for one in who.pushes if one.method == "PUT"]
        assert {one["id"] for one in put} == {session}
        owners = {Party(one["cdr_token"]["country_code"], one["cdr_token"]["party_id"]) for one in put}
        assert owners == {who.party}
        # And sees them alone when it asks, of whichever of us.
        for party in BOTH:
            seen = [one["id"] for one in await who.pull("sessions", party)]
            assert seen == ([session] if party == cpo else [])
            assert [one["session_id"] for one in await who.pull("cdrs", party)] == seen


async def test_tokens_are_each_eMSP_s_own(roaming: Roaming):
    path = "/ocpi/cpo/2.2.1/tokens/{0.country_code}/{0.party_id}/CARD-1?type=RFID"
    for who in (roaming.anna, roaming.bert):
        body = who.token(uid="CARD-1", type="RFID", contract_id=f"C-{who.party.party_id}")
        told = await roaming.hub.ask("PUT", path.format(who.party), body, **headers(from_=who.party, to=CPO))
        assert (told.http, told.code) == (201, 1000)
    told = await roaming.hub.get(path.format(ANNA), **headers(from_=ANNA, to=CPO))
    assert told.json["data"]["contract_id"] == "C-ANN"
    told = await roaming.hub.get(path.format(ANNA), **headers(from_=BERT, to=CPO))
    assert (told.http, told.code) == (404, 2000)
    body = roaming.anna.token(uid="CARD-1", type="RFID")
    told = await roaming.hub.ask("PUT", path.format(ANNA), body, **headers(from_=BERT, to=CPO))
    assert (told.http, told.code) == (404, 2000)


async def test_rule_43_what_is_for_all_is_told_the_hub_once(roaming: Roaming):
    """A Location is everybody's: one message from its party to the hub, which tells all of its own."""
    roaming.house.shows(roaming.hub, *roaming.locations.values())
    for cpo in BOTH:
        await roaming.stations[cpo].tell_status("Occupied", evse=2)
        await roaming.hub.evse_becomes(roaming.locations[cpo], "CHARGING", "E2")
    for cpo in BOTH:
        await roaming.stations[cpo].tell_status("Available", evse=2)
        await roaming.hub.evse_becomes(roaming.locations[cpo], "AVAILABLE", "E2")
    assert {routed(one) for one in roaming.hub.place_pushes} == {(CPO, HUB), (SECOND, HUB)}
    said = [(one.method, one.path.removeprefix("/ocpi/emsp/2.2.1/locations")) for one in roaming.hub.place_pushes]
    for cpo in BOTH:
        place = f"/{cpo.country_code}/{cpo.party_id}/{roaming.locations[cpo]}"
        assert [(method, path) for method, path in said if path.startswith(place)] == [
            ("PUT", place),
            ("PATCH", f"{place}/E2"),
        ]


async def test_rule_41_a_hub_that_refuses_a_change_is_given_all_of_it_and_not_asked(roaming: Roaming):
    location, station = roaming.locations[CPO], roaming.stations[CPO]
    roaming.house.shows(roaming.hub, location)
    await station.tell_status("Occupied", evse=1)
    await roaming.hub.evse_becomes(location, "CHARGING")
    del roaming.hub.places_pushed[location]
    await station.tell_status("Available", evse=1)
    await roaming.hub.evse_becomes(location, "AVAILABLE")
    assert [one.method for one in roaming.hub.place_pushes] == ["PUT", "PATCH", "PUT"]


async def test_every_one_of_them_sees_all_locations(roaming: Roaming):
    roaming.house.shows(roaming.hub, *roaming.locations.values())
    for who in roaming.all:
        for cpo in BOTH:
            assert [one["id"] for one in await who.pull("locations", cpo)] == [roaming.locations[cpo]]


async def test_what_an_operator_hides_from_the_hub_is_nobody_s_behind_it(roaming: Roaming):
    roaming.house.shows(roaming.hub, roaming.locations[CPO])
    told = await roaming.anna.start_session(roaming.locations[SECOND], cpo=SECOND)
    assert (told.code, told.json.get("data")) == (2001, None)  # such a party is not here
    hidden = roaming.house.location(Spot(roaming.stations[CPO].id, 3))
    told = await roaming.anna.start_session(hidden, cpo=CPO)
    assert (told.code, told.result) == (2003, "REJECTED")
    path = f"/ocpi/cpo/2.2.1/locations/{hidden}"
    assert (await roaming.hub.get(path, **headers(from_=ANNA, to=CPO))).http == 404
    assert roaming.stations[CPO].all_asked("RequestStartTransaction") == []


async def test_a_result_goes_where_the_hub_says_and_to_nobody_s_own_address(roaming: Roaming):
    """The hub has put its own URL in the place of the eMSP's; the eMSP's is no host of this connection."""
    anna, location = roaming.anna, roaming.locations[CPO]
    told = await anna.unlock(location, "E1")
    assert await anna.result(told) == "ACCEPTED"
    assert roaming.hub.callback_of(told).path == f"/callbacks/{told.name}"
    body = {"location_id": location, "evse_uid": "E1", "connector_id": "1", "response_url": "https://anna.example/c/1"}
    refused = await roaming.hub.send("UNLOCK_CONNECTOR", body, routing=ANNA)
    assert (refused.code, refused.result) == (1000, "REJECTED")
