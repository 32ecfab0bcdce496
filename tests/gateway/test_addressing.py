"""Which EVSE takes a command that names none."""

from datetime import UTC, datetime

import pytest

from gateway.domain.addressing import Place, choose, online_only, whole

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def place(evse: int, station: str = "CS", **changes) -> Place:
    given = {
        "location": 1, "location_id": "LOC", "evse": evse, "evse_uid": f"E{evse}", "connector_id": "1",
        "station": station, "station_evse": evse, "station_connector": 1,
    }  # fmt: skip
    return Place(**given | changes)


def test_a_station_that_takes_whole_reservations_is_asked_as_a_whole() -> None:
    chosen = choose([place(1), place(2, free=False)], {"CS": True})
    assert (chosen.station, chosen.evse, chosen.station_evse, chosen.station_connector) == ("CS", None, None, None)
    assert (chosen.evse_uid, chosen.connector_id, chosen.location) == ("#NA", "#NA", 1)
    assert chosen == whole(place(1))


@pytest.mark.parametrize("known", [{"CS": False}, {"CS": None}, {}])
def test_a_station_that_may_not_take_one_is_asked_for_an_evse(known: dict[str, bool | None]) -> None:
    assert choose([place(1), place(2)], known).evse == 1


def test_of_several_stations_none_is_reserved_as_a_whole() -> None:
    assert choose([place(1, "A"), place(2, "B")], {"A": True, "B": True}).evse == 1


def test_the_least_recently_used_free_evse_is_chosen_and_one_never_used_before_it() -> None:
    used = [place(1, chosen_at=LATE), place(2, chosen_at=EARLY), place(3, chosen_at=EARLY, free=False)]
    assert choose(used, {}).evse == 2
    assert choose([*used, place(4)], {}).evse == 4


def test_when_none_is_free_the_first_is_asked_and_the_station_s_word_counts() -> None:
    assert choose([place(1, free=False, chosen_at=LATE), place(2, free=False)], {}).evse == 1


def test_offline_stations_are_left_out() -> None:
    assert online_only([place(1, "A"), place(2, "B")], {"B": "any"}) == [place(2, "B")]
