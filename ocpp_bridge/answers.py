"""Answers: how an order ended, told apart exactly, because "not sent" and "perhaps done" are different debts."""

from enum import StrEnum

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass


class Ending(StrEnum):
    """Every way a CALL of ours can end."""

    #: A CALLRESULT that its schema, read tolerantly, understands.
    RESULT = "RESULT"
    #: A CALLERROR.
    CALL_ERROR = "CALL_ERROR"
    #: A CALLRESULT that cannot be understood: the station may have done it.
    BAD_RESULT = "BAD_RESULT"
    #: Nothing came until the deadline: the station may have done it.
    NO_ANSWER = "NO_ANSWER"
    #: The socket was lost after the CALL was written: the station may have done it.
    CONNECTION_LOST = "CONNECTION_LOST"
    #: Nothing was written to the socket: the station has certainly not done it.
    NOT_SENT = "NOT_SENT"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one order ended, in words that fit every OCPP version and can be written down."""

    ending: Ending
    #: RESULT: the station's status word in the schema's spelling. CALL_ERROR: the error code as received.
    status: str = ""
    #: 2.x statusInfo.reasonCode.
    reason: str = ""
    #: For people: statusInfo.additionalInfo, errorDescription, or why nothing was sent. At most 512 characters.
    detail: str = ""
    #: RequestStart on 2.x: a transaction that runs already (F01.FR.13).
    transaction_id: str | None = None
    #: AskAbilities: what the station said, as ``{name: raw value}``; a name it does not know is absent.
    abilities: dict[str, str] | None = None
    #: AskTransaction: is it going on; None: the station did not say.
    ongoing: bool | None = None
    #: AskTransaction: messages about it are still to come.
    messages_in_queue: bool | None = None


ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)
