"""Transactions: every query that finds what a station's message is about, and the messages themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, update

from gateway.domain.lifecycle import SessionState
from gateway.domain.metering import Message
from gateway.store.prepared import Prepared, Row
from gateway.store.rows import session, transaction_event
from gateway.store.statements import put_once
from ocpp_bridge.events import READINGS, Phase

_OF_RESERVATION = Prepared(
    select(session).where(
        session.c.reservation == bindparam("reservation_"), session.c.state == SessionState.RESERVATION
    )
)
_OF_SESSION = Prepared(
    select(transaction_event)
    .where(transaction_event.c.session == bindparam("session_"))
    .order_by(transaction_event.c.id)
)
_BY_ID = Prepared(
    select(session).where(
        session.c.station == bindparam("station_"), session.c.transaction_id == bindparam("transaction_id_")
    )
)
_STARTED, _ENDED = (
    Prepared(
        select(transaction_event.c.id)
        .where(transaction_event.c.session == bindparam("session_"), transaction_event.c.phase == phase)
        .limit(2)
    )
    for phase in (Phase.STARTED, Phase.ENDED)
)
_NUMBERS = Prepared(
    select(
        func.min(transaction_event.c.seq).label("first"),
        func.max(transaction_event.c.seq).label("last"),
        func.count(transaction_event.c.seq).label("count"),
    ).where(transaction_event.c.session == bindparam("session_"))
)
_LAST_OF_FAMILY = Prepared(
    select(session)
    .where(session.c.start_key > bindparam("after"), session.c.start_key < bindparam("before"))
    .order_by(session.c.start_key.desc())
    .limit(1)
)
_BY_START_KEY = Prepared(select(session).where(session.c.start_key == bindparam("start_key_")))


def note(db: Connection, row: dict[str, Any]) -> bool:
    """A message about a transaction; False when it was noted before."""
    return put_once(db, transaction_event, row)


def messages(db: Connection, session_pk: int) -> list[Message]:
    """All that was told of the Session's transaction, in the order in which it came."""
    found = _OF_SESSION.all(db, {"session_": session_pk})
    return [
        Message(
            at=row["at"],
            phase=Phase(row["phase"]),
            seq=row["seq"],
            charging_state=row["charging_state"],
            readings=READINGS.validate_python(row["readings"]),
        )
        for row in found
    ]


def by_id(db: Connection, station: str, transaction_id: str) -> Row | None:
    return _BY_ID.first(db, {"station_": station, "transaction_id_": transaction_id})


def by_start_key(db: Connection, start_key: str) -> Row | None:
    return _BY_START_KEY.first(db, {"start_key_": start_key})


def last_of_family(db: Connection, family: str) -> Row | None:
    """The last one of those whose start keys are numbered ``family:number``."""
    return _LAST_OF_FAMILY.first(db, {"after": f"{family}:", "before": f"{family};"})


def running_at(db: Connection, station: str, station_evse: int | None, station_connector: int | None) -> Sequence[Row]:
    """Transactions that run at an EVSE (1.6: at a connector); at neither: at the station."""
    asked = select(session).where(session.c.station == station, session.c.state == SessionState.ACTIVE)
    if (station_evse, station_connector) != (None, None):
        asked = asked.where(_here(station_evse, station_connector))
    return db.execute(asked).mappings().all()


def asked_for(db: Connection, station: str, remote_start_id: int) -> Row | None:
    """The Session, without a transaction yet, whose start told the station this number."""
    asked = select(session).where(_WAITS, session.c.station == station, session.c.remote_start_id == remote_start_id)
    return db.execute(asked).mappings().first()


def asked_at(
    db: Connection,
    station: str,
    spot: tuple[int | None, int | None],
    keys: Sequence[str],
    at: datetime,
    asked_by: datetime,
) -> Row | None:
    """The oldest start, asked for by then, that waits for one of these tokens there and was awaited still at ``at``."""
    asked = (
        select(session)
        .where(session.c.station == station, session.c.state == SessionState.PENDING)
        .where(or_(session.c.token_key.in_(keys), session.c.group_key.in_(keys)))
        .where(session.c.pending_until >= at, session.c.start_date_time <= asked_by)
        .where(or_(_here(*spot), session.c.station_connector.is_(None)))
        .order_by(session.c.id)
    )
    return db.execute(asked).mappings().first()


def of_reservation(db: Connection, reservation_id: int) -> Row | None:
    """The Session of a reservation that is not used yet."""
    return _OF_RESERVATION.first(db, {"reservation_": reservation_id})


def last_of_reservation(db: Connection, reservation_id: int) -> Row | None:
    """The newest Session that the reservation was, over or not."""
    asked = select(session).where(session.c.reservation == reservation_id).order_by(session.c.id.desc()).limit(1)
    return db.execute(asked).mappings().first()


def hand_over(db: Connection, from_pk: int, to_pk: int) -> None:
    """A transaction turns out to be that of another Session."""
    db.execute(update(transaction_event).where(transaction_event.c.session == from_pk).values(session=to_pk))


def forget(db: Connection, session_pk: int) -> None:
    """A Session that nobody was told of, and that has nothing left."""
    db.execute(delete(session).where(session.c.id == session_pk))


def pending(db: Connection, station: str, now: datetime) -> Sequence[Row]:
    """Starts that the station has accepted and that may become a transaction still."""
    asked = select(session).where(_PENDING, session.c.station == station, session.c.pending_until > now)
    return db.execute(asked).mappings().all()


def lapsed(db: Connection, now: datetime, most: int = 100) -> list[int]:
    """Starts that became no transaction in their time."""
    asked = select(session.c.id).where(_PENDING, session.c.pending_until <= now)
    return list(db.execute(asked.limit(most)).scalars())


def to_close(db: Connection, now: datetime, most: int = 100) -> list[int]:
    """Transactions that ended, and whose missing messages have not come in their time."""
    asked = select(session.c.id).where(session.c.state == SessionState.ACTIVE, session.c.closes_at <= now)
    return list(db.execute(asked.limit(most)).scalars())


def begins(db: Connection, session_pk: int) -> bool:
    """Its station has told of its beginning."""
    return _STARTED.first(db, {"session_": session_pk}) is not None


def ends(db: Connection, session_pk: int) -> int:
    """How often its station has told of its end: 0, 1, or more than that (2)."""
    return len(_ENDED.all(db, {"session_": session_pk}))


def has_no_gap(db: Connection, session_pk: int) -> bool:
    """No number is missing between the first and the last message that was told."""
    found = _NUMBERS.one(db, {"session_": session_pk})
    return found["last"] is not None and found["last"] - found["first"] == found["count"] - 1


def last_told(db: Connection, session_pk: int) -> datetime | None:
    """The time of the newest message."""
    asked = select(func.max(transaction_event.c.at)).where(transaction_event.c.session == session_pk)
    found: datetime | None = db.execute(asked).scalar_one_or_none()
    return found


#: Spelt out as in the index's own condition, or the database does not see that it serves.
_PENDING = session.c.state == bindparam("pending", SessionState.PENDING, literal_execute=True)
#: No transaction yet.
_WAITS = session.c.state.in_([SessionState.PENDING, SessionState.RESERVATION])


def _here(station_evse: int | None, station_connector: int | None) -> Any:
    """1.6 tells connectors only; a 2.x transaction may be anywhere before its EVSE is told."""
    connector = or_(session.c.station_connector == station_connector, session.c.station_connector.is_(None))
    here = and_(session.c.station_evse.is_(None), connector)
    return here if station_evse is None else or_(session.c.station_evse == station_evse, here)
