"""What a command's end means when the station's own answer is not the whole story: the clock, and orders never sent."""

from gateway.domain.lifecycle import CommandState
from ocpi.commands import CommandResultType
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.meanings import OCCUPIED, Happened, Meaning

#: Marked as sent, and nothing was heard: the station may have done it.
TIMED_OUT = Meaning(
    result=CommandResultType.TIMEOUT,
    happened=Happened.UNKNOWN,
    text="The charging station did not answer in time.",
)
#: Its turn never came: the station was certainly not asked.
NEVER_SENT = Meaning(
    result=CommandResultType.FAILED,
    happened=Happened.NO,
    text="The charging station was busy.",
)


#: The status of an order that was not sent because its EVSE is certainly somebody else's.
TAKEN = "Occupied"


def judge_answer(answer: Answer | None, state: str, said: Meaning | None) -> Meaning:
    """``said`` is the dialect's reading of ``answer``; without an answer the deadline speaks."""
    if answer is None or said is None:
        return TIMED_OUT if state == CommandState.SENT else NEVER_SENT
    if answer.ending is Ending.NOT_SENT and answer.status == TAKEN:
        return Meaning(result=OCCUPIED.result, happened=Happened.NO, text=answer.detail)
    if answer.ending is Ending.NOT_SENT and answer.detail:
        return Meaning(result=said.result, happened=said.happened, text=f"{said.text} {answer.detail}".strip())
    return said
