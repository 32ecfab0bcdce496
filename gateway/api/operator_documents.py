"""The OpenAPI document of the operator API, read off its routes and models."""

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

from gateway.api.operator_edge import PROBLEM_JSON


def document(url: str, router: APIRouter) -> dict[str, Any]:
    """The document of the operator API at ``url``: problem details for every mistake, and 422 for none."""
    made = get_openapi(title="Operator API", version="1", routes=router.routes, servers=[{"url": url}])
    for operation in (one for path in made["paths"].values() for one in path.values()):
        responses = operation["responses"]
        responses.pop("422", None)
        for status in (one for one in responses if one >= "400"):
            responses[status]["content"] = {PROBLEM_JSON: responses[status]["content"]["application/json"]}
        if "requestBody" in operation:
            responses["413"] = responses["400"] | {"description": "Content Too Large"}
    for name in ("HTTPValidationError", "ValidationError"):
        made["components"]["schemas"].pop(name, None)
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"token": []}]
    return made
