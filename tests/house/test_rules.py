"""The house keeps its own rules: what linters cannot say is looked for in the text."""

import os
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ocpi", "ocpp_bridge", "gateway", "workers")
OURS = sorted(
    file for folder in (*PACKAGES, "tests") for file in (ROOT / folder).rglob("*.py") if "__pycache__" not in file.parts
)
SOURCE = [file for file in OURS if not file.is_relative_to(ROOT / "tests")]

#: Files that may name versions although they are neither ``v*.py`` nor ``dialects.py``: texts for people, and why.
VERSIONS_IN_TEXTS = {
    "gateway/cli": "help texts and defaults of the command line",
    "gateway/simulators": "they stand for partners and stations, each of one version",
}
#: Files that are longer than the alarm, and why that is well.
LONG = {
    "gateway/store/tables.py": "a table of tables",
    "gateway/store/migrations": "each is written once and never read as a story",
    "ocpi/locations.py": "the module's words, one after the other",
}
#: Where the environment may be read: settings, and the files that start processes.
ENVIRONMENT = {
    "gateway/settings.py": "it is what reads the environment",
    "workers/supervisor.py": "children get our environment and more",
    "workers/demo/scenery.py": "the demonstration's gateway gets the caller's, without its settings",
}
#: Folders that git does not keep.
MADE = {".git", ".venv", ".demo", ".hypothesis", "gateway-data", "build", "dist", "__pycache__"}
#: What looks for a word has to write it.
ABOUT_RULES = {"tests/house/test_rules.py"}

_VERSION = re.compile(r"""["'](?:ocpp)?(?:1\.6[jJ]?|2\.0\.1|2\.1|2\.1\.1|2\.2|2\.2\.1|2\.3(?:\.0)?)["']""")
_IF_VERSION = re.compile(r"\b(?:if|elif|while|and|or|not)\b[^#\n]*\b(?:version|subprotocol)\s*(?:==|!=)")
_DOCSTRING = re.compile(r'\s*"""\S')


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def listed(file: Path, names: dict[str, str]) -> bool:
    return any(named(file) == name or named(file).startswith(f"{name}/") for name in names)


def lines_with(pattern: str | re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{named(file)}:{number}: {line.strip()}"
        for file in files
        if named(file) not in ABOUT_RULES
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if re.search(pattern, line)
    ]


def texts() -> Iterator[tuple[str, str]]:
    """Every text file here but those that are made: a fresh machine has no git to ask."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in MADE and not each.endswith("_cache")]
        for file in (Path(folder, name) for name in names):
            if named(file) not in ABOUT_RULES and b"\0" not in file.read_bytes()[:4096]:
                yield named(file), file.read_text(errors="replace")


def test_a_version_is_named_only_in_its_own_file_and_in_the_table_of_dialects() -> None:
    free = re.compile(r"v\d.*\.py|dialects\.py")
    files = [file for file in SOURCE if not free.fullmatch(file.name) and not listed(file, VERSIONS_IN_TEXTS)]
    assert lines_with(_VERSION, files) == []


def test_no_branch_asks_for_a_version() -> None:
    assert lines_with(_IF_VERSION, [file for file in SOURCE if not listed(file, VERSIONS_IN_TEXTS)]) == []


@pytest.mark.parametrize(
    "pattern",
    [r"\bTYPE_CHECKING\b", r"from __future__ import annotations", r"unittest\.mock|from unittest import mock"],
)
def test_nothing_is_imported_only_for_types_nor_mocked(pattern: str) -> None:
    assert lines_with(pattern, OURS) == []


def test_no_file_is_named_after_nothing() -> None:
    nothing = re.compile(r"(?:.*_)?(?:utils?|base|common|misc|managers?|helpers?)\.py")
    assert [named(file) for file in OURS if nothing.fullmatch(file.name)] == []


def test_state_is_assigned_only_from_advance() -> None:
    assignments = lines_with(r"\.state\s*=[^=]", SOURCE)
    assert [line for line in assignments if "advance(" not in line] == []


def test_one_sentence_opens_every_file() -> None:
    texts = {named(file): file.read_text() for file in SOURCE}
    assert [name for name, content in texts.items() if not _DOCSTRING.match(content)] == []


def test_no_file_is_longer_than_300_lines_without_a_reason() -> None:
    long = [file for file in SOURCE if len(file.read_text().splitlines()) > 300]
    assert [named(file) for file in long if not listed(file, LONG)] == []


def test_the_environment_is_read_only_where_settings_are_made() -> None:
    files = [file for file in SOURCE if named(file) not in ENVIRONMENT]
    assert lines_with(r"\bos\.(?:environ|getenv|putenv)\b|from os import .*\benviron\b", files) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_brings_a_package_of_our_name(package: str) -> None:
    assert set(packages_distributions().get(package, [])) <= {"ocpi-commands-gateway"}


def test_the_lock_names_every_package_with_its_hashes_and_no_place() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert [entry for entry in entries if not re.match(r"[\w.\[\],-]+==\S+.*\\\n    --hash=sha256:", entry)] == []
    assert "://" not in lock
    assert "--index" not in lock


def test_the_lock_has_every_dependency_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = {
        _plain(name) for name in re.findall(r"^([\w.-]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    }
    assert {_plain(re.split(r"[\[<>=!~ ;]", one)[0]) for one in wanted} - locked == set()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_text_names_a_package_host_or_a_path_of_one_machine() -> None:
    machine = re.compile(r"""(?:^|[\s"'`=(:])/(?:home|root|Users|tmp|work|opt|mnt)/\w""", re.MULTILINE)
    host = re.compile(
        r"index-url\b(?!\s+--)|\bfiles\.pythonhosted|pypi\.org/simple|/simple/|registry\.npmjs", re.MULTILINE
    )
    found = [
        f"{name}: {match.group().strip()}"
        for name, content in texts()
        for match in (*machine.finditer(content), *host.finditer(content))
    ]
    assert found == []
