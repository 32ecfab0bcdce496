"""Signed meter values go into a CDR whole, as Base64 and as what was signed."""

import base64

import pytest

from gateway.domain.signatures import signed_data
from ocpi.cdrs import SignedData
from ocpp_bridge.events import Reading, Signed

OCMF = 'OCMF|{"FV":"1.0"}|{"SD":"30"}'


def reading(data: str = "", context: str = "Sample.Periodic", **changes: str) -> Reading:
    return Reading(at=None, context=context, signed=Signed(data=data, **changes) if data else None)


def values(told: SignedData | None) -> list[tuple[str, str, str]]:
    return [(one.nature, one.plain_data, one.signed_data) for one in told.signed_values] if told else []


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_what_a_meter_wrote_is_coded_and_what_was_coded_is_read() -> None:
    told = signed_data([reading(OCMF), reading(coded("end"))])
    assert values(told) == [("Start", OCMF, coded(OCMF)), ("End", "end", coded("end"))]


def test_the_contexts_say_which_is_which_and_else_the_first_and_the_last() -> None:
    told = [
        reading("middle!"),
        reading("begin!", "Transaction.Begin"),
        reading("end!", "Transaction.End"),
        reading("after!"),
    ]
    assert [plain for _, plain, _ in values(signed_data(told))] == ["begin!", "end!"]
    assert [plain for _, plain, _ in values(signed_data([told[0], reading(), told[3]]))] == ["middle!", "after!"]


def test_a_meter_may_sign_the_end_alone() -> None:
    told = signed_data([reading(), reading("end!", encoding="OCMF", public_key="KEY")])
    assert values(told) == [("End", "end!", coded("end!"))]
    assert told is not None
    assert (told.encoding_method, told.public_key) == ("OCMF", "KEY")


def test_an_encoding_that_nobody_named_is_not_available() -> None:
    told = signed_data([reading("x!")])
    assert told is not None
    assert told.encoding_method == "#NA"


@pytest.mark.parametrize("nothing", [[], [reading()], [reading(), reading("unsigned between"), reading()]])
def test_nothing_signed_at_either_end_is_nothing(nothing: list[Reading]) -> None:
    assert signed_data(nothing) is None


@pytest.mark.parametrize("changes", [{"encoding": "E" * 37}, {"public_key": "K" * 513}, {"encoding": "\u00e9"}])
def test_what_does_not_fit_into_a_cdr_is_left_out(changes: dict[str, str]) -> None:
    assert signed_data([reading("x!", **changes)]) is None
    assert signed_data([reading("x" * 5001)]) is None


def test_numbers_that_are_written_in_base_16_are_no_text_in_base_64() -> None:
    assert values(signed_data([reading("AABBCCDD")])) == [("End", "AABBCCDD", coded("AABBCCDD"))]
