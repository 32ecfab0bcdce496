"""Meanings: what the end of an order tells the eMSP, and whether the station has done it.

A status word's meaning stands beside its verb, in the version's file; what is no normal answer means the same in every
version and stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ocpi.commands import CommandResultType as Result
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.orders import Order, RequestStart, ReserveNow


class Happened(StrEnum):
    """Has the station done what it was ordered?"""

    YES = "YES"
    NO = "NO"
    #: It may have: whoever needs certainty must ask again or undo it (P5).
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What one ending means."""

    result: Result
    happened: Happened
    #: A short sentence for the eMSP's CommandResult.message.
    text: str = ""


DONE = Meaning(result=Result.ACCEPTED, happened=Happened.YES)
AFTER_REBOOT = Meaning(
    result=Result.ACCEPTED, happened=Happened.YES, text="The charging station does so after its next start."
)
OCCUPIED = Meaning(result=Result.EVSE_OCCUPIED, happened=Happened.NO, text="The EVSE is occupied or reserved.")
INOPERATIVE = Meaning(result=Result.EVSE_INOPERATIVE, happened=Happened.NO, text="The EVSE is out of order.")
REJECTED = Meaning(result=Result.REJECTED, happened=Happened.NO, text="The charging station rejected the command.")
CHARGING = Meaning(result=Result.REJECTED, happened=Happened.NO, text="A charging session is running there.")
NO_SUCH_CONNECTOR = Meaning(
    result=Result.REJECTED, happened=Happened.NO, text="The charging station does not know the connector."
)
NO_SUCH_RESERVATION = Meaning(
    result=Result.UNKNOWN_RESERVATION, happened=Happened.NO, text="The charging station has no such reservation."
)
NOT_SUPPORTED = Meaning(
    result=Result.NOT_SUPPORTED, happened=Happened.NO, text="The charging station does not support this."
)
FAILED = Meaning(result=Result.FAILED, happened=Happened.NO, text="The charging station failed to do it.")
PERHAPS_FAILED = Meaning(
    result=Result.FAILED, happened=Happened.UNKNOWN, text="The charging station reported an internal error."
)
NOT_UNDERSTOOD = Meaning(
    result=Result.FAILED, happened=Happened.UNKNOWN, text="The charging station's answer could not be understood."
)
MUTE = Meaning(result=Result.TIMEOUT, happened=Happened.UNKNOWN, text="The charging station did not answer in time.")
LOST = Meaning(
    result=Result.TIMEOUT, happened=Happened.UNKNOWN, text="The connection to the charging station was lost."
)
NOT_SENT = Meaning(result=Result.FAILED, happened=Happened.NO, text="The charging station could not be asked.")
WRONG_DATA = Meaning(
    result=Result.FAILED, happened=Happened.NO, text="The charging station could not process the command."
)
NOT_BOOTED = Meaning(
    result=Result.FAILED, happened=Happened.NO, text="The charging station does not take commands yet."
)

#: What a CALLERROR means; a code that is not here means FAILED. 1.6 misspells two of them for ever (errata).
CALL_ERRORS: Mapping[str, Meaning] = {
    # Stations mix these two up as often as libraries do: alike.
    "NotImplemented": NOT_SUPPORTED,
    "NotSupported": NOT_SUPPORTED,
    "InternalError": PERHAPS_FAILED,
    "GenericError": PERHAPS_FAILED,
    "FormatViolation": WRONG_DATA,
    "FormationViolation": WRONG_DATA,
    "ProtocolError": WRONG_DATA,
    "PropertyConstraintViolation": WRONG_DATA,
    "OccurrenceConstraintViolation": WRONG_DATA,
    "OccurenceConstraintViolation": WRONG_DATA,
    "TypeConstraintViolation": WRONG_DATA,
    "SecurityError": NOT_BOOTED,
    "RpcFrameworkError": FAILED,
    "MessageTypeNotSupported": FAILED,
}
_BY_CODE = {code.casefold(): meaning for code, meaning in CALL_ERRORS.items()}

#: Orders that a station may have begun to carry out before its software failed.
UNCERTAIN = (ReserveNow, RequestStart)

_ENDINGS: Mapping[Ending, Meaning] = {
    Ending.BAD_RESULT: NOT_UNDERSTOOD,
    Ending.NO_ANSWER: MUTE,
    Ending.CONNECTION_LOST: LOST,
    Ending.NOT_SENT: NOT_SENT,
}


def call_error(order: Order, code: str) -> Meaning:
    """What the CALLERROR ``code`` means for ``order``, whatever its spelling."""
    meaning = _BY_CODE.get(code.strip().casefold(), FAILED)
    return FAILED if meaning is PERHAPS_FAILED and not isinstance(order, UNCERTAIN) else meaning


def unanswered(order: Order, answer: Answer) -> Meaning:
    """What every ending other than a RESULT means."""
    return call_error(order, answer.status) if answer.ending is Ending.CALL_ERROR else _ENDINGS[answer.ending]
