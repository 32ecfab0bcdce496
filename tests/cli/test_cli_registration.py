"""`partner invite`, `set` and what goes with them: what is told, and what is refused in a sentence."""

import json

import pytest

from gateway.house import utc_now
from gateway.secrets import open_secrets
from gateway.settings import Settings
from gateway.store import partner_tokens
from tests.cli.conftest import Operator

INVITE = ("partner", "invite", "--name", "Emsp")
ADD = ("partner", "add", "--name", "Emsp", "--country", "DE", "--party", "EMS", "--token-in", "a", "--token-out", "b")


@pytest.fixture
def house(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "https://gateway.example/")
    operator.does("cpo", "add", "--country", "NL", "--party", "CPO", "--name", "Me")
    return operator


def holder(house: Operator, token: str):
    secrets = open_secrets(Settings(data_dir=house.data))
    return house.database(lambda db: partner_tokens.holder(db, [secrets.token_hash(token)], utc_now()))


def test_an_invitation_is_a_versions_url_and_a_token_that_is_told_once(house: Operator) -> None:
    told = json.loads(house.does(*INVITE))
    assert set(told) == {"versions_url", "token"}
    assert told["versions_url"] == "https://gateway.example/ocpi/versions"
    assert len(told["token"]) == 43
    partner, credential = holder(house, told["token"])
    assert (partner.name, partner.state, credential.scope) == ("Emsp", "INVITED", "REGISTRATION")
    assert told["token"] not in house.does("partner", "show", "Emsp") + house.does("partner", "list")
    assert told["token"].encode() not in (house.data / "gateway.db").read_bytes()
    [shown] = house.sees("partner", "show", "Emsp")["tokens_in"]
    assert shown["expires_at"] is not None


def test_a_second_invitation_is_asked_for_and_ends_the_first(house: Operator) -> None:
    first = json.loads(house.does(*INVITE))["token"]
    assert "already" in house.hears(*INVITE)
    second = json.loads(house.does(*INVITE, "--again"))["token"]
    assert holder(house, first) is None
    assert holder(house, second) is not None


def test_a_partner_that_was_added_by_hand_may_be_invited_and_keeps_its_token(house: Operator) -> None:
    house.does(*ADD)
    token = json.loads(house.does(*INVITE, "--again"))["token"]
    assert {holder(house, one)[1].scope for one in (token, "a")} == {"REGISTRATION", "ACCESS"}
    house.does("partner", "suspend", "Emsp")
    assert "SUSPENDED" in house.hears(*INVITE, "--again")


def test_nobody_is_invited_to_where_tokens_travel_in_clear(house: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "http://gateway.example")
    assert "no https URL" in house.hears(*INVITE)
    monkeypatch.setenv("GATEWAY_ALLOW_PRIVATE_CALLBACKS", "true")
    house.does(*INVITE)


def test_nobody_is_invited_to_nobody(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "https://gateway.example")
    assert "no party here" in operator.hears(*INVITE)
    assert operator.sees("partner", "list") == []


@pytest.mark.parametrize("url", ["http://emsp.example/v", "https://10.0.0.1/v", "https://user@emsp.example/v", "emsp"])
def test_a_versions_url_that_is_not_called_is_refused(house: Operator, url: str) -> None:
    assert "cannot be called" in house.hears("partner", "register", "--versions-url", url, "--token", "A")


def test_what_holds_for_a_partner_is_changed(house: Operator) -> None:
    house.does(*ADD, "--callback-host", "one.example")
    words = ("--allow-unlock", "--raw-token", "--lenient-token", "--lenient-routing", "--trailing-slash")
    hosts = ("--callback-host", "TWO.example", "--no-callback-host", "one.example")
    house.does("partner", "set", "Emsp", *words, *hosts, "--keep-pushing", "--open-parties", "--authorize-unknown")
    shown = house.sees("partner", "show", "Emsp")
    assert [shown["tolerance"][name] for name in ("raw_token", "partial_tokens", "missing_routing_headers")] == [
        "yes"
    ] * 3
    assert shown["tolerance"]["other_trailing_slash"] == "yes"
    assert shown["callback_hosts"] == ["two.example"]
    assert all(shown[name] for name in ("allow_unlock", "keep_pushing", "open_parties", "authorize_unknown"))
    shown = house.sees("partner", "set", "Emsp", "--no-raw-token", "--no-allow-unlock")
    assert shown == house.sees("partner", "show", "Emsp")
    assert (shown["tolerance"]["raw_token"], shown["allow_unlock"], shown["lenient_token"]) == ("no", False, True)


def test_what_cannot_be_changed_is_told(house: Operator) -> None:
    house.does(*ADD)
    assert "Say what is to change" in house.hears("partner", "set", "Emsp")
    assert "not among" in house.hears("partner", "set", "Emsp", "--no-callback-host", "x.example")
    assert "no partner" in house.hears("partner", "set", "Nobody", "--allow-unlock")
    assert "no host" in house.hears("partner", "set", "Emsp", "--callback-host", "https://x")


def test_what_needs_a_registration_is_refused_without(house: Operator) -> None:
    house.does(*ADD)
    assert "added by hand" in house.hears("partner", "rotate", "Emsp")
    assert "no Tokens module" in house.hears("partner", "sync", "Emsp")
    assert "no partner" in house.hears("partner", "rotate", "Nobody")


def test_an_invited_partner_is_let_go(house: Operator) -> None:
    token = json.loads(house.does(*INVITE))["token"]
    assert "REMOVED" in house.does("partner", "remove", "Emsp")
    assert holder(house, token) is None
    house.does(*INVITE)
