"""The official schemas of the ``ocpp`` package, compiled when they are first needed."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema_rs import Validator, validator_for


@cache
def validator(package: str, name: str) -> Validator | None:
    """The validator of ``{name}.json``; None when the package has no such schema."""
    file = files(package).joinpath("schemas", f"{name}.json")
    if not file.is_file():
        return None
    return validator_for(json.loads(file.read_text(encoding="utf-8-sig")), validate_formats=True)


def violations(package: str, name: str, payload: Any) -> list[str]:
    """What the schema says against the payload; nothing when there is no such schema."""
    found = validator(package, name)
    return [] if found is None else [f"{name}: {error.message}" for error in found.iter_errors(payload)]
