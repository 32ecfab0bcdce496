"""An extension of ours beside OCPI: an eMSP that missed a callback looks up what became of its own command."""

from enum import StrEnum

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, RowMapping
from starlette.exceptions import HTTPException

from gateway.api import documents
from gateway.api.answers import answer
from gateway.api.callers import office_of, registered
from gateway.api.edge import routing_of
from gateway.domain.lifecycle import CallbackState, CommandState
from gateway.domain.parties import speaker
from gateway.store import asked_again
from ocpi.commands import CommandResponseType, CommandResultType, CommandType
from ocpi.envelope import Envelope
from ocpi.headers import Party
from ocpi.types import CiString36, DateTime, Integer, Model, Text, Url, ZeroOrMore

PREFIX = "/partner/v1"


class Progress(StrEnum):
    """Whether a result is still to come."""

    REFUSED = "REFUSED"
    PENDING = "PENDING"
    CONCLUDED = "CONCLUDED"


class ToldResult(Model):
    """A CommandResult, and what became of it."""

    result: CommandResultType
    text: Text = ""
    #: DUE, DELIVERED or ABANDONED.
    state: CallbackState
    made_at: DateTime


class CommandStatus(Model):
    """A command as its eMSP may see it."""

    request_id: Text
    correlation_id: Text
    command: CommandType
    version: Text
    received_at: DateTime
    response_url: Url
    #: What was answered at once.
    response: CommandResponseType
    status_code: Integer
    progress: Progress
    #: Until when a result is posted.
    promised_until: DateTime | None = None
    results: ZeroOrMore[ToldResult] = ()
    session_id: CiString36 | None = None


def extension_router() -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["extension"])

    @router.get(
        "/commands/{request_id:path}",
        response_model=Envelope[CommandStatus],
        operation_id="command_status",
        openapi_extra=documents.refusing("404", parameters=[documents.in_path("request_id")]),
    )
    async def status(request: Request) -> Response:
        """The newest command that was sent under this X-Request-ID."""
        asking = await registered(request)
        emsp = speaker(asking.partner, routing_of(request), asking.declared)
        found = await office_of(request).store.read(_find, asking.partner.id, emsp, request.path_params["request_id"])
        if found is None:
            raise HTTPException(404, "There is no such command of yours.")
        return answer(found.wire())

    return router


def _find(db: Connection, partner_id: int, emsp: Party, request_id: str) -> CommandStatus | None:
    row = asked_again.newest(db, partner_id, emsp, request_id)
    if row is None:
        return None
    told = asked_again.results(db, row["id"])
    is_accepted = row["response"] == CommandResponseType.ACCEPTED
    return CommandStatus(
        request_id=row["request_id"],
        correlation_id=row["correlation_id"],
        command=CommandType(row["type"]),
        version=row["version"],
        received_at=row["received_at"],
        response_url=row["response_url"],
        response=CommandResponseType(row["response"]),
        status_code=row["response_code"],
        progress=_progress(row, is_accepted=is_accepted),
        promised_until=row["promised_until"] if is_accepted else None,
        results=tuple(_told(one) for one in told),
        session_id=row["session_id"],
    )


def _progress(row: RowMapping, *, is_accepted: bool) -> Progress:
    if not is_accepted:
        return Progress.REFUSED
    return Progress.CONCLUDED if row["state"] == CommandState.CONCLUDED else Progress.PENDING


def _told(one: RowMapping) -> ToldResult:
    return ToldResult(
        result=CommandResultType(one["result"]),
        text=one["result_text"],
        state=CallbackState(one["state"]),
        made_at=one["created_at"],
    )
