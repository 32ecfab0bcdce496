"""The Credentials module: platforms register with us, tell what is new, and leave (credentials §Interfaces)."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from gateway.api import documents
from gateway.api.answers import answer
from gateway.api.bodies import read_json
from gateway.api.callers import Caller, Unknown, caller, office_of, proven
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Scope
from gateway.house import utc_now
from gateway.registration import ours, remove, welcome
from ocpi.credentials import Credentials
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.headers import token_candidates
from ocpi.status import InvalidParameters
from ocpi.wrong import told


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/{dialect.version}/credentials", tags=["credentials"])
    whole = Envelope[Credentials]
    taking = documents.refusing("405", **documents.taking(Credentials))

    @router.get("", response_model=whole, operation_id="get_credentials")
    async def shown(request: Request) -> Response:
        """How the caller is to call us."""
        asking = await caller(request)
        return answer(ours(office_of(request).rules, asking.cpos, _shown_token(request, asking)).wire())

    @router.post("", response_model=whole, operation_id="post_credentials", openapi_extra=taking)
    async def registered(request: Request) -> Response:
        """Register, with the token A that we have given."""
        asking = await caller(request)
        if asking.credential.scope is Scope.ACCESS and asking.partner.state == PartnerState.ACTIVE:
            raise _not_allowed("You are registered already.", "GET, PUT, DELETE")
        return await _exchanged(request, asking, dialect)

    @router.put("", response_model=whole, operation_id="put_credentials", openapi_extra=taking)
    async def updated(request: Request) -> Response:
        """Tell what is new, in the version of this URL from now on, and get a new token."""
        return await _exchanged(request, await _of_registered(request), dialect)

    @router.delete(
        "", response_model=Envelope, operation_id="delete_credentials", openapi_extra=documents.refusing("405")
    )
    async def left(request: Request) -> Response:
        """Unregister."""
        asking = await _of_registered(request)
        await office_of(request).store.write(remove, asking.partner.id, utc_now())
        return answer()

    return router


async def _of_registered(request: Request) -> Caller:
    """Whoever shows a token A is not; a partner that we registered with, and whose answer we lost, shows another."""
    asking = await caller(request)
    if asking.credential.scope is Scope.REGISTRATION:
        raise _not_allowed("You are not registered.", "GET, POST")
    await proven(request, asking)
    return asking


async def _exchanged(request: Request, asking: Caller, dialect: Dialect) -> Response:
    body = await read_json(request)
    try:
        theirs = Credentials.model_validate(body)
    except ValidationError as wrong:
        raise InvalidParameters(told(wrong)) from None
    given = await welcome(office_of(request), asking.partner, asking.credential, asking.cpos, dialect.version, theirs)
    return answer(given.wire())


def _shown_token(request: Request, asking: Caller) -> str:
    """We keep no partner's token; it has just shown it to us."""
    secrets = office_of(request).rules.secrets
    for one in token_candidates(request.headers.get("authorization")):
        if secrets.token_hash(one) == asking.credential.hash:
            return one
    raise Unknown


def _not_allowed(sentence: str, allowed: str) -> HTTPException:
    return HTTPException(405, sentence, headers={"Allow": allowed})
