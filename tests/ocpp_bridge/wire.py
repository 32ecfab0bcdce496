"""What the wire's own rules say: official schemas under a second validator, and messages made from them."""

import json
from functools import cache
from importlib.resources import files

from jsonschema import Draft4Validator, Draft6Validator, FormatChecker

#: The package, the class of its drafts, and how a request's file is named.
VERSIONS = {
    "ocpp1.6": ("ocpp.v16", Draft4Validator, ""),
    "ocpp2.0.1": ("ocpp.v201", Draft6Validator, "Request"),
    "ocpp2.1": ("ocpp.v21", Draft6Validator, "Request"),
}


@cache
def schema(subprotocol, name):
    package, _, _ = VERSIONS[subprotocol]
    return json.loads(files(package).joinpath("schemas", f"{name}.json").read_text("utf-8-sig"))


def request_schema(subprotocol, action):
    return schema(subprotocol, action + VERSIONS[subprotocol][2])


def assert_request(subprotocol, action, payload):
    _validator(subprotocol, action + VERSIONS[subprotocol][2]).validate(payload)


def assert_response(subprotocol, action, payload):
    _validator(subprotocol, f"{action}Response").validate(payload)


@cache
def _validator(subprotocol, name):
    return VERSIONS[subprotocol][1](schema(subprotocol, name), format_checker=FormatChecker())


def message(root, full):
    """A message of ``root``: what is required, or everything that may be said."""
    return _made(root, root, full)


def _made(node, root, full):
    if "$ref" in node:
        return _made(root["definitions"][node["$ref"].split("/")[-1]], root, full)
    if "enum" in node:
        return node["enum"][-1]
    match node.get("type"):
        case "object":
            names = node.get("properties", {}) if full else node.get("required", ())
            return {name: _made(node["properties"][name], root, full) for name in names}
        case "array":
            return [_made(node["items"], root, full)] * max(1, node.get("minItems", 1))
        case "string":
            return (
                "2026-02-03T04:05:06Z" if node.get("format") == "date-time" else "7" * min(node.get("maxLength", 4), 40)
            )
        case "integer":
            return 1
        case "number":
            return 0 if node.get("maximum") == 0 else 1
        case "boolean":
            return True
    return "anything"
