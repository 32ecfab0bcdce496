"""Conclusions, the story: every command gets its one result, from the station or from the clock."""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection

from gateway import reservations, sessions, stopping
from gateway.domain.results import judge_answer
from gateway.house import Rules
from gateway.replacing import Concerned, concerned
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

#: What a command may have ended by that its station had not answered.
_DOUBTFUL = {None, Ending.CONNECTION_LOST, Ending.NO_ANSWER}
#: A STOP_SESSION whose Session got no transaction in its time.
NOT_BEGUN = Meaning(result=CommandResultType.FAILED, happened=Happened.NO, text="The charge has not begun.")


@dataclass(frozen=True)
class Moved:
    """What follows from concluding: callbacks to post, and orders of the house to dispatch."""

    callbacks: list[int] = field(default_factory=list)
    dispatch: list[int] = field(default_factory=list)
    #: Callbacks that are held already for whoever is told to post them.
    held: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """A command that is to be given its result, and how its order ended."""

    row: Row
    #: None: its order was never given.
    order: Order | None
    #: None: the clock ends it.
    answer: Answer | None


def conclude(db: Connection, ids: Sequence[int], rules: Rules, now: datetime) -> Moved:
    """Give every command of ``ids`` that is ripe its one result: the station's, or the clock's (P3)."""
    ripe = commands.to_conclude(db, ids, now, rules.settings.node_patience)
    # Concluded by another process, which may not have come to posting what is owed.
    moved = Moved(callbacks=callbacks.of_commands(db, set(ids) - {row["id"] for row in ripe}))
    for row in ripe:
        one = _ended(row)
        about = concerned(db, row, one.order)
        meaning = _refined(db, one, rules)
        if not commands.conclude(db, row, meaning.result, meaning.text, now):
            continue
        if row["partner"] is not None:
            moved.callbacks.extend(callbacks.owe(db, [_owed(row, meaning)], now))
        _follow_up(db, one, about, meaning, moved, rules, now)
    return moved


def judge(
    db: Connection, command_id: int, station: str, subprotocol: str, answer: Answer, rules: Rules, now: datetime
) -> Moved:
    """``answered``, and ``conclude`` what can be concluded: in the usual case with one statement for both."""
    row = commands.to_judge(db, command_id, station) if answer.ending is not Ending.CONNECTION_LOST else None
    moved = _judge_at_once(db, row, subprotocol, answer, rules, now) if row is not None else None
    if moved is not None:
        return moved
    late = answered(db, command_id, subprotocol, answer, rules, now)
    return conclude(db, [command_id], rules, now) if late is None else late


def _judge_at_once(
    db: Connection, row: Row, subprotocol: str, answer: Answer, rules: Rules, now: datetime
) -> Moved | None:
    """None: another process was quicker."""
    ended = {"subprotocol": subprotocol, **commands.ended(answer, now)}
    one = _Ended(row=_with(row, ended), order=_order(row) if row["order"] is not None else None, answer=answer)
    about = concerned(db, row, one.order)
    meaning, moved = _refined(db, one, rules), Moved()
    if not commands.conclude(db, row, meaning.result, meaning.text, now, ended):
        return None
    if row["partner"] is not None:
        attempt = rules.settings.callback_attempt_timeout
        moved.held.append(callbacks.owe_held(db, _owed(row, meaning), now, attempt))
    _follow_up(db, one, about, meaning, moved, rules, now)
    return moved


def _follow_up(
    db: Connection,
    one: _Ended,
    about: Concerned | None,
    meaning: Meaning,
    moved: Moved,
    rules: Rules,
    now: datetime,
) -> None:
    """What a result means for the reservation and the Session that the command is about, and for its station."""
    follows = reservations.settle(db, one.row, one.order, about, meaning, rules, now)
    moved.callbacks.extend(callbacks.owe(db, follows.owed, now))
    moved.dispatch.extend(follows.dispatch + _follow(db, one, meaning, rules, now))
    moved.dispatch.extend(learned(db, one.row, rules, now))


def answered(
    db: Connection, command_id: int, subprotocol: str, answer: Answer, rules: Rules, now: datetime
) -> Moved | None:
    """Write down how an order ended; None: it was in time, and is to be concluded. Late: what the truth asks for."""
    if commands.answered(db, command_id, subprotocol, answer, now):
        return None
    row = commands.by_id(db, command_id)
    if row is None or answer.ending in {Ending.CONNECTION_LOST, Ending.NO_ANSWER, Ending.NOT_SENT}:
        return Moved()
    if row["ending"] not in _DOUBTFUL:  # the same answer again: whoever told it did not hear that it was taken
        return Moved()
    order = _order(row)
    meaning = DIALECTS[subprotocol].meaning(order, answer)
    if isinstance(order, RequestStart) and meaning.happened is Happened.YES:  # the charge may still come
        sessions.started(db, row, order, answer, rules, now)
    return Moved(dispatch=reservations.late(db, row, meaning, rules, now))


def _follow(db: Connection, one: _Ended, meaning: Meaning, rules: Rules, now: datetime) -> list[int]:
    """What an order's end means for the Session that it is about; the orders that follow."""
    if one.answer is None:
        return []
    match one.order:
        case RequestStart() as order if meaning.happened is Happened.YES:
            sessions.started(db, one.row, order, one.answer, rules, now)
        case RequestStop() if one.answer.ending is Ending.RESULT and meaning.happened is Happened.NO:
            return stopping.refused(db, one.row, rules, now)
        case AskTransaction():
            stopping.asked(db, one.row, one.answer, rules, now)
    return []


def _refined(db: Connection, one: _Ended, rules: Rules) -> Meaning:
    """What a command's end means, with what the house knows beside the answer."""
    row, order = one.row, one.order
    if order is None:
        return NOT_BEGUN
    meaning = _meaning(one)
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


def _meaning(one: _Ended) -> Meaning:
    if one.answer is None or one.order is None:
        return judge_answer(None, one.row["state"], None)
    dialect = DIALECTS.get(one.row["subprotocol"] or "", next(iter(DIALECTS.values())))
    return judge_answer(one.answer, one.row["state"], dialect.meaning(one.order, one.answer))


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


def _with(row: Row, ended: dict[str, Any]) -> Row:
    """A row is not read whole for a few of its columns."""
    return ChainMap(ended, cast(dict[Any, Any], row))


def _ended(row: Row) -> _Ended:
    """As it is written down."""
    told = row["answer"] if row["ending"] is not None else None
    return _Ended(
        row=row,
        order=_order(row) if row["order"] is not None else None,
        answer=ANSWER.validate_python(told) if told is not None else None,
    )


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
