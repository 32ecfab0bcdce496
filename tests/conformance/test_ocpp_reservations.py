"""The CSMS's side of reservations (2.x use cases H01 to H04, 1.6 §5.1, §5.13): what is asked, recorded and answered."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.store import tokens
from ocpi.tokens import Token
from tests.conformance.places import (
    OCPP,
    Held,
    begin_at,
    every_2,
    every_ocpp,
    every_way,
    only_1,
    operator,
    reserved,
    reserved_type,
    says,
    says_of_any_evse,
    shown,
    station_of,
    tell,
    told_of,
    transaction_event,
)
from tests.support.gateway import Gateway, eventually
from tests.support.station import group_in, number_in
from tests.support.together import together

REJECTED = {"status": "Rejected"}


@pytest.fixture
def gateway(brisk: Gateway) -> Gateway:
    return brisk


async def free_for_others(held: Held, *evses: str) -> None:
    """Another eMSP's start at each of these goes to the station, which takes it."""
    async with held.gateway.emsp() as stranger:
        for evse in evses:
            assert await stranger.result(await stranger.start_session(held.location, evse)) == "ACCEPTED"


def listed_card(held: Held, group: str) -> str:
    """A card of the group that the eMSP has told us of, and the station has not heard of."""
    body = held.emsp.token_body(f"04AB{held.emsp.partner_id:06d}", "RFID", group_id=group, whitelist="ALWAYS")
    with held.gateway.database() as db:
        assert tokens.put_token(db, held.emsp.partner_id, Token.model_validate(body))
    return body["uid"]


# H01, what is asked for


@every_ocpp
async def test_csms_h01_fr_01_what_a_station_rejects_is_told_and_recorded_as_refused(gateway: Gateway, ocpp: str):
    async with station_of(gateway, ocpp, script={"ReserveNow": REJECTED}) as place:
        told = await place.emsp.reserve(place.location)
        assert await place.emsp.result(told) == "REJECTED"
        assert place.emsp.callback_of(told).json["message"]
        assert gateway.reservation_of(told)["state"] == "REFUSED"
        assert await place.emsp.sessions() == []


@every_ocpp
async def test_csms_h01_fr_01_a_station_that_says_it_takes_none_is_not_asked(gateway: Gateway, ocpp: str):
    name, value = ("SupportedFeatureProfiles", "Core,RemoteTrigger") if ocpp == "1.6" else ("Enabled", "false")
    async with station_of(gateway, ocpp, script=says(ocpp, name, value)) as place:
        assert (await place.emsp.reserve(place.location)).result == "NOT_SUPPORTED"
        assert not place.station.all_asked("ReserveNow")


@every_ocpp
async def test_csms_h01_fr_02_a_changed_reservation_is_asked_for_with_its_number(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        known = await held.session()
        changed = await held.emsp.reserve(held.location, minutes=90)
        assert await held.emsp.result(changed) == "ACCEPTED"
        order = await held.station.was_asked("ReserveNow", 2)
        assert number_in(order) == held.number
        assert order != held.order
        assert (held.state, gateway.reservation_of(changed)["id"]) == ("ACTIVE", held.row["id"])
        assert held.row["expiry_date"] > datetime.now(UTC) + timedelta(minutes=80)
        assert (await held.session())["id"] == known["id"]
        assert not held.station.all_asked("CancelReservation")


@every_ocpp
async def test_csms_h01_fr_03_an_accepted_reservation_is_active_under_a_number_of_its_own(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2) as held:
        other = await held.emsp.reserve(held.location, "E2", id="R-2")
        assert await held.emsp.result(other) == "ACCEPTED"
        assert number_in(await held.station.was_asked("ReserveNow", 2)) != held.number > 0
        assert (held.state, gateway.reservation_of(other)["state"]) == ("ACTIVE", "ACTIVE")
        assert [one["status"] for one in await held.emsp.sessions()] == ["RESERVATION", "RESERVATION"]


@every_ocpp
async def test_csms_h01_fr_04_h01_fr_18_a_station_that_can_is_asked_without_an_evse(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2, None) as held:
        assert held.order.get("connectorId", 0) == 0
        assert not {"evseId", "connectorType"} & held.order.keys()
        assert (held.state, held.row["evse"]) == ("ACTIVE", None)
        session = await held.session()
        assert (session["evse_uid"], session["connector_id"]) == ("#NA", "#NA")


@every_ocpp
async def test_csms_h01_fr_19_a_station_that_cannot_is_always_told_an_evse(gateway: Gateway, ocpp: str):
    for script in (says_of_any_evse(ocpp, "false"), {}):  # false, and not there at all
        async with station_of(gateway, ocpp, 2, script) as place:
            assert await place.emsp.result(await place.emsp.reserve(place.location, None)) == "ACCEPTED"
            order = await place.station.was_asked("ReserveNow")
            assert order.get("connectorId", order.get("evseId")) in (1, 2)


@every_2
async def test_csms_h01_fr_06_a_type_of_connector_is_asked_for_without_an_evse(gateway: Gateway, ocpp: str):
    async with reserved_type(gateway, ocpp) as held:
        assert held.order["connectorType"] == "sType2"
        assert "evseId" not in held.order
        assert (held.state, held.row["connector_type"], held.row["evse"]) == ("ACTIVE", "sType2", None)


@every_ocpp
async def test_csms_h01_fr_07_one_evse_is_known_to_be_kept_for_whoever_reserved_any(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2, None) as held:
        await must_keep(held, [])
        await tell(held.station, "StatusNotification", "Charging" if held.station.is_1 else "Occupied", 1)
        await must_keep(held, [2])


@every_2
async def test_csms_h01_fr_09_one_connector_of_the_type_is_known_to_be_kept(gateway: Gateway, ocpp: str):
    async with reserved_type(gateway, ocpp, 2) as held:
        await must_keep(held, [])
        await tell(held.station, "NotifyEvent", "Occupied", 2)
        await must_keep(held, [1])


async def must_keep(held: Held, numbers: list[int]) -> None:
    """These EVSEs are what the reservation needs; others' tokens may use the rest."""
    [known] = await operator(held.gateway, "reservations", "list", "--station", held.station.id)
    assert known["holds_up"] == numbers


@pytest.mark.parametrize(
    ("status", "result"),
    [
        pytest.param("Occupied", "EVSE_OCCUPIED", id="h01_fr_11"),
        pytest.param("Faulted", "EVSE_INOPERATIVE", id="h01_fr_12"),
        pytest.param("Unavailable", "EVSE_INOPERATIVE", id="h01_fr_14"),
    ],
)
@every_ocpp
async def test_csms_h01_fr_11_h01_fr_12_h01_fr_14_why_it_was_not_reserved_is_told(gateway, ocpp, status, result):
    async with station_of(gateway, ocpp, script={"ReserveNow": {"status": status}}) as place:
        told = await place.emsp.reserve(place.location)
        assert await place.emsp.result(told) == result
        assert gateway.reservation_of(told)["state"] == "REFUSED"
        assert await place.emsp.sessions() == []
        assert not place.station.all_asked("CancelReservation")


# H01, what becomes of it


@every_ocpp
async def test_csms_h01_fr_15_the_transaction_that_names_the_reservation_uses_it(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        before = await held.session()
        await held.use()
        assert held.station.told["status"] == "Accepted"
        assert held.state == "USED"
        session = await held.session()
        assert (session["id"], session["status"]) == (before["id"], "ACTIVE")
        await held.results("ACCEPTED")


@every_2
async def test_csms_h01_fr_15_the_reservation_may_be_named_after_the_transaction_began(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        place, cable = (
            {"evse": {"id": 1, "connectorId": 1}},
            {"eventType": "Started", "triggerReason": "CablePluggedIn"},
        )
        transaction = f"TX-{held.station.id}"
        assert await transaction_event(held.station, transaction, 0, **place, **cable) == {}
        assert (held.state, (await held.session())["status"]) == ("ACTIVE", "RESERVATION")
        card = {"idToken": {"idToken": held.token, "type": "Central"}, "triggerReason": "Authorized"}
        told = await transaction_event(held.station, transaction, 1, **card, reservationId=held.number)
        assert told["idTokenInfo"]["status"] == "Accepted"
        assert (held.state, (await held.session())["status"]) == ("USED", "ACTIVE")


async def must_be_removed(held: Held) -> None:
    await held.results("ACCEPTED", "CANCELED_RESERVATION")
    assert (held.state, (await held.session())["status"]) == ("REMOVED", "COMPLETED")


@pytest.mark.parametrize(
    "status", [pytest.param("Faulted", id="h01_fr_16"), pytest.param("Unavailable", id="h01_fr_17")]
)
@every_2
async def test_csms_h01_fr_16_h01_fr_17_a_removed_reservation_is_told_to_its_owner_once(gateway, ocpp, status):
    async with reserved(gateway, ocpp) as held:
        await tell(held.station, "StatusNotification", status)
        for _ in range(2):
            assert await held.update("Removed") == {}
        await must_be_removed(held)
        assert shown(gateway, held.location) == {"E1": {"Faulted": "OUTOFORDER", "Unavailable": "INOPERATIVE"}[status]}


@pytest.mark.parametrize("connector", [0, 1])
@pytest.mark.parametrize(
    "status", [pytest.param("Faulted", id="h01_fr_16"), pytest.param("Unavailable", id="h01_fr_17")]
)
@only_1
async def test_csms_h01_fr_16_h01_fr_17_a_1_6_connector_out_of_order_removes_it(gateway, ocpp, status, connector):
    async with reserved(gateway, ocpp) as held:
        for _ in range(2):
            await tell(held.station, "StatusNotification", status, connector)
        await must_be_removed(held)


@every_ocpp
async def test_csms_h01_fr_16_the_newest_response_url_is_called(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        newest = await held.emsp.reserve(held.location, minutes=90)
        assert await held.emsp.result(newest) == "ACCEPTED"
        if held.station.is_1:
            await tell(held.station, "StatusNotification", "Faulted")
        else:
            await held.update("Removed")
        await eventually(lambda: held.emsp.results(newest) == ["ACCEPTED", "CANCELED_RESERVATION"])
        await held.results("ACCEPTED")


@every_way
async def test_csms_h01_fr_20_the_last_free_evse_is_known_to_be_reserved(gateway: Gateway, ocpp: str, how: str):
    async with reserved(gateway, ocpp, 2, None) as held:
        await tell(held.station, how, "Charging" if held.station.is_1 else "Occupied", 1)
        await tell(held.station, how, "Reserved", 2)
        assert shown(gateway, held.location) == {"E1": "CHARGING", "E2": "RESERVED"}
        assert told_of(gateway, held.station)[2] == "Reserved"
        assert held.state == "ACTIVE"


@every_way
async def test_csms_h01_fr_23_the_reserved_evse_is_known_to_be_so_and_time_does_not_go_back(gateway, ocpp, how):
    async with reserved(gateway, ocpp, 2) as held:
        await tell(held.station, how, "Available", 2)
        await tell(held.station, how, "Reserved", 1)
        late = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        await tell(held.station, how, "Available", 1, at=late)
        assert shown(gateway, held.location) == {"E1": "RESERVED", "E2": "AVAILABLE"}
        assert told_of(gateway, held.station) == {1: "Reserved", 2: "Available"}
        assert held.state == "ACTIVE"


@pytest.mark.parametrize("how", ["StatusNotification", "NotifyEvent"])
@every_2
async def test_csms_h01_fr_24_the_last_evse_of_the_type_is_known_to_be_reserved(gateway: Gateway, ocpp: str, how: str):
    async with reserved_type(gateway, ocpp) as held:
        await tell(held.station, how, "Reserved")
        assert shown(gateway, held.location) == {"E1": "RESERVED"}
        assert held.state == "ACTIVE"


# H02, cancelled


@every_ocpp
async def test_csms_h02_fr_01_a_reservation_that_the_station_does_not_have_is_given_up(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        held.station.script["CancelReservation"] = REJECTED
        assert await held.emsp.result(await held.emsp.cancel()) == "UNKNOWN_RESERVATION"
        assert number_in(await held.station.was_asked("CancelReservation")) == held.number
        assert (held.state, (await held.session())["status"]) == ("REMOVED", "COMPLETED")
        await held.results("ACCEPTED")


@every_ocpp
async def test_csms_h02_fr_02_a_cancelled_reservation_is_over_without_a_word_of_the_station(gateway, ocpp):
    async with reserved(gateway, ocpp) as held:
        assert await held.emsp.result(await held.emsp.cancel()) == "ACCEPTED"
        assert number_in(await held.station.was_asked("CancelReservation")) == held.number
        if not held.station.is_1:  # it need not be told, and changes nothing when it is
            assert await held.update("Removed") == {}
        assert (held.state, (await held.session())["status"]) == ("CANCELLED", "COMPLETED")
        await held.results("ACCEPTED")


@every_ocpp
async def test_csms_h02_fr_03_a_cancelled_evse_is_free_for_everybody(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        assert await held.emsp.result(await held.emsp.cancel()) == "ACCEPTED"
        await free_for_others(held, "E1")


@every_way
async def test_csms_h02_fr_04_a_cancelled_evse_is_known_to_be_available(gateway: Gateway, ocpp: str, how: str):
    async with reserved(gateway, ocpp) as held:
        await tell(held.station, how, "Reserved")
        assert await held.emsp.result(await held.emsp.cancel()) == "ACCEPTED"
        await tell(held.station, how, "Available")
        assert shown(gateway, held.location) == {"E1": "AVAILABLE"}
        assert told_of(gateway, held.station) == {1: "Available"}
        await held.results("ACCEPTED")
        assert len(held.station.all_asked("ReserveNow")) == 1


@every_ocpp
async def test_csms_h02_fr_05_a_cancelled_whole_station_is_free_for_everybody(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2, None) as held:
        assert await held.emsp.result(await held.emsp.cancel()) == "ACCEPTED"
        await free_for_others(held, "E1", "E2")


@every_way
async def test_csms_h02_fr_06_every_evse_that_is_not_reserved_itself_is_known_to_be_available(gateway, ocpp, how):
    async with reserved(gateway, ocpp, 3, None) as held:
        named = await held.emsp.reserve(held.location, "E3", id="R-3")
        assert await held.emsp.result(named) == "ACCEPTED"
        for number in (1, 2, 3):
            await tell(held.station, how, "Reserved", number)
        assert await held.emsp.result(await held.emsp.cancel()) == "ACCEPTED"
        for number in (1, 2):
            await tell(held.station, how, "Available", number)
        assert shown(gateway, held.location) == {"E1": "AVAILABLE", "E2": "AVAILABLE", "E3": "RESERVED"}
        assert gateway.reservation_of(named)["state"] == "ACTIVE"


# H03, used


async def must_be_used(held: Held, evse: int) -> None:
    """By its token, which is good there, at this EVSE."""
    assert (await held.station.authorize(held.token))["status"] == "Accepted"
    assert held.state == "ACTIVE"
    await held.use(evse)
    assert held.station.told["status"] == "Accepted"
    assert held.state == "USED"


@every_ocpp
async def test_csms_h03_fr_01_the_token_is_good_at_its_evse(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2, "E2") as held:
        await must_be_used(held, 2)


@every_2
async def test_csms_h03_fr_02_the_token_is_good_at_an_evse_of_its_type(gateway: Gateway, ocpp: str):
    async with reserved_type(gateway, ocpp, 2) as held:
        await must_be_used(held, 2)


@every_ocpp
async def test_csms_h03_fr_03_the_token_is_good_at_any_evse(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2, None) as held:
        await must_be_used(held, 2)
        session = await held.session()
        assert (session["evse_uid"], session["connector_id"], session["status"]) == ("E2", "1", "ACTIVE")


async def must_fit(held: Held, card: str, evse: int) -> None:
    """Whatever is asked about it, the station is told the group that the reservation was made with."""
    told = await held.station.authorize(card, "ISO14443")
    assert (told["status"], group_in(told)) == ("Accepted", held.group)
    assert held.group
    transaction = await held.use(evse, card)
    assert (held.station.told["status"], group_in(held.station.told)) == ("Accepted", held.group)
    assert held.state == "USED"
    whom = {"idTag": card} if held.station.is_1 else {"idToken": {"idToken": card, "type": "ISO14443"}}
    ended = await held.station.end(transaction, **whom)
    assert group_in(ended.get("idTagInfo") or ended["idTokenInfo"]) == held.group


@every_ocpp
async def test_csms_h03_fr_04_h03_fr_08_another_card_of_the_group_fits_its_evse(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, group="Fleet") as held:
        card = listed_card(held, "Fleet")
        await must_fit(held, card, 1)
        assert (await held.session())["cdr_token"]["uid"] == card


@every_2
async def test_csms_h03_fr_05_the_group_of_a_reserved_type_is_the_same_in_every_message(gateway: Gateway, ocpp: str):
    async with reserved_type(gateway, ocpp, group="STAFF") as held:
        await must_fit(held, held.token, 1)


@every_ocpp
async def test_csms_h03_fr_06_h03_fr_08_another_card_of_the_group_fits_any_evse(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, 2, None, group="Fleet") as held:
        await must_fit(held, listed_card(held, "Fleet"), 2)
        assert (await held.session())["evse_uid"] == "E2"


@every_ocpp
async def test_csms_h03_fr_07_what_a_station_keeps_of_a_token_has_its_group(gateway: Gateway, ocpp: str):
    """The answer to a transaction, and to the same told again, is what its cache is filled with (C10)."""
    async with reserved(gateway, ocpp, group="Fleet") as held:
        for _ in range(2):
            assert group_in(await held.station.authorize(held.token)) == held.group
        await held.use()
        assert group_in(held.station.told) == held.group


@every_ocpp
async def test_csms_h03_fr_08_a_card_of_no_group_or_another_is_told_so(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp, group="Fleet") as held:
        other = listed_card(held, "Others")
        told = await held.station.authorize(other, "ISO14443")
        assert told["status"] == "Accepted"
        assert group_in(told) not in (None, held.group)
        assert held.state == "ACTIVE"


@every_ocpp
async def test_csms_h03_fr_09_presenting_the_token_is_not_using_it_until_a_transaction_says_so(gateway, ocpp):
    async with reserved(gateway, ocpp) as held:
        await tell(held.station, "StatusNotification", "Reserved")
        assert (await held.station.authorize(held.token))["status"] == "Accepted"
        await tell(held.station, "StatusNotification", "Preparing" if held.station.is_1 else "Available")
        assert (held.state, (await held.session())["status"]) == ("ACTIVE", "RESERVATION")
        await held.use()
        assert (held.state, (await held.session())["status"]) == ("USED", "ACTIVE")
        assert len(held.station.all_asked("ReserveNow")) == 1


async def test_csms_h03_fr_09_a_token_that_was_presented_and_not_used_runs_out_by_our_clock(gateway: Gateway):
    async def story(ocpp: str) -> None:
        async with reserved(gateway, ocpp, minutes=3 / 60) as held:
            await held.station.authorize(held.token)
            for status in ("Reserved", "Preparing" if held.station.is_1 else "Reserved", "Available"):
                await tell(held.station, "StatusNotification", status)
            await eventually(lambda: held.state == "EXPIRED")
            assert (await held.session())["status"] == "COMPLETED"
            await held.results("ACCEPTED")

    await together(story, OCPP)


@every_2
async def test_csms_h03_fr_09_a_start_by_another_is_not_refused_once_the_token_was_presented(gateway, ocpp):
    """The station holds nothing any more, and only it knows."""
    async with reserved(gateway, ocpp) as held:
        await tell(held.station, "StatusNotification", "Reserved")
        await tell(held.station, "StatusNotification", "Available")
        await free_for_others(held, "E1")


@every_way
async def test_csms_h03_fr_10_the_status_of_a_used_evse_is_known(gateway: Gateway, ocpp: str, how: str):
    async with reserved(gateway, ocpp) as held:
        seen, believed = [], []
        for status in ("Reserved", "Available", "Preparing" if held.station.is_1 else "Occupied"):
            await tell(held.station, how, status)
            believed.append(told_of(gateway, held.station)[1])
            seen.append(shown(gateway, held.location)["E1"])
        assert believed[:2] == ["Reserved", "Available"]
        # Its driver is there, or was: until it is used, or over, nobody else may have it.
        assert seen == ["RESERVED", "RESERVED", "CHARGING"]


@pytest.mark.parametrize("ocpp", ["2.1"])
async def test_csms_h03_fr_11_a_token_that_no_transaction_followed_ends_the_reservation(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        assert await held.update("NoTransaction") == {}
        assert (held.state, (await held.session())["status"]) == ("EXPIRED", "COMPLETED")
        await held.results("ACCEPTED")


@every_ocpp
async def test_csms_h03_a_stranger_s_card_uses_nothing_up(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        assert (await held.station.authorize("04FFEE", "ISO14443"))["status"] == "Invalid"
        await begin_at(held.station, "04FFEE")
        assert held.station.told["status"] == "Invalid"
        assert (held.state, (await held.session())["status"]) == ("ACTIVE", "RESERVATION")


# H04, not used


@every_2
async def test_csms_h04_fr_01_an_expired_reservation_is_recorded_and_answered(gateway: Gateway, ocpp: str):
    async with reserved(gateway, ocpp) as held:
        assert await held.update("Expired", 2_000_000_000) == {}  # one that nobody knows
        assert held.state == "ACTIVE"
        for _ in range(2):
            assert await held.update("Expired") == {}
        assert (held.state, (await held.session())["status"]) == ("EXPIRED", "COMPLETED")
        await held.results("ACCEPTED")
        assert (await held.emsp.cancel()).result == "REJECTED"


async def test_csms_h04_fr_01_h04_fr_02_it_expires_by_our_clock_too_and_frees_its_evse(gateway: Gateway):
    async def story(ocpp: str) -> None:
        async with reserved(gateway, ocpp, minutes=3 / 60) as held:
            await eventually(lambda: held.state == "EXPIRED")
            session = await held.session()
            expired = held.row["expiry_date"].strftime("%Y-%m-%dT%H:%M:%SZ")
            assert (session["status"], session["end_date_time"]) == ("COMPLETED", expired)
            await held.results("ACCEPTED")
            await free_for_others(held, "E1")

    await together(story, OCPP)


@every_2
async def test_csms_h04_fr_02_an_evse_whose_reservation_is_told_to_have_expired_is_free_for_everybody(gateway, ocpp):
    async with reserved(gateway, ocpp) as held:
        await held.update("Expired")
        await free_for_others(held, "E1")


@every_way
async def test_csms_h04_fr_03_an_evse_is_known_to_be_available_after_the_expiry(gateway: Gateway, ocpp: str, how: str):
    async with reserved(gateway, ocpp, minutes=4 / 60) as held:
        await tell(held.station, how, "Reserved")
        if not held.station.is_1:
            await held.update("Expired")
        else:
            await eventually(lambda: held.state == "EXPIRED")
        await tell(held.station, how, "Available")
        assert shown(gateway, held.location) == {"E1": "AVAILABLE"}
        assert held.state == "EXPIRED"
        assert len(held.station.all_asked("ReserveNow")) == 1
