"""The document of conformance: the rules that tests name, and the tests that show them. Run it to write it anew."""

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.rules import RULES

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs/conformance.md"
COMMAND = "python -m tests.conformance.document"

_NUMBER = re.compile(r"rule_(\d+)")
_HEAD = f"""# Conformance

Rules of OCPI 2.2 and 2.2.1 that a CPO's side of Commands has to keep, in our own words, and the tests that show that
they are kept. Levels in capitals are the specification's. A test says in its name which rules it is about.
Written by `{COMMAND}`.

| Rule | Level | What it asks | Tests |
|---|---|---|---|
"""


def shown() -> dict[int, list[tuple[Path, str]]]:
    """``{rule: tests that name it}``."""
    found: dict[int, list[tuple[Path, str]]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for each in ast.walk(ast.parse(file.read_text())):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test_"):
                for number in sorted({int(one) for one in _NUMBER.findall(each.name)}):
                    found[number].append((file.relative_to(ROOT), each.name))
    return dict(sorted(found.items()))


def document(tests: Mapping[int, list[tuple[Path, str]]]) -> str:
    rows = "".join(
        f"| {number} | {RULES[number].level} | {_cell(RULES[number].asks)} | {_told(tests[number])} |\n"
        for number in sorted(tests)
    )
    silent = ", ".join(str(number) for number in RULES if number not in tests)
    return f"{_HEAD}{rows}\nNo test names these rules: {silent}.\n"


def _told(tests: list[tuple[Path, str]]) -> str:
    return "<br>".join(f"[{name}](../{file.as_posix()})" for file, name in sorted(tests))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    COMMITTED.parent.mkdir(exist_ok=True)
    COMMITTED.write_text(document(shown()))
