import importlib.util
from pathlib import Path

from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


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
