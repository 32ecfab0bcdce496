"""Locations (mod_locations): where EVSEs are, what they can do, and whether they are free."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ocpi.business import BusinessDetails, Image
from ocpi.tokens import TokenType
from ocpi.types import (
    Boolean,
    CiString2,
    CiString3,
    CiString36,
    CiString48,
    DateTime,
    DisplayText,
    Integer,
    Model,
    Number,
    OneOrMore,
    Text3,
    Text4,
    Text10,
    Text16,
    Text45,
    Text64,
    Text255,
    Url,
    ZeroOrMore,
)


def _five_decimals(value: Any) -> Any:
    """Fewer decimals than the five specified are often written; zeros at the end change no place."""
    match value.split(".") if isinstance(value, str) else []:
        case [degrees, decimals] if len(decimals) < 5:
            return f"{degrees}.{decimals:0<5}"
    return value


#: Decimal degrees (mod_locations §GeoLocation).
Latitude = Annotated[str, BeforeValidator(_five_decimals), Field(max_length=10, pattern=r"^-?[0-9]{1,2}\.[0-9]{5,7}$")]
Longitude = Annotated[str, BeforeValidator(_five_decimals), Field(max_length=11, pattern=r"^-?[0-9]{1,3}\.[0-9]{5,7}$")]
#: HH:MM, local time (mod_locations §RegularHours).
ClockTime = Annotated[str, Field(pattern=r"^([0-1][0-9]|2[0-3]):[0-5][0-9]$")]


class Status(StrEnum):
    """The state of an EVSE."""

    AVAILABLE = "AVAILABLE"
    BLOCKED = "BLOCKED"
    CHARGING = "CHARGING"
    INOPERATIVE = "INOPERATIVE"
    OUTOFORDER = "OUTOFORDER"
    PLANNED = "PLANNED"
    #: The only way to delete an EVSE.
    REMOVED = "REMOVED"
    RESERVED = "RESERVED"
    UNKNOWN = "UNKNOWN"


class Capability(StrEnum):
    """What an EVSE can do; commands are judged against these."""

    CHARGING_PROFILE_CAPABLE = "CHARGING_PROFILE_CAPABLE"
    CHARGING_PREFERENCES_CAPABLE = "CHARGING_PREFERENCES_CAPABLE"
    CHIP_CARD_SUPPORT = "CHIP_CARD_SUPPORT"
    CONTACTLESS_CARD_SUPPORT = "CONTACTLESS_CARD_SUPPORT"
    CREDIT_CARD_PAYABLE = "CREDIT_CARD_PAYABLE"
    DEBIT_CARD_PAYABLE = "DEBIT_CARD_PAYABLE"
    PED_TERMINAL = "PED_TERMINAL"
    REMOTE_START_STOP_CAPABLE = "REMOTE_START_STOP_CAPABLE"
    RESERVABLE = "RESERVABLE"
    RFID_READER = "RFID_READER"
    START_SESSION_CONNECTOR_REQUIRED = "START_SESSION_CONNECTOR_REQUIRED"
    TOKEN_GROUP_CAPABLE = "TOKEN_GROUP_CAPABLE"
    UNLOCK_CAPABLE = "UNLOCK_CAPABLE"


class ConnectorFormat(StrEnum):
    """Whether the driver brings the cable."""

    SOCKET = "SOCKET"
    CABLE = "CABLE"


class ConnectorType(StrEnum):
    """The standard of the plug."""

    CHADEMO = "CHADEMO"
    CHAOJI = "CHAOJI"
    DOMESTIC_A = "DOMESTIC_A"
    DOMESTIC_B = "DOMESTIC_B"
    DOMESTIC_C = "DOMESTIC_C"
    DOMESTIC_D = "DOMESTIC_D"
    DOMESTIC_E = "DOMESTIC_E"
    DOMESTIC_F = "DOMESTIC_F"
    DOMESTIC_G = "DOMESTIC_G"
    DOMESTIC_H = "DOMESTIC_H"
    DOMESTIC_I = "DOMESTIC_I"
    DOMESTIC_J = "DOMESTIC_J"
    DOMESTIC_K = "DOMESTIC_K"
    DOMESTIC_L = "DOMESTIC_L"
    DOMESTIC_M = "DOMESTIC_M"
    DOMESTIC_N = "DOMESTIC_N"
    DOMESTIC_O = "DOMESTIC_O"
    GBT_AC = "GBT_AC"
    GBT_DC = "GBT_DC"
    IEC_60309_2_SINGLE_16 = "IEC_60309_2_single_16"
    IEC_60309_2_THREE_16 = "IEC_60309_2_three_16"
    IEC_60309_2_THREE_32 = "IEC_60309_2_three_32"
    IEC_60309_2_THREE_64 = "IEC_60309_2_three_64"
    IEC_62196_T1 = "IEC_62196_T1"
    IEC_62196_T1_COMBO = "IEC_62196_T1_COMBO"
    IEC_62196_T2 = "IEC_62196_T2"
    IEC_62196_T2_COMBO = "IEC_62196_T2_COMBO"
    IEC_62196_T3A = "IEC_62196_T3A"
    IEC_62196_T3C = "IEC_62196_T3C"
    NEMA_5_20 = "NEMA_5_20"
    NEMA_6_30 = "NEMA_6_30"
    NEMA_6_50 = "NEMA_6_50"
    NEMA_10_30 = "NEMA_10_30"
    NEMA_10_50 = "NEMA_10_50"
    NEMA_14_30 = "NEMA_14_30"
    NEMA_14_50 = "NEMA_14_50"
    PANTOGRAPH_BOTTOM_UP = "PANTOGRAPH_BOTTOM_UP"
    PANTOGRAPH_TOP_DOWN = "PANTOGRAPH_TOP_DOWN"
    TESLA_R = "TESLA_R"
    TESLA_S = "TESLA_S"


class PowerType(StrEnum):
    """What comes out of the plug."""

    AC_1_PHASE = "AC_1_PHASE"
    AC_2_PHASE = "AC_2_PHASE"
    AC_2_PHASE_SPLIT = "AC_2_PHASE_SPLIT"
    AC_3_PHASE = "AC_3_PHASE"
    DC = "DC"


class EnergySourceCategory(StrEnum):
    """Where energy comes from."""

    NUCLEAR = "NUCLEAR"
    GENERAL_FOSSIL = "GENERAL_FOSSIL"
    COAL = "COAL"
    GAS = "GAS"
    GENERAL_GREEN = "GENERAL_GREEN"
    SOLAR = "SOLAR"
    WIND = "WIND"
    WATER = "WATER"


class EnvironmentalImpactCategory(StrEnum):
    """What making the energy leaves behind."""

    NUCLEAR_WASTE = "NUCLEAR_WASTE"
    CARBON_DIOXIDE = "CARBON_DIOXIDE"


class Facility(StrEnum):
    """What else there is at the location."""

    HOTEL = "HOTEL"
    RESTAURANT = "RESTAURANT"
    CAFE = "CAFE"
    MALL = "MALL"
    SUPERMARKET = "SUPERMARKET"
    SPORT = "SPORT"
    RECREATION_AREA = "RECREATION_AREA"
    NATURE = "NATURE"
    MUSEUM = "MUSEUM"
    BIKE_SHARING = "BIKE_SHARING"
    BUS_STOP = "BUS_STOP"
    TAXI_STAND = "TAXI_STAND"
    TRAM_STOP = "TRAM_STOP"
    METRO_STATION = "METRO_STATION"
    TRAIN_STATION = "TRAIN_STATION"
    AIRPORT = "AIRPORT"
    PARKING_LOT = "PARKING_LOT"
    CARPOOL_PARKING = "CARPOOL_PARKING"
    FUEL_STATION = "FUEL_STATION"
    WIFI = "WIFI"


class ParkingRestriction(StrEnum):
    """Who may park there."""

    EV_ONLY = "EV_ONLY"
    PLUGGED = "PLUGGED"
    DISABLED = "DISABLED"
    CUSTOMERS = "CUSTOMERS"
    MOTORCYCLES = "MOTORCYCLES"


class ParkingType(StrEnum):
    """What kind of place it is."""

    ALONG_MOTORWAY = "ALONG_MOTORWAY"
    PARKING_GARAGE = "PARKING_GARAGE"
    PARKING_LOT = "PARKING_LOT"
    ON_DRIVEWAY = "ON_DRIVEWAY"
    ON_STREET = "ON_STREET"
    UNDERGROUND_GARAGE = "UNDERGROUND_GARAGE"


class GeoLocation(Model):
    """A point on Earth (WGS 84)."""

    latitude: Latitude
    longitude: Longitude


class AdditionalGeoLocation(GeoLocation):
    """A point that matters to drivers, such as an entrance."""

    name: DisplayText | None = None


class RegularHours(Model):
    """When a weekday's opening begins and ends."""

    #: Monday is 1.
    weekday: Annotated[Integer, Field(ge=1, le=7)]
    period_begin: ClockTime
    period_end: ClockTime


class ExceptionalPeriod(Model):
    """A stretch of calendar time, in UTC."""

    period_begin: DateTime
    period_end: DateTime


class Hours(Model):
    """When the EVSEs can be reached."""

    twentyfourseven: Boolean
    regular_hours: ZeroOrMore[RegularHours] = ()
    exceptional_openings: ZeroOrMore[ExceptionalPeriod] = ()
    exceptional_closings: ZeroOrMore[ExceptionalPeriod] = ()


class StatusSchedule(Model):
    """A status that is planned."""

    period_begin: DateTime
    period_end: DateTime | None = None
    status: Status


class EnergySource(Model):
    """A part of the mix."""

    source: EnergySourceCategory
    percentage: Annotated[Number, Field(ge=0, le=100)]


class EnvironmentalImpact(Model):
    """Grams for each kWh."""

    category: EnvironmentalImpactCategory
    amount: Number


class EnergyMix(Model):
    """What energy is sold."""

    is_green_energy: Boolean
    energy_sources: ZeroOrMore[EnergySource] = ()
    environ_impact: ZeroOrMore[EnvironmentalImpact] = ()
    supplier_name: Text64 | None = None
    energy_product_name: Text64 | None = None


class PublishTokenType(Model):
    """Who may see a location that is not published: tokens that match every field that is set."""

    uid: CiString36 | None = None
    type: TokenType | None = None
    visual_number: Text64 | None = None
    issuer: Text64 | None = None
    group_id: CiString36 | None = None


class Connector(Model):
    """A socket or cable; its id is unique within its EVSE only."""

    id: CiString36
    standard: ConnectorType
    format: ConnectorFormat
    power_type: PowerType
    #: Volt, line to neutral for AC_3_PHASE.
    max_voltage: Integer
    #: Ampere.
    max_amperage: Integer
    #: Watt, where it is less than voltage and amperage suggest.
    max_electric_power: Integer | None = None
    tariff_ids: ZeroOrMore[CiString36] = ()
    terms_and_conditions: Url | None = None
    last_updated: DateTime


class EVSE(Model):
    """What charges one car at a time."""

    #: Never used again for another EVSE.
    uid: CiString36
    evse_id: CiString48 | None = None
    status: Status
    status_schedule: ZeroOrMore[StatusSchedule] = ()
    capabilities: ZeroOrMore[Capability] = ()
    connectors: OneOrMore[Connector]
    floor_level: Text4 | None = None
    coordinates: GeoLocation | None = None
    physical_reference: Text16 | None = None
    directions: ZeroOrMore[DisplayText] = ()
    parking_restrictions: ZeroOrMore[ParkingRestriction] = ()
    images: ZeroOrMore[Image] = ()
    last_updated: DateTime


class Location(Model):
    """A place with EVSEs, often those of several stations."""

    country_code: CiString2
    party_id: CiString3
    id: CiString36
    publish: Boolean
    publish_allowed_to: ZeroOrMore[PublishTokenType] = ()
    name: Text255 | None = None
    address: Text255
    city: Text45
    postal_code: Text10 | None = None
    state: Text45 | None = None
    #: ISO 3166-1 alpha-3.
    country: Text3
    coordinates: GeoLocation
    related_locations: ZeroOrMore[AdditionalGeoLocation] = ()
    parking_type: ParkingType | None = None
    evses: ZeroOrMore[EVSE] = ()
    directions: ZeroOrMore[DisplayText] = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    facilities: ZeroOrMore[Facility] = ()
    #: A name of the IANA time zone database.
    time_zone: Text255
    opening_times: Hours | None = None
    charging_when_closed: Boolean | None = None
    images: ZeroOrMore[Image] = ()
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
