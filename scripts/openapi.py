"""Writes ``openapi/``: one document per OCPI version, read off the routes and models."""

import json
from pathlib import Path

from gateway.api.app import documents

FOLDER = Path(__file__).resolve().parent.parent / "openapi"


def text(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for version, document in documents().items():
        (FOLDER / f"ocpi-{version}.json").write_text(text(document))
