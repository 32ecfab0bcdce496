"""What an eMSP holds against a callback: a CommandResult's rules, judged independently of the gateway's models."""

import base64
from collections.abc import Collection, Iterator, Mapping
from typing import Any

#: mod_commands, CommandResultType.
COMMAND_RESULTS = frozenset(
    {
        "ACCEPTED",
        "CANCELED_RESERVATION",
        "EVSE_OCCUPIED",
        "EVSE_INOPERATIVE",
        "FAILED",
        "NOT_SUPPORTED",
        "REJECTED",
        "TIMEOUT",
        "UNKNOWN_RESERVATION",
    }
)
MESSAGE_IDS = ("X-Request-ID", "X-Correlation-ID")
#: Routing headers and the longest value of each.
ROUTING = {
    "OCPI-from-country-code": 2,
    "OCPI-from-party-id": 3,
    "OCPI-to-country-code": 2,
    "OCPI-to-party-id": 3,
}
LONGEST_TEXT = 512


#: The raw tokens that may be shown, or the one; None: any will do.
Tokens = str | Collection[str] | None


def problems(headers: Mapping[str, str], body: Any, token: Tokens) -> list[str]:
    """Every violation in one callback, as sentences; ``body`` is the parsed JSON."""
    return [*message_problems(headers, token), *_result_problems(body)]


def message_problems(headers: Mapping[str, str], token: Tokens) -> Iterator[str]:
    """What is true of every message to an eMSP."""
    yield from _header_problems(headers)
    yield from _token_problems(headers.get("Authorization"), token)


def authorization(token: str, encoding: str = "base64") -> str:
    """The Authorization header: Base64 by the specification, raw as many 2.2 peers send it."""
    value = base64.b64encode(token.encode()).decode() if encoding == "base64" else token
    return f"Token {value}"


def _header_problems(headers: Mapping[str, str]) -> Iterator[str]:
    for name in MESSAGE_IDS:
        if not headers.get(name):
            yield f"{name} is missing"
    for name, longest in ROUTING.items():
        if not headers.get(name):
            yield f"{name} is missing"
        elif len(headers[name]) > longest:
            yield f"{name} is longer than {longest}"
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        yield "Content-Type is not application/json"


def _token_problems(header: str | None, token: Tokens) -> Iterator[str]:
    known = [token] if isinstance(token, str) else token
    if header is None:
        yield "Authorization is missing"
    elif not header.startswith("Token "):
        yield "Authorization is not of the form Token <value>"
    elif known is not None and header not in {authorization(one, form) for one in known for form in ("base64", "raw")}:
        yield "Authorization carries a wrong token"


def _result_problems(body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        yield "the body is not a JSON object"
        return
    if "status_code" in body:
        yield "the CommandResult is wrapped in an envelope"
    if str(body.get("result")) not in COMMAND_RESULTS:
        yield f"result {body.get('result')!r} is no CommandResultType"
    for name in body.keys() - {"result", "message"}:
        yield f"field {name!r} does not belong to CommandResult"
    if "message" in body:
        yield from _message_problems(body["message"])


def _message_problems(message: Any) -> Iterator[str]:
    if not isinstance(message, list):
        yield "message is not a list of DisplayText"
        return
    for text in message:
        if not isinstance(text, dict) or text.keys() != {"language", "text"}:
            yield f"{text!r} is no DisplayText"
        elif len(str(text["language"])) != 2 or not 0 < len(str(text["text"])) <= LONGEST_TEXT:
            yield f"{text!r}: language has 2 characters, text at most {LONGEST_TEXT}"
