"""The Locations module's Sender interface: partners pull where and how our EVSEs are (mod_locations §Sender)."""

from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from gateway.api import documents
from gateway.api.answers import answer
from gateway.api.callers import listing, office_of
from gateway.api.pages import asked_page, page_of
from gateway.locations import listed, one
from ocpi.dialect import Dialect
from ocpi.envelope import Envelope
from ocpi.locations import EVSE, Connector, Location


def router_for(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix=f"/ocpi/cpo/{dialect.version}/locations", tags=["locations"])

    @router.get("", openapi_extra=documents.PAGED, response_model=Envelope[list[Location]], name="locations")
    async def all_of_them(request: Request) -> Response:
        partner, cpos = await listing(request)
        page = asked_page(request)
        total, told = await office_of(request).store.read(listed, partner, cpos, page, dialect)
        return page_of(request, page, told, total)

    async def a_part(request: Request) -> Response:
        partner, cpos = await listing(request)
        place = _place(request, router.prefix)
        told = await office_of(request).store.read(one, partner, cpos, place, dialect) if len(place) <= 3 else None
        if told is None:
            raise HTTPException(404, "There is no such object.")
        return answer(told)

    for depth, model in enumerate((Location, EVSE, Connector), start=1):
        names = documents.PLACE[:depth]
        router.add_api_route(
            "".join(f"/{{{name}}}" for name in names),
            a_part,
            methods=["GET"],
            operation_id=f"get_{model.__name__.lower()}",
            summary=f"One {model.__name__}",
            response_model=Envelope[model],  # type: ignore[valid-type]  # a value, not a type
            openapi_extra=documents.of_place(names),
        )
    # Read already, an id that has a slash in it looks like several.
    router.add_api_route("/{place:path}", a_part, methods=["GET"], include_in_schema=False)
    return router


def _place(request: Request, prefix: str) -> list[str]:
    """The ids in the URL: one that has a slash in it is written with %2F, which the server has read already."""
    written = request.scope["raw_path"].decode("latin-1").rstrip("/")
    return [unquote(one) for one in written.removeprefix(f"{prefix}/").split("/")]
