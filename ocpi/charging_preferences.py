"""Charging preferences: how a driver would like to be charged, and what becomes of it (mod_sessions §Set)."""

from enum import StrEnum

from ocpi.tokens import ProfileType
from ocpi.types import Boolean, DateTime, Model, Number


class ChargingPreferences(Model):
    """What a driver wishes of a running session."""

    profile_type: ProfileType
    departure_time: DateTime | None = None
    #: kWh.
    energy_need: Number | None = None
    discharge_allowed: Boolean | None = None


class ChargingPreferencesResponse(StrEnum):
    """What will be done about it."""

    ACCEPTED = "ACCEPTED"
    DEPARTURE_REQUIRED = "DEPARTURE_REQUIRED"
    ENERGY_NEED_REQUIRED = "ENERGY_NEED_REQUIRED"
    #: Nothing: the charge cannot be steered.
    NOT_POSSIBLE = "NOT_POSSIBLE"
    PROFILE_TYPE_NOT_SUPPORTED = "PROFILE_TYPE_NOT_SUPPORTED"
