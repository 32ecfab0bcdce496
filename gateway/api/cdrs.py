"""The CDRs module's Sender interface: the eMSP that is to pay for them pulls its CDRs (mod_cdrs §Sender Interface)."""

from fastapi import APIRouter, Request, Response

from gateway.api.callers import listing, office_of
from gateway.api.documents import PAGED
from gateway.api.edge import routing_of
from gateway.api.pages import asked_page, page_of
from gateway.store import cdrs
from ocpi.cdrs import CDR
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}", tags=["cdrs"])

    @router.get("/cdrs", openapi_extra=PAGED, response_model=Envelope[list[dialect.cdr]], name="cdrs")  # type: ignore[name-defined]  # a value, not a type
    async def listed(request: Request) -> Response:
        partner, cpos = await listing(request)
        page, named = asked_page(request), routing_of(request).from_
        party = (named.country_code, named.party_id) if named is not None else None
        total, bodies = await office_of(request).store.read(cdrs.page, partner.id, party, cpos, page)
        told = [dialect.render_cdr(CDR.model_validate(body)) for body in bodies]
        return page_of(request, page, told, total)

    return router
