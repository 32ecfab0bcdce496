"""The envelope: ours is exact, a peer's is read as it comes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ocpi.commands import CommandResponse
from ocpi.envelope import Envelope, Received, envelope, read_envelope
from ocpi.status import StatusCode
from ocpi.tokens import Token
from tests.ocpi.vectors import names, ours, specified

NINE = datetime(2025, 3, 1, 9, 0, 0, tzinfo=UTC)


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("name", names("commands/responses/*.json"))
def test_rule_31_our_envelopes_are_those_of_the_vectors(name: str) -> None:
    expected = ours(name)
    code, message = expected["status_code"], expected.get("status_message")
    assert envelope(NINE, expected.get("data"), code, message) == expected


def test_rule_34_data_that_is_not_specified_is_left_out() -> None:
    assert envelope(NINE) == {"status_code": 1000, "timestamp": "2025-03-01T09:00:00Z"}


def test_an_empty_list_is_data() -> None:
    assert envelope(NINE, [])["data"] == []


def test_the_code_is_a_plain_number() -> None:
    assert type(envelope(NINE, status_code=StatusCode.UNKNOWN_LOCATION)["status_code"]) is int


@pytest.mark.parametrize(
    "name", [*names("commands/responses/*.json"), "commands/callback_ack.json", "versions/list.json"]
)
def test_what_we_write_a_peer_can_read(name: str) -> None:
    answer = ours(name)
    received = read_envelope(json.dumps(answer).encode())
    assert received == Received(answer["status_code"], answer.get("status_message"), answer.get("data"))


@pytest.mark.parametrize(
    ("answer", "received"),
    [
        (body(status_code=1000), Received(1000)),
        (body(status_code="1000"), Received(1000)),
        (body(status_code=2001, status_message=7, data=None), Received(2001)),
        (body(status_code=1000, data="text", more=1), Received(1000, None, "text")),
        (b"\xef\xbb\xbf" + body(status_code=1000), Received(1000)),
    ],
)
def test_rule_34_a_peers_envelope_is_read_tolerantly(answer: bytes, received: Received) -> None:
    assert read_envelope(answer) == received


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"\xff\xfe\xfd",
        b"[]",
        b'"1000"',
        b"{}",
        body(status_code=None),
        body(status_code=True),
        body(status_code=10.5),
        body(status_code=10**30),
        body(status_code=-1),
        body(status_code="ok"),
        body(detail="Not Found"),
        b"[" * 100_000,
    ],
)
def test_what_is_no_envelope_is_a_value_error(answer: bytes) -> None:
    with pytest.raises(ValueError, match="not an envelope"):
        read_envelope(answer)


@pytest.mark.parametrize(
    ("code", "succeeded"), [(999, False), (1000, True), (1999, True), (2000, False), (4003, False)]
)
def test_success_is_1xxx(code: int, succeeded: bool) -> None:
    assert Received(code).succeeded is succeeded


def test_a_single_object_that_a_peer_wrapped_in_a_list_is_unwrapped() -> None:
    assert Received(1000, None, [{"result": "ACCEPTED"}]).one == {"result": "ACCEPTED"}
    assert Received(1000, None, {"result": "ACCEPTED"}).one == {"result": "ACCEPTED"}
    assert Received(1000).one is None


def test_rule_32_the_documented_envelope_holds_one_object_or_a_list() -> None:
    answer = Envelope[CommandResponse].model_validate(ours("commands/responses/accepted.json"))
    assert answer.data is not None
    assert answer.data.timeout == 30
    assert answer.wire() == ours("commands/responses/accepted.json")


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("transport_and_format_get_token_example", Envelope[Token]),
        ("transport_and_format_get_token_list_example", Envelope[tuple[Token, ...]]),
    ],
)
def test_the_specifications_envelopes_read_and_write_themselves(
    version: str, name: str, model: type[Envelope[Any]]
) -> None:
    example = specified(version, name)
    assert model.model_validate(example).wire() == example
