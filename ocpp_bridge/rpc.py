"""OCPP-J framing: bytes to messages and back; pure, and never raises at what a station writes."""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

#: What is echoed to the station exactly as it came; numbers are seen although the specification has strings only.
MessageId = str | int | float

CALL, CALL_RESULT, CALL_ERROR, SEND = 2, 3, 4, 6

#: CALLERROR codes as 2.x names them; station.py says what an older version calls them.
RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
FORMAT_VIOLATION = "FormatViolation"
MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
INTERNAL_ERROR = "InternalError"
NOT_IMPLEMENTED = "NotImplemented"
NOT_SUPPORTED = "NotSupported"

#: The specification says 36 characters; what is longer than this is no id and is not echoed.
LONGEST_ID = 255
#: errorDescription, in every version.
LONGEST_DESCRIPTION = 255

_HEAD = re.compile(rb'\s*\[\s*(\d)\s*,\s*("(?:[^"\\]|\\.){1,255}"|\d{1,18})\s*[,\]]')


@dataclass(frozen=True, slots=True)
class Call:
    """[2, id, action, payload]: the station asks."""

    message_id: MessageId
    action: str
    payload: dict[str, Any]
    #: Tells a repeated message from an id that is used twice.
    fingerprint: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CallResult:
    """[3, id, payload]; ``payload`` is None when it cannot be read."""

    message_id: MessageId
    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CallError:
    """[4, id, code, description, details]; whatever is missing is empty."""

    message_id: MessageId
    code: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """[6, id, action, payload]: the station tells, and wants no answer (2.1)."""

    message_id: MessageId
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame that is none of the above."""

    message_id: MessageId | None
    code: str
    why: str


Message = Call | CallResult | CallError | Send | Unreadable


def parse(frame: str | bytes) -> Message:
    """What ``frame`` says, as far as it can be understood."""
    try:
        document = orjson.loads(frame)
    except ValueError:
        return _salvage(frame)
    match document:
        case [type_, id_, *rest] if _is_id(id_):
            return _message(type_, id_, rest, frame)
        case [3 | 4, *_]:  # an answer to nothing; answering it could go on for ever
            return CallError("")
        case [_, *_]:
            return Unreadable(None, RPC_FRAMEWORK_ERROR, "the message id cannot be read")
    return Unreadable(None, RPC_FRAMEWORK_ERROR, "not a JSON array")


def call(message_id: MessageId, action: str, payload: dict[str, Any]) -> bytes:
    return orjson.dumps([CALL, message_id, action, payload])


def result(message_id: MessageId, payload: dict[str, Any]) -> bytes:
    return orjson.dumps([CALL_RESULT, message_id, payload])


def error(message_id: MessageId, code: str, description: str = "") -> bytes:
    return orjson.dumps([CALL_ERROR, message_id, code, description[:LONGEST_DESCRIPTION], {}])


def _message(type_: Any, id_: MessageId, rest: list[Any], frame: str | bytes) -> Message:
    match type_:
        case 2:
            return _asked(id_, rest, frame)
        case 3:
            return CallResult(id_, _payload(rest[:1]))
        case 4:
            return _refused(id_, rest)
        case 6:
            asked = _asked(id_, rest, frame)
            return Send(id_, asked.action, asked.payload) if isinstance(asked, Call) else asked
    return Unreadable(id_, MESSAGE_TYPE_NOT_SUPPORTED, "the message type is not known")


def _asked(id_: MessageId, rest: list[Any], frame: str | bytes) -> Call | Unreadable:
    match rest:
        case [str(action), *payload] if (read := _payload(payload[:1])) is not None:
            return Call(id_, action, read, hash(frame))
        case [str(), *_]:
            return Unreadable(id_, FORMAT_VIOLATION, "the payload is not an object")
    return Unreadable(id_, RPC_FRAMEWORK_ERROR, "the action cannot be read")


def _refused(id_: MessageId, rest: list[Any]) -> CallError:
    code, description, *_ = [*(part if isinstance(part, str) else "" for part in rest), "", ""]
    return CallError(id_, code, description)


def _payload(found: list[Any]) -> dict[str, Any] | None:
    """Absent, null and the empty list (some languages' empty map) all mean: nothing to say."""
    match found:
        case [dict() as payload]:
            return payload
        case [] | [None] | [[]]:
            return {}
    return None


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_ID
    return isinstance(value, int | float) and not isinstance(value, bool)


def _salvage(frame: str | bytes) -> Message:
    """Broken JSON with a readable head is answered, or ends our call, instead of leaving somebody to wait."""
    head = frame[:600]
    found = _HEAD.match(head.encode(errors="replace") if isinstance(head, str) else head)
    try:
        id_ = orjson.loads(found[2]) if found else None
    except ValueError:
        id_ = None
    match (found and found[1], id_):
        case _, None:
            return Unreadable(None, RPC_FRAMEWORK_ERROR, "not JSON")
        case b"3", _:
            return CallResult(id_, None)
        case b"4", _:
            return CallError(id_)
        case b"2", _:
            return Unreadable(id_, FORMAT_VIOLATION, "not JSON")
    return Unreadable(id_, MESSAGE_TYPE_NOT_SUPPORTED, "not JSON, and the message type is not known")
