"""What was done at an EVSE, and when: all that pricing needs to know of a session."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Activity(StrEnum):
    """What a stretch of time was spent on."""

    RESERVATION = "RESERVATION"
    CHARGING = "CHARGING"
    #: Connected, or a transaction running, and no energy flows.
    PARKING = "PARKING"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of time in which one thing was done. Stretches are in order and do not overlap; gaps are allowed."""

    #: UTC, as ``end``.
    start: datetime
    end: datetime
    activity: Activity
    #: kWh taken in it.
    energy: Decimal = Decimal(0)
    #: kW, the mean, where it is known; else it is derived from energy and time.
    power: Decimal | None = None
    #: Ampere, the sum of all phases, where it is known.
    current: Decimal | None = None
