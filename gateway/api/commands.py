"""The Commands module's Receiver interface: ``POST …/commands/{COMMAND}`` (mod_commands §Receiver Interface)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from redis.exceptions import RedisError
from sqlalchemy import Connection

from gateway import commands
from gateway.api import documents
from gateway.api.answers import answer
from gateway.api.bodies import read_json
from gateway.api.callers import answered_by, ends, is_answered_as_asked, office_of, presented
from gateway.api.direct import Endpoint
from gateway.api.edge import ids_of
from gateway.api.floodgate import Floodgate
from gateway.asked import Asked, Refusal, Said, rejected
from gateway.bell import Job
from gateway.domain.parties import Cpo, Ends, Partner
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.open_routing import meant
from gateway.outgoing.guard import UrlRefused, check_url
from gateway.outgoing.names import check_resolved
from gateway.store.store import Store
from gateway.whereabouts import Online, stations_concerned
from ocpi.commands import (
    CancelReservation,
    Command,
    CommandResponse,
    CommandResponseType,
    CommandType,
    ReserveNow,
)
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.headers import REQUEST_ID, Party
from ocpi.status import InvalidParameters, StatusCode
from ocpi.tokens import complete_token
from ocpi.types import fold
from ocpi.wrong import told

log = structlog.get_logger(__name__)

_TOO_MANY = Said(response=CommandResponseType.REJECTED, text="You are sending too many commands at once.")
_UNREACHABLE = Said(
    response=CommandResponseType.REJECTED,
    status_code=StatusCode.SERVER_ERROR,
    text="The command cannot be carried out now.",
)


def router_for(dialect: Dialect) -> APIRouter:
    """The commands that ``dialect`` has; one that it lacks has no route."""
    router = APIRouter(tags=["commands"])
    for type_ in dialect.commands:
        router.add_api_route(
            _path(dialect, type_),
            _endpoint(dialect, type_),
            methods=["POST"],
            summary=f"{type_}: the answer says whether it is taken on; its result follows to response_url",
            operation_id=str(type_),
            response_model=Envelope[CommandResponse],
            openapi_extra=documents.command(dialect.commands[type_]),
        )
    return router


def endpoints(dialect: Dialect) -> Iterator[tuple[str, Endpoint]]:
    """The same, as ``Direct`` calls them."""
    for type_ in dialect.commands:
        yield _path(dialect, type_), _endpoint(dialect, type_)


def _path(dialect: Dialect, type_: CommandType) -> str:
    return f"/ocpi/cpo/{dialect.version}/commands/{type_}"


def _endpoint(dialect: Dialect, type_: CommandType) -> Endpoint:
    async def receive(request: Request) -> Response:
        floodgate: Floodgate = request.app.state.floodgate
        if await floodgate.turns_away(presented(request)):
            return _answer(_TOO_MANY)
        partner, found = await ends(request)
        sender = presented(request) if _is_told_by_headers(request, found) else None
        if not await floodgate.admit(partner.id, found.emsp.key, sender):
            if found.cpo is not None:
                answered_by(request, found.emsp, found.cpo)
            return _answer(_TOO_MANY)
        asked = await _read(request, partner, found, dialect, type_)
        return _answer(await take(office_of(request), asked))

    return receive


def _is_told_by_headers(request: Request, found: Ends) -> bool:
    """Whether the answer's routing headers are known before anybody is looked up."""
    return found.cpo is not None and is_answered_as_asked(request, found.cpo)


def _answer(said: Said) -> Response:
    return answer(said.wire(), said.status_code, said.text if said.status_code != StatusCode.SUCCESS else None)


async def take(office: Office, asked: Asked) -> Said:
    """Judge the command, write it down, ring for it; only then it is ACCEPTED."""
    try:
        await _guard(office, asked)
    except Refusal as refusal:
        return await office.store.write_briefly(commands.refuse, asked, office.rules, refusal)
    stations = await office.store.glance(stations_concerned, asked)
    try:
        held = await office.online(stations)
    except RedisError as problem:
        log.warning("the registry of stations cannot be reached", problem=str(problem))
        return await office.store.write(commands.said_before, asked, office.rules) or _UNREACHABLE
    online = {station: holder.subprotocol for station, holder in held.items()}
    said = await _store_for(office, asked).write_briefly(_receive, asked, office.rules, online)
    if not said.dispatch or await office.ring(Job.DISPATCH, said.dispatch):
        return said
    return await office.store.write(commands.recall, said.dispatch, utc_now()) or said


def _store_for(office: Office, asked: Asked) -> Store:
    """What a command about a reservation may change: all of that id, and what is held at the Location."""
    match asked.command:
        case ReserveNow(reservation_id=id_, location_id=location):
            return office.store.about(_reservation(asked, id_), f"location {fold(location)}")
        case CancelReservation(reservation_id=id_):
            return office.store.about(_reservation(asked, id_))
    return office.store


def _reservation(asked: Asked, reservation_id: str) -> str:
    return f"reservation {asked.partner.id} {asked.parties.emsp.key} {fold(reservation_id)}"


def _receive(db: Connection, asked: Asked, rules: Rules, online: Online) -> Said:
    """What is promised is promised from now on, however long the store was busy."""
    return commands.receive(db, replace(asked, at=utc_now()), rules, online)


async def _guard(office: Office, asked: Asked) -> None:
    """What we would not call is refused before any station is asked."""
    url, allow_private = asked.command.response_url, office.rules.settings.allow_private_callbacks
    try:
        check_url(url, hosts=asked.partner.callback_hosts, allow_private=allow_private)
        await check_resolved(url, office.names)
    except UrlRefused as refused:
        raise rejected(f"response_url is refused: {refused}") from None


async def _read(request: Request, partner: Partner, found: Ends, dialect: Dialect, type_: CommandType) -> Asked:
    """The command as asked; raises NotJson, InvalidParameters, in this order."""
    body = await read_json(request)
    if partner.lenient_token:
        body = _completed(body, found.emsp)
    try:
        command = dialect.commands[type_].model_validate(body)
    except ValidationError as wrong:
        raise InvalidParameters(told(wrong)) from None
    cpo = found.cpo if found.cpo is not None else await _meant(request, partner, found, command)
    return Asked(
        partner=partner,
        parties=answered_by(request, found.emsp, cpo),
        version=dialect.version,
        type=type_,
        command=command,
        body=body,
        ids=ids_of(request.scope),
        identified=REQUEST_ID.lower() in request.headers,
        at=utc_now(),
    )


async def _meant(request: Request, partner: Partner, found: Ends, command: Command) -> Cpo:
    return await office_of(request).store.read(meant, partner, found, command)


def _completed(body: Any, emsp: Party) -> Any:
    if isinstance(body, dict) and isinstance(body.get("token"), dict):
        return body | {"token": complete_token(body["token"], emsp, utc_now())}
    return body
