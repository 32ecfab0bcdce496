"""Versions and version details: read off the same table as the routes, so nothing is advertised and missing."""

from fastapi import APIRouter, Request, Response

from gateway.api.answers import answer
from gateway.api.callers import caller, office_of
from gateway.api.modules import MODULES
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS
from ocpi.envelope import Envelope
from ocpi.versions import Endpoint, Version, VersionDetails


def versions_router() -> APIRouter:
    router = APIRouter(prefix="/ocpi", tags=["versions"])

    @router.get("/versions", response_model=Envelope[list[Version]])
    async def versions(request: Request) -> Response:
        await caller(request)
        root = office_of(request).rules.settings.public_url.rstrip("/")
        return answer([Version(version=one, url=f"{root}/ocpi/{one}").wire() for one in DIALECTS])

    return router


def details_router(dialect: Dialect) -> APIRouter:
    router = APIRouter(prefix="/ocpi", tags=["versions"])

    @router.get(f"/{dialect.version}", response_model=Envelope[VersionDetails], name="version details")
    async def details(request: Request) -> Response:
        """What the caller may use, or will be able to use when it is registered."""
        asking = await caller(request)
        root = office_of(request).rules.settings.public_url.rstrip("/")
        endpoints = tuple(
            Endpoint(identifier=module.identifier, role=module.role, url=f"{root}{module.path(dialect)}")
            for module in MODULES
            if module.is_shown_to(asking)
        )
        return answer(VersionDetails(version=dialect.version, endpoints=endpoints).wire())

    return router
