"""Commands: every query about what was asked, in which order stations get it, and how it ended."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, RowMapping, String, and_, bindparam, func, insert, or_, select, update

from gateway.domain.lifecycle import COMMAND, CommandState, before
from gateway.store.rows import callback, callback_attempt, command
from gateway.store.statements import following
from ocpi.headers import Party
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


@dataclass(frozen=True, kw_only=True)
class Wake:
    """A station that has an order waiting."""

    command: int
    station: str


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
#: The node that has an order says itself when its time is up, and only it knows of an order that it did not write any more.
_OVERDUE = and_(
    command.c.deadline <= bindparam("now"),
    or_(
        command.c.state != CommandState.SENT,
        command.c.ending.is_not(None),
        command.c.deadline <= bindparam("node_silent_since"),
    ),
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_STATIONS: BindParameter[Any] = bindparam("stations", expanding=True)
_OF_IDS = select(command.c.station).where(command.c.id.in_(_IDS))

_WRITE_DOWN = insert(command).returning(command.c.id)
_BY_ID = select(command).where(command.c.id == bindparam("id_"))
_DUPLICATE = select(command).where(command.c.duplicate_key == bindparam("key"))
_DISPATCH = (
    update(command)
    .where(command.c.station.in_(_OF_IDS), command.c.id <= bindparam("newest"), _OPEN)
    .where(command.c.state.in_(before(COMMAND, CommandState.DISPATCHED)))
    .values(state=CommandState.DISPATCHED, dispatched_at=bindparam("now"))
    .returning(command.c.id, command.c.station)
)
_DISPATCHED = select(command.c.id, command.c.station).where(
    command.c.id.in_(_IDS), command.c.state == CommandState.DISPATCHED
)
_QUEUED = (
    select(command.c.id, command.c.station, command.c.partner, command.c.from_country, command.c.from_party)
    .where(command.c.station.in_(_STATIONS), _OPEN)
    .order_by(command.c.id)
)
_OLDEST = (
    select(func.min(command.c.id))
    .where(command.c.station.in_(_STATIONS), _OPEN, command.c.state == CommandState.DISPATCHED, _UNANSWERED)
    .where(command.c.order.is_not(None))  # a STOP_SESSION may have to wait for its transaction's id
    .group_by(command.c.station)
)
_CLAIM = (
    update(command)
    .where(command.c.id.in_(_OLDEST), command.c.state.in_(before(COMMAND, CommandState.SENT)), _UNANSWERED)
    .values(state=CommandState.SENT, sent_at=bindparam("now"))
    .returning(command.c.id, command.c.station, command.c.order, command.c.deadline)
)
_ANSWERED = (
    update(command)
    .where(command.c.id == bindparam("id_"), _OPEN, _UNANSWERED)
    .values({name: bindparam(name) for name in ("subprotocol", "ending", "answer", "answered_at")})
)
_TO_CONCLUDE = (
    select(command)
    .where(_OPEN, or_(_FINAL, _OVERDUE))
    .where(
        or_(
            command.c.id.in_(_IDS),
            and_(command.c.station.in_(_OF_IDS), command.c.id <= bindparam("newest"), _FINAL),
        )
    )
    .order_by(command.c.id)
)
_CONCLUDE = (
    update(command)
    .where(command.c.id == bindparam("id_"), command.c.state.in_(before(COMMAND, CommandState.CONCLUDED)))
    .where(
        command.c.state == bindparam("state_"),
        command.c.ending.is_not_distinct_from(bindparam("ending_", type_=String)),
    )
    .values(state=CommandState.CONCLUDED)
    .values({name: bindparam(name) for name in ("result", "result_text", "concluded_at")})
)


def write_down(db: Connection, row: Mapping[str, Any]) -> int:
    """A command of an eMSP or of the house; from the commit on we owe it a result."""
    return int(db.execute(_WRITE_DOWN, dict(row)).scalar_one())


def duplicate(db: Connection, key: str, now: datetime) -> RowMapping | None:
    """The command that the same POST made within a day; an older one gives its key up."""
    row = db.execute(_DUPLICATE, {"key": key}).mappings().first()
    if row is None or row["received_at"] > now - DUPLICATE_WINDOW:
        return row
    db.execute(update(command).where(command.c.id == row["id"]).values(duplicate_key=None))
    return None


def dispatch(db: Connection, ids: Collection[int], now: datetime) -> list[Wake]:
    """Mark the commands DISPATCHED, and with them any older one of the same stations, so that none is overtaken."""
    rung = {row.id: row.station for row in db.execute(_DISPATCH, {"ids": ids, "newest": max(ids), "now": now})}
    # Rung for again: a node that died took the first wake-up with it.
    if again := set(ids) - set(rung):
        rung |= {row.id: row.station for row in db.execute(_DISPATCHED, {"ids": again})}
    return [Wake(command=one, station=station) for one, station in sorted(rung.items())]


def queued(db: Connection, stations: Collection[str]) -> dict[str, list[int]]:
    """``{station: open commands, oldest first}``."""
    found: dict[str, list[int]] = {}
    for row in db.execute(_QUEUED, {"stations": stations}):
        found.setdefault(row.station, []).append(row.id)
    return found


def crowded_out(db: Connection, stations: Collection[str], most: int) -> set[int]:
    """Open commands that find ``most`` before them at their station; the first one of each party has its place (P6)."""
    places, parties, found = Counter[str](), set[tuple[str, int | None, str]](), set[int]()
    for row in db.execute(_QUEUED, {"stations": stations}):
        party = (row.station, row.partner, Party(row.from_country, row.from_party).key)
        if places[row.station] >= most and party in parties:
            found.add(row.id)
        else:
            places[row.station] += 1
            parties.add(party)
    return found


def is_waiting(db: Connection, station: str) -> bool:
    asked = select(command.c.id).where(command.c.station == station, _OPEN, command.c.ending.is_(None))
    return db.execute(asked.where(command.c.state != CommandState.SENT).limit(1)).first() is not None


def claim(db: Connection, stations: Collection[str], now: datetime) -> dict[str, Sendable]:
    """The oldest waiting order of each station, now SENT: nobody else gets it, and it is never sent again (P2)."""
    return {
        row.station: Sendable(id=row.id, order=ORDER.validate_python(row.order), deadline=row.deadline)
        for row in db.execute(_CLAIM, {"stations": stations, "now": now})
    }


def answered(db: Connection, command_id: int, subprotocol: str | None, answer: Answer, now: datetime) -> bool:
    """Write down how an order ended; False when it was concluded already (the answer is late)."""
    noted = {"id_": command_id, "subprotocol": subprotocol, **_ended(answer, now)}
    return db.execute(_ANSWERED, noted).rowcount == 1


def _ended(answer: Answer, now: datetime) -> dict[str, Any]:
    told = ANSWER.dump_python(answer, mode="json", exclude_none=True)
    return {"ending": answer.ending, "answer": told, "answered_at": now}


def never_sent(db: Connection, answers: Mapping[int, Answer], now: datetime) -> list[int]:
    """Write down of orders why they will not be sent; the ids of those that no node has taken in the meantime."""
    waiting = update(command).where(command.c.state.in_(before(COMMAND, CommandState.SENT)))
    return [
        command_id
        for command_id, answer in answers.items()
        if db.execute(waiting.where(command.c.id == command_id).values(**_ended(answer, now))).rowcount == 1
    ]


def to_conclude(db: Connection, ids: Collection[int], now: datetime, patience: timedelta) -> Sequence[RowMapping]:
    """Those of ``ids`` that can be concluded, and any older answered one of their stations, oldest first.

    ``patience``: how long after a deadline the word is the node's before it is the clock's.
    """
    asked = {"ids": ids, "newest": max(ids), "now": now, "node_silent_since": now - patience}
    return db.execute(_TO_CONCLUDE, asked).mappings().all()


def conclude(db: Connection, judged: RowMapping, result: str, text: str, now: datetime) -> bool:
    """Give a command its result; False when it had one, or is no longer as it was judged (first answer wins, P3)."""
    seen = {"id_": judged["id"], "state_": judged["state"], "ending_": judged["ending"]}
    concluded = {"result": result, "result_text": text, "concluded_at": now}
    return db.execute(_CONCLUDE, seen | concluded).rowcount == 1


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
    """The wake-up was given again now."""
    db.execute(
        update(command)
        .where(command.c.id.in_(ids), command.c.state == CommandState.DISPATCHED)
        .values(dispatched_at=now)
    )


def by_id(db: Connection, command_id: int) -> RowMapping | None:
    return db.execute(_BY_ID, {"id_": command_id}).mappings().first()


def open_for_reservation(db: Connection, reservation_id: int, type_: str | None = None) -> bool:
    """An order about this reservation (of one type) is on its way or its answer is not judged yet."""
    asked = select(command.c.id).where(command.c.reservation == reservation_id, _OPEN).limit(1)
    if type_ is not None:
        asked = asked.where(command.c.type == type_)
    return db.execute(asked).first() is not None


def obsolete(db: Connection, reservation_id: int, now: datetime) -> None:
    """The house's own orders about a reservation that were not sent yet are not wanted; but the CPO keeps its word."""
    unwanted = (
        update(command)
        .where(command.c.reservation == reservation_id, command.c.partner.is_(None))
        .where(command.c.body["reason"].as_string().is_(None))
        .where(command.c.state.in_([CommandState.RECEIVED, CommandState.DISPATCHED]))
        .values(state=CommandState.CONCLUDED, concluded_at=now, result_text="not needed any more")
    )
    db.execute(unwanted)


def listed(
    db: Connection, *, partner: int | None = None, state: str | None = None, after: int | None = None, most: int = 100
) -> Sequence[RowMapping]:
    """The newest commands first; ``after`` that one."""
    wanted = ((command.c.partner, partner), (command.c.state, state))
    where = [column == value for column, value in wanted if value is not None]
    asked = select(command).where(*where, *following(command.c.id, after)).order_by(command.c.id.desc())
    return db.execute(asked.limit(most)).mappings().all()


def callbacks_of(db: Connection, command_id: int) -> Sequence[tuple[RowMapping, Sequence[RowMapping]]]:
    """A command's callbacks, each with its attempts."""
    owed = db.execute(select(callback).where(callback.c.command == command_id).order_by(callback.c.id)).mappings().all()
    tried = select(callback_attempt).order_by(callback_attempt.c.id)
    return [(one, db.execute(tried.where(callback_attempt.c.callback == one["id"])).mappings().all()) for one in owed]


def answered_at(db: Connection, station: str) -> list[int]:
    """The station's commands whose answers are written down and not judged yet."""
    asked = select(command.c.id).where(command.c.station == station, _OPEN, command.c.state == CommandState.SENT)
    final = and_(command.c.ending.is_not(None), command.c.ending != Ending.CONNECTION_LOST)
    return list(db.execute(asked.where(final)).scalars())
