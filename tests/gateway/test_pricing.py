"""Pricing, hard cases: restrictions that change within a stretch, steps, VAT, limits, and what is never a guess."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.pricing import Bill, bill
from gateway.domain.usage import Activity, Stretch
from ocpi.cdrs import CDR
from ocpi.sessions import Price
from ocpi.tariffs import DayOfWeek, Tariff, TariffDimensionType
from tests.gateway.tariffs import MONDAY, at, component, element, session, tariff
from tests.ocpi.test_cdrs import SHORTEST

AMSTERDAM = "Europe/Amsterdam"
RESERVED, CHARGED, PARKED = Activity.RESERVATION, Activity.CHARGING, Activity.PARKING
EURO_A_KWH = component("ENERGY", 1, 0)


def cost(priced: Tariff | None, stretches: list[Stretch], zone: str = "UTC", expired: bool = False) -> Decimal:
    return bill(priced, stretches, zone, expired).total_cost.excl_vat


def periods(told: Bill) -> list[tuple[str, dict[str, Decimal]]]:
    """The clock at which each began, in UTC, and its volumes."""
    return [
        (f"{each.start_date_time:%H:%M:%S}", {one.type.value: one.volume for one in each.dimensions})
        for each in told.charging_periods
    ]


def per_hour(**restrictions: Any) -> Tariff:
    """60 an hour, so 1 a minute, while the restrictions are met."""
    return tariff(element(component("TIME", 60), **restrictions))


def minutes_in(start: str, minutes: float, zone: str = "UTC", **restrictions: Any) -> Decimal:
    return cost(per_hour(**restrictions), session(at(start, zone), (CHARGED, minutes, 0)), zone).normalize()


@pytest.mark.parametrize(
    ("start", "minutes", "restrictions", "billed"),
    [
        # Around a range within a day: its start is in it, its end is not.
        ("2025-03-03T08:00", 60, {"start_time": "08:30", "end_time": "08:50"}, 20),
        ("2025-03-03T08:30", 10, {"start_time": "08:30", "end_time": "08:50"}, 10),
        ("2025-03-03T08:50", 10, {"start_time": "08:30", "end_time": "08:50"}, 0),
        ("2025-03-03T08:00", 60, {"start_time": "08:30"}, 30),
        ("2025-03-03T23:30", 60, {"start_time": "08:30"}, 30),
        ("2025-03-03T23:30", 60, {"end_time": "08:30"}, 30),
        # Over midnight.
        ("2025-03-03T21:30", 60, {"start_time": "22:00", "end_time": "06:00"}, 30),
        ("2025-03-03T23:30", 60, {"start_time": "22:00", "end_time": "06:00"}, 60),
        ("2025-03-03T05:30", 60, {"start_time": "22:00", "end_time": "06:00"}, 30),
        ("2025-03-03T06:00", 60, {"start_time": "22:00", "end_time": "06:00"}, 0),
        ("2025-03-03T23:30", 60, {"start_time": "20:00", "end_time": "00:00"}, 30),
        ("2025-03-03T23:30", 60, {"start_time": "10:00", "end_time": "10:00"}, 60),
        # Weekdays and dates begin at midnight; a range over midnight is the next day's from then on.
        ("2025-03-07T23:30", 60, {"day_of_week": ["SATURDAY"]}, 30),
        ("2025-03-07T23:30", 60, {"day_of_week": ["FRIDAY"], "start_time": "22:00", "end_time": "06:00"}, 30),
        ("2025-03-03T23:30", 60, {"start_date": "2025-03-04"}, 30),
        ("2025-03-03T23:30", 60, {"end_date": "2025-03-04"}, 30),
        ("2025-03-03T12:00", 3 * 1440, {"start_date": "2025-03-04", "end_date": "2025-03-05"}, 1440),
        ("2025-03-03T12:00", 3 * 1440, {"start_time": "10:00", "end_time": "11:00"}, 180),
        # Seconds since the beginning.
        ("2025-03-03T12:00", 60, {"min_duration": 600}, 50),
        ("2025-03-03T12:00", 60, {"max_duration": 600}, 10),
        ("2025-03-03T12:00", 60, {"min_duration": 600, "max_duration": 1200}, 10),
        ("2025-03-03T12:00", 10, {"min_duration": 600}, 0),
    ],
)
def test_a_price_holds_exactly_as_long_as_its_restrictions_are_met(
    start: str, minutes: float, restrictions: dict[str, Any], billed: int
) -> None:
    assert minutes_in(start, minutes, **restrictions) == billed
    assert minutes_in(start, minutes, AMSTERDAM, **restrictions) == billed


@pytest.mark.parametrize(
    ("start", "minutes", "restrictions", "billed"),
    [
        # 30 March 2025: 02:00 is 03:00. 00:00 UTC is 01:00.
        ("2025-03-30T00:00", 180, {"end_time": "02:00"}, 60),
        ("2025-03-30T00:00", 180, {"start_time": "02:30", "end_time": "03:30"}, 30),
        ("2025-03-30T00:00", 180, {"start_time": "02:10", "end_time": "02:50"}, 0),
        ("2025-03-29T23:00", 1380, {"day_of_week": ["SUNDAY"]}, 1380),
        # 26 October 2025: 03:00 is 02:00 once more. 00:00 UTC is 02:00, and so is 01:00 UTC.
        ("2025-10-26T00:00", 120, {"start_time": "02:00", "end_time": "03:00"}, 120),
        ("2025-10-26T00:00", 120, {"start_time": "02:30", "end_time": "03:30"}, 60),
        ("2025-10-26T00:00", 120, {"start_time": "02:10", "end_time": "02:20"}, 20),
        ("2025-10-25T22:00", 1500, {"day_of_week": ["SUNDAY"]}, 1500),
    ],
)
def test_local_time_is_local_also_in_the_night_when_the_clocks_change(
    start: str, minutes: float, restrictions: dict[str, Any], billed: int
) -> None:
    stretches = session(at(start), (CHARGED, minutes, 0))
    assert cost(per_hour(**restrictions), stretches, AMSTERDAM).normalize() == billed


def test_a_threshold_of_energy_is_met_within_a_stretch_where_even_flow_puts_it() -> None:
    priced = tariff(
        element(component("ENERGY", 0), component("TIME", 0), max_kwh=2.5),
        element(component("ENERGY", 1), component("TIME", 6)),
    )
    told = bill(priced, session(MONDAY, (CHARGED, 30, 1), (CHARGED, 60, 6)), "UTC")
    assert (told.total_energy_cost, told.total_time_cost) == (
        Price(excl_vat=Decimal("4.5")),
        Price(excl_vat=Decimal("4.5")),
    )
    assert periods(told) == [
        ("09:30:00", {"ENERGY": Decimal("2.5"), "TIME": Decimal("0.75")}),
        ("10:15:00", {"ENERGY": Decimal("4.5"), "TIME": Decimal("0.75")}),
    ]


def test_a_third_of_an_hour_is_a_third() -> None:
    priced = tariff(element(component("TIME", 1, step=0), max_kwh=1), element(component("TIME", 0)))
    assert cost(priced, session(MONDAY, (CHARGED, 60, 3))) == Decimal("0.3333")
    assert cost(priced, session(MONDAY, *[(CHARGED, 1, "0.01")] * 60)) == 1


def test_energy_that_came_in_no_time_is_priced() -> None:
    priced = tariff(element(component("ENERGY", 2), min_kwh=1))
    assert cost(priced, session(MONDAY, (CHARGED, 0, 4), (PARKED, 10, 0))) == 6


def test_energy_that_flows_back_is_worth_what_it_cost() -> None:
    priced = tariff(element(component("ENERGY", 10), min_kwh=2), element(component("ENERGY", 1)))
    assert cost(priced, session(MONDAY, (CHARGED, 60, 3), (CHARGED, 60, -2))) == 1


def test_a_minute_in_which_no_energy_flowed_is_no_period_of_its_own() -> None:
    told = bill(tariff(element(EURO_A_KWH)), session(MONDAY, (CHARGED, 9, 1), (CHARGED, 1, 0), (CHARGED, 5, 1)), "UTC")
    assert periods(told) == [("09:30:00", {"ENERGY": Decimal(2), "TIME": Decimal("0.25")})]


@pytest.mark.parametrize(("power", "billed"), [(10, 1), (11, 2), (21, 2), (22, 3)])
def test_the_least_power_is_in_and_the_most_is_not(power: int, billed: int) -> None:
    priced = tariff(
        element(component("ENERGY", 1), max_power=11),
        element(component("ENERGY", 2), min_power=11, max_power=22),
        element(component("ENERGY", 3)),
    )
    assert cost(priced, session(MONDAY, (CHARGED, 60, 1, power))) == billed
    assert cost(priced, session(MONDAY, (CHARGED, 60 / power, 1))) == billed


def test_a_current_that_nobody_knows_is_within_no_restriction() -> None:
    priced = tariff(element(component("TIME", 1), max_current=32), element(component("TIME", 2), min_current=32))
    assert cost(priced, session(MONDAY, (CHARGED, 60, 1))) == 0
    assert cost(tariff(element(component("PARKING_TIME", 1), max_current=32)), session(MONDAY, (PARKED, 60, 0))) == 1


def test_the_first_element_that_applies_is_looked_for_in_each_dimension_apart() -> None:
    priced = tariff(
        element(component("TIME", 1), max_kwh=10),
        element(component("TIME", 2), component("ENERGY", 3)),
        element(component("TIME", 4), component("ENERGY", 5), component("PARKING_TIME", 6)),
    )
    told = bill(priced, session(MONDAY, (CHARGED, 60, 1), (PARKED, 60, 0)), "UTC")
    costs = (told.total_time_cost, told.total_energy_cost, told.total_parking_cost)
    assert [each and each.excl_vat for each in costs] == [1, 3, 6]


def test_one_step_is_for_the_last_of_charging_and_parking() -> None:
    priced = tariff(element(component("TIME", 60, step=600), component("PARKING_TIME", 600, step=900)))
    told = bill(priced, session(MONDAY, (CHARGED, 6, 0), (PARKED, 7, 0), (CHARGED, 7, 0)), "UTC")
    assert told.total_parking_cost == Price(excl_vat=Decimal(70))
    assert told.total_time_cost == Price(excl_vat=Decimal(20))


def test_parking_that_costs_nothing_by_no_price_leaves_the_step_to_charging() -> None:
    priced = tariff(element(component("TIME", 60, step=600)))
    assert cost(priced, session(MONDAY, (CHARGED, 6, 0), (PARKED, 50, 0))) == 10


def test_the_step_of_energy_is_the_one_that_energy_was_last_paid_by() -> None:
    priced = tariff(element(component("ENERGY", 1, step=1000), end_time="12:00"), element(component("ENERGY", 5)))
    assert cost(priced, session(at("2025-03-03T11:00"), (CHARGED, 30, "3.2"), (PARKED, 90, 0))) == 4


def test_time_in_whole_steps_is_not_rounded_further() -> None:
    assert minutes_in("2025-03-03T12:00", 10) == 10
    assert cost(tariff(element(component("TIME", 60, step=600))), session(MONDAY, (CHARGED, 10, 0))) == 10


def test_what_is_priced_are_the_seconds_that_are_told() -> None:
    start = MONDAY.replace(microsecond=100_000)
    stretch = Stretch(start=start, end=start + timedelta(minutes=5, microseconds=800_000), activity=CHARGED)
    assert cost(tariff(element(component("TIME", 60, step=300))), [stretch]) == 5


def test_a_reservation_rounds_up_apart_from_the_charge() -> None:
    priced = tariff(
        element(component("TIME", 60, step=600), reservation="RESERVATION"), element(component("TIME", 6, step=600))
    )
    told = bill(priced, session(MONDAY, (RESERVED, 11, 0), (CHARGED, 11, 2)), "UTC")
    assert told.total_reservation_cost == Price(excl_vat=Decimal(20))
    assert told.total_time_cost == Price(excl_vat=Decimal(2))
    assert (told.total_time, told.total_energy) == (Decimal("0.1833"), 2)


def test_neither_energy_nor_duration_nor_fee_of_the_charge_is_counted_from_the_reservation() -> None:
    priced = tariff(
        element(component("TIME", 60), min_duration=600, reservation="RESERVATION"),
        element(component("TIME", 6), component("FLAT", 3), min_duration=600),
    )
    told = bill(priced, session(MONDAY, (RESERVED, 20, 0), (CHARGED, 20, 0)), "UTC")
    assert [each and each.excl_vat for each in (told.total_reservation_cost, told.total_time_cost)] == [10, 1]
    assert told.total_fixed_cost == Price(excl_vat=Decimal(3))


def test_a_reservation_that_no_element_prices_is_free_and_told() -> None:
    priced = tariff(element(component("FLAT", 5), component("TIME", 60)), min_price={"excl_vat": 2})
    told = bill(priced, session(MONDAY, (RESERVED, 30, 0)), "UTC")
    assert told.total_cost.excl_vat == 0
    assert told.total_reservation_cost is None
    assert periods(told) == [("09:30:00", {"RESERVATION_TIME": Decimal("0.5")})]
    assert (told.total_time, told.total_energy) == (0, 0)


BOTH_KINDS = tariff(
    element(component("FLAT", 1), component("TIME", 60), reservation="RESERVATION"),
    element(component("FLAT", 5), component("TIME", 120), reservation="RESERVATION_EXPIRES"),
)


@pytest.mark.parametrize(("expired", "billed"), [(False, 11), (True, 25)])
def test_an_expired_reservation_costs_what_it_costs_to_expire_and_a_cancelled_one_does_not(
    expired: bool, billed: int
) -> None:
    assert cost(BOTH_KINDS, session(MONDAY, (RESERVED, 10, 0)), expired=expired) == billed


def test_what_only_an_expired_reservation_costs_is_not_asked_of_a_cancelled_one() -> None:
    priced = tariff(element(component("FLAT", 5), reservation="RESERVATION_EXPIRES"))
    stretches = session(MONDAY, (RESERVED, 10, 0))
    assert (cost(priced, stretches), cost(priced, stretches, expired=True)) == (0, 5)


def test_a_flat_price_is_asked_once() -> None:
    priced = tariff(element(component("FLAT", 2), end_time="12:00"), element(component("FLAT", 3)))
    assert cost(priced, session(at("2025-03-03T11:30"), (CHARGED, 60, 1), (PARKED, 60, 0), (CHARGED, 60, 1))) == 2


def test_a_flat_price_becomes_due_in_a_period_of_its_own() -> None:
    priced = tariff(element(component("FLAT", 2), min_duration=1800))
    told = bill(priced, session(MONDAY, (CHARGED, 60, 2)), "UTC")
    assert told.total_fixed_cost == Price(excl_vat=Decimal(2))
    assert [start for start, _ in periods(told)] == ["09:30:00", "10:00:00"]


def test_a_new_period_begins_when_the_activity_or_a_price_changes_and_not_with_every_meter_value() -> None:
    priced = tariff(element(EURO_A_KWH, end_time="10:00"), element(component("ENERGY", 2, 0)))
    samples = [(CHARGED, 10, 1)] * 6
    told = bill(priced, session(MONDAY, (RESERVED, 30, 0), *samples, (PARKED, 30, 0)), "UTC")
    assert periods(told) == [
        ("09:30:00", {"RESERVATION_TIME": Decimal("0.5")}),
        ("10:00:00", {"ENERGY": Decimal(6), "TIME": Decimal(1)}),
        ("11:00:00", {"PARKING_TIME": Decimal("0.5")}),
    ]
    assert {each.tariff_id for each in told.charging_periods} == {"T-1"}
    split = bill(priced, session(MONDAY, *samples), "UTC")
    assert periods(split) == [
        ("09:30:00", {"ENERGY": Decimal(3), "TIME": Decimal("0.5")}),
        ("10:00:00", {"ENERGY": Decimal(3), "TIME": Decimal("0.5")}),
    ]
    assert split.total_energy_cost == Price(excl_vat=Decimal(9), incl_vat=Decimal(9))


def test_a_gap_is_not_paid_for() -> None:
    stretches = [*session(MONDAY, (CHARGED, 10, 0)), *session(MONDAY + timedelta(hours=1), (CHARGED, 10, 0))]
    told = bill(per_hour(), stretches, "UTC")
    assert (told.total_cost.excl_vat, told.total_time) == (20, Decimal("0.3333"))


def test_without_a_tariff_what_was_done_is_told_and_costs_nothing() -> None:
    told = bill(None, session(MONDAY, (RESERVED, 30, 0), (CHARGED, 60, "7.5"), (PARKED, 30, 0)), "Not/AZone")
    assert told.total_cost.excl_vat == 0
    assert (told.total_energy, told.total_time, told.total_parking_time) == (
        Decimal("7.5"),
        Decimal("1.5"),
        Decimal("0.5"),
    )
    costs = [value for name, value in vars(told).items() if name.endswith("_cost") and name != "total_cost"]
    assert costs == [None] * 5
    assert [each.tariff_id for each in told.charging_periods] == [None] * 3


def test_a_session_in_which_nothing_was_done_costs_nothing() -> None:
    assert cost(tariff(element(component("FLAT", 1))), []) == 0


@pytest.mark.parametrize("zone", ["Not/AZone", "Europe", "/etc/localtime", "../UTC", ""])
def test_a_zone_that_there_is_not_is_no_reason_to_guess_the_time(zone: str) -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        bill(per_hour(start_time="10:00"), session(MONDAY, (CHARGED, 1, 0)), zone)
    assert cost(per_hour(), session(MONDAY, (CHARGED, 1, 0)), zone) == 1


def test_a_duration_that_no_calendar_has_is_as_good_as_none() -> None:
    assert minutes_in("2025-03-03T12:00", 60, min_duration=0, max_duration=10**15) == 60


def test_a_stretch_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="ends before"):
        bill(None, [Stretch(start=MONDAY, end=MONDAY - timedelta(1), activity=CHARGED)], "UTC")


def vat(*components: dict[str, Any], **fields: Any) -> tuple[Decimal, Decimal | None]:
    told = bill(tariff(element(*components), **fields), session(MONDAY, (CHARGED, 60, 10)), "UTC").total_cost
    return told.excl_vat, told.incl_vat


def test_cost_with_vat_is_known_where_the_vat_of_every_price_is() -> None:
    assert vat(component("ENERGY", 1, 10), component("TIME", 1, 0)) == (11, 12)
    assert vat(component("ENERGY", 1, 10), component("TIME", 1)) == (11, None)
    assert vat(component("ENERGY", 1, 10), component("TIME", 0)) == (10, 11)
    assert vat(component("ENERGY", 1, 10), component("PARKING_TIME", 1)) == (10, 11)


@pytest.mark.parametrize(
    ("limit", "with_vat", "without_vat"),
    [
        ({"min_price": {"excl_vat": 20, "incl_vat": 22}}, (20, 22), (20, 22)),
        ({"min_price": {"excl_vat": 20}}, (20, None), (20, None)),
        ({"min_price": {"excl_vat": 5, "incl_vat": 30}}, (10, 30), (10, None)),
        ({"min_price": {"excl_vat": 5}}, (10, 11), (10, None)),
        ({"max_price": {"excl_vat": 5, "incl_vat": 6}}, (5, 6), (5, 6)),
        ({"max_price": {"excl_vat": 20, "incl_vat": 6}}, (10, 6), (10, None)),
        ({"max_price": {"excl_vat": 20}}, (10, 11), (10, None)),
    ],
)
def test_the_limits_hold_with_and_without_vat(
    limit: dict[str, Any], with_vat: tuple[int, int | None], without_vat: tuple[int, int | None]
) -> None:
    assert vat(component("ENERGY", 1, 10), **limit) == with_vat
    assert vat(component("ENERGY", 1), **limit) == without_vat


@pytest.mark.parametrize(("kwh", "billed"), [("0.00005", "0.0001"), ("0.00004", "0"), ("-0.00005", "-0.0001")])
def test_halves_are_rounded_away_from_zero(kwh: str, billed: str) -> None:
    assert cost(tariff(element(component("ENERGY", 1, step=0))), session(MONDAY, (CHARGED, 1, kwh))) == Decimal(billed)


def test_a_bill_is_a_part_of_a_cdr() -> None:
    stretches = session(MONDAY, (RESERVED, 10, 0), (CHARGED, 60, 7), (PARKED, 10, 0))
    record = CDR.model_validate(SHORTEST | vars(bill(BOTH_KINDS, stretches, AMSTERDAM)))
    assert record.wire()["total_reservation_cost"] == {"excl_vat": 11.0}
    assert record.wire()["total_energy"] == 7.0


ELEMENTS = st.builds(
    element,
    st.builds(
        component,
        st.sampled_from(list(TariffDimensionType)),
        st.decimals(0, 9, places=4),
        st.sampled_from([None, 0, 5.2, 21]),
        st.sampled_from([0, 1, 60, 700]),
    ),
    start_time=st.sampled_from([None, "00:00", "02:30", "22:00"]),
    end_time=st.sampled_from([None, "00:00", "03:00", "17:30"]),
    day_of_week=st.lists(st.sampled_from(DayOfWeek), max_size=3),
    min_kwh=st.sampled_from([None, None, 1, 3.3333]),
    max_duration=st.sampled_from([None, None, 1, 3601]),
    max_power=st.sampled_from([None, None, 7.4]),
    reservation=st.sampled_from([None, None, "RESERVATION", "RESERVATION_EXPIRES"]),
)
TARIFFS = st.builds(tariff, ELEMENTS, ELEMENTS, ELEMENTS, ELEMENTS)
STARTS = st.datetimes(datetime(2025, 3, 29), datetime(2025, 3, 31)) | st.datetimes(
    datetime(2025, 10, 25), datetime(2025, 10, 27)
)
PARTS = st.tuples(st.sampled_from(Activity), st.floats(0, 600), st.decimals(0, 50, places=3))


def as_it_goes(start: datetime, parts: list[Any]) -> list[Stretch]:
    """First what is reserved; a reservation takes no energy."""
    ordered = sorted(parts, key=lambda each: each[0] is not RESERVED)
    return session(
        at(start.isoformat()), *((what, minutes, 0 if what is RESERVED else kwh) for what, minutes, kwh in ordered)
    )


SESSIONS = st.builds(as_it_goes, STARTS, st.lists(PARTS, max_size=5))


@settings(deadline=None)
@given(TARIFFS, SESSIONS, st.booleans())
def test_the_total_is_the_sum_of_its_parts_and_the_periods_are_the_whole(
    priced: Tariff, stretches: list[Stretch], expired: bool
) -> None:
    told = bill(priced, stretches, AMSTERDAM, expired)
    costs = [value for name, value in vars(told).items() if name.endswith("_cost") and name != "total_cost" and value]
    assert told.total_cost.excl_vat == sum(each.excl_vat for each in costs)
    if told.total_cost.incl_vat is not None:
        assert told.total_cost.incl_vat == sum(each.incl_vat for each in costs)
    volumes = {"ENERGY": Decimal(0), "TIME": Decimal(0), "PARKING_TIME": Decimal(0), "RESERVATION_TIME": Decimal(0)}
    for _, period in periods(told):
        for name, volume in period.items():
            volumes[name] += volume
    assert volumes["ENERGY"] == told.total_energy == sum(each.energy for each in stretches)
    assert volumes["TIME"] + volumes["PARKING_TIME"] == told.total_time
    assert volumes["PARKING_TIME"] == (told.total_parking_time or 0)


@settings(deadline=None)
@given(TARIFFS, SESSIONS, st.data())
def test_a_session_costs_the_same_however_finely_it_was_measured(
    priced: Tariff, stretches: list[Stretch], data: st.DataObject
) -> None:
    whole = [each for each in stretches if each.end - each.start >= timedelta(seconds=4)]
    finer = [part for each in whole for part in in_two(each, data.draw(st.integers(1, 3)))]
    coarse, fine = bill(priced, whole, AMSTERDAM), bill(priced, finer, AMSTERDAM)
    assert replace(fine, charging_periods=()) == replace(coarse, charging_periods=())
    assert len(fine.charging_periods) == len(coarse.charging_periods)


def in_two(stretch: Stretch, seconds: int) -> list[Stretch]:
    """Cut after so many seconds, with the energy where even flow puts it."""
    start, end = stretch.start.replace(microsecond=0), stretch.end.replace(microsecond=0)
    middle = start + timedelta(seconds=seconds)
    rate = stretch.energy / Decimal((end - start) // timedelta(seconds=1))
    early = (rate * seconds).quantize(Decimal("1e-20"))
    power = rate * 3600
    return [
        Stretch(start=start, end=middle, activity=stretch.activity, energy=early, power=power),
        Stretch(start=middle, end=end, activity=stretch.activity, energy=stretch.energy - early, power=power),
    ]
