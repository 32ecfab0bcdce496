"""The application: its routes, and how everything that goes wrong is told in OCPI's words."""

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from gateway.api import commands, health, versions
from gateway.api.answers import answer, failure
from gateway.api.asked_again import extension_router
from gateway.api.bodies import NotJson
from gateway.api.callers import Unknown
from gateway.api.direct import Answers, Direct
from gateway.api.documents import document, extension
from gateway.api.edge import Edge
from gateway.api.floodgate import Floodgate
from gateway.api.modules import MODULES
from gateway.api.operator import operator_app
from gateway.api.operator_edge import problem as operator_problem
from gateway.api.operator_orders import PREFIX
from gateway.office import Office
from ocpi.dialect import Dialect
from ocpi.dialects import DIALECTS
from ocpi.status import OcpiError, ServerError, StatusCode


def create_app(office: Office) -> ASGIApp:
    """The HTTP side of one process; ``office`` is closed by whoever opened it."""
    app = FastAPI(
        title="OCPI commands gateway", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    settings = office.rules.settings
    app.state.office = office
    app.state.floodgate = Floodgate(settings.emsp_rate, settings.emsp_burst)
    app.include_router(versions.versions_router())
    for dialect in DIALECTS.values():
        for router in routers_of(dialect):
            app.include_router(router)
    app.include_router(extension_router())
    app.include_router(health.router())
    app.mount(PREFIX, operator_app(office))
    for problem, answer_to in _ANSWERS.items():
        app.add_exception_handler(problem, answer_to)
    app.add_exception_handler(Exception, _failed)
    endpoints = {path: endpoint for dialect in DIALECTS.values() for path, endpoint in commands.endpoints(dialect)}
    return Edge(Direct(app, endpoints, _ANSWERS))


def routers_of(dialect: Dialect) -> list[APIRouter]:
    return [versions.details_router(dialect), *(module.router_for(dialect) for module in MODULES)]


def documents() -> dict[str, dict[str, object]]:
    """``{version: OpenAPI document}``."""
    return {
        dialect.version: document(dialect, [versions.versions_router(), *routers_of(dialect)])
        for dialect in DIALECTS.values()
    }


def partner_document() -> dict[str, object]:
    """The OpenAPI document of what there is beside OCPI."""
    return extension(extension_router())


async def _ocpi_error(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, OcpiError)
    return failure(problem)


async def _unknown(_: Request, problem: Exception) -> Response:
    return answer(code=StatusCode.CLIENT_ERROR, message="Unknown credentials token.", http=401)


async def _not_json(_: Request, problem: Exception) -> Response:
    return answer(code=StatusCode.INVALID_PARAMETERS, message="The body is not JSON.", http=400)


async def _failed(_: Request, problem: Exception) -> Response:
    """Told to the caller here; the edge logs it."""
    return failure(ServerError())


async def _http_error(request: Request, problem: Exception) -> Response:
    """404 and 405 of the router; a path with a line feed in it is not even mounted."""
    assert isinstance(problem, HTTPException)
    if request.scope["path"].startswith(f"{PREFIX}/"):
        return operator_problem(problem.status_code, str(problem.detail), {"Cache-Control": "no-store"})
    told = answer(code=StatusCode.CLIENT_ERROR, message=str(problem.detail), http=problem.status_code)
    told.headers.update(problem.headers or {})
    return told


_ANSWERS: Answers = {
    OcpiError: _ocpi_error,
    Unknown: _unknown,
    NotJson: _not_json,
    HTTPException: _http_error,
}
