"""What an eMSP holds against a Session or a CDR that it is told of (mod_sessions, mod_cdrs §Receiver Interface)."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ocpi.headers import Party
from ocpi.types import Model

#: An OCPI object as it goes into JSON.
Wire = dict[str, Any]


def routing_problems(headers: Mapping[str, str], owner: Party, receiver: Party | None) -> Iterator[str]:
    """From the party that owns what is told of, to the eMSP; ``receiver`` None: to anybody."""
    for direction, party in (("from", owner), ("to", receiver)):
        country_code, party_id = (headers.get(f"OCPI-{direction}-{name}", "") for name in ("country-code", "party-id"))
        if party is not None and Party(country_code, party_id) != party:
            yield f"it is {direction} {country_code}*{party_id}, and not {direction} {party}"


def object_problems(model: type[Model], body: Any) -> Iterator[str]:
    """A whole object: every required field, and nothing that is null or does not belong."""
    try:
        wire = model.model_validate(body).wire()
    except ValidationError as wrong:
        yield from (f"{'.'.join(map(str, one['loc'])) or 'the body'}: {one['msg']}" for one in wrong.errors())
        return
    for name in sorted(body.keys() | wire.keys()):
        if body.get(name, wire) != wire.get(name, wire):
            yield f"{name}: {body.get(name)!r} should not be there, or be {wire.get(name)!r}"


def place_problems(body: Wire, place: Mapping[str, str]) -> Iterator[str]:
    """The URL names the object's own party and id (mod_sessions §Receiver PUT)."""
    for name, value in place.items():
        if body.get(name) != value:
            yield f"{name} is {body.get(name)!r}, and {value!r} in the URL"


def patch_problems(model: type[Model], body: Any) -> Iterator[str]:
    """Some fields of the object, and always last_updated (mod_sessions §PATCH)."""
    if not isinstance(body, dict):
        yield "the body is not a JSON object"
        return
    if "last_updated" not in body:
        yield "last_updated is missing"
    for name in sorted(body.keys() - model.model_fields.keys()):
        yield f"{name} is no field of it"


def change_problems(before: Wire | None, after: Wire) -> Iterator[str]:
    """COMPLETED is final (mod_sessions §SessionStatus), and time goes one way."""
    if before is None:
        return
    if before["status"] == "COMPLETED" and after != before:
        yield "it was COMPLETED, and is changed"
    if str(after.get("last_updated")) < before["last_updated"]:
        yield "last_updated goes backwards"


def patched(before: Wire, patch: Wire) -> Wire:
    """Fields are replaced, charging_periods appended (mod_sessions §PATCH)."""
    periods = [*before.get("charging_periods", []), *patch.get("charging_periods", [])]
    return before | patch | ({"charging_periods": periods} if periods else {})
