"""The HubClientInfo module's Receiver interface: hubs tell us of their parties (mod_hub_client_info §Receiver)."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from gateway.api import documents
from gateway.api.answers import answer
from gateway.api.bodies import read_json
from gateway.api.callers import office_of, registered
from gateway.domain.parties import Partner
from gateway.house import utc_now
from gateway.hub_parties import known, put
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.headers import Party
from ocpi.hub_client_info import ClientInfo


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}/hubclientinfo", tags=["hubclientinfo"])
    where = "/{country_code}/{party_id}"

    @router.get(
        where, response_model=Envelope[ClientInfo], operation_id="get_client_info", openapi_extra=documents.of_party()
    )
    async def shown(request: Request) -> Response:
        """What the hub has told us of a party."""
        hub = await _hub(request)
        found = await office_of(request).store.read(known, hub, _party(request))
        if found is None:
            raise HTTPException(404, "The hub has not told us of this party.")
        return answer(found.wire())

    @router.put(
        where, response_model=Envelope, operation_id="put_client_info", openapi_extra=documents.of_party(ClientInfo)
    )
    async def told(request: Request) -> Response:
        """A new party, or one as it is now."""
        hub, body = await _hub(request), await read_json(request)
        is_new = await office_of(request).store.write(put, hub, _party(request), body, utc_now())
        return answer(http=201 if is_new else 200)

    return router


async def _hub(request: Request) -> Partner:
    """Raises Unknown, and HTTP 404: nobody else has parties to tell of."""
    partner = (await registered(request)).partner
    if not partner.is_hub:
        raise HTTPException(404, "This module is for hubs.")
    return partner


def _party(request: Request) -> Party:
    return Party(request.path_params["country_code"], request.path_params["party_id"])
