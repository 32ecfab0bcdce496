"""Sessions (mod_sessions), with the parts that they share with CDRs (mod_cdrs)."""

from enum import StrEnum

from ocpi.tokens import TokenType
from ocpi.types import (
    CiString2,
    CiString3,
    CiString36,
    DateTime,
    Model,
    Number,
    OneOrMore,
    Text3,
    Text255,
    ZeroOrMore,
)

#: Stands in a required id that truly cannot be filled: a reservation without an EVSE (mod_sessions §Session).
NOT_AVAILABLE = "#NA"


class SessionStatus(StrEnum):
    """Where in its life a session is."""

    ACTIVE = "ACTIVE"
    #: Final.
    COMPLETED = "COMPLETED"
    #: Will not be billed.
    INVALID = "INVALID"
    #: Not started yet, and perhaps never.
    PENDING = "PENDING"
    #: Begun by a reservation. (The text's RESERVED is no value of this enum.)
    RESERVATION = "RESERVATION"


class AuthMethod(StrEnum):
    """How the driver was authorised."""

    AUTH_REQUEST = "AUTH_REQUEST"
    COMMAND = "COMMAND"
    WHITELIST = "WHITELIST"


class CdrDimensionType(StrEnum):
    """What a volume measures. Hours, kWh, kW, A, percent."""

    CURRENT = "CURRENT"
    ENERGY = "ENERGY"
    ENERGY_EXPORT = "ENERGY_EXPORT"
    ENERGY_IMPORT = "ENERGY_IMPORT"
    MAX_CURRENT = "MAX_CURRENT"
    MIN_CURRENT = "MIN_CURRENT"
    MAX_POWER = "MAX_POWER"
    MIN_POWER = "MIN_POWER"
    PARKING_TIME = "PARKING_TIME"
    POWER = "POWER"
    RESERVATION_TIME = "RESERVATION_TIME"
    STATE_OF_CHARGE = "STATE_OF_CHARGE"
    TIME = "TIME"


#: Never in a CDR (mod_cdrs §CdrDimensionType).
SESSION_ONLY = frozenset(
    {
        CdrDimensionType.CURRENT,
        CdrDimensionType.ENERGY_EXPORT,
        CdrDimensionType.ENERGY_IMPORT,
        CdrDimensionType.POWER,
        CdrDimensionType.STATE_OF_CHARGE,
    }
)


class Price(Model):
    """An amount in the currency beside it."""

    excl_vat: Number
    incl_vat: Number | None = None


class CdrDimension(Model):
    """One measured quantity."""

    type: CdrDimensionType
    volume: Number


class ChargingPeriod(Model):
    """A stretch of time, until the next one begins, with what was used in it."""

    start_date_time: DateTime
    dimensions: OneOrMore[CdrDimension]
    tariff_id: CiString36 | None = None


class CdrToken(Model):
    """The token that the session is for."""

    country_code: CiString2
    party_id: CiString3
    uid: CiString36
    type: TokenType
    contract_id: CiString36


class Session(Model):
    """A charging session, or the reservation that may become one."""

    country_code: CiString2
    party_id: CiString3
    id: CiString36
    start_date_time: DateTime
    end_date_time: DateTime | None = None
    kwh: Number
    cdr_token: CdrToken
    auth_method: AuthMethod
    authorization_reference: CiString36 | None = None
    location_id: CiString36
    evse_uid: CiString36
    connector_id: CiString36
    meter_id: Text255 | None = None
    currency: Text3
    charging_periods: ZeroOrMore[ChargingPeriod] = ()
    #: Absent does not mean free.
    total_cost: Price | None = None
    status: SessionStatus
    last_updated: DateTime
