"""Who speaks for whom: what headers say, what is inferred, and what must be said."""

import pytest

from gateway.domain.parties import Cpo, Partner, resolve
from ocpi.headers import Encoding, Party, Routing
from ocpi.status import InvalidParameters

ONE, TWO = Party("DE", "ONE"), Party("DE", "TWO")
OURS, SECOND = Cpo(id=1, party=Party("NL", "CPO"), name="A"), Cpo(id=2, party=Party("BE", "CPO"), name="B")


def partner(role: str = "EMSP") -> Partner:
    return Partner(
        id=1, name="P", party=ONE, role=role, version="2.2.1", token_out="", encoding=Encoding.BASE64,
        callback_hosts=(), allow_unlock=False, lenient_token=False, state="ACTIVE",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("role", "cpos", "routing", "emsp", "cpo"),
    [
        ("EMSP", [OURS], Routing(), ONE, OURS),
        ("EMSP", [OURS], Routing(from_=Party("de", "one")), ONE, OURS),
        ("EMSP", [OURS, SECOND], Routing(to=Party("be", "cpo")), ONE, SECOND),
        ("HUB", [OURS], Routing(from_=TWO), TWO, OURS),
        ("HUB", [OURS], Routing(from_=ONE, to=OURS.party), ONE, OURS),
    ],
)
def test_the_two_ends_of_a_request(role: str, cpos: list[Cpo], routing: Routing, emsp: Party, cpo: Cpo) -> None:
    ends = resolve(partner(role), cpos, routing)
    assert (ends.emsp, ends.cpo) == (emsp, cpo)


@pytest.mark.parametrize(
    ("role", "cpos", "routing", "names"),
    [
        ("EMSP", [OURS], Routing(from_=TWO), "OCPI-from-party-id"),
        ("HUB", [OURS], Routing(), "OCPI-from-country-code"),
        ("EMSP", [OURS], Routing(to=Party("NL", "XXX")), "OCPI-to-party-id"),
        ("EMSP", [OURS, SECOND], Routing(), "OCPI-to-country-code"),
        ("EMSP", [], Routing(), "OCPI-to-country-code"),
    ],
)
def test_what_cannot_be_inferred_is_named(role: str, cpos: list[Cpo], routing: Routing, names: str) -> None:
    with pytest.raises(InvalidParameters, match=names):
        resolve(partner(role), cpos, routing)


def test_a_party_keeps_the_spelling_that_the_request_gave_it_only_behind_a_hub() -> None:
    assert str(resolve(partner(), [OURS], Routing(from_=Party("de", "one"))).emsp) == "DE*ONE"
    assert str(resolve(partner("HUB"), [OURS], Routing(from_=Party("de", "two"))).emsp) == "de*two"
