"""Writes ``openapi/``: one document per OCPI version and one for operators, read off the routes and models."""

import json
from pathlib import Path

from gateway.api.app import documents
from gateway.api.operator import operator_document

FOLDER = Path(__file__).resolve().parent.parent / "openapi"


def text(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for version, document in documents().items():
        (FOLDER / f"ocpi-{version}.json").write_text(text(document))
    (FOLDER / "operator.json").write_text(text(operator_document()))
