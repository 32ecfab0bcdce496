"""What the operator API tells: a model for every answer, but for those of commands."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field, PlainSerializer

from gateway.domain.ledger import CheckStatus
from gateway.domain.lifecycle import ReservationState, SessionState
from ocpi import cdrs, sessions
from ocpi.commands import CommandResultType
from ocpi.sessions import AuthMethod, Price
from ocpi.types import Number
from ocpp_bridge.answers import Ending

T = TypeVar("T")


def _wire(one: cdrs.CDR | sessions.Session) -> Any:
    return one.wire()


#: As OCPI's newest version tells them, without what they do not say.
OcpiSession = Annotated[sessions.Session, PlainSerializer(_wire)]
OcpiCdr = Annotated[cdrs.CDR, PlainSerializer(_wire)]


class Page(BaseModel, Generic[T]):
    """Part of a list, the newest first."""

    items: list[T]
    next: str | None = Field(description="The next page's `after`; null on the last one.")


class Party(BaseModel):
    """A party as OCPI names it."""

    country_code: str
    party_id: str


class Partner(BaseModel):
    """A connection."""

    id: int
    name: str | None


class Owner(Partner):
    """Of a reservation."""

    party: str


class Outcome(BaseModel):
    """What became of an order that was given to a station; `result` is null as long as it is on its way."""

    command: int
    station: str
    result: CommandResultType | None
    text: str
    ending: Ending | None = Field(description="How the call to the station ended.")
    status: str | None = Field(description="The station's word.")
    reason: str | None
    detail: str | None


class ReservationOutcome(Outcome):
    """`state` is the reservation's."""

    number: int
    state: ReservationState


class VariableOutcome(Outcome):
    """Of setting a variable."""

    variable: str


class Reservation(BaseModel):
    """What a station holds; `partner` is null for the CPO's own."""

    number: int
    partner: Owner | None
    reservation_id: str
    location_id: str
    evse_uid: str | None
    connector_type: str | None
    station: str
    station_evse: int | None
    station_connector: int | None
    holds_up: list[int] = Field(description="EVSEs (1.6: connectors) of the station that nobody else may use.")
    id_token: str = Field(description="As the station knows it.")
    id_token_type: str
    group_id_token: str | None
    expiry_date: datetime
    state: ReservationState


class WholeReservation(Reservation):
    """With its history."""

    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None
    cleanup_at: datetime | None
    superseded: bool
    command: int | None


class ConnectorStatus(BaseModel):
    """As the station told it last; `evse` 0 on OCPP 1.6."""

    evse: int
    connector: int
    status: str
    error: str
    told_at: datetime


class Binding(BaseModel):
    """Which OCPI EVSE (or connector of it) is where at the station."""

    location_id: str
    evse_uid: str
    connector_id: str | None
    station: str
    evse: int | None
    connector: int | None


class Station(BaseModel):
    """A charging station, and what it told of itself."""

    id: str
    security_profile: int
    subprotocol: str | None
    registration: str | None
    connected: bool
    connected_at: datetime | None
    disconnected_at: datetime | None
    heard_at: datetime | None
    booted_at: datetime | None
    boot: dict[str, Any] | None
    abilities: dict[str, Any] | None
    clock_ahead: int | None = Field(description="Seconds that its clock is ahead of ours, where that is too much.")
    connectors: list[ConnectorStatus]
    bindings: list[Binding]


class ReservationCheck(BaseModel):
    """May the token use it now?"""

    status: CheckStatus
    held_up: list[int] = Field(description="EVSEs that reservations of no certain EVSE need now.")


class SessionEntry(BaseModel):
    """A reservation, a start that was asked for, a charge; `partner` is null for a stranger's."""

    session_id: str
    state: SessionState
    partner: Partner | None
    to: Party | None
    station: str
    station_evse: int | None
    station_connector: int | None
    location_id: str | None
    evse_uid: str
    connector_id: str
    transaction_id: str | None
    reservation: int | None = Field(description="The reservation's number.")
    command: int | None
    kwh: Number
    currency: str
    auth_method: AuthMethod
    authorization_reference: str | None
    start_date_time: datetime
    end_date_time: datetime | None
    pending_until: datetime | None
    last_updated: datetime
    created_at: datetime


class WholeSession(SessionEntry):
    """With what its partner is told of it, and the ids of its CDRs."""

    told: OcpiSession | None
    cdrs: list[str]


class WholeStation(Station):
    """With the charges that run there."""

    sessions: list[SessionEntry]


class CdrEntry(BaseModel):
    """What a partner is billed; a Credit CDR names the one that it takes back."""

    id: str
    created_at: datetime
    partner: Partner
    to: Party
    session_id: str
    total_energy: Number
    total_time: Number
    total_cost: Price
    currency: str
    credit_reference_id: str | None
    credited_by: str | None


class WholeCdr(CdrEntry):
    """As it was sealed."""

    body: OcpiCdr


class Credited(BaseModel):
    """The Credit CDR's id, and the new CDR's, if one was made."""

    credit: str
    again: str | None
