"""The documents in ``openapi/`` are those of the code, and describe what it answers."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.api.app import documents, partner_document
from gateway.api.operator import operator_document
from ocpi.dialects import DIALECTS

FOLDER = Path(__file__).resolve().parents[2] / "openapi"


@pytest.mark.parametrize("version", DIALECTS)
def test_the_committed_document_is_the_generated_one(version):
    committed = json.loads((FOLDER / f"ocpi-{version}.json").read_text())
    assert committed == json.loads(json.dumps(documents()[version])), "run `make openapi`"


def test_there_is_one_document_for_each_version():
    assert {path.name for path in FOLDER.glob("ocpi-*.json")} == {f"ocpi-{version}.json" for version in DIALECTS}


def test_the_operators_document_is_the_generated_one():
    committed = json.loads((FOLDER / "operator.json").read_text())
    assert committed == json.loads(json.dumps(operator_document())), "run `make openapi`"


def test_the_document_of_the_extension_is_the_generated_one():
    committed = json.loads((FOLDER / "partner.json").read_text())
    assert committed == json.loads(json.dumps(partner_document())), "run `make openapi`"


def test_every_answer_to_an_operator_has_a_model_and_every_mistake_is_problem_details():
    for operation in (one for path in operator_document()["paths"].values() for one in path.values()):
        for status, answer in operation["responses"].items():
            [(kind, content)] = answer["content"].items()
            assert kind == ("application/json" if status < "400" else "application/problem+json")
            assert "$ref" in content["schema"]
        assert {"200", "201", "202"} & set(operation["responses"])
        assert "422" not in operation["responses"]


@pytest.mark.parametrize("name", [*DIALECTS, "operator", "partner"])
def test_every_reference_leads_somewhere_and_every_schema_is_one(name):
    made = {**documents(), "operator": operator_document(), "partner": partner_document()}[name]
    for reference in _references(made):
        name = reference.removeprefix("#/components/schemas/")
        assert name in made["components"]["schemas"], reference
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_only_the_newer_version_lets_a_session_name_its_connector():
    told = {version: made["components"]["schemas"]["StartSession"] for version, made in documents().items()}
    assert {version: "connector_id" in schema["properties"] for version, schema in told.items()} == {
        "2.2.1": True,
        "2.2": False,
    }


def test_every_command_names_its_callback():
    for version, made in documents().items():
        posts = [path["post"] for name, path in made["paths"].items() if f"/{version}/commands/" in name]
        assert len(posts) == len(DIALECTS[version].commands)
        assert all("{$request.body#/response_url}" in post["callbacks"]["result"] for post in posts)


def _references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
