"""Writes ``docs/settings.md``: every setting with its default and the comment that stands above it."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path

from gateway import settings as module
from gateway.settings import Settings

FILE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """# Settings

Environment variables, read once at the start. A duration is a number of seconds or ISO 8601 (`PT30S`).
A wrong value stops the start with a sentence that names it. This page is generated (`make docs`).

| variable | default | meaning |
|---|---|---|
"""


def text() -> str:
    rows = [f"| `GATEWAY_{name.upper()}` | {_default(name)} | {said} |" for name, said in _comments().items()]
    return HEAD + "\n".join(rows) + "\n"


def _default(name: str) -> str:
    match Settings.model_fields[name].default:
        case timedelta() as duration:
            return f"`{duration.total_seconds():g}`"
        case tuple() as durations:
            return f"`{','.join(f'{one.total_seconds():g}' for one in durations)}`"
        case None | "":
            return ""
        case value:
            return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _comments() -> dict[str, str]:
    source = inspect.getsource(module)
    lines = source.splitlines()
    fields = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    told: dict[str, str] = {}
    for field in fields.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            above = field.lineno - 2
            said: list[str] = []
            while lines[above].strip().startswith("#:"):
                said.insert(0, lines[above].strip().removeprefix("#:").strip())
                above -= 1
            told[field.target.id] = " ".join(said)
    return told


if __name__ == "__main__":
    FILE.write_text(text())
