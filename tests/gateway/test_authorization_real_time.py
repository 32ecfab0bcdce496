"""Questions to eMSPs about tokens, on real sockets: how they are asked, and what each answer or silence means."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.real_time import RealTime
from gateway.store import stations, tokens
from ocpi.headers import Party
from ocpi.tokens import Token
from ocpp_bridge.events import TokenStatus
from ocpp_bridge.orders import IdToken
from tests.support.gateway import Gateway, Spot
from tests.support.indoors import token_body
from tests.support.office import office
from tests.support.tokens_module import MUTE, UNKNOWN, Reply, TokensModule, offer, word

CARD = IdToken(value="04AABBCC", type="ISO14443")
ONE, TWO = Party("DE", "ONE"), Party("DE", "TWO")
LISTED = {"whitelist": "ALLOWED_OFFLINE"}


@dataclass
class Street:
    """A station of two EVSEs, and eMSPs with Tokens modules that are asked about it."""

    gateway: Gateway
    real_time: RealTime
    station: str
    location: str

    def emsp(self, module: TokensModule | None, party: Party = ONE, *, strangers: bool = True, **changes) -> int:
        made = self.gateway.emsp((party.country_code, party.party_id), **changes)
        with self.gateway.database() as db:
            offer(db, made.partner_id, module.url if module is not None else None, strangers=strangers)
        return made.partner_id

    def store(self, partner: int, party: Party = ONE, uid: str = CARD.value, **changes) -> None:
        with self.gateway.database() as db:
            assert tokens.put_token(db, partner, Token.model_validate(token_body(party, uid, "RFID", **changes)))

    async def ask(self, token: IdToken = CARD, *spot: int | None) -> TokenStatus:
        return await self.real_time.authorize(self.station, token, *([spot] if spot else []))

    async def told(self, token: IdToken = CARD, *spot: int | None) -> str:
        return (await self.ask(token, *spot)).status


@pytest.fixture
async def opened(tmp_path: Path, redis_url: str) -> AsyncIterator[Callable[..., Street]]:
    async with office(tmp_path, redis_url, allow_private_callbacks=True, authorize_timeout="15") as desk:

        def street(**settings) -> Street:
            rules = replace(desk.office.rules, settings=desk.office.rules.settings.model_copy(update=settings))
            station = desk.gateway.station_name()
            location = desk.gateway.location(
                Spot(station, evse=1, connector=1, uid="E1"), Spot(station, evse=2, connector=1, uid="E2")
            )
            return Street(desk.gateway, RealTime(replace(desk.office, rules=rules)), station, location)

        yield street


@pytest.fixture
def street(opened) -> Street:
    return opened()


def card(party: Party = ONE, **changes) -> dict:
    return token_body(party, CARD.value, "RFID", **changes)


# How it is asked


async def test_an_emsp_is_asked_as_the_specification_says(street: Street) -> None:
    async with TokensModule(word(card())) as module:
        street.emsp(module)
        assert await street.told() == "Accepted"
        [asked] = module.asked
    assert (asked.method, asked.path) == ("POST", "/ocpi/emsp/2.2.1/tokens/04AABBCC/authorize?type=RFID")
    assert asked.json == {"location_id": street.location, "evse_uids": ["E1", "E2"]}
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Authorization"].startswith("Token ")
    assert asked.headers["X-Request-ID"]
    assert asked.headers["X-Correlation-ID"]
    routing = {name: asked.headers[f"OCPI-{name}"] for name in ("to-country-code", "to-party-id")}
    assert routing == {"to-country-code": "DE", "to-party-id": "ONE"}
    assert (asked.headers["OCPI-from-country-code"], asked.headers["OCPI-from-party-id"]) == ("NL", "CPO")


@pytest.mark.parametrize(
    ("uid", "segment"), [("04/../AA", "04%2F..%2FAA"), ("04 AA?x=1#", "04%20AA%3Fx%3D1%23"), ("04%2f", "04%252f")]
)
async def test_a_uid_is_one_segment_of_the_path_whatever_is_in_it(street: Street, uid: str, segment: str) -> None:
    async with TokensModule() as module:
        street.emsp(module)
        assert await street.told(IdToken(value=uid)) == "Invalid"
        assert module.asked[0].path == f"/ocpi/emsp/2.2.1/tokens/{segment}/authorize?type=RFID"


async def test_a_url_that_ends_with_a_slash_gets_no_second_one(street: Street) -> None:
    async with TokensModule() as module:
        partner = street.emsp(None)
        with street.gateway.database() as db:
            offer(db, partner, f"{module.url}/", strangers=True)
        await street.told()
        assert module.asked[0].path == "/ocpi/emsp/2.2.1/tokens/04AABBCC/authorize?type=RFID"


async def test_the_evse_that_the_station_names_is_the_one_that_is_told(street: Street) -> None:
    async with TokensModule() as module:
        street.emsp(module)
        await street.told(CARD, 2, 1)
        assert module.asked[0].json == {"location_id": street.location, "evse_uids": ["E2"]}


async def test_a_stored_token_is_asked_about_as_its_emsp_spells_it(street: Street) -> None:
    async with TokensModule() as module:
        street.store(street.emsp(module, strangers=False), uid="04aAbBcC")
        await street.told()
        assert module.asked[0].path.startswith("/ocpi/emsp/2.2.1/tokens/04aAbBcC/authorize")


async def test_a_hub_is_told_the_party_of_a_stored_token_and_none_for_a_stranger_s(street: Street) -> None:
    async with TokensModule() as module:
        hub = street.emsp(module, Party("DE", "HUB"), role="HUB")
        street.store(hub, TWO)
        await street.told()
        await street.told(IdToken(value="04FFFFFF"))
        known, stranger = module.asked
    assert (known.headers["OCPI-to-country-code"], known.headers["OCPI-to-party-id"]) == ("DE", "TWO")
    assert "OCPI-to-party-id" not in stranger.headers
    assert stranger.headers["OCPI-from-party-id"] == "CPO"


async def test_a_station_at_no_location_asks_without_one(street: Street) -> None:
    async with TokensModule(word(card())) as module:
        street.emsp(module)
        with street.gateway.database() as db:
            stations.put_station(db, "LONELY", 0, None)
        assert (await street.real_time.authorize("LONELY", CARD)).status == "Accepted"
        assert module.asked[0].json is None


# What the answers mean


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (word(card()), "Accepted"),
        (word(card(), "BLOCKED"), "Blocked"),
        (word(card(), "EXPIRED"), "Expired"),
        (word(card(), "NO_CREDIT"), "Invalid"),
        (word(card(), "NOT_ALLOWED"), "Invalid"),
        (word(None, "BLOCKED"), "Blocked"),
        (word(None), "Accepted"),
        (word({"uid": "04AABBCC"}), "Accepted"),
        (Reply([{"allowed": "ALLOWED", "token": card()}]), "Accepted"),
        (Reply(http=404, body=b"<html>"), "Invalid"),
        (Reply(http=404, code=2004), "Invalid"),
        (Reply(code=2004), "Invalid"),
        (Reply(code=2002), "Invalid"),
        (Reply(code=2000), "Invalid"),
        (word(card(), info={"language": "en"}), "Accepted"),
    ],
)
async def test_what_an_emsp_says_is_told_whatever_its_card_could_offline(
    street: Street, reply: Reply, status: str
) -> None:
    async with TokensModule(reply) as module:
        street.store(street.emsp(module), **LISTED)
        assert await street.told() == status


@pytest.mark.parametrize(
    "reply",
    [
        Reply(http=500, code=3000),
        Reply(code=3000),
        Reply(code=4001),
        Reply(http=401, body=b"no"),
        Reply(http=429, code=1000),
        Reply(http=302, headers={"Location": "http://127.0.0.1:1/"}, body=b""),
        Reply(body=b"{"),
        Reply(body=b"[]"),
        Reply({}),
        Reply(body=b"\xff" * 9),
        Reply({"allowed": ["ALLOWED"]}),
        Reply("yes"),
        word(card(), "PERHAPS"),
        word(card(), authorization_reference="x" * 37),
        Reply(body=b" " * 100_000),
        MUTE,
    ],
)
async def test_without_an_answer_the_whitelist_s_offline_rule_counts(opened, reply: Reply) -> None:
    street = opened(**({"authorize_timeout": timedelta(seconds=1)} if reply is MUTE else {}))
    async with TokensModule(reply) as module:
        partner = street.emsp(module)
        street.store(partner, **LISTED)
        street.store(partner, uid="04112233", **LISTED, valid=False)
        street.store(partner, uid="04445566")
        cards = [CARD, IdToken(value="04112233"), IdToken(value="04445566")]
        assert [await street.told(one) for one in cards] == ["Accepted", "Invalid", "Invalid"]
        assert len(module.asked) == 3
    [row] = street.gateway.rows("authorization", station=street.station)
    assert (row["auth_method"], row["partner"]) == ("WHITELIST", partner)


async def test_an_emsp_that_is_not_there_or_not_to_be_called_is_not_reached(street: Street) -> None:
    for number, url in enumerate(
        ("http://127.0.0.1:1/tokens", "http://169.254.169.254/tokens", "ftp://x/tokens", None)
    ):
        party = Party("DE", f"X{number}")
        partner = street.emsp(None, party)
        if url is not None:
            with street.gateway.database() as db:
                offer(db, partner, url)
        street.store(partner, party, f"0400000{number}", **LISTED)
        assert await street.told(IdToken(value=f"0400000{number}")) == "Accepted"


async def test_a_listed_card_is_never_asked_about(street: Street) -> None:
    async with TokensModule(word(card(), "BLOCKED")) as module:
        partner = street.emsp(module)
        for number, listed in enumerate(("ALWAYS", "ALLOWED")):
            street.store(partner, uid=f"0400000{number}", whitelist=listed)
            assert await street.told(IdToken(value=f"0400000{number}")) == "Accepted"
        assert module.asked == []


async def test_who_allows_wins_over_who_does_not(street: Street) -> None:
    async with TokensModule(word(card(), "BLOCKED")) as first, TokensModule(word(card(TWO))) as second:
        street.store(street.emsp(first))
        allowing = street.emsp(second, TWO)
        street.store(allowing, TWO)
        assert await street.told() == "Accepted"
    [row] = street.gateway.rows("authorization", station=street.station)
    assert (row["partner"], row["from_party"], row["auth_method"]) == (allowing, "TWO", "AUTH_REQUEST")


async def test_of_strangers_the_first_who_allows_wins_and_the_mute_one_is_not_waited_for(opened) -> None:
    street = opened(authorize_timeout=timedelta(seconds=20))
    async with TokensModule(MUTE) as mute, TokensModule(UNKNOWN) as ignorant, TokensModule(word(card(TWO))) as good:
        street.emsp(mute)
        street.emsp(ignorant, Party("DE", "TRE"))
        owner = street.emsp(good, TWO)
        async with asyncio.timeout(15):
            assert await street.told() == "Accepted"
    [row] = street.gateway.rows("authorization", station=street.station)
    assert row["partner"] == owner


async def test_a_hub_s_stranger_belongs_to_the_party_that_the_answer_names(street: Street) -> None:
    async with TokensModule(word(card(TWO))) as module:
        hub = street.emsp(module, Party("DE", "HUB"), role="HUB")
        assert await street.told() == "Accepted"
    [row] = street.gateway.rows("authorization", station=street.station)
    assert (row["partner"], row["from_country"], row["from_party"]) == (hub, "DE", "TWO")


# What is remembered


async def test_the_token_its_group_and_the_reference_are_the_answer_s(street: Street) -> None:
    told = card(group_id="Fleet", contract_id="C-9")
    async with TokensModule(word(told, authorization_reference="REF-1")) as module:
        street.emsp(module)
        status = await street.ask()
    [row] = street.gateway.rows("authorization", station=street.station)
    assert (row["authorization_reference"], row["token"], row["command"]) == ("REF-1", told, None)
    assert row["cpo"] == street.gateway.cpo()
    assert row["group_id_token"] == status.group.value
    assert len(status.group.value) == 20


async def test_the_start_that_follows_asks_nobody(street: Street) -> None:
    async with TokensModule(word(card())) as module:
        street.emsp(module)
        assert [await street.told(), await street.told(IdToken(value="04aabbcc")), await street.told(CARD, 1, 1)] == [
            "Accepted"
        ] * 3
        assert len(module.asked) == 1


async def test_without_a_memory_it_is_asked_each_time(opened) -> None:
    street = opened(authorization_memory=timedelta(0))
    async with TokensModule(word(card()), word(card(), "BLOCKED")) as module:
        street.emsp(module)
        assert [await street.told(), await street.told()] == ["Accepted", "Blocked"]


async def test_stations_that_ask_for_one_card_at_once_share_the_question(street: Street) -> None:
    async with TokensModule(replace(word(card()), after=0.3)) as module:
        street.emsp(module)
        assert await asyncio.gather(*(street.told() for _ in range(5))) == ["Accepted"] * 5
        assert len(module.asked) == 1


async def test_a_station_that_goes_away_takes_the_answer_from_nobody(street: Street) -> None:
    async with TokensModule(replace(word(card()), after=0.3)) as module:
        street.emsp(module)
        first, second = asyncio.create_task(street.told()), asyncio.create_task(street.told())
        await module.was_asked()
        first.cancel()
        assert await second == "Accepted"


async def test_a_mute_emsp_holds_up_its_own_cards_only(opened) -> None:
    street = opened(authorize_timeout=timedelta(seconds=20))
    async with TokensModule(MUTE) as mute, TokensModule(word(card(TWO))) as good:
        street.store(street.emsp(mute, strangers=False), uid="04000000")
        street.store(street.emsp(good, TWO, strangers=False), TWO)
        stuck = [asyncio.create_task(street.told(IdToken(value="04000000"), number, 1)) for number in range(1, 20)]
        await mute.was_asked(19)
        async with asyncio.timeout(15):
            assert await street.told() == "Accepted"
        for one in stuck:
            one.cancel()


# Where it is allowed


@pytest.mark.parametrize(
    ("where", "spot", "status"),
    [
        ({}, (), "Accepted"),
        ({"evse_uids": ["e1", "E2", "E3"]}, (), "Accepted"),
        ({"evse_uids": ["E1"]}, (1, 1), "Accepted"),
        ({"evse_uids": ["E1"]}, (), "Accepted"),
        ({"evse_uids": ["E2"]}, (1, 1), "Invalid"),
        ({"evse_uids": ["E9"]}, (), "Invalid"),
        ({"location_id": "ELSEWHERE"}, (), "Invalid"),
    ],
)
async def test_a_card_that_is_allowed_elsewhere_is_not_allowed_here(street: Street, where, spot, status) -> None:
    async with TokensModule(word(card(), location={"location_id": street.location} | where)) as module:
        street.emsp(module)
        assert await street.told(CARD, *spot) == status


async def test_what_is_allowed_at_one_evse_only_is_asked_again_when_the_station_names_the_evse(street: Street) -> None:
    async with TokensModule(word(card(), location={"location_id": street.location, "evse_uids": ["E1"]})) as module:
        street.emsp(module)
        assert [await street.told(), await street.told(CARD, 2, 1), await street.told(CARD, 1, 1)] == [
            "Accepted",
            "Invalid",
            "Accepted",
        ]
        assert len(module.asked) == 3
