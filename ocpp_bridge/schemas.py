"""Schemas: the official ones of one OCPP version, from the ``ocpp`` package, compiled when first needed."""

from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson


class Schemas:
    """The schemas inside ``package``; ``request_suffix`` is what a request's file name carries behind the action."""

    def __init__(self, package: str, request_suffix: str) -> None:
        self._folder = files(package).joinpath("schemas")
        self._request_suffix = request_suffix
        self._names = frozenset(file.name.removesuffix(".json") for file in self._folder.iterdir())
        self._validator = cache(self._compiled)

    @cached_property
    def actions(self) -> frozenset[str]:
        """Every action that the version knows, in either direction."""
        requests = (name for name in self._names if not name.endswith("Response"))
        return frozenset(name.removesuffix(self._request_suffix) for name in requests)

    def fault(self, action: str, payload: dict[str, Any]) -> str:
        """Where and which rule of the request's schema ``payload`` breaks; empty when none. Never repeats a value."""
        for error in self._validator(action + self._request_suffix).iter_errors(payload):
            where = ".".join(str(step) for step in error.instance_path)
            return f"{where or 'payload'}: {error.schema_path[-1]}"
        return ""

    def words(self, action: str, field: str) -> frozenset[str] | None:
        """The words that the request's ``field`` may be: none where it has no such field, None where it is free."""
        schema = self._read(action + self._request_suffix)
        found = schema["properties"].get(field, {"enum": ()})
        definition = schema.get("definitions", {}).get(found.get("$ref", "").removeprefix("#/definitions/"), found)
        return frozenset(definition["enum"]) if "enum" in definition else None

    def _compiled(self, name: str) -> jsonschema_rs.Validator:
        return jsonschema_rs.validator_for(self._read(name), validate_formats=True)

    def _read(self, name: str) -> dict[str, Any]:
        read: dict[str, Any] = orjson.loads(self._folder.joinpath(f"{name}.json").read_text("utf-8-sig"))
        return read
