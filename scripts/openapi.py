"""Writes ``openapi/``: a document per OCPI version, one for partners beside it and one for operators, off the code."""

import json
from pathlib import Path

from gateway.api.app import documents, partner_document
from gateway.api.operator import operator_document

FOLDER = Path(__file__).resolve().parent.parent / "openapi"


def text(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for version, document in documents().items():
        (FOLDER / f"ocpi-{version}.json").write_text(text(document))
    (FOLDER / "partner.json").write_text(text(partner_document()))
    (FOLDER / "operator.json").write_text(text(operator_document()))
