"""OCPI 2.2, told as its differences from 2.2.1 (changelog.asciidoc and both versions' tables)."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from ocpi import commands, sessions, v2_2_1
from ocpi.commands import CommandType
from ocpi.locations import EVSE, Capability, Connector, ConnectorType, Location, PowerType
from ocpi.status import StatusCode
from ocpi.tokens import TokenType
from ocpi.types import CiString36, Model

#: Plugs that 2.2 has no word for.
NEWER_PLUGS = frozenset(
    {
        ConnectorType.CHAOJI,
        ConnectorType.DOMESTIC_M,
        ConnectorType.DOMESTIC_N,
        ConnectorType.DOMESTIC_O,
        ConnectorType.GBT_AC,
        ConnectorType.GBT_DC,
        ConnectorType.NEMA_5_20,
        ConnectorType.NEMA_6_30,
        ConnectorType.NEMA_6_50,
        ConnectorType.NEMA_10_30,
        ConnectorType.NEMA_10_50,
        ConnectorType.NEMA_14_30,
        ConnectorType.NEMA_14_50,
    }
)
#: What 2.2 calls them instead: less is promised, never more.
OLDER_POWER_TYPES = {
    PowerType.AC_2_PHASE: PowerType.AC_1_PHASE,
    PowerType.AC_2_PHASE_SPLIT: PowerType.AC_1_PHASE,
}


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


def narrow(location: Location) -> Location:
    """With shorter texts; an EVSE that has only plugs unknown to 2.2 is not in it."""
    evses = (_narrow_evse(evse) for evse in location.evses)
    return location.model_copy(
        update={
            "address": location.address[:45],
            "state": location.state and location.state[:20],
            "evses": tuple(evse for evse in evses if evse.connectors),
        }
    )


def _narrow_evse(evse: EVSE) -> EVSE:
    capabilities = (each for each in evse.capabilities if each is not Capability.START_SESSION_CONNECTOR_REQUIRED)
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
    narrow=narrow,
    hub_codes=v2_2_1.DIALECT.hub_codes - {StatusCode.HUB_ERROR},
)
