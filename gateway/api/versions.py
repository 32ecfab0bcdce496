"""Versions and version details: read off the same table as the routes, so nothing is advertised and missing."""

from fastapi import APIRouter, Request, Response

from gateway.api.answers import answer
from gateway.api.callers import caller, office_of
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS
from ocpi.envelope import Envelope
from ocpi.versions import Endpoint, InterfaceRole, ModuleID, Version, VersionDetails

#: The modules that are served, and as what.
MODULES = {
    ModuleID.CDRS: InterfaceRole.SENDER,
    ModuleID.COMMANDS: InterfaceRole.RECEIVER,
    ModuleID.SESSIONS: InterfaceRole.SENDER,
    ModuleID.TARIFFS: InterfaceRole.SENDER,
}


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
        await caller(request)
        root = office_of(request).rules.settings.public_url.rstrip("/")
        endpoints = tuple(
            Endpoint(identifier=module, role=role, url=f"{root}/ocpi/cpo/{dialect.version}/{module}")
            for module, role in MODULES.items()
        )
        return answer(VersionDetails(version=dialect.version, endpoints=endpoints).wire())

    return router
