"""Whatever the OpenAPI documents allow or forbid is sent to a running gateway: it answers as they say, and never fails.

A bounded number of examples in the whole suite; ``make fuzz`` sends many more (GATEWAY_FUZZ: so many an operation).
"""

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.config import SchemathesisConfig

from gateway.api.app import documents, partner_document
from gateway.api.operator import operator_document
from gateway.api.operator_orders import PREFIX
from gateway.house import Rules, utc_now
from gateway.registration import invite
from gateway.secrets import open_secrets, operator_token
from gateway.simulators.verdicts import authorization
from ocpi.headers import Party
from tests.support.gateway import CPO, Gateway, Spot, running

EXAMPLES = int(os.environ.get("GATEWAY_FUZZ", "4"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=8,
    deadline=None,
    database=None,
    derandomize="GATEWAY_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
#: Valid JSON of a known caller is never answered with an HTTP error; ``refused`` looks into the envelope.
#: And whoever is registered may not POST credentials, however good they are.
OCPI = {
    "checks": {
        "negative_data_rejection": {"expected-statuses": [200, 400, 401, 404, 405]},
        "positive_data_acceptance": {"expected-statuses": [200, 201, 401, 404, 405]},
    }
}
PARTNERS = {**documents(), "partner": partner_document()}
SCHEMAS = {
    name: schemathesis.openapi.from_dict(made, config=SchemathesisConfig.from_dict(OCPI))
    for name, made in PARTNERS.items()
}
#: What an operator may not wish for is told by 400, also where a schema has no word for it: a moment that is over.
OPERATOR = {"checks": {"positive_data_acceptance": {"expected-statuses": [200, 201, 202, 400, 404, 409]}}}
SCHEMAS["operator"] = schemathesis.openapi.from_dict(operator_document(), config=SchemathesisConfig.from_dict(OPERATOR))
#: One operation has no other to go on to.
WALKS = [name for name in SCHEMAS if name != "partner"]
OPERATIONS = [(name, made.ok()) for name, schema in SCHEMAS.items() for made in schema.get_all_operations()]

EMSP = ("DE", "FUZ")
_guests = itertools.count(1)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With one Location, whose station is not there."""
    given_ = {"GATEWAY_REGISTRATION_TIMEOUT": "0.3", "GATEWAY_LOG_LEVEL": "ERROR"}
    with running(tmp_path_factory.mktemp("fuzzed"), **given_) as started:
        started.location(Spot("CS-FUZZ"))
        yield started


def calling(gateway: Gateway, name: str) -> dict[str, Any]:
    """Where a document's requests go, and as whom: a new partner, or the operators."""
    if name == "operator":
        token = operator_token(gateway.settings)
        return {"base_url": f"{gateway.api}{PREFIX}", "headers": {"Authorization": f"Bearer {token}"}}
    emsp = gateway.emsp(party=EMSP)
    return {"base_url": gateway.api, "headers": {"Authorization": authorization(emsp.token_in), **to(CPO)}}


def guest(gateway: Gateway) -> dict[str, Any]:
    """One that is invited, and may register."""
    rules = Rules(settings=gateway.settings, secrets=open_secrets(gateway.settings))
    with gateway.database() as db:
        token = invite(db, rules, f"guest-{next(_guests)}", None, utc_now())
    return {"base_url": gateway.api, "headers": {"Authorization": authorization(token)}}


def spoken(case: Case, caller: dict[str, Any]) -> dict[str, Any]:
    """As the caller, unless the case is that nobody says who it is."""
    wrong = {str(place.value) for place, one in _components(case) if one.mode is GenerationMode.NEGATIVE}
    if not wrong & {"header", "headers"}:
        return caller
    return caller | {"headers": {name: value for name, value in caller["headers"].items() if name != "Authorization"}}


def _components(case: Case) -> list[tuple[Any, Any]]:
    return list(case.meta.components.items()) if case.meta is not None else []


def to(party: Party) -> dict[str, str]:
    return {"OCPI-to-country-code": party.country_code, "OCPI-to-party-id": party.party_id}


def of_the_caller(case: Case) -> None:
    """A token that is pushed is the caller's own, and that of the URL: nobody guesses that by chance."""
    path, body = case.path_parameters, case.body
    if "token_uid" in path:
        path |= {"country_code": EMSP[0], "party_id": EMSP[1], "token_uid": path["token_uid"][:36] or "1"}
        if isinstance(body, dict):
            case.body = body | {"country_code": EMSP[0], "party_id": EMSP[1], "uid": path["token_uid"]}


def refused(_: CheckContext, response: Response, case: Case) -> None:
    """A body that is none is told so in the envelope (and no good one is answered without one)."""
    said = response.json()
    assert isinstance(said["status_code"], int), said
    wrong = {str(place.value) for place, one in _components(case) if one.mode is GenerationMode.NEGATIVE}
    assert "body" not in wrong or said["status_code"] >= 2000, said


def checks(name: str) -> list[Any]:
    return [] if name == "operator" else [refused]


@pytest.mark.parametrize("mode", GenerationMode, ids=str)
@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=lambda one: getattr(one, "label", one))
def test_an_operation_answers_as_its_document_says(fuzzed: Gateway, name: str, operation: Any, mode: Any) -> None:
    whom = calling(fuzzed, name)

    @SETTINGS
    @given(case=operation.as_strategy(generation_mode=mode))
    def sent(case: Case) -> None:
        caller = calling(fuzzed, name) if case.method == "DELETE" else whom
        if (case.method, "credentials" in case.path) == ("POST", True):
            caller = guest(fuzzed)
        if mode is GenerationMode.POSITIVE:
            of_the_caller(case)
        case.call_and_validate(**spoken(case, caller), additional_checks=checks(name))

    sent()


@pytest.mark.parametrize("name", WALKS)
def test_operations_one_after_the_other_answer_as_their_document_says(fuzzed: Gateway, name: str) -> None:
    class Walk(SCHEMAS[name].as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Each walk begins in the same place: as somebody who has done nothing yet."""
            self.whom = calling(fuzzed, name)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            if case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE:
                of_the_caller(case)
            return spoken(case, self.whom)

        def validate_response(self, response: Response, case: Case, **more: Any) -> None:
            super().validate_response(response, case, additional_checks=checks(name), **more)

    Walk.run(settings=SETTINGS)
