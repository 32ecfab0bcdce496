"""Energy and time of a charge, from messages in any order and of any version."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.metering import PERIOD, TALLY, Message, Tally, energy, is_complete, periods, stretches
from gateway.domain.usage import Activity, Stretch
from ocpp_bridge.events import Phase, Reading
from tests.support.indoors import START

HOUR = timedelta(hours=1)


def at(minutes: float):
    return START + timedelta(minutes=minutes)


def told(minutes: float, wh: object = None, phase: Phase = Phase.UPDATED, **more) -> Message:
    interval = more.pop("interval", None)
    reading = Reading(
        at=more.pop("measured", at(minutes)),
        current_a=None if (amps := more.pop("amps", None)) is None else Decimal(amps),
        register_wh=None if wh is None else Decimal(str(wh)),
        interval_wh=None if interval is None else Decimal(str(interval)),
    )
    return Message(at=at(minutes), phase=phase, readings=(reading,), **more)


def done(messages: list[Message], until: float) -> list[tuple[Activity, float, Decimal]]:
    """(what, minutes, kWh) of every stretch."""
    return [
        (one.activity, (one.end - one.start) / timedelta(minutes=1), one.energy)
        for one in stretches(messages, START, at(until))
    ]


def test_energy_is_the_difference_of_the_register_whatever_it_began_at() -> None:
    assert energy([told(0, 123_456_789.5), told(30, 123_461_790)]) == Decimal("5.0005")


@pytest.mark.parametrize(
    "messages",
    [
        [told(0, 12000), told(10, 0), told(20, 500), told(60, 13000)],  # readings that count from the session's start
        [told(0, 12000), told(20, 12900), told(10, 12950), told(60, 13000)],
        [told(0, 12000), told(60, 13000), told(61, 12000)],
    ],
)
def test_a_meter_that_runs_backwards_is_not_believed(messages: list[Message]) -> None:
    assert energy(messages) == 1


def test_intervals_are_added_up_where_there_is_no_register() -> None:
    messages = [told(0, phase=Phase.STARTED), told(15, interval=250), told(30, interval=750)]
    assert energy(messages) == 1
    assert sum(kwh for _, _, kwh in done(messages, 30)) == 1


def test_nothing_measured_is_nothing_taken() -> None:
    assert energy([]) == energy([told(0, phase=Phase.STARTED), told(60, phase=Phase.ENDED)]) == 0


def test_two_readings_that_are_the_same_are_parking_on_1_6() -> None:
    messages = [told(0, 0), told(30, 3000), told(90, 3000)]
    assert done(messages, 90) == [(Activity.CHARGING, 30, 3), (Activity.PARKING, 60, 0)]


def test_a_charging_state_counts_more_than_the_meter() -> None:
    messages = [
        told(0, 0, charging_state="EVConnected", seq=0),
        told(10, charging_state="Charging", seq=1),
        told(40, 3000, charging_state="SuspendedEV", seq=2),
        told(60, 3000, phase=Phase.ENDED, seq=3),
    ]
    assert done(messages, 60) == [
        (Activity.PARKING, 10, 0),
        (Activity.CHARGING, 30, 3),
        (Activity.PARKING, 20, 0),
    ]


def test_energy_between_two_readings_goes_where_charging_was_told() -> None:
    messages = [
        told(0, 0, charging_state="Charging", seq=0),
        told(20, charging_state="SuspendedEVSE", seq=1),
        told(40, charging_state="Charging", seq=2),
        told(60, 4000, seq=3),
    ]
    assert [kwh for _, _, kwh in done(messages, 60)] == [2, 0, 2]


def test_a_station_that_tells_only_start_and_stop_has_charged_all_the_time() -> None:
    messages = [told(0, 1000, Phase.STARTED), told(60, 8000, Phase.ENDED)]
    assert done(messages, 60) == [(Activity.CHARGING, 60, 7)]


def test_a_stop_with_a_clock_that_was_set_back_is_still_the_end() -> None:
    messages = [told(0, 1000, Phase.STARTED), told(-5, 8000, Phase.ENDED)]
    assert energy(messages) == 7
    assert is_complete(messages)


@pytest.mark.parametrize(
    ("numbers", "complete"),
    [([0, 1, 2], True), ([7, 8, 9], True), ([0, 2], False), ([1, 2], False), ([0, 1], False), ([2, 1, 0], True)],
)
def test_a_2_x_transaction_is_complete_from_started_to_ended_without_a_gap(numbers: list[int], complete: bool) -> None:
    first, last = (7, 9) if 7 in numbers else (0, 2)
    phase = {first: Phase.STARTED, last: Phase.ENDED}
    messages = [told(number, phase=phase.get(number, Phase.UPDATED), seq=number) for number in numbers]
    assert is_complete(messages) is complete


messages_ = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.integers(0, 50_000),
        st.sampled_from(["", "Charging", "SuspendedEV", "EVConnected"]),
    ),
    max_size=30,
)


@given(messages_, st.randoms(use_true_random=False))
def test_stretches_fill_the_time_and_their_energy_is_all_of_it_in_any_order(raw, shuffle) -> None:
    messages = [
        told(minutes, wh, seq=seq, charging_state=state) for seq, (minutes, wh, state) in enumerate(sorted(raw))
    ]
    shuffled = list(messages)
    shuffle.shuffle(shuffled)
    found = stretches(shuffled, START, at(600))
    assert found == stretches(messages, START, at(600))
    assert (found[0].start, found[-1].end) == (START, at(600))
    assert all(one.end == other.start for one, other in pairwise(found))
    assert sum((one.energy for one in found), Decimal(0)) == energy(messages)
    assert min(one.energy for one in found) >= 0


def test_readings_that_jump_back_and_forth_are_measured_once_each() -> None:
    messages = [told(0, 0)] + [told(10 * (n % 2) + 1, n) for n in range(1, 4001)]
    assert sum(kwh for _, _, kwh in done(messages, 60)) == energy(messages) == 4


@pytest.mark.parametrize(
    ("amps", "flowed"),
    [
        ((16, 32, 32), (16, 32)),
        ((None, 16, None), (16, 16)),
        ((None, None, None), (None, None)),
        ((0, 16, 0), (16, 16)),  # before and after energy flowed there was none
        ((16, 0, 0), (16, None)),  # energy flowed, whatever was told
        ((-5, None, 8), (8, 8)),
    ],
)
def test_the_current_of_a_stretch_is_the_last_one_told_before_it_or_else_the_next(amps, flowed) -> None:
    messages = [told(30 * n, 1000 * n, amps=one) for n, one in enumerate(amps)]
    assert [one.current for one in stretches(messages, START, at(60))] == list(flowed)


def test_a_current_is_told_of_no_stretch_without_charging() -> None:
    messages = [told(0, 0, amps=16), told(30, 3000, amps=16), told(60, 3000, amps=16)]
    assert [one.current for one in stretches(messages, START, at(60))] == [16, None]


# What a driver sees of it


def test_a_period_is_long_enough_and_the_running_one_is_not_told_yet() -> None:
    minutes = [
        Stretch(start=at(n), end=at(n + 1), activity=Activity.CHARGING, energy=Decimal("0.1")) for n in range(12)
    ]
    running, finished = periods(minutes, False), periods(minutes, True)
    assert finished[: len(running)] == running
    assert [one.start_date_time for one in finished] == [START, START + PERIOD, START + 2 * PERIOD]
    assert [{each.type: each.volume for each in one.dimensions}["ENERGY"] for one in finished] == [
        Decimal("0.5"), Decimal("0.5"), Decimal("0.2"),
    ]  # fmt: skip


def test_rule_236_parking_and_reservation_are_periods_of_their_own() -> None:
    spent = [
        Stretch(start=at(0), end=at(30), activity=Activity.RESERVATION),
        Stretch(start=at(30), end=at(60), activity=Activity.CHARGING, energy=Decimal(3)),
        Stretch(start=at(60), end=at(90), activity=Activity.PARKING),
    ]
    told_ = [{each.type: each.volume for each in one.dimensions} for one in periods(spent, True)]
    half = Decimal("0.5")
    assert told_ == [{"RESERVATION_TIME": half}, {"ENERGY": 3, "TIME": half}, {"PARKING_TIME": half}]


@given(st.dictionaries(st.integers(0, 600), st.integers(0, 50_000), max_size=30))
def test_what_was_told_of_a_running_charge_stays_true(raw) -> None:
    messages = [told(minutes, wh, seq=seq) for seq, (minutes, wh) in enumerate(sorted(raw.items()))]
    before: tuple = ()
    for known in range(1, len(messages) + 1):
        done_ = stretches(messages[:known], START, max(one.at for one in messages[:known]))
        after = periods(done_, False)
        assert after[: len(before)] == before
        before = after


def test_a_day_of_readings_a_few_seconds_apart_is_measured_in_one_go() -> None:
    # Looking through all stretches for each reading would take minutes, and every other station would wait for it.
    messages = [told(number / 10, number) for number in range(10_000)]
    found = stretches(messages, messages[0].at, messages[-1].at)
    assert len(found) == 9_999
    assert sum(one.energy for one in found) == energy(messages)


readings_ = st.tuples(
    st.integers(0, 60),
    st.one_of(st.none(), st.integers(0, 50_000)),
    st.one_of(st.none(), st.integers(-10, 500)),
    st.sampled_from(Phase),
    st.one_of(st.none(), st.integers(0, 5)),
)


@given(st.lists(readings_, max_size=20))
def test_energy_added_up_message_by_message_is_the_same(raw) -> None:
    """Where a message comes that the station made before another, all are looked at again."""
    messages = [told(minutes, wh, phase, interval=interval, seq=seq) for minutes, wh, interval, phase, seq in raw]
    tally = Tally()
    for count, message in enumerate(messages, start=1):
        written = TALLY.dump_python(tally, mode="json")
        tally = TALLY.validate_python(written).after(message) or Tally.of(messages[:count])
        assert tally == Tally.of(messages[:count])
        assert tally.kwh == energy(messages[:count])
    assert tally.count == len(messages)


def test_a_message_made_before_others_cannot_be_added() -> None:
    tally = Tally.of([told(0, 100, Phase.STARTED), told(10, 200)])
    assert tally.after(told(9, 150)) is None
    after = tally.after(told(10, 300))
    assert after is not None
    assert (after.kwh, after.count) == (Decimal("0.2"), 3)
