"""What the operator API tells of commands: their models, to the last attempt to call back."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.operator_models import Partner, Party
from gateway.domain.lifecycle import CallbackState, CommandState
from ocpi.commands import CommandResultType
from ocpp_bridge.answers import Ending


class Command(BaseModel):
    """A command of a partner, or the house's own (no partner)."""

    model_config = ConfigDict(validate_by_name=True)

    id: int
    type: str
    version: str
    partner: Partner | None
    from_: Party | None = Field(alias="from")
    to: Party | None
    station: str | None
    state: CommandState
    response: str
    result: CommandResultType | None
    received_at: datetime
    dispatched_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    concluded_at: datetime | None


class Step(BaseModel):
    """Something that happened to a command."""

    at: datetime
    name: str
    what: str


class Attempt(BaseModel):
    """One POST of a result."""

    at: datetime
    request_id: str
    http_status: int | None
    ocpi_status: int | None
    error: str
    milliseconds: int


class Callback(BaseModel):
    """A result that is owed to a response_url."""

    id: int
    url: str
    result: CommandResultType
    result_text: str
    state: CallbackState
    due_at: datetime
    expires_at: datetime
    created_at: datetime
    ended_at: datetime | None
    attempts: int
    tries: list[Attempt]


class WholeCommand(Command):
    """With what was asked and answered, and every attempt to call back."""

    request_id: str
    correlation_id: str
    body: dict[str, Any]
    response_url: str
    response_code: int
    response_text: str
    reservation: int | None
    session: int | None
    subprotocol: str | None
    order: dict[str, Any] | None
    ending: Ending | None
    answer: dict[str, Any] | None
    result_text: str
    deadline: datetime
    promised_until: datetime
    timeline: list[Step]
    callbacks: list[Callback]


class Replayed(BaseModel):
    """Abandoned results that are posted after all, until then."""

    command: int
    callbacks: list[int]
    until: datetime
