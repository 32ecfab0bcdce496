"""Who may use what now: the station side's four words, for an EVSE, a type of connector and a whole station."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.ledger import CheckStatus, Kept, Spot, check, held_up

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(seconds=1)

FREE, MINE = CheckStatus.NOT_RESERVED, CheckStatus.RESERVED_FOR_TOKEN
OTHER = CheckStatus.RESERVED_FOR_OTHER_TOKEN
OTHER_GROUP = CheckStatus.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN

TYPE2, CCS2 = "sType2", "cCCS2"
TWO = [Spot(number=1, connector_types=frozenset({TYPE2})), Spot(number=2, connector_types=frozenset({CCS2}))]


def kept(token: str = "A", evse: int | None = None, type: str | None = None, **more) -> Kept:
    return Kept(**{"token": token, "evse": evse, "connector_type": type, "expiry": LATER} | more)


def asked(reserved, token="B", evse=None, type=None, group=None, spots=TWO) -> CheckStatus:
    return check(reserved, spots, evse, type, token, group, NOW)


@pytest.mark.parametrize(
    ("reservation", "token", "group", "says"),
    [
        (kept(evse=1), "A", None, MINE),
        (kept(evse=1), "a", None, MINE),
        (kept(evse=1), "B", None, OTHER),
        (kept(evse=1), "B", "G", OTHER),
        (kept(evse=1, group="G"), "B", "g", MINE),
        (kept(evse=1, group="G"), "B", "H", OTHER),
        (kept(evse=1, group="G"), "B", None, OTHER_GROUP),
        (kept(evse=1, group="G"), "G", None, OTHER_GROUP),
        (kept(evse=1, expiry=BEFORE), "B", None, FREE),
        (kept(evse=1, expiry=NOW), "B", None, FREE),
        (kept(evse=2), "B", None, FREE),
    ],
)
def test_a_reserved_evse_is_its_tokens_and_its_groups(reservation, token, group, says) -> None:
    assert asked([reservation], token, evse=1, group=group) is says


def test_an_evse_nobody_knows_is_reserved_only_by_name() -> None:
    assert asked([], evse=9) is FREE
    assert asked([kept(), kept(), kept()], evse=9) is FREE
    assert asked([kept(evse=9)], evse=9) is OTHER


def test_a_whole_station_reservation_leaves_an_evse_to_others_while_another_is_free() -> None:
    assert asked([kept()], evse=1) is FREE
    assert asked([kept(), kept("C")], evse=1) is OTHER
    assert asked([kept(), kept("C", group="G")], evse=1) is OTHER_GROUP
    assert asked([kept(), kept("C", group="G")], evse=1, group="G") is MINE


def test_the_requirement_drops_when_another_evse_comes_free() -> None:
    busy = [TWO[0], Spot(number=2, connector_types=frozenset({CCS2}), usable=False)]
    assert held_up([kept()], busy) == {1}
    assert asked([kept()], evse=1, spots=busy) is OTHER
    assert held_up([kept()], TWO) == set()
    assert asked([kept()], evse=1) is FREE


def test_an_evse_reserved_by_name_serves_no_reservation_of_another() -> None:
    assert held_up([kept(evse=2), kept("C")], TWO) == {1}


def test_a_type_of_connector_holds_up_the_only_evse_that_has_it() -> None:
    assert held_up([kept(type=CCS2)], TWO) == {2}
    assert asked([kept(type=CCS2)], evse=2) is OTHER
    assert asked([kept(type=CCS2)], evse=1) is FREE
    assert asked([kept(type=CCS2)], type=CCS2) is OTHER
    assert asked([kept(type=CCS2)], type=TYPE2) is FREE
    assert asked([kept(type=CCS2)], token="A", type=CCS2) is MINE
    assert asked([kept(type=CCS2)], token="A", type=TYPE2) is FREE


def test_who_has_reserved_any_evse_may_not_take_the_one_that_another_needs() -> None:
    reserved = [kept("A"), kept("B", type=CCS2)]
    assert asked(reserved, "A", evse=1) is MINE
    assert asked(reserved, "A", evse=2) is OTHER
    assert asked(reserved, "B", evse=2) is MINE


def test_what_cannot_be_served_any_more_holds_up_nothing_that_would_not_help() -> None:
    broken = [TWO[0], Spot(number=2, connector_types=frozenset({CCS2}), usable=False)]
    assert held_up([kept(type=CCS2)], broken) == set()
    assert asked([kept(type=CCS2)], evse=1, spots=broken) is FREE


def test_a_whole_station_is_reserved_when_every_usable_evse_is() -> None:
    assert asked([kept(evse=1)]) is FREE
    assert asked([kept(evse=1), kept("C", evse=2)]) is OTHER
    assert asked([kept(evse=1, group="G"), kept("C", evse=2)]) is OTHER_GROUP
    assert asked([kept(evse=1), kept("B", evse=2)]) is MINE
    assert asked([kept(evse=1)], spots=[TWO[0]]) is OTHER
    assert asked([], spots=[]) is FREE


# Against an oracle that tries every order in which the reservations could be used


def fitting(reserved: list[Kept], spots: list[Spot]) -> int:
    """How many reservations can have an EVSE each, by trying all ways."""
    places = [*spots, *[None] * len(reserved)]
    return max(
        sum(spot is not None and spot.serves(one) for one, spot in zip(reserved, way, strict=False))
        for way in permutations(places, len(reserved))
    )


TYPES = (TYPE2, CCS2, "cType1")
tokens, groups = st.sampled_from("AaBC"), st.sampled_from(["G", "g", "H", None])
some_spots = st.lists(
    st.builds(
        lambda types, usable: (frozenset(types), usable), st.sets(st.sampled_from(TYPES), max_size=2), st.booleans()
    ),
    max_size=4,
).map(lambda drawn: [Spot(number=n, connector_types=types, usable=ok) for n, (types, ok) in enumerate(drawn, 1)])
some_kept = st.lists(
    st.builds(
        lambda token, group, place, at: Kept(
            token=token, group=group, evse=place[0], connector_type=place[1], expiry=at
        ),
        tokens,
        groups,
        st.one_of(st.tuples(st.integers(1, 4), st.none()), st.tuples(st.none(), st.sampled_from([*TYPES, None]))),
        st.sampled_from([LATER, LATER, BEFORE]),
    ),
    max_size=4,
)


@given(reserved=some_kept, spots=some_spots, token=tokens, group=groups)
@settings(max_examples=300, deadline=None)
def test_it_says_what_trying_every_order_says(reserved, spots, token, group) -> None:
    living = [one for one in reserved if one.expiry > NOW]
    anywhere = [one for one in living if one.evse is None]
    free = [s for s in spots if s.usable and all(one.evse != s.number for one in living)]
    without = {spot.number: [s for s in free if s is not spot] for spot in free}
    needed = {number for number, rest in without.items() if fitting(anywhere, rest) < fitting(anywhere, free)}
    assert held_up(living, spots) == needed
    for spot in free:
        own = [one for one in anywhere if one.is_for(token, group) and spot.serves(one)]
        others = [[one for one in anywhere if one is not mine] for mine in own]
        may = any(fitting(rest, without[spot.number]) == fitting(rest, free) for rest in others)
        said = check(reserved, spots, spot.number, None, token, group, NOW)
        assert said is MINE if may else (said in (OTHER, OTHER_GROUP)) == (spot.number in needed)
    for spot in spots:
        here = [one for one in living if one.evse == spot.number]
        if here:
            mine = any(one.is_for(token, group) for one in here)
            assert (check(reserved, spots, spot.number, None, token, group, NOW) is MINE) == mine
