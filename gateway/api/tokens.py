"""The Tokens module's Receiver interface: eMSPs push their tokens to us (mod_tokens §Receiver Interface)."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from gateway.api import documents
from gateway.api.answers import answer, failure
from gateway.api.bodies import read_json
from gateway.api.callers import Caller, office_of, registered
from gateway.api.edge import routing_of
from gateway.domain.parties import ends_of
from gateway.pushed_tokens import Outcome, Place, known, patch, put
from gateway.store.partners import parties
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.headers import Party
from ocpi.status import InvalidParameters, UnknownToken
from ocpi.tokens import TokenType

_OUTDATED = "What is known of the token is newer, and was not changed."


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}/tokens", tags=["tokens"])
    where = "/{country_code}/{party_id}/{token_uid:path}"
    one, told = documents.of_token(), documents.of_token(dialect.token)
    put_ = documents.of_token(dialect.token, creates=True)

    @router.get(where, response_model=Envelope[dialect.token], operation_id="get_token", openapi_extra=one)  # type: ignore[name-defined]  # a value, not a type
    async def shown(request: Request) -> Response:
        """What the eMSP has told us of one."""
        found = await office_of(request).store.read(known, await _place(request))
        return failure(UnknownToken(), http=404) if found is None else answer(found.wire())

    @router.put(where, response_model=Envelope, operation_id="put_token", openapi_extra=put_)
    async def whole(request: Request) -> Response:
        """A new token, or one as it is now."""
        place, body = await _place(request), await read_json(request)
        return _told(await office_of(request).store.write(put, dialect.token, place, body))

    @router.patch(where, response_model=Envelope, operation_id="patch_token", openapi_extra=told)
    async def changed(request: Request) -> Response:
        """What has changed of one."""
        place, body = await _place(request), await read_json(request)
        try:
            return _told(await office_of(request).store.write(patch, dialect.token, place, body))
        except UnknownToken as unknown:
            return failure(unknown, http=404)

    return router


async def _place(request: Request) -> Place:
    """Raises Unknown, InvalidParameters, and HTTP 404 for what is not the caller's (transport_and_format §Errors)."""
    asking, names = await registered(request), request.path_params
    owner = Party(names["country_code"], names["party_id"])
    if not await _speaks_for(asking, request, owner):
        raise HTTPException(404, "There is no such party on this connection.")
    return Place(partner=asking.partner, owner=owner, uid=names["token_uid"], type=_type(request))


async def _speaks_for(asking: Caller, request: Request, owner: Party) -> bool:
    """Its own tokens; a hub that speaks for itself hands on those of whom it has told (§Broadcast Push)."""
    partner, routing = asking.partner, routing_of(request)
    if asking.is_suspended:
        return False
    if routing.from_ is None and not partner.is_hub:
        # The URL says who speaks.
        if owner not in asking.declared:
            return False
        routing = replace(routing, from_=owner)
    ends = ends_of(partner, asking.cpos, routing, asking.declared)
    if partner.is_hub and ends.emsp == partner.party:
        return partner.open_parties or bool(await office_of(request).store.read(parties, partner.id, owner))
    return ends.emsp == owner


def _type(request: Request) -> TokenType | None:
    given = request.query_params.get("type")
    try:
        return TokenType(given) if given else None
    except ValueError:
        raise InvalidParameters(f"type: there is no TokenType {given!r}") from None


def _told(outcome: Outcome) -> Response:
    http = 201 if outcome is Outcome.CREATED else 200
    return answer(message=_OUTDATED if outcome is Outcome.OUTDATED else None, http=http)
