"""`locations show-to` says what a partner sees; `partner parties` who is behind a hub."""

from typing import Any

import pytest

from gateway.hub_parties import put
from gateway.store import partners
from ocpi.headers import Party
from tests.cli.conftest import Operator, evse, location
from tests.support.indoors import START


@pytest.fixture
def two(cpo: Operator) -> Operator:
    """Two parties of ours, both with a LOC-1, one with a LOC-2 too; and a partner."""
    cpo.does("cpo", "add", "--country", "BE", "--party", "CPO", "--name", "Our other CPO")
    places = [location("LOC-1", evse("E-1")), location("LOC-1", evse("E-1"), country_code="BE"), location("LOC-2")]
    assert cpo.imports({"locations": places}).exit_code == 0
    cpo.adds_partner("Emsp")
    return cpo


def seen(operator: Operator, *words: str) -> Any:
    return operator.sees("locations", "show-to", "Emsp", *words)


def test_a_partner_sees_everything_until_something_is_named_to_it(two: Operator) -> None:
    assert seen(two) == {"partner": "Emsp", "sees_all": True, "sees": []}
    assert "sees all Locations" in two.does("locations", "show-to", "Emsp")
    shown = seen(two, "--cpo", "be*cpo", "--location", "loc-2", "--location", "NL*CPO/LOC-1", "--location", "LOC-2")
    assert shown["sees_all"] is False
    assert shown["sees"] == [
        {"cpo": "NL*CPO", "location": "LOC-1"},
        {"cpo": "NL*CPO", "location": "LOC-2"},
        {"cpo": "BE*CPO", "location": None},
    ]
    assert seen(two) == shown
    text = two.does("locations", "show-to", "Emsp")
    assert "  BE*CPO (all)\n" in text
    assert "  NL*CPO LOC-2\n" in text
    assert seen(two, "--location", "LOC-2")["sees"] == [{"cpo": "NL*CPO", "location": "LOC-2"}]
    assert seen(two, "--all") == {"partner": "Emsp", "sees_all": True, "sees": []}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--cpo", "NL*XXX"), "NL*XXX is none of our parties (NL*CPO, BE*CPO)."),
        (("--cpo", "NLCPO"), "NLCPO is none of our parties"),
        (("--location", "LOC-9"), "There is no Location 'LOC-9'."),
        (("--location", "LOC-1"), "Several of our parties have a Location 'LOC-1'; write NL*CPO/LOC-1."),
        (("--location", "BE*CPO/LOC-2"), "BE*CPO has no Location 'LOC-2'."),
        (("--location", "XX*CPO/LOC-2"), "XX*CPO is none of our parties"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(two: Operator, words: tuple[str, str], sentence: str) -> None:
    assert two.hears("locations", "show-to", "Emsp", *words).startswith(sentence)
    assert seen(two)["sees_all"] is True


def test_everything_and_something_are_not_named_together(two: Operator) -> None:
    assert two("locations", "show-to", "Emsp", "--all", "--location", "LOC-2").exit_code == 2


def test_a_hub_s_parties_are_listed(cpo: Operator) -> None:
    cpo.adds_partner("Hub", role="HUB")
    cpo.adds_partner("Emsp", party="EM2")
    assert cpo.sees("partner", "parties", "Hub") == []
    assert "has not told of any party" in cpo.does("partner", "parties", "Hub")

    def tell(db: Any) -> None:
        hub = partners.by_name(db, "Hub")
        assert hub is not None
        for name, status in (("ANN", "CONNECTED"), ("BRT", "SUSPENDED")):
            body = {"country_code": "DE", "party_id": name, "role": "EMSP", "status": status}
            put(db, hub, Party("DE", name), body | {"last_updated": "2026-01-01T00:00:00Z"}, START)

    cpo.database(tell)
    told = cpo.sees("partner", "parties", "Hub")
    assert [(one["party_id"], one["status"], one["away"]) for one in told] == [
        ("ANN", "CONNECTED", False),
        ("BRT", "SUSPENDED", True),
    ]
    assert "DE*BRT" in cpo.does("partner", "parties", "Hub")
    assert "is no hub" in cpo.hears("partner", "parties", "Emsp")
    assert "no HubClientInfo module" in cpo.hears("partner", "parties", "Hub", "--pull")
