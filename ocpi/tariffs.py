"""Tariffs (mod_tariffs): what is asked for energy, time and reservations, and when."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ocpi.locations import ClockTime, EnergyMix
from ocpi.sessions import Price
from ocpi.types import (
    CiString2,
    CiString3,
    CiString36,
    DateTime,
    DisplayText,
    Integer,
    Model,
    Number,
    OneOrMore,
    Text3,
    Url,
    ZeroOrMore,
)

#: YYYY-MM-DD, local time (mod_tariffs §TariffRestrictions).
CalendarDate = Annotated[str, Field(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]


class TariffType(StrEnum):
    """Which sessions a tariff is for; without one it is for all."""

    AD_HOC_PAYMENT = "AD_HOC_PAYMENT"
    PROFILE_CHEAP = "PROFILE_CHEAP"
    PROFILE_FAST = "PROFILE_FAST"
    PROFILE_GREEN = "PROFILE_GREEN"
    REGULAR = "REGULAR"


class TariffDimensionType(StrEnum):
    """What is paid for. kWh and hours; step sizes in Wh and seconds."""

    ENERGY = "ENERGY"
    FLAT = "FLAT"
    #: Not charging.
    PARKING_TIME = "PARKING_TIME"
    #: Charging; in an element for reservations, the time that the reservation lasts.
    TIME = "TIME"


class DayOfWeek(StrEnum):
    """A day in local time; in the order of ``date.weekday``."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReservationRestrictionType(StrEnum):
    """Which reservations an element prices."""

    RESERVATION = "RESERVATION"
    #: Those that nobody came for in time.
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"


class PriceComponent(Model):
    """The price of one dimension."""

    type: TariffDimensionType
    #: Without VAT.
    price: Number
    #: Percent. Absent is not 0: no VAT is known of.
    vat: Number | None = None
    #: Wh or seconds, rounded up to.
    step_size: Integer


class TariffRestrictions(Model):
    """When an element applies: all of these together, at each moment anew."""

    start_time: ClockTime | None = None
    #: Exclusive; before ``start_time`` it is on the next day.
    end_time: ClockTime | None = None
    start_date: CalendarDate | None = None
    #: Exclusive.
    end_date: CalendarDate | None = None
    #: kWh since the session began; minimums are inclusive, maximums exclusive, here and below.
    min_kwh: Number | None = None
    max_kwh: Number | None = None
    #: Ampere, the sum of all phases.
    min_current: Number | None = None
    max_current: Number | None = None
    #: kW.
    min_power: Number | None = None
    max_power: Number | None = None
    #: Seconds since the session began.
    min_duration: Integer | None = None
    max_duration: Integer | None = None
    day_of_week: ZeroOrMore[DayOfWeek] = ()
    #: An element with this one is for reservations only.
    reservation: ReservationRestrictionType | None = None


class TariffElement(Model):
    """Prices that apply under the same conditions."""

    price_components: OneOrMore[PriceComponent]
    restrictions: TariffRestrictions | None = None


class Tariff(Model):
    """Of each dimension, the first element that has it and applies sets the price."""

    country_code: CiString2
    party_id: CiString3
    id: CiString36
    currency: Text3
    type: TariffType | None = None
    tariff_alt_text: ZeroOrMore[DisplayText] = ()
    tariff_alt_url: Url | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    elements: OneOrMore[TariffElement]
    start_date_time: DateTime | None = None
    end_date_time: DateTime | None = None
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
