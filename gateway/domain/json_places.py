"""Where in a JSON text each value stands, so that what is wrong with it can be found."""

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the standard decoder's own reader of strings
from typing import Any

#: The names and numbers that lead to a value.
Path = tuple[str | int, ...]
#: Of its first character, both from 1.
Position = tuple[int, int]

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r"[^\s,\]}]+")


def places(text: str) -> dict[Path, Position]:
    """The position of every value of a text that is JSON; of a name that is given twice, of the last."""
    found: dict[Path, int] = {}
    _value(text, 0, (), found, [])
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return _positions(found, starts)


def given_twice(text: str) -> list[Path]:
    """The names that stand twice in one object."""
    twice: list[Path] = []
    _value(text, 0, (), {}, twice)
    return twice


def nearest(known: dict[Path, Position], path: Path) -> Position | None:
    """Where a value is; of one that is missing, where it should be in."""
    while path not in known:
        if not path:
            return None
        path = path[:-1]
    return known[path]


def _positions(found: dict[Path, int], starts: list[int]) -> dict[Path, Position]:
    """Values come in the order of the text, unless a name is given twice."""
    positions, line = {}, 0
    for path, at in sorted(found.items(), key=lambda one: one[1]):
        while line + 1 < len(starts) and starts[line + 1] <= at:
            line += 1
        positions[path] = (line + 1, at - starts[line] + 1)
    return positions


def _value(text: str, at: int, path: Path, found: dict[Path, int], twice: list[Path]) -> int:
    """Note a value and all in it; where it ends."""
    at = _skip(text, at)
    if path in found:
        twice.append(path)
    found[path] = at
    match text[at]:
        case "{":
            return _members(text, at + 1, path, found, twice)
        case "[":
            return _items(text, at + 1, path, found, twice)
        case '"':
            return _string(text, at)[1]
    plain = _PLAIN.match(text, at)
    assert plain is not None
    return plain.end()


def _members(text: str, at: int, path: Path, found: dict[Path, int], twice: list[Path]) -> int:
    at = _skip(text, at)
    while text[at] != "}":
        name, at = _string(text, _skip(text, at))
        at = _skip(text, _value(text, _skip(text, at) + 1, (*path, name), found, twice))
        at = _skip(text, at + 1) if text[at] == "," else at
    return at + 1


def _items(text: str, at: int, path: Path, found: dict[Path, int], twice: list[Path]) -> int:
    at, number = _skip(text, at), 0
    while text[at] != "]":
        at = _skip(text, _value(text, at, (*path, number), found, twice))
        at, number = _skip(text, at + 1) if text[at] == "," else at, number + 1
    return at + 1


def _string(text: str, at: int) -> tuple[str, int]:
    read: Any = scanstring(text, at + 1, False)
    return read[0], read[1]


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()
