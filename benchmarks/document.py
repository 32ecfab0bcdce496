"""Writes the figures of docs/performance into docs/performance.md: no figure in a block of its is typed by hand.

A block begins with ``<!-- figures: NAME -->``, ``<!-- targets -->`` or ``<!-- profiles -->`` and ends with
``<!-- end -->``; what stands between blocks is ours to write, and stays.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers.bench import table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "performance"
#: Medians of fewer say little.
ROUNDS = 5
PROFILE = "profile-"

_BLOCK = re.compile(
    r"(?P<head><!-- (?P<kind>figures|targets|profiles)(?:: (?P<name>[\w-]+))? -->\n).*?(?=<!-- end -->)", re.DOTALL
)
_NOTHING = "Not measured yet: `make bench` does it.\n"

Kept = dict[str, dict[str, Any]]


def kept(directory: Path = KEPT) -> Kept:
    """All figures by the names of their files."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(directory.glob("*.json"))}


def problems(figures: Kept) -> list[str]:
    """What is not fit for the document."""
    measured = {name: one for name, one in figures.items() if not name.startswith(PROFILE)}
    quick = [f"{name}: a quick run only shows that it works." for name, one in figures.items() if one["quick"]]
    few = [f"{name}: medians of {one['rounds']} rounds." for name, one in measured.items() if one["rounds"] < ROUNDS]
    return quick + few


def written(page: str, figures: Kept, directory: Path = KEPT) -> str:
    """The page with every block as ``figures`` have it."""
    texts = {"figures": _figures, "targets": _targets, "profiles": _profiles}

    def block(found: re.Match[str]) -> str:
        return found["head"] + texts[found["kind"]](figures, found["name"], directory)

    return _BLOCK.sub(block, page)


def _figures(figures: Kept, name: str, directory: Path) -> str:
    if name not in figures:
        return _NOTHING
    one = figures[name]
    plot = f"\n![{name}: a bar for each figure, a dot for each round]({directory.name}/{name}.png)\n"
    drawn = plot if (directory / f"{name}.png").exists() else ""
    return f"{one['table']['title']}. {_where(one)}\n\n{table.markdown(one)}\n{_missed(one)}{drawn}"


def _missed(one: dict[str, Any]) -> str:
    missed = list(table.missed(one))
    return "\nNot reached:\n\n" + "".join(f"- {sentence}\n" for sentence in missed) if missed else ""


def _where(one: dict[str, Any]) -> str:
    machine, versions = one["machine"], one["machine"]["versions"]
    return (
        f"Medians of {one['rounds']} rounds, {machine['date']}, {_database(one)} {versions[one['database']]}; "
        f"{one['cpu_count']} cores ({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']}, "
        f"{machine['fsync_ms']} ms an fsync, load average before {machine['load_average_before']}; "
        f"Python {one['python']}, Valkey {versions['valkey']}."
    )


def _database(one: dict[str, Any]) -> str:
    return "PostgreSQL" if one["database"] == "postgresql" else "SQLite"


def _targets(figures: Kept, _name: str, _directory: Path) -> str:
    lines = [line for name, one in figures.items() for line in _judged(name, one)]
    if not lines:
        return _NOTHING
    head = "| run | what | figure | must | aim | |\n| --- | --- | --- | --- | --- | --- |\n"
    return head + "".join(lines)


def _judged(name: str, one: dict[str, Any]) -> Iterator[str]:
    at = 1 + one["table"]["judged"]
    for row, cells in zip(one["table"]["rows"], table.body(one), strict=True):
        if row["target"]:
            yield f"| {name} | {cells[0]} | {' | '.join([cells[at], *cells[-3:]])} |\n"


def _profiles(figures: Kept, _name: str, _directory: Path) -> str:
    shown = [one for name, one in figures.items() if name.startswith(PROFILE)]
    if not shown:
        return "None kept yet: `ocpi-gateway bench profile --process worker-1 --save docs/performance` makes one.\n"
    return "\n".join(f"On {_database(one)}, {one['table']['title']}.\n\n{table.markdown(one)}\n" for one in shown)


def main() -> int:
    figures = kept()
    if wrong := problems(figures):
        sys.stderr.write("Not fit for the document:\n" + "".join(f"- {sentence}\n" for sentence in wrong))
        return 1
    PAGE.write_text(written(PAGE.read_text(), figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
