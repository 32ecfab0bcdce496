"""The file that operators import: Locations, stations, bindings and Tariffs, each entry judged on its own."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NoReturn, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.domain import location_rules, tariff_rules
from gateway.domain.json_places import Path, given_twice, nearest, places
from ocpi.locations import Location
from ocpi.tariffs import Tariff
from ocpi.types import CiString36, Integer, fold

#: OCPP's identifierString, of which a station's identity is made.
_IDENTITY = re.compile(r"[A-Za-z0-9*\-_=:+|@.]{1,48}")
#: Both versions' lengths of a station's password (security whitepaper: 16 to 20 bytes on 1.6; 16 to 40 on 2.x).
_PASSWORD = re.compile(r"[!-~]{16,40}")
#: Without a password; and with client certificates instead of one.
OPEN_PROFILE, CERTIFICATES_PROFILE = 0, 3


def _identity(value: str) -> str:
    if not _IDENTITY.fullmatch(value):
        raise ValueError("a station's identity is 1 to 48 letters, digits or * - _ = : + | @ .")
    return value


#: ``locations[0].evses[1].uid``
_PLACE = re.compile(r"[a-z_A-Z0-9]+(?:\[\d+\]|\.\w+)*(?=: )")

Identity = Annotated[str, AfterValidator(_identity)]
Number = Annotated[Integer, Field(ge=1, le=2**31 - 1)]
Entry = TypeVar("Entry", bound=BaseModel)


class Unimportable(Exception):
    """The file cannot be imported; every reason is a line that names its place in the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Station(BaseModel):
    """A charging station that may connect."""

    # A misspelt field would change what is meant without a word.
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Identity
    security_profile: Integer = Field(default=1, validate_default=True)
    #: None: a station that is known keeps the one it has.
    password: str | None = Field(default=None, repr=False)

    @field_validator("security_profile")
    @classmethod
    def _profile(cls, value: int, info: ValidationInfo) -> int:
        if value == CERTIFICATES_PROFILE:
            raise ValueError("profile 3 (client certificates) is not built; 1 and 2 (TLS in front) are")
        if value not in {0, 1, 2}:
            raise ValueError("a security profile is 0, 1 or 2")
        if value != OPEN_PROFILE and ":" in info.data.get("id", ""):
            raise ValueError("an identity with a colon cannot be a user name, so it cannot have a password")
        return value

    @field_validator("password")
    @classmethod
    def _long_enough(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if info.data.get("security_profile") == OPEN_PROFILE:
            raise ValueError("security profile 0 has no password")
        if not _PASSWORD.fullmatch(value):
            raise ValueError("a station's password is 16 to 40 printable ASCII characters without spaces")
        return value


class Binding(BaseModel):
    """Where an EVSE (or one of its connectors) is: 2.x evseId and connectorId; on 1.6 the connectorId alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    location_id: CiString36
    evse_uid: CiString36
    connector_id: CiString36 | None = None
    station: Identity
    evse: Number | None = None
    connector: Number | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.evse is None and self.connector is None:
            raise ValueError("evse (2.x) or connector (1.6) is needed")
        return self


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file says, each entry by its place in its list, and what is wrong with the entries that are missing."""

    locations: Mapping[int, Location]
    stations: Mapping[int, Station]
    bindings: Mapping[int, Binding]
    tariffs: Mapping[int, Tariff]
    #: Ids of entries that could not be read: a binding to one of them is not to blame.
    unread: frozenset[str]
    problems: tuple[str, ...]
    #: Fields that nobody reads, each with its place: often misspelt.
    unheard: tuple[str, ...]
    #: The file's text.
    text: str = field(default="", repr=False)

    def where(self, problems: Sequence[str]) -> list[str]:
        """Each problem with the line and column of its place, in the order of the file."""
        known = places(self.text) if problems else {}
        found = [(nearest(known, _path(one)), one) for one in problems]
        found.sort(key=lambda one: one[0] or (0, 0))
        return [f"line {at[0]}, column {at[1]}: {one}" if at is not None else one for at, one in found]


def read(raw: bytes) -> Contents:
    """The file's entries; raises Unimportable when it is no JSON object of the four lists."""
    text, document, twice = _parsed(raw)
    lists = ("locations", "stations", "bindings", "tariffs")
    if not isinstance(document, dict) or not document.keys() & set(lists):
        raise Unimportable([f"The file is to be a JSON object with {', '.join(lists)}."])
    problems = [f"{name}: not known; known are {', '.join(lists)}" for name in document.keys() - set(lists)]
    problems += [f"{_place(path)}: is given twice" for path in (given_twice(text) if twice else ())]
    for name in lists:
        document.setdefault(name, [])
        if not isinstance(document[name], list):
            raise Unimportable([f"{name}: is to be a list"])
    locations = _entries(document["locations"], "locations", Location, problems)
    problems += [
        f"locations[{at}].{place}: {reason}"
        for at, one in locations.items()
        for place, reason in location_rules.broken_rules(one)
    ]
    tariffs = _entries(document["tariffs"], "tariffs", Tariff, problems)
    problems += [
        f"tariffs[{at}].{place}: {reason}"
        for at, one in tariffs.items()
        for place, reason in tariff_rules.broken_rules(document["tariffs"][at], one)
    ]
    known_stations = _entries(document["stations"], "stations", Station, problems)
    return Contents(
        locations=locations,
        stations=known_stations,
        bindings=_entries(document["bindings"], "bindings", Binding, problems),
        tariffs=tariffs,
        unread=_unread(document["locations"], locations) | _unread(document["stations"], known_stations),
        problems=tuple(problems),
        unheard=(
            *_unheard("locations", document["locations"], locations),
            *_unheard("tariffs", document["tariffs"], tariffs),
        ),
        text=text,
    )


def _parsed(raw: bytes) -> tuple[str, Any, bool]:
    """The text, what it says, and whether some name is given twice in one object: then the last is what it says."""
    twice = False

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(pairs)
        twice |= len(made) < len(pairs)
        return made

    try:
        text = raw.decode("utf-8-sig")
        return text, json.loads(text, parse_constant=refuse, object_pairs_hook=members), twice
    except json.JSONDecodeError as wrong:
        raise Unimportable([f"Not JSON: {wrong.msg} (line {wrong.lineno}, column {wrong.colno})."]) from None
    except UnicodeDecodeError as wrong:
        raise Unimportable([f"Not UTF-8: byte {wrong.start}."]) from None
    except (ValueError, RecursionError) as wrong:
        raise Unimportable([f"Not JSON that can be read: {wrong}."]) from None


def _entries(items: Sequence[Any], name: str, model: type[Entry], problems: list[str]) -> dict[int, Entry]:
    read_one = TypeAdapter(model).validate_python
    entries: dict[int, Entry] = {}
    for at, item in enumerate(items):
        try:
            entries[at] = read_one(item)
        except ValidationError as wrong:
            found = wrong.errors(include_url=False, include_input=False, include_context=False)
            problems += [f"{_place((name, at, *error['loc']))}: {_reason(error['msg'])}" for error in found]
    return entries


def _unread(items: Sequence[Any], entries: Mapping[int, object]) -> frozenset[str]:
    """As written (stations) and folded (locations) alike."""
    ids = {str(item.get("id")) for at, item in enumerate(items) if at not in entries and isinstance(item, dict)}
    return frozenset(ids | {fold(one) for one in ids})


def _unheard(name: str, items: Sequence[Any], entries: Mapping[int, Location] | Mapping[int, Tariff]) -> Iterator[str]:
    for at, one in entries.items():
        yield from _left_out(items[at], one.wire(), f"{name}[{at}]")


def _left_out(given: Any, heard: Any, place: str) -> Iterator[str]:
    """What was given and is not among what was heard of it; what says nothing is not missed."""
    match given, heard:
        case dict(), dict():
            for name, value in given.items():
                if name in heard:
                    yield from _left_out(value, heard[name], f"{place}.{name}")
                elif value not in (None, [], {}):
                    yield f"{place}.{name}"
        case list(), list():
            for number, (one, other) in enumerate(zip(given, heard, strict=False)):
                yield from _left_out(one, other, f"{place}[{number}]")


def _path(problem: str) -> Path:
    """The place at the beginning of a problem, as steps."""
    place = _PLACE.match(problem)
    steps = re.findall(r"\[(\d+)\]|([^.\[\]]+)", place[0]) if place is not None else []
    return tuple(int(number) if number else name for number, name in steps)


def _place(steps: Sequence[str | int]) -> str:
    """``locations[0].evses[1].uid``."""
    written = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return "".join(written).removeprefix(".")


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
