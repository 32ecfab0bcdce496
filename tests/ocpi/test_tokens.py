"""Tokens: whole ones, partial ones, and what an eMSP says about them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ocpi.headers import Party
from ocpi.tokens import (
    AllowedType,
    AuthorizationInfo,
    LocationReferences,
    Token,
    TokenType,
    WhitelistType,
    complete_token,
)
from tests.ocpi.vectors import ours, specified

NOW = datetime(2025, 3, 1, 9, 0, 0, tzinfo=UTC)
EMSP = Party("NL", "EMQ")
WHOLE: dict[str, Any] = ours("commands/requests/RESERVE_NOW.location_only.rfid.json")["token"]
REQUIRED = {"country_code", "party_id", "uid", "type", "contract_id", "issuer", "valid", "whitelist", "last_updated"}


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
@pytest.mark.parametrize("name", ["token_example_1_app_user", "token_example_2_full_rfid", "token_put_example"])
def test_the_specifications_tokens_read_and_write_themselves(version: str, name: str) -> None:
    example = specified(version, name)
    assert Token.model_validate(example).wire() == example


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_token_without_a_required_field_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Token.model_validate({field: value for field, value in WHOLE.items() if field != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("valid", "true"),
        ("valid", 1),
        ("uid", 123),
        ("uid", "x" * 37),
        ("type", "rfid"),
        ("type", "EMAID"),
        ("whitelist", "SOMETIMES"),
        ("country_code", "NLD"),
        ("party_id", "EMQX"),
        ("issuer", "x" * 65),
        ("group_id", ""),
        ("energy_contract", {"contract_id": "1"}),
    ],
)
def test_a_token_with_an_impossible_field_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        Token.model_validate(WHOLE | {name: value})


def test_a_token_has_an_owner() -> None:
    assert Token.model_validate(WHOLE).owner == Party("nl", "emq")


def test_a_token_of_three_fields_is_completed_with_what_allows_least() -> None:
    raw = {"uid": "04A1", "type": "RFID", "contract_id": "C-1"}
    token = Token.model_validate(complete_token(raw, EMSP, NOW))
    assert (token.uid, token.type, token.contract_id) == ("04A1", TokenType.RFID, "C-1")
    assert (token.owner, token.issuer) == (EMSP, "NL*EMQ")
    assert (token.valid, token.whitelist, token.last_updated) == (True, WhitelistType.NEVER, NOW)


def test_a_token_without_a_contract_is_its_own_contract() -> None:
    assert complete_token({"uid": "04A1", "contract_id": None}, EMSP, NOW)["contract_id"] == "04A1"


def test_what_a_partner_says_itself_stays() -> None:
    assert complete_token(WHOLE, Party("XX", "YYY"), NOW) == WHOLE
    assert complete_token({"valid": False}, EMSP, NOW)["valid"] is False


@pytest.mark.parametrize("raw", [{}, {"uid": "04A1"}, {"type": "RFID"}])
def test_which_token_it_is_cannot_be_guessed(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Token.model_validate(complete_token(raw, EMSP, NOW))


def test_completing_a_token_leaves_the_partners_words_alone() -> None:
    raw = {"uid": "04A1"}
    complete_token(raw, EMSP, NOW)
    assert raw == {"uid": "04A1"}


def test_rule_212_an_authorization_brings_its_reference() -> None:
    info = {
        "allowed": "ALLOWED",
        "token": WHOLE,
        "location": {"location_id": "LOC-A", "evse_uids": ["EVSE-A1"]},
        "authorization_reference": "auth-1",
        "info": {"language": "en", "text": "Welcome"},
    }
    read = AuthorizationInfo.model_validate(info)
    assert (read.allowed, read.authorization_reference) == (AllowedType.ALLOWED, "auth-1")
    assert read.wire() == info


def test_an_authorization_may_say_no_more_than_its_word() -> None:
    info = {"allowed": "NO_CREDIT", "token": WHOLE, "location": None, "info": None}
    assert AuthorizationInfo.model_validate(info).wire() == {"allowed": "NO_CREDIT", "token": WHOLE}


def test_a_location_may_be_named_without_its_evses() -> None:
    assert LocationReferences.model_validate({"location_id": "LOC-A", "evse_uids": None}).wire() == {
        "location_id": "LOC-A"
    }
