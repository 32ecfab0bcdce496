"""What operators are shown is read page by page, by key, the same on both databases."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from gateway.store import cdrs, commands, partners, reservations, sessions, stations
from tests.support.charges import Driver, driver
from tests.support.indoors import Indoors


@pytest.fixture
def charged(database_url: str) -> Iterator[Driver]:
    """Three charges, each of a reservation of its own."""
    indoors = Indoors(database_url)
    there = driver(indoors)
    for number in range(3):
        there.charges(there.reserves(f"R-{number}")["number"])
    yield there
    indoors.close()


def pages(indoors: Indoors, listed: Callable[..., Sequence[Any]], **wanted: Any) -> list[list[int]]:
    """The keys, in pages of two."""
    found, after = [], None
    while page := [row["id"] for row in indoors.run(listed, after=after, most=2, **wanted)]:
        found.append(page)
        after = page[-1]
    return found


@pytest.mark.parametrize(
    ("listed", "table"),
    [
        (commands.listed, "command"),
        (reservations.listed, "reservation"),
        (sessions.listed, "session"),
        (cdrs.listed, "cdr"),
    ],
)
def test_pages_follow_each_other_from_the_newest_to_the_oldest(
    charged: Driver, listed: Callable[..., Sequence[Any]], table: str
) -> None:
    known = sorted((row["id"] for row in charged.indoors.rows(table)), reverse=True)
    assert len(known) >= 3
    assert pages(charged.indoors, listed) == [known[at : at + 2] for at in range(0, len(known), 2)]


def test_lists_are_limited_to_a_partner_a_station_and_a_state(charged: Driver) -> None:
    indoors, partner = charged.indoors, charged.partner.id
    stranger = driver(indoors)
    stranger.begins()
    assert {row["partner"] for row in indoors.run(sessions.listed, partner=partner)} == {partner}
    [running] = indoors.run(sessions.listed, station=stranger.station, state="ACTIVE")
    assert (running["partner"], running["number"]) == (None, None)
    assert indoors.run(sessions.listed, partner=partner, state="ACTIVE") == []
    assert indoors.run(commands.listed, partner=stranger.partner.id) == []
    assert {row["number"] for row in indoors.run(sessions.listed, partner=partner)} == {
        row["number"] for row in indoors.rows("reservation")
    }
    found = indoors.run(sessions.named, running["session_id"].upper())
    assert found["id"] == running["id"]


def test_stations_are_in_the_order_of_their_identities(charged: Driver) -> None:
    indoors = charged.indoors
    known = sorted([charged.station, *(indoors.station() for _ in range(2))])
    first = [row["id"] for row in indoors.run(stations.listed, most=2)]
    assert first + [row["id"] for row in indoors.run(stations.listed, after=first[-1])] == known


def test_a_partner_is_called_by_its_name_or_its_id(charged: Driver) -> None:
    for which in (charged.partner.name, str(charged.partner.id)):
        assert charged.indoors.run(partners.called, which).id == charged.partner.id
    assert charged.indoors.run(partners.called, "nobody") is None
