"""The OpenAPI documents: one per OCPI version, read off the routes and the dialect's models."""

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ocpi.dialect import Dialect
from ocpi.types import Model

_REF = "#/components/schemas/{model}"


def body_of(model: type[Model]) -> dict[str, Any]:
    """What a route says of its body; we read it ourselves, because what is wrong with it is told in OCPI's words."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def document(dialect: Dialect, routers: list[APIRouter]) -> dict[str, Any]:
    """The document of everything that ``dialect`` offers."""
    routes = [route for router in routers for route in router.routes]
    made = get_openapi(title="OCPI commands gateway", version=dialect.version, routes=routes)
    _, bodies = models_json_schema([(model, "validation") for model in dialect.commands.values()], ref_template=_REF)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {name: schema for name, schema in bodies["$defs"].items() if name not in schemas}
    made["components"]["securitySchemes"] = {
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token`, a space, and the credentials token in Base64.",
        }
    }
    made["security"] = [{"token": []}]
    return made
