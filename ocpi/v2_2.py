"""OCPI 2.2, told as its differences from 2.2.1 (changelog.asciidoc and both versions' tables)."""

from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from ocpi import cdrs, commands, sessions, v2_2_1
from ocpi.commands import CommandType
from ocpi.locations import EVSE, Capability, Connector, ConnectorType, Location, PowerType
from ocpi.sessions import NOT_AVAILABLE
from ocpi.status import StatusCode
from ocpi.tokens import TokenType
from ocpi.types import CiString, CiString36, Model, OneOrMore, Text10

#: Plugs that 2.2 has no word for, and the nearest that it has one for.
OLDER_PLUGS = {
    ConnectorType.CHAOJI: ConnectorType.CHADEMO,
    ConnectorType.DOMESTIC_M: ConnectorType.DOMESTIC_D,
    ConnectorType.DOMESTIC_N: ConnectorType.DOMESTIC_J,
    ConnectorType.DOMESTIC_O: ConnectorType.DOMESTIC_C,
    ConnectorType.GBT_AC: ConnectorType.IEC_62196_T2,
    ConnectorType.GBT_DC: ConnectorType.CHADEMO,
    ConnectorType.NEMA_5_20: ConnectorType.DOMESTIC_B,
    ConnectorType.NEMA_6_30: ConnectorType.DOMESTIC_B,
    ConnectorType.NEMA_6_50: ConnectorType.DOMESTIC_B,
    ConnectorType.NEMA_10_30: ConnectorType.DOMESTIC_B,
    ConnectorType.NEMA_10_50: ConnectorType.DOMESTIC_B,
    ConnectorType.NEMA_14_30: ConnectorType.DOMESTIC_B,
    ConnectorType.NEMA_14_50: ConnectorType.DOMESTIC_B,
}
#: Not offered to drivers under another plug's name: only a CDR, of a charge that was, tells the nearest.
NEWER_PLUGS = frozenset(OLDER_PLUGS)
#: What 2.2 calls them instead: less is promised, never more.
OLDER_POWER_TYPES = {
    PowerType.AC_2_PHASE: PowerType.AC_1_PHASE,
    PowerType.AC_2_PHASE_SPLIT: PowerType.AC_1_PHASE,
}

CiString512 = Annotated[CiString, Field(max_length=512)]


class StartSession(commands.StartSession):
    """START_SESSION without ``connector_id``: a partner that sends one is not heard."""

    connector_id: SkipJsonSchema[None] = Field(default=None)

    @field_validator("connector_id", mode="before")
    @classmethod
    def _unheard(cls, _: Any) -> None:
        return None


class CdrToken(Model):
    """The token that the session is for, which does not say whose it is."""

    uid: CiString36
    type: TokenType
    contract_id: CiString36


class Session(sessions.Session):
    """A session whose token has three fields."""

    cdr_token: CdrToken  # type: ignore[assignment]  # three fields of five: no subtype, and nobody takes it for one


class CdrLocation(cdrs.CdrLocation):
    """A place that has a postal code and no state, with a plug that 2.2 has a word for."""

    postal_code: Text10
    state: SkipJsonSchema[None] = Field(default=None)

    @model_validator(mode="before")
    @classmethod
    def _somewhere(cls, told: dict[str, Any]) -> dict[str, Any]:
        return {"postal_code": NOT_AVAILABLE} | told

    @field_validator("state", mode="before")
    @classmethod
    def _unheard(cls, _: Any) -> None:
        return None

    @field_validator("connector_standard")
    @classmethod
    def _older_plug(cls, plug: ConnectorType) -> ConnectorType:
        return OLDER_PLUGS.get(plug, plug)

    @field_validator("connector_power_type")
    @classmethod
    def _older_power_type(cls, power: PowerType) -> PowerType:
        return OLDER_POWER_TYPES.get(power, power)


class SignedValue(cdrs.SignedValue):
    """A meter value of at most 512 ASCII characters."""

    plain_data: CiString512
    signed_data: CiString512


class SignedData(cdrs.SignedData):
    """Shorter meter values."""

    signed_values: OneOrMore[SignedValue]


class CDR(cdrs.CDR):
    """A CDR whose token has three fields, and whose place has no state."""

    cdr_token: CdrToken  # type: ignore[assignment]
    cdr_location: CdrLocation
    signed_data: SignedData | None = None
    home_charging_compensation: SkipJsonSchema[None] = Field(default=None)

    @field_validator("home_charging_compensation", mode="before")
    @classmethod
    def _unheard(cls, _: Any) -> None:
        return None

    @field_validator("signed_data", mode="wrap")
    @classmethod
    def _whole_or_not_at_all(cls, told: Any, read: ValidatorFunctionWrapHandler) -> Any:
        """A signature that was cut is worth nothing."""
        try:
            return read(told)
        except ValidationError:
            return None


def narrow(location: Location) -> Location:
    """With shorter texts; an EVSE that has only plugs unknown to 2.2 is not in it.

    Where a start has to name a connector no session can be started: START_SESSION has no word for one.
    """
    evses = (_narrow_evse(evse) for evse in location.evses)
    return location.model_copy(
        update={
            "address": location.address[:45],
            "state": location.state and location.state[:20],
            "evses": tuple(evse for evse in evses if evse.connectors),
        }
    )


def _narrow_evse(evse: EVSE) -> EVSE:
    needs_connector = Capability.START_SESSION_CONNECTOR_REQUIRED in evse.capabilities
    unheard = {Capability.START_SESSION_CONNECTOR_REQUIRED, Capability.REMOTE_START_STOP_CAPABLE}
    capabilities = (each for each in evse.capabilities if not (needs_connector and each in unheard))
    connectors = (_narrow_connector(each) for each in evse.connectors if each.standard not in NEWER_PLUGS)
    return evse.model_copy(update={"capabilities": tuple(capabilities), "connectors": tuple(connectors)})


def _narrow_connector(connector: Connector) -> Connector:
    power_type = OLDER_POWER_TYPES.get(connector.power_type, connector.power_type)
    return connector.model_copy(update={"power_type": power_type})


DIALECT = replace(
    v2_2_1.DIALECT,
    version="2.2",
    commands=MappingProxyType({**v2_2_1.DIALECT.commands, CommandType.START_SESSION: StartSession}),
    session=Session,
    cdr=CDR,
    narrow=narrow,
    hub_codes=v2_2_1.DIALECT.hub_codes - {StatusCode.HUB_ERROR},
)
