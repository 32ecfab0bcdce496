"""Conclusions, the story: every command gets its one result, from the station or from the clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway import reservations, sessions, stopping
from gateway.domain.results import judge_answer
from gateway.house import Rules
from gateway.stations import learned
from gateway.store import callbacks, commands, stations
from gateway.store.prepared import Row
from gateway.store.sessions import has_ended
from ocpi.commands import CommandResultType
from ocpp_bridge.answers import ANSWER, Answer, Ending
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.meanings import Happened, Meaning
from ocpp_bridge.orders import (
    ORDER,
    AskTransaction,
    CancelReservation,
    Order,
    RequestStart,
    RequestStop,
    ReserveNow,
)

#: A STOP_SESSION whose Session got no transaction in its time.
NOT_BEGUN = Meaning(result=CommandResultType.FAILED, happened=Happened.NO, text="The charge has not begun.")


@dataclass(frozen=True)
class Moved:
    """What follows from concluding: callbacks to post, and orders of the house to dispatch."""

    callbacks: list[int] = field(default_factory=list)
    dispatch: list[int] = field(default_factory=list)


def conclude(db: Connection, ids: Sequence[int], rules: Rules, now: datetime) -> Moved:
    """Give every command of ``ids`` that is ripe its one result: the station's, or the clock's (P3)."""
    ripe = commands.to_conclude(db, ids, now, rules.settings.node_patience)
    # Concluded by another process, which may not have come to posting what is owed.
    moved = Moved(callbacks=callbacks.of_commands(db, set(ids) - {row["id"] for row in ripe}))
    for row in ripe:
        meaning = refined(db, row, rules)
        if not commands.conclude(db, row, meaning.result, meaning.text, now):
            continue
        owed = []
        if row["partner"] is not None:
            owed.append(_owed(row, meaning))
        follows = reservations.settle(db, row, meaning, rules, now)
        moved.callbacks.extend(callbacks.owe(db, owed + follows.owed, now))
        moved.dispatch.extend(follows.dispatch + _follow(db, row, meaning, rules, now))
        moved.dispatch.extend(learned(db, row, rules, now))
    return moved


def answered(
    db: Connection, command_id: int, subprotocol: str, answer: Answer, rules: Rules, now: datetime
) -> Moved | None:
    """Write down how an order ended; None: it was in time, and is to be concluded. Late: what the truth asks for."""
    if commands.answered(db, command_id, subprotocol, answer, now):
        return None
    row = commands.by_id(db, command_id)
    if row is None or answer.ending in {Ending.CONNECTION_LOST, Ending.NO_ANSWER, Ending.NOT_SENT}:
        return Moved()
    order = _order(row)
    meaning = DIALECTS[subprotocol].meaning(order, answer)
    if isinstance(order, RequestStart) and meaning.happened is Happened.YES:  # the charge may still come
        sessions.started(db, row, order, answer, rules, now)
    return Moved(dispatch=reservations.late(db, row, meaning, rules, now))


def _follow(db: Connection, row: Row, meaning: Meaning, rules: Rules, now: datetime) -> list[int]:
    """What an order's end means for the Session that it is about; the orders that follow."""
    if row["answer"] is None or row["order"] is None:
        return []
    answer = ANSWER.validate_python(row["answer"])
    match _order(row):
        case RequestStart() as order if meaning.happened is Happened.YES:
            sessions.started(db, row, order, answer, rules, now)
        case RequestStop() if answer.ending is Ending.RESULT and meaning.happened is Happened.NO:
            return stopping.refused(db, row, rules, now)
        case AskTransaction():
            stopping.asked(db, row, answer, rules, now)
    return []


def refined(db: Connection, row: Row, rules: Rules) -> Meaning:
    """What a command's end means, with what the house knows beside the answer."""
    if row["order"] is None:
        return NOT_BEGUN
    order, meaning = _order(row), _meaning(row)
    if meaning.happened is Happened.YES:
        return meaning
    if isinstance(order, RequestStop) and _has_ended(db, row["session"]):
        return Meaning(result=CommandResultType.ACCEPTED, happened=Happened.YES, text="The session had ended.")
    if row["ending"] != Ending.RESULT:
        return meaning
    if isinstance(order, RequestStart) and meaning.result is CommandResultType.REJECTED:
        return _start_refused(db, row, order, rules)
    if isinstance(order, ReserveNow) and _is_over_there(db, row, order):
        text = "The charging station's clock is ahead: the reservation is over there."
        return Meaning(result=meaning.result, happened=meaning.happened, text=text)
    if isinstance(order, CancelReservation) and reservations.was_used(db, row["reservation"]):
        return Meaning(result=CommandResultType.REJECTED, happened=Happened.NO, text="The reservation was used.")
    return meaning


def _is_over_there(db: Connection, row: Row, order: ReserveNow) -> bool:
    known = stations.find(db, row["station"])
    ahead = known["clock_ahead"] if known is not None else None
    return ahead is not None and row["received_at"] + timedelta(seconds=ahead) >= order.expiry


def _meaning(row: Row) -> Meaning:
    if row["ending"] is None or row["answer"] is None:
        return judge_answer(None, row["state"], None)
    answer = ANSWER.validate_python(row["answer"])
    dialect = DIALECTS.get(row["subprotocol"] or "", next(iter(DIALECTS.values())))
    return judge_answer(answer, row["state"], dialect.meaning(_order(row), answer))


def _start_refused(db: Connection, row: Row, order: RequestStart, rules: Rules) -> Meaning:
    """RemoteStart Rejected says little; the connector's last status says why."""
    status = stations.status_at(db, row["station"], order.evse, order.connector) or ""
    result = _START_REFUSED_BY.get(status, CommandResultType(rules.settings.start_refused))
    text = f"The charging station refused to start{f' (status {status})' if status else ''}."
    return Meaning(result=result, happened=Happened.NO, text=text)


_START_REFUSED_BY = {
    "Charging": CommandResultType.EVSE_OCCUPIED,
    "SuspendedEV": CommandResultType.EVSE_OCCUPIED,
    "SuspendedEVSE": CommandResultType.EVSE_OCCUPIED,
    "Finishing": CommandResultType.EVSE_OCCUPIED,
    "Occupied": CommandResultType.EVSE_OCCUPIED,
    "Reserved": CommandResultType.EVSE_OCCUPIED,
    "Unavailable": CommandResultType.EVSE_INOPERATIVE,
    "Faulted": CommandResultType.EVSE_INOPERATIVE,
}


def _has_ended(db: Connection, session_pk: int | None) -> bool:
    return session_pk is not None and has_ended(db, session_pk)


def _order(row: Row) -> Order:
    return ORDER.validate_python(row["order"])


def _owed(row: Row, meaning: Meaning) -> callbacks.Owed:
    return callbacks.Owed(
        command=row["id"],
        partner=row["partner"],
        url=row["response_url"],
        result=meaning.result,
        text=meaning.text,
        expires_at=row["promised_until"],
    )
