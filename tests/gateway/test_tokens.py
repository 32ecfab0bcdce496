"""What a station is told of a token: a card's own number where it fits, else an alias that is its owner's alone."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from gateway.domain.tokens import COMMAND_WINDOW, authorized_until, group_token, id_token
from gateway.secrets import Secrets
from gateway.store import tokens
from gateway.store.rows import token_alias
from ocpi.headers import Party
from ocpi.tokens import Token, TokenType
from ocpp_bridge.orders import IdToken
from tests.support.indoors import SECRETS, START, Indoors, token_body


def token(uid: str = "04AABBCC", type: str = "RFID", **changes) -> Token:
    return Token.model_validate(token_body(Party("DE", "ONE"), uid, type, **changes))


def alias(uid: str) -> str:
    return f"<{uid}>"


@pytest.mark.parametrize(
    ("uid", "longest", "told"),
    [
        ("04AABBCC", 20, IdToken(value="04AABBCC", type="ISO14443")),
        ("04aabbccddeeff", 20, IdToken(value="04aabbccddeeff", type="ISO14443")),
        ("E004015012345678", 20, IdToken(value="E004015012345678", type="ISO15693")),
        ("X004015012345678", 20, IdToken(value="X004015012345678", type="ISO14443")),
        ("12345678901234567890", 20, IdToken(value="12345678901234567890", type="ISO14443")),
        ("123456789012345678901", 20, IdToken(value="<RFID:123456789012345678901>")),
        ("123456789012345678901", 36, IdToken(value="123456789012345678901", type="ISO14443")),
        ("04 AA", 36, IdToken(value="<RFID:04 AA>")),
        ("04;AA", 255, IdToken(value="<RFID:04;AA>")),
    ],
)
def test_a_card_is_told_as_it_is_where_it_fits(uid: str, longest: int, told: IdToken) -> None:
    assert id_token(token(uid), longest, alias) == told


@pytest.mark.parametrize("type", sorted(set(TokenType) - {TokenType.RFID}))
def test_every_other_token_is_an_alias_and_central(type: TokenType) -> None:
    assert id_token(token("A", type), 255, alias) == IdToken(value=f"<{type}:A>", type="Central")


def test_a_group_is_always_an_alias() -> None:
    assert group_token(token(), alias) is None
    assert group_token(token(group_id="G"), alias) == IdToken(value="<group:G>", type="Central")


def test_an_app_user_is_never_asked_for_and_a_card_for_a_quarter_of_an_hour() -> None:
    assert authorized_until(token(type="APP_USER"), START) is None
    assert authorized_until(token(type="AD_HOC_USER"), START) is None
    assert authorized_until(token(type="RFID"), START) == START + timedelta(minutes=15)
    assert authorized_until(token(type="OTHER"), START) == START + COMMAND_WINDOW


def test_an_alias_is_kept_and_fits_every_version(anywhere: Indoors) -> None:
    first = anywhere.run(tokens.alias, SECRETS, "1/de*one", "APP_USER:some-uuid", START)
    assert len(first) == 20
    assert set(first) <= set("0123456789ABCDEF")
    assert anywhere.run(tokens.alias, SECRETS, "1/de*one", "app_user:SOME-uuid", START) == first
    assert len(anywhere.rows("token_alias")) == 1


def test_the_same_uid_of_another_is_another_token(indoors: Indoors) -> None:
    owners = ("1/de*one", "1/de*two", "2/de*one")
    assert len({indoors.run(tokens.alias, SECRETS, owner, "A", START) for owner in owners}) == 3
    assert indoors.run(tokens.alias, Secrets(b"another"), "3/x", "A", START) != SECRETS.alias("3/x", "a")


def test_should_two_tokens_meet_in_one_alias_the_later_gets_another(anywhere: Indoors) -> None:
    taken = [SECRETS.alias("1/de*one", "a", attempt) for attempt in range(2)]
    with anywhere.db() as db:
        for number, one in enumerate(taken):
            row = {"alias": one, "owner": "9/xx*xxx", "uid_key": f"other-{number}", "created_at": START}
            db.execute(insert(token_alias).values(**row))
    got = anywhere.run(tokens.alias, SECRETS, "1/de*one", "A", START)
    assert got == SECRETS.alias("1/de*one", "a", 2)
    assert got not in taken
    assert anywhere.run(tokens.alias, SECRETS, "1/de*one", "a", START) == got


def test_every_emsp_has_its_own_word_on_a_token_and_the_newest_comes_first(indoors: Indoors) -> None:
    one, two = indoors.partner(), indoors.partner(Party("DE", "TWO"))
    location, station = indoors.one_evse()
    card = {"uid": "04AABBCC", "type": "RFID"}
    for partner in (one, two, one):
        indoors.start(partner, location, token=token_body(partner.party, **card))
    known = indoors.run(tokens.authorized, station, "04aabbcc")
    assert [(row["partner"], row["command"]) for row in known] == [(one.id, 3), (two.id, 2)]
    assert indoors.run(tokens.authorized, "elsewhere", "04aabbcc") == []


@pytest.mark.parametrize("subprotocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
def test_a_reservation_and_a_start_name_the_token_alike(indoors: Indoors, subprotocol: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse(subprotocol)
    body = token_body(partner.party, "0b2f9a56-5f0c-4b8c-a6a3-c2a0d2f8f0de", group_id="Fleet")
    indoors.reserve(partner, location, token=body)
    reserved = indoors.next(station).order
    indoors.start(partner, location, token=body)
    started = indoors.next(station).order
    assert (reserved.id_token, reserved.group) == (started.id_token, started.group)
    assert len(reserved.id_token.value) == len(reserved.group.value) == 20
