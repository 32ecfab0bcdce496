import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge import rpc
from ocpp_bridge.rpc import Call, CallError, CallResult, Send, Unreadable, parse


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ('[2,"a","Heartbeat",{}]', Call("a", "Heartbeat", {})),
        (b'[2,"a","Heartbeat",{}]', Call("a", "Heartbeat", {})),
        ('[2,17,"Heartbeat",null]', Call(17, "Heartbeat", {})),
        ('[2,"a","Heartbeat"]', Call("a", "Heartbeat", {})),
        ('[2,"a","Heartbeat",[]]', Call("a", "Heartbeat", {})),
        ('[2,"a","Heartbeat",{"x":1},"more"]', Call("a", "Heartbeat", {"x": 1})),
        ('[3,"a",{"status":"Accepted"}]', CallResult("a", {"status": "Accepted"})),
        ('[3,"a"]', CallResult("a", {})),
        ('[3,"a",null]', CallResult("a", {})),
        ('[3,"a",7]', CallResult("a", None)),
        ('[4,"a","NotImplemented","no",{}]', CallError("a", "NotImplemented", "no")),
        ('[4,"a","NotImplemented"]', CallError("a", "NotImplemented", "")),
        ('[4,"a"]', CallError("a", "", "")),
        ('[4,"a",null,7]', CallError("a", "", "")),
        ('[4,null,"RpcFrameworkError"]', CallError("")),
        ('[6,"a","NotifyPeriodicEventStream",{}]', Send("a", "NotifyPeriodicEventStream", {})),
    ],
)
def test_what_can_be_understood_is_understood(frame: str | bytes, message: rpc.Message) -> None:
    assert parse(frame) == message


@pytest.mark.parametrize(
    ("frame", "message_id", "code"),
    [
        ('[2,"a",["x"],{}]', "a", rpc.RPC_FRAMEWORK_ERROR),
        ('[2,"a"]', "a", rpc.RPC_FRAMEWORK_ERROR),
        ('[2,"a","Heartbeat","text"]', "a", rpc.FORMAT_VIOLATION),
        ('[2,"a","Heartbeat",[1]]', "a", rpc.FORMAT_VIOLATION),
        ('[2,null,"Heartbeat",{}]', None, rpc.RPC_FRAMEWORK_ERROR),
        ('[2,true,"Heartbeat",{}]', None, rpc.RPC_FRAMEWORK_ERROR),
        (f'[2,"{"x" * 300}","Heartbeat",{{}}]', None, rpc.RPC_FRAMEWORK_ERROR),
        ('[9,"a",{}]', "a", rpc.MESSAGE_TYPE_NOT_SUPPORTED),
        ('[5,"a","X","",{}]', "a", rpc.MESSAGE_TYPE_NOT_SUPPORTED),
        ('[[2],"a"]', "a", rpc.MESSAGE_TYPE_NOT_SUPPORTED),
        ('{"a":1}', None, rpc.RPC_FRAMEWORK_ERROR),
        ("[]", None, rpc.RPC_FRAMEWORK_ERROR),
        ("", None, rpc.RPC_FRAMEWORK_ERROR),
        ("\ud800", None, rpc.RPC_FRAMEWORK_ERROR),
        (b"\xff\xfe", None, rpc.RPC_FRAMEWORK_ERROR),
        ("[" * 200_000, None, rpc.RPC_FRAMEWORK_ERROR),
        ('[2,"a","Heartbeat",' + "[" * 200_000, "a", rpc.FORMAT_VIOLATION),
        ('[2,"a","Heart', "a", rpc.FORMAT_VIOLATION),
        (b'[2,"a","Heartbeat",{"x":"\xff"}]', "a", rpc.FORMAT_VIOLATION),
        ('[8,"a",', "a", rpc.MESSAGE_TYPE_NOT_SUPPORTED),
        ("[2," + "9" * 5000 + ',"Heartbeat",{}]', None, rpc.RPC_FRAMEWORK_ERROR),
    ],
)
def test_what_cannot_be_understood_says_why_and_whom_to_tell(
    frame: str | bytes, message_id: str | None, code: str
) -> None:
    found = parse(frame)
    assert isinstance(found, Unreadable)
    assert (found.message_id, found.code) == (message_id, code)


@pytest.mark.parametrize(
    ("frame", "message"), [('[3,"a",{"status":', CallResult("a", None)), ('[4,"a","NotImp', CallError("a"))]
)
def test_a_broken_answer_with_a_readable_id_still_ends_its_call(frame: str, message: rpc.Message) -> None:
    assert parse(frame) == message


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(2**70), 2**70) | st.text(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.sampled_from([2, 3, 4, 6]) | json_values, max_size=6) | json_values)
def test_no_json_makes_it_raise(document: Any) -> None:
    parse(json.dumps(document))


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda tail: b'[2,"a","X",' + tail))
def test_no_bytes_make_it_raise(frame: bytes) -> None:
    parse(frame)


@given(st.text(max_size=200))
def test_no_text_makes_it_raise(frame: str) -> None:
    parse(frame)


def test_what_we_write_we_can_read() -> None:
    assert parse(rpc.call("a", "ReserveNow", {"id": 1})) == Call("a", "ReserveNow", {"id": 1})
    assert parse(rpc.result("a", {"status": "Accepted"})) == CallResult("a", {"status": "Accepted"})
    assert parse(rpc.error("a", "InternalError", "why")) == CallError("a", "InternalError", "why")


def test_an_error_description_is_never_longer_than_the_specification_allows() -> None:
    assert len(orjson.loads(rpc.error("a", "GenericError", "x" * 1000))[3]) == 255


def test_an_id_is_echoed_in_the_type_it_came_in() -> None:
    assert orjson.loads(rpc.result(17, {}))[1] == 17
    assert math.isclose(orjson.loads(rpc.result(1.5, {}))[1], 1.5)


def test_a_repeated_message_has_the_same_fingerprint_and_another_under_its_id_has_not() -> None:
    first, again, other = (parse(f'[2,"a","X",{{"n":{n}}}]') for n in (1, 1, 2))
    assert isinstance(first, Call)
    assert isinstance(again, Call)
    assert isinstance(other, Call)
    assert first.fingerprint == again.fingerprint != other.fingerprint
