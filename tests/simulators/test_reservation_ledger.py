from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.simulators.reservations import (
    Check,
    Condition,
    Ended,
    EndReason,
    Ledger,
    Reservation,
    Result,
    Update,
    matching,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
TYPES = ("cCCS2", "sType2", "cG105")


def wish(number: int, **fields) -> Reservation:
    return Reservation(**{"number": number, "id_token": f"T{number}", "expiry": LATER, **fields})


def ledger(*types: tuple[str, ...], ended: list[Ended] | None = None) -> Ledger:
    layout = types or (("cCCS2",), ("sType2",))
    return Ledger(dict(enumerate(layout, 1)), (ended if ended is not None else []).append)


def test_a_free_evse_is_reserved_and_held():
    book = ledger()
    assert book.place(wish(1, evse=1), NOON) is Result.ACCEPTED
    assert book.held() == {1}


def test_a_reserved_evse_is_occupied_for_everybody():
    book = ledger()
    book.place(wish(1, evse=1), NOON)
    assert book.place(wish(2, evse=1, id_token="T1"), NOON) is Result.OCCUPIED


@pytest.mark.parametrize(
    ("condition", "result"),
    [
        (Condition.PLUGGED, Result.OCCUPIED),
        (Condition.OCCUPIED, Result.OCCUPIED),
        (Condition.FAULTED, Result.FAULTED),
        (Condition.UNAVAILABLE, Result.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("target", [{"evse": 1}, {"connector_type": "cCCS2"}, {}])
def test_targets_that_are_all_in_one_condition_give_its_result(condition, result, target):
    book = ledger()
    for evse in (1, 2):
        book.set_condition(evse, condition)
    assert book.place(wish(1, **target), NOON) is result


def test_mixed_targets_are_occupied_when_waiting_helps():
    book = ledger()
    book.set_condition(1, Condition.FAULTED)
    book.set_condition(2, Condition.OCCUPIED)
    assert book.place(wish(1), NOON) is Result.OCCUPIED


@pytest.mark.parametrize("target", [{"evse": 9}, {"connector_type": "cG105"}, {"evse": 1, "connector_type": "sType2"}])
def test_what_the_station_does_not_have_is_rejected(target):
    assert ledger().place(wish(1, **target), NOON) is Result.REJECTED


def test_a_past_expiry_is_rejected():
    assert ledger().place(wish(1, evse=1, expiry=NOON), NOON) is Result.REJECTED


def test_the_same_number_replaces():
    book = ledger()
    book.place(wish(1, evse=1), NOON)
    assert book.place(wish(1, evse=2), NOON) is Result.ACCEPTED
    assert book.held() == {2}


def test_a_refused_replacement_leaves_neither():
    book = ledger()
    book.set_condition(2, Condition.FAULTED)
    book.place(wish(1, evse=1), NOON)
    assert book.place(wish(1, evse=2), NOON) is Result.FAULTED
    assert not book.live


def test_floating_reservations_hold_evses_only_when_each_is_needed():
    book = ledger()
    book.place(wish(1), NOON)
    assert book.held() == set()
    book.place(wish(2), NOON)
    assert book.held() == {1, 2}
    assert book.place(wish(3), NOON) is Result.OCCUPIED


def test_a_connector_type_holds_its_only_evse_and_leaves_the_others():
    book = ledger()
    book.place(wish(1, connector_type="sType2"), NOON)
    assert book.held() == {2}
    assert book.check(1, "STRANGER") is Check.NOT_RESERVED
    assert book.check(2, "STRANGER") is Check.RESERVED_FOR_OTHER_TOKEN


def test_an_evse_cannot_be_reserved_from_under_a_floating_one():
    book = ledger()
    book.place(wish(1, connector_type="cCCS2"), NOON)
    assert book.place(wish(2, evse=1), NOON) is Result.OCCUPIED


def test_types_are_matched_and_not_counted():
    book = ledger(("cCCS2", "sType2"), ("cCCS2",))
    assert book.place(wish(1, connector_type="cCCS2"), NOON) is Result.ACCEPTED
    assert book.place(wish(2, connector_type="sType2"), NOON) is Result.ACCEPTED
    assert book.check(1, "T1") is Check.RESERVED_FOR_OTHER_TOKEN
    assert book.check(2, "T1") is Check.RESERVED_FOR_TOKEN


def test_tokens_are_compared_without_case_and_groups_open_too():
    book = ledger()
    book.place(wish(1, evse=1, id_token="abc", group="Fleet"), NOON)
    assert book.check(1, "ABC") is Check.RESERVED_FOR_TOKEN
    assert book.check(1, "other") is Check.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN
    assert book.check(1, "other", "elsewhere") is Check.RESERVED_FOR_OTHER_TOKEN
    assert book.check(1, "other", "FLEET") is Check.RESERVED_FOR_TOKEN


def test_a_reservation_without_group_has_no_parent_token():
    book = ledger()
    book.place(wish(1, evse=1), NOON)
    assert book.check(1, "other") is Check.RESERVED_FOR_OTHER_TOKEN


def test_the_station_as_a_whole_can_be_asked():
    book = ledger()
    assert book.check(None, "T1") is Check.NOT_RESERVED
    book.place(wish(1), NOON)
    book.place(wish(2, group="G"), NOON)
    assert book.check(None, "T1") is Check.RESERVED_FOR_TOKEN
    assert book.check(None, "stranger") is Check.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN
    assert book.check(None, "stranger", "g") is Check.RESERVED_FOR_TOKEN


def test_use_consumes_the_bound_reservation_before_the_floating_one():
    ended: list[Ended] = []
    book = ledger(ended=ended)
    book.place(wish(1, id_token="A"), NOON)
    book.place(wish(2, id_token="A", evse=2), NOON)
    assert book.use(2, "a").number == 2
    assert [(e.number, e.reason, e.update) for e in ended if e.number] == [
        (2, EndReason.USED_TO_START_CHARGING, Update.USED)
    ]
    assert list(book.live) == [1]


def test_a_stranger_uses_up_nothing():
    book = ledger()
    book.place(wish(1, evse=1), NOON)
    assert book.use(1, "stranger") is None
    assert book.use(2, "stranger") is None
    assert list(book.live) == [1]


def test_expiry_and_cancel_say_so():
    ended: list[Ended] = []
    book = ledger(ended=ended)
    book.place(wish(1, evse=1, expiry=NOON + timedelta(minutes=1)), NOON)
    book.place(wish(2, evse=2), NOON)
    book.expire(NOON + timedelta(minutes=1))
    assert book.cancel(2)
    assert not book.cancel(2)
    assert [(e.number, e.reason) for e in ended] == [(1, EndReason.EXPIRED), (2, EndReason.CANCELLED)]


@pytest.mark.parametrize("condition", [Condition.FAULTED, Condition.UNAVAILABLE])
def test_a_failing_evse_takes_its_reservation_along(condition):
    ended: list[Ended] = []
    book = ledger(ended=ended)
    book.place(wish(1, evse=1), NOON)
    book.set_condition(1, condition)
    assert [(e.number, e.update) for e in ended] == [(1, Update.REMOVED)]


def test_a_failing_evse_takes_the_youngest_floating_reservation_that_no_longer_fits():
    ended: list[Ended] = []
    book = ledger(ended=ended)
    book.place(wish(1), NOON)
    book.place(wish(2), NOON)
    book.set_condition(2, Condition.FAULTED)
    assert [(e.number, e.update) for e in ended] == [(2, Update.REMOVED)]
    assert book.held() == {1}


def test_a_floating_reservation_survives_a_failure_while_it_fits_elsewhere():
    book = ledger()
    book.place(wish(1), NOON)
    book.set_condition(1, Condition.FAULTED)
    assert list(book.live) == [1]


def test_an_evse_that_is_no_longer_needed_is_told_as_dropped():
    ended: list[Ended] = []
    book = ledger(ended=ended)
    book.place(wish(1), NOON)
    book.place(wish(2), NOON)
    book.cancel(1)
    dropped = [e.evse for e in ended if e.reason is EndReason.GLOBAL_RESERVATION_REQUIREMENT_DROPPED]
    assert dropped == [1, 2]
    assert list(book.live) == [2]


def test_many_floating_reservations_are_matched_without_trying_every_order():
    book = ledger(*[TYPES] * 30)
    results = [book.place(wish(n, connector_type=TYPES[n % 3]), NOON) for n in range(31)]
    assert results == [Result.ACCEPTED] * 30 + [Result.OCCUPIED]


@given(st.lists(st.sets(st.integers(1, 5)), max_size=5))
def test_the_matching_is_as_large_as_trying_every_order_finds(wishes):
    def greedy(order) -> int:
        best = 0
        for evses in permutations(range(1, 6)):
            best = max(best, sum(evse in wishes[index] for index, evse in zip(order, evses, strict=False)))
        return best

    found = matching(wishes)
    assert all(evse in wishes[index] for evse, index in found.items())
    assert len(set(found.values())) == len(found)
    assert len(found) == greedy(range(len(wishes)))


class LedgerUnderFire(RuleBasedStateMachine):
    """Whatever is asked: who was told Accepted is served until it was told why not."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.told: dict[int, Reservation] = {}
        self.ends: list[Ended] = []
        self.types = {1: ("cCCS2",), 2: ("sType2",), 3: ("cCCS2", "sType2")}
        self.book = Ledger(self.types, self.ends.append)

    @rule(
        number=st.integers(1, 6),
        token=st.sampled_from("ABC"),
        wanted=st.one_of(st.none(), st.integers(1, 4), st.sampled_from(["cCCS2", "sType2"])),
        minutes=st.integers(-1, 5),
    )
    def reserve(self, number, token, wanted, minutes):
        one = wish(
            number,
            id_token=token,
            evse=wanted if isinstance(wanted, int) else None,
            connector_type=wanted if isinstance(wanted, str) else None,
            expiry=self.now + timedelta(minutes=minutes),
        )
        self.told.pop(number, None)
        if self.book.place(one, self.now) is Result.ACCEPTED:
            self.told[number] = one

    @rule(number=st.integers(1, 6))
    def cancel(self, number):
        assert self.book.cancel(number) == (number in self.told)

    @rule(evse=st.integers(1, 3), condition=st.sampled_from(Condition))
    def change(self, evse, condition):
        self.book.set_condition(evse, condition)

    @rule(minutes=st.integers(0, 3))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)
        self.book.expire(self.now)

    @rule(evse=st.integers(1, 3), token=st.sampled_from("ABCX"))
    def use(self, evse, token):
        check = self.book.check(evse, token)
        used = self.book.use(evse, token)
        assert (used is not None) == (check is Check.RESERVED_FOR_TOKEN)
        assert used is None or used.id_token == token

    @invariant()
    def every_accepted_one_lives_or_was_told_its_end(self):
        for ended in self.ends:
            if ended.number is not None:
                self.told.pop(ended.number)
        self.ends.clear()
        assert self.book.live == self.told

    @invariant()
    def bound_reservations_are_held_and_not_on_broken_evses(self):
        bound = {r.evse for r in self.book.live.values() if r.evse is not None}
        assert bound <= self.book.held()
        assert all(self.book.conditions[e] not in (Condition.FAULTED, Condition.UNAVAILABLE) for e in bound)

    @invariant()
    def a_stranger_is_refused_exactly_where_an_evse_is_held(self):
        for evse, condition in self.book.conditions.items():
            if condition is Condition.AVAILABLE:
                refused = self.book.check(evse, "X") is not Check.NOT_RESERVED
                assert refused == (evse in self.book.held())


TestLedgerUnderFire = LedgerUnderFire.TestCase
