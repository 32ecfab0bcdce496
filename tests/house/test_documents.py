"""Documents that are generated, or point into the code, say what is there."""

import importlib.util
import re
from pathlib import Path

import pytest

from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


def generated() -> str:
    spec = importlib.util.spec_from_file_location("settings_document", ROOT / "scripts" / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.text())


def test_the_page_of_settings_is_the_generated_one() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == generated(), "run `make docs`"


def test_every_setting_says_what_it_is_for() -> None:
    rows = [line for line in generated().splitlines() if line.startswith("| `GATEWAY_")]
    assert len(rows) == len(Settings.model_fields)
    assert all(row.split("|")[3].strip() for row in rows)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    # ``v201.py`` beside ``ocpp_bridge/v16.py`` is in the same folder.
    folders = [ROOT, ROOT / "ocpp_bridge", (ROOT / page).parent]
    named = re.findall(r"`([\w./-]+\.(?:py|md|toml|lock))`", text)
    named += [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []
