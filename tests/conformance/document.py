"""The document of conformance: the rules that tests name, and the tests that show them. Run it to write it anew."""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from tests.conformance.reasons import REASONS
from tests.conformance.requirements import REQUIREMENTS
from tests.conformance.rules import RULES

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs/conformance.md"
COMMAND = "python -m tests.conformance.document"

#: (file, name) of a test.
Test = tuple[Path, str]
Key = TypeVar("Key", int, str)

_NUMBER = re.compile(r"rule_(\d+)")
_DOUBT = re.compile(r"skip|xfail")
_USE_CASE = re.compile(r"[befh]\d\d")
_HEAD = f"""# Conformance

Rules of OCPI 2.2 and 2.2.1 that a CPO's side has to keep, in our own words, and the tests that show that they are kept,
or the reason why there is none. Levels in capitals are the specification's. A test says in its name which rules it
is about. *Passes*: all of these tests do, or the suite that compares this page fails with them; one that may be
skipped, or that is expected to fail, is *not certain*. Written by `{COMMAND}`.

| Rule | Level | What it asks | Tests | Result |
|---|---|---|---|---|
"""
_REQUIREMENTS_HEAD = """
## Requirements of OCPP

Those of OCPP 2.0.1 and 2.1 about reservations (H01 to H04), remote control (F01 to F06), and what they need of boots
and transactions, each with its counterpart in OCPP 1.6 where there is one. What binds the CSMS is shown by this
gateway at a scripted station (`test_csms_…`); what binds the station, by the simulated stations that come with it.

| Requirement | Binds | What it asks | Tests | Result |
|---|---|---|---|---|
"""


def shown() -> dict[int, list[Test]]:
    """``{OCPI rule: tests that name it}``."""
    return _named(lambda name: (int(number) for number in _NUMBER.findall(name)))


def shown_requirements() -> dict[str, list[Test]]:
    """``{OCPP requirement, or use case that is named without one: tests that name it}``."""
    return _named(requirements_in)


def requirements_in(name: str) -> Iterator[str]:
    """``test_f01_fr_19_and_fr_25_…``: F01.FR.19 and F01.FR.25; ``test_f04_…``: F04."""
    words, case = name.split("_"), ""
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if _USE_CASE.fullmatch(word):
            case = word.upper()
            yield from [case] if after != "fr" else []
        elif before == "fr" and case and word.isdigit():
            yield f"{case}.FR.{word}"


def _named(read: Callable[[str], Iterable[Key]]) -> dict[Key, list[Test]]:
    found: dict[Key, list[Test]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for each in ast.walk(ast.parse(file.read_text())):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test_"):
                for key in sorted(set(read(each.name))):
                    found[key].append((file.relative_to(ROOT), each.name))
    return dict(sorted(found.items()))


def document(tests: Mapping[int, list[Test]], requirements: Mapping[str, list[Test]]) -> str:
    doubtful = _doubtful()
    rows = "".join(
        f"| {number} | {rule.level} | {_cell(rule.asks)} | {_shown(number, tests)} "
        f"| {_came(number, tests, doubtful)} |\n"
        for number, rule in sorted(RULES.items())
    )
    binding = "".join(
        f"| {name} | {each.binds} | {_cell(each.asks)} | {_told(requirements.get(name, []))} "
        f"| {_result(requirements.get(name, []), doubtful)} |\n"
        for name, each in REQUIREMENTS.items()
    )
    return f"{_HEAD}{rows}{_REQUIREMENTS_HEAD}{binding}"


def _shown(number: int, tests: Mapping[int, list[Test]]) -> str:
    return _told(tests[number]) if number in tests else REASONS.get(number, "")


def _came(number: int, tests: Mapping[int, list[Test]], doubtful: set[str]) -> str:
    if number in tests:
        return _result(tests[number], doubtful)
    return "does not apply" if number in REASONS else "not shown"


def _doubtful() -> set[str]:
    """Tests that may be skipped, or are expected to fail."""
    return {
        each.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for each in ast.walk(ast.parse(file.read_text()))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(_DOUBT.search(ast.unparse(one)) for one in each.decorator_list)
    }


def _result(tests: list[Test], doubtful: set[str]) -> str:
    return "passes" if tests and not doubtful & {name for _, name in tests} else "not certain"


def _told(tests: list[Test]) -> str:
    return "<br>".join(f"[{name}](../{file.as_posix()})" for file, name in sorted(tests))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    COMMITTED.parent.mkdir(exist_ok=True)
    COMMITTED.write_text(document(shown(), shown_requirements()))
