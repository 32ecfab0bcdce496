"""Commands (mod_commands): the five requests of an eMSP, our answer at once, and the station's result later."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from ocpi.tokens import Token
from ocpi.types import CiString36, DateTime, DisplayText, Integer, Model, Url, ZeroOrMore


class CommandType(StrEnum):
    """The last segment of a command's URL."""

    CANCEL_RESERVATION = "CANCEL_RESERVATION"
    RESERVE_NOW = "RESERVE_NOW"
    START_SESSION = "START_SESSION"
    STOP_SESSION = "STOP_SESSION"
    UNLOCK_CONNECTOR = "UNLOCK_CONNECTOR"


class CommandResponseType(StrEnum):
    """What the CPO itself can say, before any station was asked."""

    #: A CommandResult follows.
    ACCEPTED = "ACCEPTED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"


class CommandResultType(StrEnum):
    """How the command ended at the station."""

    ACCEPTED = "ACCEPTED"
    #: The CPO itself gave up an existing reservation; never the answer to CANCEL_RESERVATION.
    CANCELED_RESERVATION = "CANCELED_RESERVATION"
    EVSE_INOPERATIVE = "EVSE_INOPERATIVE"
    EVSE_OCCUPIED = "EVSE_OCCUPIED"
    FAILED = "FAILED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    REJECTED = "REJECTED"
    TIMEOUT = "TIMEOUT"
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"


class CommandResponse(Model):
    """The answer to the POST, inside the envelope."""

    result: CommandResponseType
    #: Seconds after which the eMSP may assume that no result will come; 0 where none is owed.
    timeout: Annotated[Integer, Field(ge=0)]
    message: ZeroOrMore[DisplayText] = ()


class CommandResult(Model):
    """The bare body of our own POST; only the ``response_url`` tells which command it is about."""

    result: CommandResultType
    message: ZeroOrMore[DisplayText] = ()


class Command(Model):
    """What every command has."""

    response_url: Url


class ReserveNow(Command):
    """RESERVE_NOW: hold an EVSE from now on; the same id at the same location replaces."""

    token: Token
    expiry_date: DateTime
    reservation_id: CiString36
    location_id: CiString36
    evse_uid: CiString36 | None = None
    authorization_reference: CiString36 | None = None


class StartSession(Command):
    """START_SESSION: the eMSP has authorised ``token`` already."""

    token: Token
    location_id: CiString36
    evse_uid: CiString36 | None = None
    connector_id: CiString36 | None = None
    authorization_reference: CiString36 | None = None

    @model_validator(mode="after")
    def _a_connector_belongs_to_an_evse(self) -> Self:
        if self.connector_id is not None and self.evse_uid is None:
            raise ValueError("evse_uid is required when connector_id is given")
        return self


class StopSession(Command):
    """STOP_SESSION: ``session_id`` is ours."""

    session_id: CiString36


class CancelReservation(Command):
    """CANCEL_RESERVATION: names the eMSP's own id, and no location."""

    reservation_id: CiString36


class UnlockConnector(Command):
    """UNLOCK_CONNECTOR: for help desks, never for drivers."""

    location_id: CiString36
    evse_uid: CiString36
    connector_id: CiString36
