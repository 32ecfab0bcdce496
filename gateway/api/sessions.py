"""The Sessions module's Sender interface: the eMSP that owns them pulls its Sessions (mod_sessions §Sender)."""

from fastapi import APIRouter, Request, Response

from gateway.api.callers import office_of, parties
from gateway.api.documents import PAGED_FROM
from gateway.api.pages import asked_page, page_of
from gateway.sessions import views
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.headers import read_routing


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}", tags=["sessions"])

    @router.get("/sessions", openapi_extra=PAGED_FROM, response_model=Envelope[list[dialect.session]], name="sessions")  # type: ignore[name-defined]  # a value, not a type
    async def listed(request: Request) -> Response:
        partner, ends = await parties(request)
        page = asked_page(request, date_from_required=True)
        named = read_routing(request.headers).from_
        party = (named.country_code, named.party_id) if named is not None else None
        office = office_of(request)
        total, found = await office.store.read(views, partner.id, party, ends.cpo.id, page)
        return page_of(request, page, [dialect.render_session(one) for one in found], total)

    return router
