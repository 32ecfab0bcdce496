"""The operator API: what the CPO's own systems may see and do, behind a token of its own, plainly in JSON."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

from gateway.api import (
    operator_charges,
    operator_commands,
    operator_partners,
    operator_reservations,
    operator_stations,
)
from gateway.api.operator_documents import document
from gateway.api.operator_edge import Guard, known_parameters, problems, tell_problems
from gateway.api.operator_orders import PREFIX
from gateway.office import Office
from gateway.secrets import operator_token

_MODULES = (operator_reservations, operator_stations, operator_commands, operator_charges, operator_partners)


def operator_app(office: Office) -> ASGIApp:
    """To be mounted at PREFIX."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.office = office
    app.include_router(_router())
    tell_problems(app)
    return Guard(app, operator_token(office.rules.settings))


def operator_document() -> dict[str, Any]:
    """Its OpenAPI document."""
    return document(PREFIX, _router())


def _router() -> APIRouter:
    whole = APIRouter(responses=problems(400, 401), dependencies=[Depends(known_parameters)])
    for module in _MODULES:
        whole.include_router(module.router)
    return whole
