"""The Sessions module's Sender interface: the eMSP that owns them pulls its Sessions (mod_sessions §Sender)."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from gateway.api import documents
from gateway.api.answers import answer, failure
from gateway.api.bodies import read_json
from gateway.api.callers import listing, office_of, parties
from gateway.api.edge import routing_of
from gateway.api.pages import asked_page, page_of
from gateway.charging_preferences import is_capable
from gateway.sessions import views
from ocpi.charging_preferences import ChargingPreferences, ChargingPreferencesResponse
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.status import InvalidParameters
from ocpi.wrong import told


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}/sessions", tags=["sessions"])

    @router.get(
        "",
        openapi_extra=documents.PAGED_FROM,
        response_model=Envelope[list[dialect.session]],  # type: ignore[name-defined]  # a value, not a type
        name="sessions",
    )
    async def listed(request: Request) -> Response:
        partner, cpos = await listing(request)
        page = asked_page(request, date_from_required=True)
        named = routing_of(request).from_
        party = (named.country_code, named.party_id) if named is not None else None
        office = office_of(request)
        total, found = await office.store.read(views, partner.id, party, cpos, page)
        return page_of(request, page, [dialect.render_session(one) for one in found], total)

    router.add_api_route(
        "/{session_id}/charging_preferences",
        _wished,
        methods=["PUT"],
        summary="How a driver would like to be charged",
        operation_id="charging_preferences",
        response_model=Envelope[ChargingPreferencesResponse],
        openapi_extra=documents.of_session(ChargingPreferences),
    )
    return router


async def _wished(request: Request) -> Response:
    """No charge is steered, so where a wish may be made at all it is NOT_POSSIBLE."""
    partner, ends = await parties(request)
    body = await read_json(request)
    capable = await office_of(request).store.read(is_capable, partner, ends, request.path_params["session_id"])
    if capable is None:
        raise HTTPException(404, "There is no such Session.")
    if not capable:
        return failure(InvalidParameters("The EVSE takes no charging preferences."), http=404)
    try:
        ChargingPreferences.model_validate(body)
    except ValidationError as wrong:
        raise InvalidParameters(told(wrong)) from None
    return answer(ChargingPreferencesResponse.NOT_POSSIBLE)
