"""Charge detail records (mod_cdrs): what a session was and what it costs, sealed."""

from typing import Self

from pydantic import field_validator, model_validator

from ocpi.locations import EVSE, Connector, ConnectorFormat, ConnectorType, GeoLocation, Location, PowerType
from ocpi.sessions import NOT_AVAILABLE, SESSION_ONLY, AuthMethod, CdrToken, ChargingPeriod, Price
from ocpi.tariffs import Tariff
from ocpi.types import (
    Boolean,
    CiString2,
    CiString3,
    CiString32,
    CiString36,
    CiString39,
    CiString48,
    DateTime,
    Integer,
    Model,
    Number,
    OneOrMore,
    Text3,
    Text10,
    Text20,
    Text45,
    Text255,
    Text512,
    Text5000,
    ZeroOrMore,
)

#: Of a CDR that is no Credit CDR (mod_cdrs §CDR, ``id``).
LONGEST_ID = 36


class CdrLocation(Model):
    """Where it was, as that place was called when the session started."""

    id: CiString36
    name: Text255 | None = None
    address: Text45
    city: Text45
    postal_code: Text10 | None = None
    state: Text20 | None = None
    country: Text3
    coordinates: GeoLocation
    #: The three ids may be NOT_AVAILABLE, and the three words after them anything, for a reservation that never
    #: became a charge.
    evse_uid: CiString36
    evse_id: CiString48
    connector_id: CiString36
    connector_standard: ConnectorType
    connector_format: ConnectorFormat
    connector_power_type: PowerType


def cdr_location(location: Location, evse: EVSE | None = None, connector: Connector | None = None) -> CdrLocation:
    """The snapshot of a place; without EVSE or connector, of a reservation that never became a charge.

    A CDR has less room for the address and the state than a Location has.
    """
    return CdrLocation(
        id=location.id,
        name=location.name,
        address=location.address[:45],
        city=location.city,
        postal_code=location.postal_code,
        state=location.state and location.state[:20],
        country=location.country,
        coordinates=location.coordinates,
        evse_uid=evse.uid if evse else NOT_AVAILABLE,
        evse_id=(evse and evse.evse_id) or NOT_AVAILABLE,
        connector_id=connector.id if connector else NOT_AVAILABLE,
        connector_standard=connector.standard if connector else ConnectorType.IEC_62196_T2,
        connector_format=connector.format if connector else ConnectorFormat.SOCKET,
        connector_power_type=connector.power_type if connector else PowerType.AC_3_PHASE,
    )


class SignedValue(Model):
    """A meter value with its signature."""

    #: Start, End or Intermediate.
    nature: CiString32
    plain_data: Text5000
    signed_data: Text5000


class SignedData(Model):
    """Meter values that the driver can check."""

    encoding_method: CiString36
    encoding_method_version: Integer | None = None
    public_key: Text512 | None = None
    signed_values: OneOrMore[SignedValue]
    url: Text512 | None = None


class CDR(Model):
    """A record is never changed: what is wrong is taken back by a Credit CDR. Amounts in ``currency``, kWh, hours."""

    country_code: CiString2
    party_id: CiString3
    id: CiString39
    #: Of the reservation, where there was one.
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: CiString36 | None = None
    cdr_token: CdrToken
    #: The last one used.
    auth_method: AuthMethod
    #: The last one given.
    authorization_reference: CiString36 | None = None
    cdr_location: CdrLocation
    meter_id: Text255 | None = None
    currency: Text3
    tariffs: ZeroOrMore[Tariff] = ()
    charging_periods: OneOrMore[ChargingPeriod]
    signed_data: SignedData | None = None
    total_cost: Price
    #: Neither of parking nor of the reservation.
    total_fixed_cost: Price | None = None
    total_energy: Number
    total_energy_cost: Price | None = None
    #: Charging and parking.
    total_time: Number
    #: Of charging alone.
    total_time_cost: Price | None = None
    total_parking_time: Number | None = None
    total_parking_cost: Price | None = None
    total_reservation_cost: Price | None = None
    remark: Text255 | None = None
    invoice_reference_id: CiString39 | None = None
    credit: Boolean | None = None
    #: The id of the CDR that a Credit CDR takes back.
    credit_reference_id: CiString39 | None = None
    home_charging_compensation: Boolean | None = None
    last_updated: DateTime

    @field_validator("charging_periods")
    @classmethod
    def _billable(cls, periods: tuple[ChargingPeriod, ...]) -> tuple[ChargingPeriod, ...]:
        if any(dimension.type in SESSION_ONLY for period in periods for dimension in period.dimensions):
            raise ValueError("a dimension that is for sessions only")
        return periods

    @model_validator(mode="after")
    def _credits_one(self) -> Self:
        if self.credit and self.credit_reference_id is None:
            raise ValueError("a Credit CDR says in credit_reference_id what it takes back")
        if not self.credit and len(self.id) > LONGEST_ID:
            raise ValueError(f"the id of a CDR that is no Credit CDR has {LONGEST_ID} characters at most")
        return self
