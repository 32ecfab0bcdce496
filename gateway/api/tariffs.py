"""The Tariffs module's Sender interface: partners pull what our party asks for (mod_tariffs §Sender Interface)."""

from fastapi import APIRouter, Request, Response

from gateway.api.callers import listing, office_of
from gateway.api.documents import PAGED
from gateway.api.pages import asked_page, page_of
from gateway.store import tariffs
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.tariffs import Tariff


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}", tags=["tariffs"])

    @router.get("/tariffs", openapi_extra=PAGED, response_model=Envelope[list[dialect.tariff]], name="tariffs")  # type: ignore[name-defined]  # a value, not a type
    async def listed(request: Request) -> Response:
        _, cpos = await listing(request)
        page = asked_page(request)
        total, bodies = await office_of(request).store.read(tariffs.page, cpos, page)
        told = [dialect.render_tariff(Tariff.model_validate(body)) for body in bodies]
        return page_of(request, page, told, total)

    return router
