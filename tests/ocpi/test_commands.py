"""Commands: what each request must and may have, and what we may answer."""

from typing import Any

import pytest
from pydantic import ValidationError

from ocpi.commands import (
    CancelReservation,
    Command,
    CommandResponse,
    CommandResponseType,
    CommandResult,
    CommandResultType,
    CommandType,
    ReserveNow,
    StartSession,
    StopSession,
    UnlockConnector,
)
from ocpi.dialects import DIALECTS, NEWEST
from tests.ocpi.vectors import names, ours

NEGATIVE = ours("commands/negative.json")
#: Told by the model; the others are told by who asks, what is stored, or the URL.
INVALID = [case for case in NEGATIVE if case["expect"].get("ocpi") == 2001 and "body" in case]
VALID = [case for case in NEGATIVE if "body" in case and case not in INVALID and case["command"] in set(CommandType)]

RESERVE = ours("commands/requests/RESERVE_NOW.evse.app_user.json")
START = ours("commands/requests/2.2.1-only.START_SESSION.connector.json")
STOP = ours("commands/requests/STOP_SESSION.json")
CANCEL = ours("commands/requests/CANCEL_RESERVATION.json")
UNLOCK = ours("commands/requests/UNLOCK_CONNECTOR.json")


def without(body: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in fields}


def refused(model: type[Command], body: dict[str, Any]) -> set[str]:
    """The fields that ``model`` does not take."""
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(body)
    return {str(error["loc"][0]) if error["loc"] else "" for error in refusal.value.errors()}


def assert_fields(model: type[Command], body: dict[str, Any], required: set[str], optional: set[str]) -> None:
    assert set(body) == required | optional
    for name in required:
        assert refused(model, without(body, name)) == {name}
        assert refused(model, body | {name: None}) == {name}
    assert model.model_validate(without(body, *optional))
    assert model.model_validate(body | dict.fromkeys(optional))
    for name in set(body) - {"token", "response_url", "expiry_date"}:
        assert model.model_validate(body | {name: "x" * 36})
        assert refused(model, body | {name: "x" * 37}) == refused(model, body | {name: ""}) == {name}


def test_rule_121_each_command_has_its_own_object() -> None:
    assert set(NEWEST.commands) == set(CommandType)
    assert len(set(NEWEST.commands.values())) == len(CommandType)


def test_rule_121_a_body_is_read_as_its_own_command_and_no_other() -> None:
    assert refused(StopSession, CANCEL) == {"session_id"}
    assert refused(ReserveNow, START) == {"expiry_date", "reservation_id"}
    assert "reservation_id" not in NEWEST.commands[CommandType.STOP_SESSION].model_validate(STOP | CANCEL).wire()


def test_rule_126_the_response_url_is_kept_letter_by_letter() -> None:
    url = "HTTPS://eMSP.example.net:443/cb//r-1/../%7Ex?y=1&y=2#z"
    assert StopSession.model_validate(STOP | {"response_url": url}).response_url == url


@pytest.mark.parametrize("name", names("commands/results/*.json"))
def test_rule_127_and_rule_133_the_result_is_bare_and_reads_and_writes_itself(name: str) -> None:
    result = CommandResult.model_validate(ours(name))
    assert result.wire() == ours(name)
    assert result.result == name.split("/")[-1].removesuffix(".json")
    assert not {"data", "status_code", "timestamp", "timeout"} & set(CommandResult.model_fields)


@pytest.mark.parametrize("name", [name for name in names("commands/responses/*.json") if "data" in ours(name)])
def test_rule_128_the_response_reads_and_writes_itself(name: str) -> None:
    data = ours(name)["data"]
    assert CommandResponse.model_validate(data).wire() == data


@pytest.mark.parametrize(
    "data",
    [
        {"result": "ACCEPTED"},
        {"timeout": 30},
        {"result": "ACCEPTED", "timeout": "30"},
        {"result": "ACCEPTED", "timeout": -1},
        {"result": "ACCEPTED", "timeout": 1.5},
        {"result": "accepted", "timeout": 30},
    ],
)
def test_rule_128_result_and_timeout_are_always_there(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandResponse.model_validate(data)


def test_rule_128_a_response_that_promises_nothing_still_says_zero() -> None:
    assert CommandResponse(result=CommandResponseType.REJECTED, timeout=0).wire() == {
        "result": "REJECTED",
        "timeout": 0,
    }


def test_rule_131_the_result_is_always_there_and_messages_may_be_many() -> None:
    with pytest.raises(ValidationError):
        CommandResult.model_validate({"message": []})
    texts = [{"language": "en", "text": "Occupied"}, {"language": "nl", "text": "Bezet"}]
    assert CommandResult.model_validate({"result": "EVSE_OCCUPIED", "message": texts}).wire()["message"] == texts
    assert CommandResult.model_validate({"result": "ACCEPTED", "message": None}).wire() == {"result": "ACCEPTED"}


def test_rule_132_there_are_four_words_for_the_answer_at_once() -> None:
    assert set(CommandResponseType) == {"ACCEPTED", "NOT_SUPPORTED", "REJECTED", "UNKNOWN_SESSION"}


def test_rule_133_there_are_nine_words_for_the_result() -> None:
    assert {f"commands/results/{word}.json" for word in CommandResultType} == set(names("commands/results/*.json"))
    assert len(CommandResultType) == 9


def test_rule_153_what_a_reserve_now_has() -> None:
    required = {"response_url", "token", "expiry_date", "reservation_id", "location_id"}
    assert_fields(ReserveNow, RESERVE, required, {"evse_uid", "authorization_reference"})


def test_rule_155_what_a_cancel_reservation_has() -> None:
    assert_fields(CancelReservation, CANCEL, {"response_url", "reservation_id"}, set())


def test_rule_163_and_rule_164_what_a_start_session_has() -> None:
    required = {"response_url", "token", "location_id"}
    assert_fields(StartSession, START, required, {"evse_uid", "connector_id", "authorization_reference"})


def test_rule_164_a_connector_needs_its_evse() -> None:
    assert refused(StartSession, without(START, "evse_uid")) == {""}
    with pytest.raises(ValidationError, match="evse_uid is required"):
        StartSession.model_validate(START | {"evse_uid": None})


def test_rule_168_what_a_stop_session_has() -> None:
    assert_fields(StopSession, STOP, {"response_url", "session_id"}, set())


def test_rule_169_what_an_unlock_connector_has() -> None:
    assert_fields(UnlockConnector, UNLOCK, {"response_url", "location_id", "evse_uid", "connector_id"}, set())


@pytest.mark.parametrize(
    "name", [*names("commands/requests/[A-Z]*.json"), *names("commands/requests/2.2.1-only*.json")]
)
@pytest.mark.parametrize("version", DIALECTS)
def test_every_request_of_the_vectors_is_understood(version: str, name: str) -> None:
    type_ = CommandType(next(part for part in name.split("/")[-1].split(".") if "_" in part))
    body = ours(name)
    command = DIALECTS[version].commands[type_].model_validate(body)
    again = type(command).model_validate(command.wire())
    assert again == command
    assert command.response_url == body["response_url"]


def test_nothing_that_was_null_or_empty_is_written() -> None:
    body = ours("commands/requests/START_SESSION.rfid.nulls.json")
    written = StartSession.model_validate(body).wire()
    assert "authorization_reference" not in written
    assert not {"default_profile_type", "energy_contract"} & set(written["token"])


@pytest.mark.parametrize(
    ("version", "case"),
    [(version, case) for case in INVALID for version in case.get("versions", DIALECTS)],
    ids=lambda part: part if isinstance(part, str) else f"{part['id']} {part['why']}",
)
def test_rule_63_what_the_vectors_call_invalid_is_refused(version: str, case: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DIALECTS[version].commands[CommandType(case["command"])].model_validate(case["body"])


@pytest.mark.parametrize("case", VALID, ids=lambda case: f"{case['id']} {case['why']}")
@pytest.mark.parametrize("version", DIALECTS)
def test_what_others_must_judge_is_a_valid_object_here(version: str, case: dict[str, Any]) -> None:
    assert DIALECTS[version].commands[CommandType(case["command"])].model_validate(case["body"])


def test_the_vectors_are_all_used() -> None:
    elsewhere = {"N12", "N13"}  # no JSON, and no such command
    assert {case["id"] for case in INVALID + VALID} | elsewhere == {case["id"] for case in NEGATIVE}
