"""Which tariff prices a partner's session: the connector's own, valid when it begins, and never a guess."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.store import tariffs
from ocpi.paging import Page
from ocpi.tariffs import Tariff
from tests.support.gateway import Spot, location_body
from tests.support.indoors import START, Indoors
from tests.support.tariffs import tariff


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


class Place:
    """A Location with two EVSEs of two connectors each."""

    def __init__(self, indoors: Indoors, ids: dict[str, list[str]]) -> None:
        body = location_body("L", (Spot(None, uid="E1", connectors=("1", "2")), Spot(None, uid="E2")))
        for evse in body["evses"]:
            for connector in evse["connectors"]:
                connector["tariff_ids"] = ids.get(f"{evse['uid']}/{connector['id']}", [])
        self.indoors = indoors
        self.body = body

    def price(self, evse: str = "E1", connector: str = "1", moment: datetime = START) -> str | None:
        found = self.indoors.run(tariffs.in_force, self.indoors.cpo.id, self.body, evse, connector, moment)
        return None if found is None else found["id"]


def put(indoors: Indoors, *ones: dict[str, Any]) -> None:
    for one in ones:
        indoors.run(tariffs.put, indoors.cpo.id, Tariff.model_validate(one))


def test_the_first_of_the_connector_s_that_is_valid_at_the_beginning_is_the_price(anywhere: Indoors) -> None:
    put(anywhere, tariff("old", end_date_time=at(0)), tariff("new", start_date_time=at(0)), tariff("other"))
    place = Place(anywhere, {"E1/1": ["old", "new", "other"], "E1/2": ["other"]})
    assert place.price() == "new"
    assert place.price(moment=START - timedelta(seconds=1)) == "old"
    assert place.price(connector="2") == "other"


@pytest.mark.parametrize("typed", [{"type": "REGULAR"}, {}])
def test_a_price_for_everybody_or_for_tokens_is_one(indoors: Indoors, typed: dict[str, str]) -> None:
    put(indoors, tariff("first", **typed), tariff("second"))
    assert Place(indoors, {"E1/1": ["first", "second"]}).price() == "first"


@pytest.mark.parametrize("kind", ["AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN"])
def test_a_price_for_others_is_none(indoors: Indoors, kind: str) -> None:
    put(indoors, tariff("first", type=kind), tariff("second"))
    assert Place(indoors, {"E1/1": ["first", "second"], "E1/2": ["first"]}).price() == "second"
    assert Place(indoors, {"E1/2": ["first"]}).price(connector="2") is None


def test_an_id_that_names_no_tariff_of_the_party_is_no_price(indoors: Indoors) -> None:
    put(indoors, tariff("known"))
    place = Place(indoors, {"E1/1": ["unknown", "KNOWN"], "E1/2": ["unknown"]})
    assert place.price() == "known"
    assert place.price(connector="2") is None
    assert place.price("E2") is None


def test_what_it_costs_anywhere_is_what_it_costs_everywhere(indoors: Indoors) -> None:
    put(indoors, tariff("all"), tariff("some"))
    place = Place(indoors, {"E1/1": ["some", "all"], "E1/2": ["all"], "E2/1": ["all", "some"]})
    assert place.price("#NA", "#NA") == "all"
    assert place.price("E2", "#NA") == "all"
    put(indoors, tariff("one"))
    assert Place(indoors, {"E1/1": ["one"], "E1/2": ["all"], "E2/1": ["one"]}).price("#NA", "#NA") is None


def test_what_is_not_there_has_no_price(indoors: Indoors) -> None:
    put(indoors, tariff("all"))
    place = Place(indoors, {"E1/1": ["all"]})
    assert place.price("E9") is None
    assert place.price(connector="9") is None


def test_a_page_of_tariffs_is_stable_and_a_change_stays_where_it_was(indoors: Indoors) -> None:
    put(indoors, *(tariff(id_) for id_ in "abc"), tariff("A", currency="SEK"))
    total, found = indoors.run(tariffs.page, [indoors.cpo.id], Page(None, None, 0, 2))
    assert (total, [(one["id"], one["currency"]) for one in found]) == (3, [("A", "SEK"), ("b", "EUR")])
