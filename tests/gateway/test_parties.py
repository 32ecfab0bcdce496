"""Who speaks for whom: what headers say, what is inferred, and what must be said."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.domain.parties import Cpo, Parties, Partner, ends_of, said
from ocpi.headers import Encoding, Party, Routing
from ocpi.status import InvalidParameters

ONE, TWO = Party("DE", "ONE"), Party("DE", "TWO")
OURS, SECOND = Cpo(id=1, party=Party("NL", "CPO"), name="A"), Cpo(id=2, party=Party("BE", "CPO"), name="B")


def partner(role: str = "EMSP", **changes: Any) -> Partner:
    given: dict[str, Any] = {
        "id": 1, "name": "P", "party": ONE, "role": role, "version": "2.2.1", "token_out": "",
        "encoding": Encoding.BASE64, "callback_hosts": (), "allow_unlock": False, "lenient_token": False,
        "state": "ACTIVE", "open_parties": role == "HUB",
    }  # fmt: skip
    return Partner(**given | changes)


def ends(one: Partner, cpos: list[Cpo], routing: Routing, declares: Sequence[Party] = (ONE,)) -> Parties:
    """As a request's are found: what the connection declares of the party that is named, or all of it."""
    ends = ends_of(one, cpos, routing, [each for each in declares if routing.from_ in (None, each)])
    return Parties(emsp=ends.emsp, cpo=said(ends.cpo))


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
    assert ends(partner(role), cpos, routing) == Parties(emsp=emsp, cpo=cpo)


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
        ends(partner(role), cpos, routing)


def test_a_platform_with_several_parties_says_which_one_speaks() -> None:
    both = (ONE, TWO)
    assert ends(partner(), [OURS], Routing(from_=Party("de", "two")), both).emsp == TWO
    with pytest.raises(InvalidParameters, match="OCPI-from-country-code"):
        ends(partner(), [OURS], Routing(), both)
    assert ends(partner(lenient_routing=True), [OURS], Routing(), both).emsp == ONE


def test_a_hub_that_is_not_open_speaks_for_those_that_it_declared() -> None:
    closed = partner("HUB", open_parties=False)
    assert ends(closed, [OURS], Routing(from_=TWO), (ONE, TWO)).emsp == TWO
    with pytest.raises(InvalidParameters, match="OCPI-from-party-id"):
        ends(closed, [OURS], Routing(from_=TWO))


def test_a_party_keeps_the_spelling_that_the_request_gave_it_only_behind_a_hub() -> None:
    assert str(ends(partner(), [OURS], Routing(from_=Party("de", "one"))).emsp) == "DE*ONE"
    assert str(ends(partner("HUB"), [OURS], Routing(from_=Party("de", "two"))).emsp) == "de*two"
