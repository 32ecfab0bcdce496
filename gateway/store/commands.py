"""Commands: every query about what was asked, in which order stations get it, and how it ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, func, insert, null, or_, select, update

from gateway.domain.lifecycle import COMMAND, CommandState, before
from gateway.store.prepared import Prepared, Row, among
from gateway.store.rows import command
from gateway.store.statements import following
from ocpi.commands import CommandType
from ocpp_bridge.answers import ANSWER, Answer, Ending
from ocpp_bridge.orders import ORDER, Order

#: The same POST within this time is answered from the record.
DUPLICATE_WINDOW = timedelta(hours=24)

_OPEN = command.c.state != CommandState.CONCLUDED
#: An answer on a new socket may still follow a lost one.
_UNANSWERED = or_(command.c.ending.is_(None), command.c.ending == Ending.CONNECTION_LOST)


@dataclass(frozen=True, kw_only=True)
class Sendable:
    """An order as the node that holds the station gets it."""

    id: int
    order: Order
    deadline: datetime


#: What the house's own orders leave empty.
BLANK: Mapping[str, Any] = {
    "version": "",
    "from_country": "",
    "from_party": "",
    "to_country": "",
    "to_party": "",
    "request_id": "",
    "correlation_id": "",
    "response_url": "",
    "response": "",
    "response_code": 1000,
    "response_text": "",
    "result_text": "",
}


_FINAL = and_(command.c.ending.is_not(None), command.c.ending != Ending.CONNECTION_LOST)
#: The node that has an order says itself when its time is up; only it knows of one that it did not write any more.
_OVERDUE = and_(
    command.c.deadline <= bindparam("now"),
    or_(
        command.c.state != CommandState.SENT,
        command.c.ending.is_not(None),
        command.c.deadline <= bindparam("node_silent_since"),
    ),
)
_IS_OF_IDS = among(command.c.id, "ids")
_OF_IDS = select(command.c.station).where(_IS_OF_IDS)

_WRITE_DOWN = Prepared(insert(command).returning(command.c.id))
_BY_ID = Prepared(select(command).where(command.c.id == bindparam("id_")))
_DUPLICATE = Prepared(select(command).where(command.c.duplicate_key == bindparam("key")))
_GIVE_KEY_UP = Prepared(update(command).where(command.c.id == bindparam("id_")).values(duplicate_key=null()))
_DISPATCH = Prepared(
    update(command)
    .where(_IS_OF_IDS, command.c.state.in_(before(COMMAND, CommandState.DISPATCHED)))
    .values(state=CommandState.DISPATCHED, dispatched_at=bindparam("now"))
)
_MAY_BE_SENT = and_(
    _OPEN,
    command.c.state.in_(before(COMMAND, CommandState.SENT)),
    _UNANSWERED,
    command.c.order.is_not(None),  # a STOP_SESSION may have to wait for its transaction's id
)
_OLDEST = (
    select(command.c.id).where(command.c.station == bindparam("station_"), _MAY_BE_SENT).order_by(command.c.id).limit(1)
)
_WAITS = Prepared(_OLDEST)
_CLAIM = Prepared(
    update(command)
    .where(
        command.c.id == _OLDEST.scalar_subquery(), command.c.state.in_(before(COMMAND, CommandState.SENT)), _UNANSWERED
    )
    .values(
        state=CommandState.SENT,
        dispatched_at=func.coalesce(command.c.dispatched_at, bindparam("now")),
        sent_at=bindparam("now"),
    )
    .returning(command.c.id, command.c.order, command.c.deadline)
)
_ANSWERED = Prepared(
    update(command)
    .where(command.c.id == bindparam("id_"), _OPEN, _UNANSWERED)
    .values({name: bindparam(name) for name in ("subprotocol", "ending", "answer", "answered_at")})
)
_TO_CONCLUDE = Prepared(
    select(command)
    .where(_OPEN, or_(_FINAL, _OVERDUE))
    .where(
        or_(
            _IS_OF_IDS,
            and_(command.c.station.in_(_OF_IDS), command.c.id <= bindparam("newest"), _FINAL),
        )
    )
    .order_by(command.c.id)
)
_UNJUDGED = Prepared(
    select(command)
    .where(command.c.station == bindparam("station_"), _OPEN)
    .where(or_(command.c.id == bindparam("id_"), and_(command.c.state == CommandState.SENT, _FINAL)))
)
_RUNG = Prepared(
    update(command).where(_IS_OF_IDS, command.c.state == CommandState.DISPATCHED).values(dispatched_at=bindparam("now"))
)
_OF_RESERVATION = select(command.c.id).where(command.c.reservation == bindparam("reservation_"), _OPEN).limit(1)
_OPEN_FOR = Prepared(_OF_RESERVATION)
_OPEN_FOR_AS = Prepared(_OF_RESERVATION.where(command.c.type == bindparam("type_")))
_UNANSWERED_STARTS = Prepared(
    select(command)
    .where(command.c.station == bindparam("station_"), _OPEN, command.c.state == CommandState.SENT)
    .where(command.c.type == CommandType.START_SESSION, _UNANSWERED)
    .order_by(command.c.id)
)
_ANSWERED_AT = Prepared(
    select(command.c.id).where(
        command.c.station == bindparam("station_"), _OPEN, command.c.state == CommandState.SENT, _FINAL
    )
)


def write_down(db: Connection, row: Mapping[str, Any]) -> int:
    """A command of an eMSP or of the house; from the commit on we owe it a result."""
    return int(_WRITE_DOWN.scalar(db, row))


def duplicate(db: Connection, key: str, now: datetime) -> Row | None:
    """The command that the same POST made within a day; an older one gives its key up."""
    row = _DUPLICATE.first(db, {"key": key})
    if row is None or row["received_at"] > now - DUPLICATE_WINDOW:
        return row
    _GIVE_KEY_UP.send(db, {"id_": row["id"]})
    return None


def dispatch(db: Connection, ids: Collection[int], now: datetime) -> None:
    """Their stations were rung for, and they have to wait there for their turn."""
    _DISPATCH.send(db, {"ids": list(ids), "now": now})


def waits(db: Connection, station: str) -> bool:
    """There is an order for the station that may be claimed."""
    return _WAITS.scalar(db, {"station_": station}) is not None


def claim(db: Connection, station: str, now: datetime) -> Sendable | None:
    """The oldest order that waits for a station, now SENT: nobody else gets it, and it is never sent again (P2)."""
    row = _CLAIM.first(db, {"station_": station, "now": now})
    if row is None:
        return None
    return Sendable(id=row["id"], order=ORDER.validate_python(row["order"]), deadline=row["deadline"])


def answered(db: Connection, command_id: int, subprotocol: str | None, answer: Answer, now: datetime) -> bool:
    """Write down how an order ended; False when it was concluded already (the answer is late)."""
    return _ANSWERED.run(db, {"id_": command_id, "subprotocol": subprotocol, **ended(answer, now)}) == 1


def ended(answer: Answer, now: datetime) -> dict[str, Any]:
    """The columns that say how an order ended."""
    told = ANSWER.dump_python(answer, mode="json", exclude_none=True)
    return {"ending": answer.ending, "answer": told, "answered_at": now}


def to_judge(db: Connection, command_id: int, station: str) -> Row | None:
    """A command whose order has just ended, if it has no other end and no other answer of its station waits."""
    found = _UNJUDGED.all(db, {"station_": station, "id_": command_id})
    if [row["id"] for row in found] != [command_id] or found[0]["ending"] not in {None, Ending.CONNECTION_LOST}:
        return None
    return found[0]


def never_sent(db: Connection, answers: Mapping[int, Answer], now: datetime) -> list[int]:
    """Write down of orders why they will not be sent; the ids of those that no node has taken in the meantime."""
    waiting = update(command).where(command.c.state.in_(before(COMMAND, CommandState.SENT)))
    return [
        command_id
        for command_id, answer in answers.items()
        if db.execute(waiting.where(command.c.id == command_id).values(**ended(answer, now))).rowcount == 1
    ]


def to_conclude(db: Connection, ids: Collection[int], now: datetime, patience: timedelta) -> Sequence[Row]:
    """Those of ``ids`` that can be concluded, and any older answered one of their stations, oldest first.

    ``patience``: how long after a deadline the word is the node's before it is the clock's.
    """
    asked = {"ids": list(ids), "newest": max(ids), "now": now, "node_silent_since": now - patience}
    return _TO_CONCLUDE.all(db, asked)


def conclude(
    db: Connection, seen: Row, result: str, text: str, now: datetime, ended: Mapping[str, Any] | None = None
) -> bool:
    """Give a command its result; False when it had one, or is no longer as it was ``seen`` (first answer wins, P3).

    ``ended``: how its order ended, if that is not written down yet.
    """
    as_seen = {"id_": seen["id"], "state_": seen["state"], "ending_": seen["ending"]}
    concluded = {"result": result, "result_text": text, "concluded_at": now, **(ended or {})}
    return _conclude(tuple(concluded)).run(db, as_seen | concluded) == 1


@cache
def _conclude(names: tuple[str, ...]) -> Prepared:
    return Prepared(
        update(command)
        .where(command.c.id == bindparam("id_"), command.c.state.in_(before(COMMAND, CommandState.CONCLUDED)))
        .where(
            command.c.state == bindparam("state_"),
            command.c.ending.is_not_distinct_from(bindparam("ending_", type_=String)),
        )
        .values(state=CommandState.CONCLUDED)
        .values({name: bindparam(name) for name in names})
    )


def withdraw(db: Connection, command_id: int, response: Mapping[str, Any], now: datetime) -> bool:
    """Take back a command of which nobody was told yet; False when a station may have it already."""
    withdrawn = (
        update(command)
        .where(command.c.id == command_id, command.c.state == CommandState.RECEIVED)
        .values(state=CommandState.CONCLUDED, concluded_at=now, duplicate_key=None, **response)
    )
    return db.execute(withdrawn).rowcount == 1


def due(
    db: Connection, now: datetime, patience: timedelta, rung_before: datetime, most: int
) -> tuple[list[int], list[int]]:
    """What the sweeper finds: (to be rung for again, to be concluded)."""
    ripe = or_(_OVERDUE, and_(_FINAL, command.c.answered_at <= rung_before))
    stuck = and_(
        command.c.state.in_([CommandState.RECEIVED, CommandState.DISPATCHED]),
        command.c.ending.is_(None),
        command.c.order.is_not(None),
        func.coalesce(command.c.dispatched_at, command.c.received_at) <= rung_before,
    )
    ring = select(command.c.id).where(_OPEN, ~ripe, stuck).order_by(command.c.id).limit(most)
    conclude_ = select(command.c.id).where(_OPEN, ripe).order_by(command.c.id).limit(most)
    times = {"now": now, "node_silent_since": now - patience}
    return list(db.execute(ring, times).scalars()), list(db.execute(conclude_, times).scalars())


def rung(db: Connection, ids: Collection[int], now: datetime) -> None:
    """Their stations were rung for again: the next time only after a while."""
    _RUNG.send(db, {"ids": list(ids), "now": now})


def by_id(db: Connection, command_id: int) -> Row | None:
    return _BY_ID.first(db, {"id_": command_id})


def open_for_reservation(db: Connection, reservation_id: int, type_: str | None = None) -> bool:
    """An order about this reservation (of one type) is on its way or its answer is not judged yet."""
    if type_ is None:
        return _OPEN_FOR.first(db, {"reservation_": reservation_id}) is not None
    return _OPEN_FOR_AS.first(db, {"reservation_": reservation_id, "type_": type_}) is not None


def listed(
    db: Connection, *, partner: int | None = None, state: str | None = None, after: int | None = None, most: int = 100
) -> Sequence[Row]:
    """The newest commands first; ``after`` that one."""
    wanted = ((command.c.partner, partner), (command.c.state, state))
    where = [column == value for column, value in wanted if value is not None]
    asked = select(command).where(*where, *following(command.c.id, after)).order_by(command.c.id.desc())
    return db.execute(asked.limit(most)).mappings().all()


def unanswered_starts(db: Connection, station: str) -> list[Row]:
    """START_SESSIONs that the station has, oldest first."""
    return _UNANSWERED_STARTS.all(db, {"station_": station})


def answered_at(db: Connection, station: str) -> list[int]:
    """The station's commands whose answers are written down and not judged yet."""
    return _ANSWERED_AT.scalars(db, {"station_": station})
