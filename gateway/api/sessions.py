"""The Sessions module's Sender interface: the eMSP that owns them pulls its Sessions (mod_sessions §Sender)."""

from fastapi import APIRouter, Request, Response

from gateway.api.answers import answer
from gateway.api.callers import office_of, parties
from gateway.api.documents import PAGED
from gateway.sessions import views
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.headers import read_routing
from ocpi.paging import page_headers, read_page

#: X-Limit.
LARGEST_PAGE = 100


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}", tags=["sessions"])

    @router.get("/sessions", openapi_extra=PAGED, response_model=Envelope[list[dialect.session]], name="sessions")  # type: ignore[name-defined]  # a value, not a type
    async def listed(request: Request) -> Response:
        partner, ends = await parties(request)
        page = read_page(request.query_params, max_limit=LARGEST_PAGE, date_from_required=True)
        named = read_routing(request.headers).from_
        party = (named.country_code, named.party_id) if named is not None else None
        office = office_of(request)
        total, found = await office.store.read(views, partner.id, party, ends.cpo.id, page)
        told = answer([dialect.render_session(one) for one in found])
        url = f"{office.rules.settings.public_url.rstrip('/')}{request.url.path}?{request.url.query}"
        told.headers.update(page_headers(url, page, len(found), total, LARGEST_PAGE))
        return told

    return router
