"""The worked numbers of mod_tariffs and mod_cdrs, of both versions' texts, as a table.

Where the two texts differ, the newer one counts: the older mod_tariffs adds charging and parking up before it rounds
(0.383 and 0.78 where the newer has 0.55 and 0.73), which its own mod_cdrs does not. One number is the older text's:
114 minutes at 1.25 an hour are 2.375, and not the 2.28 (12.28 with the rest) that the newer one prints.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from gateway.domain.pricing import Bill, bill
from gateway.domain.usage import Activity, Stretch
from ocpi.sessions import Price
from ocpi.tariffs import Tariff
from tests.gateway.tariffs import MONDAY, at, component, element, session, tariff

RESERVED, CHARGED, PARKED = Activity.RESERVATION, Activity.CHARGING, Activity.PARKING
WORKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
SATURDAY = at("2025-03-08T13:30")

START = component("FLAT", 0.50, 20)
ENERGY = component("ENERGY", 0.25, 10)
SIMPLE = tariff(element(ENERGY))
WITH_START = tariff(element(START, ENERGY))
WITH_MINIMUM = tariff(element(ENERGY), min_price={"excl_vat": 0.5, "incl_vat": 0.55})
WITH_MAXIMUM = tariff(element(START, ENERGY), max_price={"excl_vat": 10, "incl_vat": 11})
WITH_PARKING = tariff(element(START, ENERGY, component("PARKING_TIME", 2, 20, 900)))
HOURLY = tariff(element(component("TIME", 2, 10, 60)))
HOURLY_WITH_PARKING = tariff(element(component("TIME", 3, 10, 60), component("PARKING_TIME", 5, 20, 300)))
AD_HOC = tariff(element(component("TIME", 1.9, 5.2, 300)))
IN_HUNDREDS = tariff(element(START, component("ENERGY", 0.25, 10, 100)))
CHEAPER = tariff(element(START, component("ENERGY", 0.22, 10, 100)))
COMPLEX = tariff(
    element(component("FLAT", 2.5, 15)),
    element(component("TIME", 1, 20, 900), max_current=32),
    element(component("TIME", 2, 20, 600), min_current=32, day_of_week=WORKDAYS),
    element(component("TIME", 1.25, 20, 600), min_current=32, day_of_week=["SATURDAY", "SUNDAY"]),
    element(component("PARKING_TIME", 5, 10, 300), start_time="09:00", end_time="18:00", day_of_week=WORKDAYS),
    element(component("PARKING_TIME", 6, 10, 300), start_time="10:00", end_time="17:00", day_of_week=["SATURDAY"]),
)
FREE = tariff(element(component("FLAT", 0)))
FIRST_HOUR_FREE = tariff(
    element(component("PARKING_TIME", 0, None, 60), min_duration=0, max_duration=3600),
    element(component("PARKING_TIME", 2, None, 60), min_duration=3600, max_duration=10800),
    element(component("PARKING_TIME", 3, None, 60), min_duration=10800),
    element(component("ENERGY", 0), max_kwh=1),
    element(component("ENERGY", 0.2), min_kwh=1),
)
RESERVABLE = tariff(element(component("TIME", 5, 20, 60), reservation="RESERVATION"), element(START, ENERGY))
WITH_RESERVATION_FEE = tariff(
    element(component("FLAT", 2, 20), component("TIME", 5, 20, 300), reservation="RESERVATION"),
    element(START, ENERGY),
)
WITH_EXPIRE_FEE = tariff(
    element(component("FLAT", 4, 20), reservation="RESERVATION_EXPIRES"),
    element(component("TIME", 2, 20, 600), reservation="RESERVATION"),
    element(START, ENERGY),
)
WITH_EXPIRE_TIME = tariff(
    element(component("TIME", 6, 20, 600), reservation="RESERVATION_EXPIRES"),
    element(component("TIME", 3, 20, 600), reservation="RESERVATION"),
    element(START, ENERGY),
)
BY_POWER = tariff(
    element(component("ENERGY", 0.20, 20), max_power=16),
    element(component("ENERGY", 0.35, 20), max_power=32),
    element(component("ENERGY", 0.50, 20)),
)
BY_DURATION = tariff(
    element(component("ENERGY", 0, 20), max_duration=1800),
    element(component("ENERGY", 0.25, 20), max_duration=3600),
    element(component("ENERGY", 0.40, 20)),
)
STEPS = tariff(
    element(component("TIME", 1.2, None, 1800), component("PARKING_TIME", 1, None, 900), end_time="17:00"),
    element(
        component("TIME", 2.4, None, 900),
        component("PARKING_TIME", 1, None, 900),
        start_time="17:00",
        end_time="20:00",
    ),
    element(component("TIME", 2.4, None, 900), start_time="20:00", end_time="00:00"),
)
DEARER_ENERGY = tariff(
    element(component("ENERGY", 0.20, None, 500), end_time="17:00"),
    element(component("ENERGY", 0.27, None, 500), start_time="17:00"),
)
DEARER_TIME = tariff(
    element(component("TIME", 5, None, 600), end_time="17:00"), element(component("TIME", 7, None, 600))
)
TIME_AND_PARKING = tariff(element(component("TIME", 1, None, 600), component("PARKING_TIME", 2, None, 600)))
BOTH_IN_FIVES = tariff(element(component("TIME", 1, None, 300), component("PARKING_TIME", 1, None, 300)))


def in_watt_hours(step: int) -> Tariff:
    return tariff(element(component("ENERGY", 0.25, None, step)))


def today(clock: str) -> Any:
    return at(f"2025-03-03T{clock}")


def charged(minutes: float, energy: float | str = 0, current: int | None = None) -> list[Stretch]:
    [stretch] = session(MONDAY, (CHARGED, minutes, energy))
    return [replace(stretch, current=None if current is None else Decimal(current))]


def drawing(ampere: int, stretches: list[Stretch]) -> list[Stretch]:
    first, *others = stretches
    return [replace(first, current=Decimal(ampere)), *others]


@dataclass
class Example:
    """What was done, what it costs with and without VAT, and parts of it where the text tells them."""

    tariff: Tariff
    stretches: list[Stretch]
    excl_vat: str
    incl_vat: str | None = None
    expired: bool = False
    fixed: str | None = None
    energy: str | None = None
    time: str | None = None
    parking: str | None = None
    reservation: str | None = None
    places: int = 2


TWENTY = (CHARGED, 60, 20)
EXAMPLES = {
    "20 kWh": Example(SIMPLE, charged(60, 20), "5.00", "5.50", energy="5.00"),
    "20 kWh and a start fee": Example(WITH_START, charged(60, 20), "5.50", "6.10", fixed="0.50", energy="5.00"),
    "minimum price, reached": Example(WITH_MINIMUM, charged(60, 20), "5.00", "5.50"),
    "minimum price, asked": Example(WITH_MINIMUM, charged(6, "1.9"), "0.50", "0.55", energy="0.475", places=3),
    "start, energy and 40 minutes of parking": Example(
        WITH_PARKING, session(MONDAY, TWENTY, (PARKED, 40, 0)), "7.00", "7.90", parking="1.50"
    ),
    "maximum price, reached": Example(WITH_MAXIMUM, charged(60, 50), "10.00", "11.00", energy="12.50"),
    "maximum price, not reached": Example(WITH_MAXIMUM, charged(60, 30), "8.00", "8.85"),
    "2.5 hours": Example(HOURLY, charged(150, 9), "5.00", "5.50", time="5.00"),
    "2.5 hours and 42 minutes of parking": Example(
        HOURLY_WITH_PARKING,
        session(MONDAY, (CHARGED, 150, 9), (PARKED, 42, 0)),
        "11.25",
        "12.75",
        time="7.50",
        parking="3.75",
    ),
    "ad hoc": Example(AD_HOC, charged(150, 9), "4.75", "5.00", time="4.75"),
    "in steps of 100 Wh": Example(IN_HUNDREDS, charged(60, "20.45"), "5.63", "6.24", fixed="0.50", energy="5.13"),
    "in steps of 100 Wh, cheaper": Example(CHEAPER, charged(60, "20.45"), "5.01", "5.56", energy="4.51"),
    "complex, on a Monday": Example(
        COMPLEX,
        drawing(16, session(MONDAY, (CHARGED, 165, 9), (PARKED, 42, 0))),
        "9.00",
        "10.30",
        fixed="2.50",
        time="2.75",
        parking="3.75",
    ),
    "complex, on a Saturday": Example(
        COMPLEX,
        drawing(43, session(SATURDAY, (CHARGED, 114, 50), (PARKED, 71, 0))),
        "12.375",
        "13.975",
        fixed="2.50",
        time="2.375",
        parking="7.50",
        places=3,
    ),
    "free of charge": Example(FREE, charged(60, 20), "0.00", "0.00", fixed="0.00"),
    # The text counts the hours of parking, its restrictions those of the session: the two agree on a charge of no time.
    "first hour and kWh free": Example(
        FIRST_HOUR_FREE, session(MONDAY, (CHARGED, 0, 20), (PARKED, 165, 0)), "7.30", energy="3.80", parking="3.50"
    ),
    "15: reserved 15 minutes": Example(
        RESERVABLE, session(MONDAY, (RESERVED, 15, 0), TWENTY), "6.75", "7.60", fixed="0.50", reservation="1.25"
    ),
    "16: reserved 13 minutes, with a fee": Example(
        WITH_RESERVATION_FEE, session(MONDAY, (RESERVED, 13, 0), TWENTY), "8.75", "10.00", reservation="3.25"
    ),
    "17: reserved 22 minutes": Example(
        WITH_EXPIRE_FEE, session(MONDAY, (RESERVED, 22, 0), TWENTY), "6.50", "7.30", reservation="1.00"
    ),
    "17: expired after 1 hour": Example(
        WITH_EXPIRE_FEE, session(MONDAY, (RESERVED, 60, 0)), "6.00", "7.20", expired=True, reservation="6.00"
    ),
    "18: reserved 22 minutes": Example(
        WITH_EXPIRE_TIME, session(MONDAY, (RESERVED, 22, 0), TWENTY), "7.00", "7.90", reservation="1.50"
    ),
    "18: expired after 1.5 hours": Example(
        WITH_EXPIRE_TIME, session(MONDAY, (RESERVED, 90, 0)), "9.00", "10.80", expired=True, reservation="9.00"
    ),
    "by power": Example(
        BY_POWER,
        session(MONDAY, (CHARGED, 10, 1, 6), (CHARGED, 50, 40, 48), (CHARGED, 7.5, "0.5", 4)),
        "20.30",
        "24.36",
        energy="20.30",
    ),
    "by duration": Example(BY_DURATION, session(MONDAY, (CHARGED, 30, 5), (CHARGED, 10, "1.2")), "0.30", "0.36"),
    "115.2 Wh in steps of 1": Example(in_watt_hours(1), charged(6, "0.1152"), "0.029", places=3),
    "115.2 Wh in steps of 25": Example(in_watt_hours(25), charged(6, "0.1152"), "0.03125", places=4),
    "115.2 Wh in steps of 500": Example(in_watt_hours(500), charged(6, "0.1152"), "0.125", places=3),
    "step_size 1: from charging to parking": Example(
        STEPS,
        session(today("16:55"), (CHARGED, 10, 0), (PARKED, 2, 0)),
        "0.55",
        time="0.30",
        parking="0.25",
    ),
    "step_size 2: charging only": Example(STEPS, session(today("16:35"), (CHARGED, 35, 0)), "1.30", time="1.30"),
    "step_size 3: parking becomes free": Example(
        STEPS, session(today("19:40"), (CHARGED, 12, 0), (PARKED, 20, 0)), "0.73", time="0.48", parking="0.25"
    ),
    "mod_cdrs: 21 minutes and 7 of parking": Example(
        BOTH_IN_FIVES, session(MONDAY, (CHARGED, 21, 0), (PARKED, 7, 0)), "0.5167", places=4
    ),
    "mod_cdrs: 5.4 kWh are 5.5": Example(
        DEARER_ENERGY, session(today("16:00"), (CHARGED, 60, "4.3"), (CHARGED, 60, "1.1")), "1.184", places=3
    ),
    "mod_cdrs: 28 minutes are 30": Example(DEARER_TIME, session(today("16:54"), (CHARGED, 28, 0)), "3.30", time="3.30"),
    "mod_cdrs: 21 minutes and 16 of parking": Example(
        TIME_AND_PARKING, session(MONDAY, (CHARGED, 21, 0), (PARKED, 16, 0)), "1.0167", parking="0.6667", places=4
    ),
    "mod_cdrs: the example of a CDR": Example(
        tariff(element(component("TIME", 2, 10, 300))), charged(118 + 23 / 60, "15.342"), "4.00", "4.40", time="4.00"
    ),
}


def told(price: Price, places: int) -> tuple[Decimal, Decimal | None]:
    cent = Decimal(1).scaleb(-places)
    return (
        price.excl_vat.quantize(cent, ROUND_HALF_UP),
        None if price.incl_vat is None else price.incl_vat.quantize(cent, ROUND_HALF_UP),
    )


def calculate(example: Example) -> Bill:
    return bill(example.tariff, example.stretches, "UTC", example.expired)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_what_the_specification_calculates_is_what_we_calculate(example: Example) -> None:
    excl_vat, incl_vat = told(calculate(example).total_cost, example.places)
    assert excl_vat == Decimal(example.excl_vat).quantize(excl_vat, ROUND_HALF_UP)
    assert incl_vat == (None if example.incl_vat is None else Decimal(example.incl_vat))


PARTS = [
    (name, field, expected)
    for name, example in EXAMPLES.items()
    for field in ("fixed", "energy", "time", "parking", "reservation")
    if (expected := getattr(example, field)) is not None
]


@pytest.mark.parametrize(("name", "field", "expected"), PARTS, ids=[f"{name}: {field}" for name, field, _ in PARTS])
def test_and_so_are_its_parts(name: str, field: str, expected: str) -> None:
    part = getattr(calculate(EXAMPLES[name]), f"total_{field}_cost")
    assert told(part, EXAMPLES[name].places)[0] == Decimal(expected)
