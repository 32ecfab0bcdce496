"""Cards at real stations: whom the gateway asks, what the station is told, and whose the charge becomes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.store import tokens
from ocpi.tokens import Token
from tests.journeys.test_hard_cases import a_place, every_ocpp
from tests.support.emsp import Emsp, moment
from tests.support.gateway import Gateway
from tests.support.station import ScriptedStation, group_in, token_in
from tests.support.tokens_module import MUTE, Reply, TokensModule, offer, word

CARD, OTHER = "04A1B2C3", "04D4E5F6"


@asynccontextmanager
async def asked(
    gateway: Gateway, ocpp: str, *replies: Reply
) -> AsyncIterator[tuple[Emsp, ScriptedStation, str, TokensModule]]:
    """An eMSP that is asked about strangers' cards, and a station of one EVSE."""
    async with a_place(gateway, ocpp) as (emsp, station, location), TokensModule(*replies) as module:
        with gateway.database() as db:
            # Only this eMSP's: the other tests' cards are not its business.
            offer(db, emsp.partner_id, module.url)
        yield emsp, station, location, module


def store(gateway: Gateway, emsp: Emsp, uid: str = CARD, **changes) -> dict:
    """The eMSP has told us of its card."""
    body = emsp.token_body(uid, "RFID", **changes)
    with gateway.database() as db:
        assert tokens.put_token(db, emsp.partner_id, Token.model_validate(body))
    return body


def own(uid: str, emsp: Emsp) -> str:
    """A card of this test alone."""
    return f"{uid}{emsp.partner_id:06d}"


async def authorize(station: ScriptedStation, card: str) -> dict:
    return await station.authorize(card, "ISO14443")


@every_ocpp
async def test_a_listed_card_charges_and_its_emsp_has_the_session(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp, MUTE) as (emsp, station, location, module):
        card = own(CARD, emsp)
        store(gateway, emsp, card, whitelist="ALWAYS")
        assert (await authorize(station, card))["status"] == "Accepted"
        transaction = await station.begin(card)
        assert station.told["status"] == "Accepted"
        [session] = await emsp.sessions()
        assert (session["auth_method"], session["status"], session["location_id"]) == ("WHITELIST", "ACTIVE", location)
        assert (session["cdr_token"]["uid"], session["cdr_token"]["contract_id"]) == (card, f"C-{card}")
        await station.end(transaction)
        assert [one["status"] for one in await emsp.sessions()] == ["COMPLETED"]
        assert module.asked == []


@every_ocpp
async def test_a_card_is_asked_about_once_for_a_whole_charge(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp) as (emsp, station, location, module):
        card = own(CARD, emsp)
        told = store(gateway, emsp, card)
        module.replies = [word(told, authorization_reference="REF-9"), word(told, "BLOCKED")]
        assert (await authorize(station, card))["status"] == "Accepted"
        transaction = await station.begin(card)
        assert station.told["status"] == "Accepted"
        [session] = await emsp.sessions()
        assert (session["auth_method"], session["authorization_reference"]) == ("AUTH_REQUEST", "REF-9")
        assert (await authorize(station, card))["status"] == "Accepted"
        await station.end(transaction)
        assert [one.path for one in module.asked] == [f"/ocpi/emsp/2.2.1/tokens/{card}/authorize?type=RFID"]
        assert module.asked[0].json == {"location_id": location, "evse_uids": ["E1"]}


@every_ocpp
async def test_a_start_is_asked_about_although_nobody_asked_before(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp) as (emsp, station, _, module):
        card = own(CARD, emsp)
        module.replies = [word(store(gateway, emsp, card))]
        await station.begin(card)
        assert station.told["status"] == "Accepted"
        assert [one["auth_method"] for one in await emsp.sessions()] == ["AUTH_REQUEST"]


@every_ocpp
async def test_a_refused_card_s_charge_is_written_down_and_nobody_s(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp) as (emsp, station, _, module):
        card = own(CARD, emsp)
        module.replies = [word(store(gateway, emsp, card), "BLOCKED")]
        assert (await authorize(station, card))["status"] == "Blocked"
        more = {} if station.is_1 else {"offline": True}
        transaction = await station.begin(card, at=moment(minutes=-30), **more)  # it could not ask
        assert station.told["status"] == "Blocked"
        [row] = gateway.rows("session", station=station.id)
        assert (row["transaction_id"], row["partner"]) == (transaction, None)
        assert await emsp.sessions() == []


@every_ocpp
async def test_a_mute_emsp_keeps_a_station_waiting_for_a_moment_and_no_other_station(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp, MUTE) as (emsp, station, _, module), a_place(gateway, ocpp) as (_, other, _):
        card, listed = own(CARD, emsp), own(OTHER, emsp)
        store(gateway, emsp, card)
        store(gateway, emsp, listed, whitelist="ALLOWED_OFFLINE")
        assert (await authorize(station, card))["status"] == "Invalid"
        assert (await authorize(other, "04FFFFFF"))["status"] == "Invalid"
        await station.begin(listed)
        assert station.told["status"] == "Accepted"
        assert [one["auth_method"] for one in await emsp.sessions()] == ["WHITELIST"]
        assert len(module.asked) == 2


@every_ocpp
async def test_another_card_of_the_group_uses_the_reservation(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp) as (emsp, station, location, module):
        reserving, presented = own(CARD, emsp), own(OTHER, emsp)
        module.replies = [word(store(gateway, emsp, presented, group_id="Fleet"))]
        told = await emsp.reserve(location, token=emsp.token_body(reserving, "RFID", group_id="Fleet"))
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        assert token_in(order) == reserving
        # H03.FR.07, FR.08: the station knows the group of neither card but from what it is told.
        status = await authorize(station, presented)
        assert (status["status"], group_in(status)) == ("Accepted", group_in(order))
        number = gateway.reservation_of(told)["number"]
        transaction = await station.begin(presented, reservationId=number)
        assert (station.told["status"], group_in(station.told)) == ("Accepted", group_in(order))
        assert gateway.reservation_of(told)["state"] == "USED"
        [session] = await emsp.sessions()
        assert (session["cdr_token"]["uid"], session["auth_method"]) == (presented, "AUTH_REQUEST")
        # Its first card ends it, of which nobody is asked.
        with_card = {"idTag": reserving} if station.is_1 else {"idToken": {"idToken": reserving, "type": "ISO14443"}}
        ended = await station.end(transaction, **with_card)
        assert (ended.get("idTagInfo") or ended.get("idTokenInfo"))["status"] == "Accepted"
        assert len(module.asked) == 1


@every_ocpp
async def test_a_card_of_another_emsp_s_group_of_that_name_does_not_fit_the_reservation(gateway: Gateway, ocpp: str):
    async with asked(gateway, ocpp) as (emsp, station, location, _), gateway.emsp() as other:
        reserving, presented = own(CARD, emsp), own(OTHER, other)
        store(gateway, other, presented, group_id="Fleet", whitelist="ALWAYS")
        told = await emsp.reserve(location, token=emsp.token_body(reserving, "RFID", group_id="Fleet"))
        assert await emsp.result(told) == "ACCEPTED"
        status = await authorize(station, presented)
        assert status["status"] == "Accepted"
        assert group_in(status) not in (None, group_in(await station.asked_for("RESERVE_NOW")))
