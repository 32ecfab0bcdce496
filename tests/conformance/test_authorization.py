"""Whitelists and real-time authorization (mod_tokens §WhitelistType, §Real-time authorization), and when not to ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.store import rows, tokens
from ocpi.tokens import Token
from tests.support.gateway import Gateway
from tests.support.scene import Scene, scene
from tests.support.station import group_in, token_in
from tests.support.tokens_module import UNKNOWN, Reply, TokensModule, offer, word

REFUSED = "BLOCKED"
UNREACHABLE = Reply(http=503, body=b"")

stations = pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
commands = pytest.mark.parametrize("command", ["RESERVE_NOW", "START_SESSION"])


@asynccontextmanager
async def asked_scene(
    gateway: Gateway, *replies: Reply, ocpp: str = "2.0.1"
) -> AsyncIterator[tuple[Scene, TokensModule]]:
    """A scene whose eMSP can be asked about tokens."""
    async with scene(gateway, ocpp=ocpp) as place, TokensModule(*replies) as module:
        with gateway.database() as db:
            offer(db, place.emsp.partner_id, module.url)
        yield place, module


def card_of(place: Scene) -> str:
    """A card of this scene alone."""
    return f"04A1{place.emsp.partner_id:08d}"


def store(gateway: Gateway, place: Scene, **changes) -> dict:
    body = place.emsp.token_body(card_of(place), "RFID", **changes)
    with gateway.database() as db:
        assert tokens.put_token(db, place.emsp.partner_id, Token.model_validate(body))
    return body


async def send(place: Scene, command: str, token: dict, **more) -> None:
    ask = place.emsp.reserve if command == "RESERVE_NOW" else place.emsp.start_session
    assert await place.emsp.result(await ask(place.location, token=token, **more)) == "ACCEPTED"


def heard(place: Scene, command: str) -> dict:
    return place.station.all_asked(place.station.action(command))[-1]


def a_quarter_of_an_hour_passes(gateway: Gateway, place: Scene) -> None:
    """The processes' clock is everybody's; the window is this scene's own."""
    known = rows.authorization
    with gateway.database() as db:
        over = datetime.now(UTC) - timedelta(seconds=1)
        db.execute(
            update(known).where(known.c.station == place.station.id, known.c.until.is_not(None)).values(until=over)
        )


async def told(place: Scene, token: str | None = None, type: str = "ISO14443") -> str:
    return (await place.station.authorize(token or card_of(place), type))["status"]


@stations
@pytest.mark.parametrize("type_", ["APP_USER", "AD_HOC_USER"])
async def test_rule_143_rule_159_an_app_user_s_token_is_never_asked_about_at_the_emsp(gateway: Gateway, ocpp, type_):
    async with asked_scene(gateway, UNKNOWN, ocpp=ocpp) as (place, module):
        await send(place, "RESERVE_NOW", place.emsp.token_body("some-uuid-of-mine", type_))
        a_quarter_of_an_hour_passes(gateway, place)
        assert await told(place, token_in(heard(place, "RESERVE_NOW")), "Central") == "Accepted"
        await send(place, "START_SESSION", place.emsp.token_body("some-uuid-of-mine", type_))
        await place.station.begin(token_in(heard(place, "START_SESSION")))
        assert place.station.told["status"] == "Accepted"
        assert module.asked == []


@stations
@commands
async def test_rule_144_rule_160_a_card_is_not_asked_about_for_a_quarter_of_an_hour_whatever_its_whitelist_says(
    gateway: Gateway, ocpp, command
):
    async with asked_scene(gateway, UNKNOWN, ocpp=ocpp) as (place, module):
        token = store(gateway, place, whitelist="NEVER", valid=False)
        await send(place, command, token)
        assert await told(place) == "Accepted"
        await place.station.begin(card_of(place))
        assert place.station.told["status"] == "Accepted"
        assert [one["auth_method"] for one in await place.emsp.sessions()] == ["COMMAND"]
        assert module.asked == []


@stations
async def test_rule_145_rule_144_after_a_quarter_of_an_hour_a_reserving_card_is_asked_about_again(
    gateway: Gateway, ocpp
):
    async with asked_scene(gateway, ocpp=ocpp) as (place, module):
        token = place.emsp.token_body(card_of(place), "RFID")
        module.replies = [word(token, REFUSED), word(token)]
        await send(place, "RESERVE_NOW", token)
        a_quarter_of_an_hour_passes(gateway, place)
        assert await told(place) == "Blocked"
        assert await told(place) == "Accepted"
        assert len(module.asked) == 2


@pytest.mark.parametrize("reply", [UNREACHABLE, UNKNOWN])
async def test_rule_145_a_reservation_holds_while_its_emsp_does_not_say_no(gateway: Gateway, reply):
    async with asked_scene(gateway, reply) as (place, _):
        await send(place, "RESERVE_NOW", place.emsp.token_body(card_of(place), "RFID"))
        a_quarter_of_an_hour_passes(gateway, place)
        assert await told(place) == "Accepted"
        await place.station.begin(card_of(place))
        assert place.station.told["status"] == "Accepted"
        assert [one["auth_method"] for one in await place.emsp.sessions()] == ["COMMAND"]


async def test_rule_145_a_reserving_card_that_was_made_invalid_for_good_is_refused(gateway: Gateway):
    async with asked_scene(gateway) as (place, module):
        await send(place, "RESERVE_NOW", store(gateway, place, whitelist="ALWAYS", valid=False))
        a_quarter_of_an_hour_passes(gateway, place)
        assert await told(place) == "Invalid"
        assert module.asked == []


async def test_rule_160_after_its_charge_a_starting_card_is_like_any_other(gateway: Gateway):
    async with asked_scene(gateway, UNKNOWN) as (place, module):
        await send(place, "START_SESSION", place.emsp.token_body(card_of(place), "RFID"))
        transaction = await place.station.begin(card_of(place))
        a_quarter_of_an_hour_passes(gateway, place)
        assert await told(place) == "Accepted"  # its charge runs
        assert module.asked == []
        await place.station.end(transaction)
        assert await told(place) == "Invalid"
        assert len(module.asked) == 1


@stations
async def test_rule_202_of_cards_that_were_never_pushed_the_emsps_that_wish_it_are_asked(gateway: Gateway, ocpp):
    async with asked_scene(gateway, ocpp=ocpp) as (place, module):
        module.replies = [word(place.emsp.token_body(card_of(place), "RFID"))]
        assert await told(place) == "Invalid"
        assert module.asked == []
        with gateway.database() as db:
            offer(db, place.emsp.partner_id, None, strangers=True)
        try:
            assert await told(place) == "Accepted"
        finally:
            with gateway.database() as db:
                offer(db, place.emsp.partner_id, None)
        await place.station.begin(card_of(place))
        assert [one["auth_method"] for one in await place.emsp.sessions()] == ["AUTH_REQUEST"]
        assert len(module.asked) == 1


@stations
async def test_rule_203_the_question_names_token_type_and_place(gateway: Gateway, ocpp):
    async with asked_scene(gateway, ocpp=ocpp) as (place, module):
        store(gateway, place)
        await told(place)
        [asked] = module.asked
        assert asked.method == "POST"
        assert asked.path == f"/ocpi/emsp/2.2.1/tokens/{card_of(place)}/authorize?type=RFID"
        assert asked.json == {"location_id": place.location, "evse_uids": ["E1"]}
        named = {name: asked.headers[f"OCPI-{name}"] for name in ("to-country-code", "to-party-id", "from-party-id")}
        party = place.emsp.party
        assert named == {
            "to-country-code": party.country_code,
            "to-party-id": party.party_id,
            "from-party-id": "CPO",
        }


@pytest.mark.parametrize("reply", [UNKNOWN, Reply(http=404, body=b""), Reply(code=2004), Reply(http=404)])
async def test_rule_204_a_card_that_the_emsp_does_not_know_is_refused_though_it_might_charge_offline(
    gateway: Gateway, reply
):
    async with asked_scene(gateway, reply) as (place, _):
        store(gateway, place, whitelist="ALLOWED_OFFLINE")
        assert await told(place) == "Invalid"


async def test_rule_205_the_place_was_told_already_so_that_an_emsp_that_misses_it_is_not_asked_again(gateway: Gateway):
    async with asked_scene(gateway, Reply(code=2002)) as (place, module):
        store(gateway, place, whitelist="ALLOWED_OFFLINE")
        assert await told(place) == "Invalid"
        assert [one.json["location_id"] for one in module.asked] == [place.location]


@stations
@pytest.mark.parametrize(
    ("listed", "valid", "asked", "status"),
    [
        pytest.param("ALWAYS", True, 0, "Accepted", id="always"),
        pytest.param("ALWAYS", False, 0, "Invalid", id="always, but invalid"),
        pytest.param("ALLOWED", True, 0, "Accepted", id="allowed"),
    ],
)
async def test_rule_206_rule_207_a_listed_card_is_not_asked_about(gateway: Gateway, ocpp, listed, valid, asked, status):
    async with asked_scene(gateway, UNKNOWN, ocpp=ocpp) as (place, module):
        store(gateway, place, whitelist=listed, valid=valid)
        assert await told(place) == status
        assert len(module.asked) == asked


@stations
async def test_rule_208_a_card_that_may_charge_offline_does_so_only_when_its_emsp_cannot_be_reached(
    gateway: Gateway, ocpp
):
    async with asked_scene(gateway, ocpp=ocpp) as (place, module):
        token = store(gateway, place, whitelist="ALLOWED_OFFLINE")
        module.replies = [word(token, REFUSED), UNREACHABLE]
        assert await told(place) == "Blocked"
        assert await told(place) == "Accepted"
        assert len(module.asked) == 2


@stations
async def test_rule_209_a_card_that_is_never_listed_is_always_asked_about(gateway: Gateway, ocpp):
    async with asked_scene(gateway, ocpp=ocpp) as (place, module):
        token = store(gateway, place, whitelist="NEVER")
        module.replies = [UNREACHABLE, word(token, REFUSED), word(token)]
        assert [await told(place) for _ in range(3)] == ["Invalid", "Blocked", "Accepted"]
        assert len(module.asked) == 3


@pytest.mark.parametrize("listed", ["ALLOWED", "ALLOWED_OFFLINE", "NEVER"])
async def test_rule_210_an_invalid_card_is_asked_about_all_the_same(gateway: Gateway, listed):
    async with asked_scene(gateway) as (place, module):
        token = store(gateway, place, whitelist=listed, valid=False)
        module.replies = [UNREACHABLE, word(token | {"valid": True})]
        assert [await told(place) for _ in range(2)] == ["Invalid", "Accepted"]
        assert len(module.asked) == 2


@stations
async def test_rule_211_the_name_of_a_group_fits_every_station_however_long_it_is(gateway: Gateway, ocpp):
    async with asked_scene(gateway, ocpp=ocpp) as (place, _):
        store(gateway, place, whitelist="ALWAYS", group_id="A group of thirty-six characters ...")
        group = group_in(await place.station.authorize(card_of(place), "ISO14443"))
        assert len(group) == 20


@stations
async def test_rule_212_rule_190_the_last_reference_is_the_session_s(gateway: Gateway, ocpp):
    async with asked_scene(gateway, ocpp=ocpp) as (place, module):
        token = place.emsp.token_body(card_of(place), "RFID")
        module.replies = [word(token, authorization_reference="last")]
        await send(place, "RESERVE_NOW", token, body={"authorization_reference": "first"})
        a_quarter_of_an_hour_passes(gateway, place)
        assert await told(place) == "Accepted"
        await place.station.begin(card_of(place))
        [session] = await place.emsp.sessions()
        assert session["authorization_reference"] == "last"
