"""Stations whose clocks are wrong: who hears of it, and when."""

from datetime import timedelta

import pytest

from gateway import stations
from gateway.store import stations as table
from ocpp_bridge.events import StatusChanged
from tests.support.indoors import REJECTED, Indoors


def tell(indoors: Indoors, station: str, ahead: float) -> int | None:
    """A status with a time that is so many seconds ahead; what is known of the clock then."""
    event = StatusChanged(evse=None, connector=1, status="Available", at=indoors.now + timedelta(seconds=ahead))
    indoors.run(stations.status_changed, station, event, indoors.rules, indoors.now)
    indoors.pass_(seconds=1)
    return indoors.run(table.find, station)["clock_ahead"]


def test_a_time_that_has_not_come_yet_is_a_clock_that_is_ahead_until_it_is_set(indoors: Indoors) -> None:
    station = indoors.station()
    assert [tell(indoors, station, ahead) for ahead in (0, 59, 3600, 3605, -3600, 0)] == [
        None, None, 3600, 3600, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("ahead", [10**9, 2 * 10**11])
def test_a_clock_at_the_end_of_time_is_just_ahead(indoors: Indoors, ahead: int) -> None:
    assert tell(indoors, indoors.station(), ahead) == 365 * 24 * 3600


@pytest.mark.parametrize(("ahead", "told"), [(3600, True), (1700, False), (0, False)])
def test_an_emsp_hears_why_a_reservation_is_over_before_it_begins(indoors: Indoors, ahead: int, told: bool) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    tell(indoors, station, ahead)
    indoors.reserve(partner, location, minutes=30)
    indoors.next(station, REJECTED)
    [owed] = indoors.rows("callback")
    assert owed["result"] == "REJECTED"
    assert ("clock" in owed["result_text"]) is told
