"""Charging, the story: what a station tells of a transaction, in whatever order and how often it tells it."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from gateway import authorization, evses, ownership, sessions, stopping, terms
from gateway.domain import metering
from gateway.domain.lifecycle import SessionState
from gateway.domain.metering import TALLY, Message, Tally
from gateway.each import each
from gateway.house import Rules
from gateway.store import sessions as table
from gateway.store import transactions
from gateway.store.engine import apart
from gateway.store.prepared import Row
from gateway.store.statements import take_number
from ocpi.types import fold
from ocpp_bridge.events import READINGS, Phase, TransactionChanged
from ocpp_bridge.orders import IdToken

log = structlog.get_logger(__name__)

#: A clock that was never set says 1970, and one that was set wrong another year: a moment that is older than what a
#: station keeps to itself, or still to come, is taken for that of its arrival.
_OLDEST, _AHEAD = timedelta(days=90), timedelta(minutes=5)
#: Of one transaction: one every ten seconds for two days. Its end is heard all the same, with its register.
MOST_MESSAGES = 17_280


@dataclass(frozen=True)
class Noted:
    """A message was noted: the transaction's id, which is ours on 1.6, and the orders that waited for it."""

    transaction_id: str | None
    dispatch: list[int] = field(default_factory=list)


def transaction(db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime) -> Noted:
    """Note what a station tells of a transaction; whatever it is, it is answered."""
    dispatch: list[int] = []
    known = _known(db, station, event)
    # What a meter says changes nothing of who is where; an end is followed where the Session is completed.
    placeless = known is not None and (known["station_evse"], known["station_connector"]) == (None, None)
    is_news = known is None or placeless or event.id_token is not None or event.reservation is not None
    if known is None and (event.phase is Phase.STARTED or event.seq is not None):
        # 2.x names a transaction that we have not heard of when its first message comes later, or never.
        known = _begin(db, station, event, rules, now)
        dispatch = stopping.begun(db, known, rules, now)
    elif known is not None:
        known, dispatch = _go_on(db, known, event, rules, now)
    if known is not None and (message := _note(db, known, event, now)) is not None:
        _measure(db, known, event, message, rules, now)
    if is_news:
        evses.follow(db, station, now)
    return Noted(transaction_id=known["transaction_id"] if known is not None else None, dispatch=dispatch)


def close(db: Connection, rules: Rules, now: datetime) -> None:
    """Transactions that ended are closed without the messages that never came."""

    def end(session_pk: int) -> None:
        row = table.by_pk(db, session_pk)
        sessions.complete(db, session_pk, row["end_date_time"] or now, rules, now)

    each(db, "a Session cannot be closed", transactions.to_close(db, now), end)


def _known(db: Connection, station: str, event: TransactionChanged) -> Row | None:
    if event.transaction_id is not None:
        return transactions.by_id(db, station, event.transaction_id)
    if event.phase is Phase.STARTED:
        return transactions.by_start_key(db, _start_key(db, station, event))
    # A 1.6 station that never got an id sends -1: only the connector tells, where it leaves no doubt.
    running = transactions.running_at(db, station, event.evse, event.connector)
    return running[0] if len(running) == 1 else None


def _start_key(db: Connection, station: str, event: TransactionChanged) -> str:
    """1.6: a StartTransaction that is told again is the same in all of these (1.6 §4.8).

    Without a time, what has ended already is not told again.
    """
    token = event.id_token.value if event.id_token else ""
    meter = event.register_wh
    told = (station, event.connector, fold(token), event.at and event.at.isoformat(), meter and str(meter))
    key = hashlib.sha256(repr(told).encode()).hexdigest()
    while event.at is None and (before := transactions.by_start_key(db, key)) is not None and _final(before):
        key = hashlib.sha256(f"{key} {before['session_id']}".encode()).hexdigest()
    return key


def _begin(db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime) -> Row:
    """The Session that was waiting for this transaction, or a new one."""
    row: dict[str, Any] = {
        "transaction_id": event.transaction_id or str(take_number(db, "transaction")),
        "start_key": _start_key(db, station, event) if event.transaction_id is None else None,
        "start_date_time": _believed(event.at, now),
    }
    held, waiting = ownership.claim(db, station, event, now)
    where = sessions.whereabouts(db, station, event.evse, event.connector)
    if waiting is not None:
        told = where if (event.evse, event.connector) != (None, None) else {name: waiting[name] for name in _PLACE}
        row |= terms.there(db, waiting, told, row["start_date_time"])
        row |= ownership.of_presented_card(db, waiting, event, now)
        if table.become(db, waiting["id"], SessionState.ACTIVE, now, **row):
            sessions.tell(db, waiting["id"], rules, now)
            return table.by_pk(db, waiting["id"])
    _doubt_others(db, station, event, rules, now)
    # Nobody waited for it, or another process gave up waiting in this very moment.
    owner = ownership.owner(db, station, event, held, now)
    session_pk = sessions.add(db, where | row | owner | {"state": SessionState.ACTIVE}, rules, now)
    return table.by_pk(db, session_pk)


def _doubt_others(db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime) -> None:
    """Where a transaction begins no other runs: the end of one that seems to was lost, or is still to come."""
    spot = (event.evse, event.connector)
    running = transactions.running_at(db, station, *spot) if spot != (None, None) else []
    for one in running:
        if (one["station_evse"], one["station_connector"]) == spot and one["end_date_time"] is None:
            ended = transactions.last_told(db, one["id"]) or now
            closes = now + rules.settings.transaction_patience
            table.change(db, one["id"], now, end_date_time=ended, closes_at=closes)


def _go_on(db: Connection, known: Row, event: TransactionChanged, rules: Rules, now: datetime) -> tuple[Row, list[int]]:
    """2.x tells token, EVSE, reservation and remoteStartId just once each, in whichever message it knows them."""
    news = _tells_place(event, known)
    event = _placed(event, known)
    if _final(known):
        return known, []
    if known["partner"] is None:
        held, waiting = ownership.claim(db, known["station"], event, now)
        if waiting is not None:
            return _joined(db, known, waiting, event, rules, now)
        owner = ownership.owner(db, known["station"], event, held, now)
        if owner:
            price = terms.price(db, {**known, **owner}, known["start_date_time"])
            table.change(db, known["id"], now, **owner, **price)
            sessions.tell(db, known["id"], rules, now)
    elif known["reservation"] is None and (event.reservation is not None or news):
        held, waiting = ownership.claim(db, known["station"], _as_begun(event, known), now)
        if waiting is not None and authorization.owner(waiting) == authorization.owner(known):
            return _joined(db, known, waiting, event, rules, now)
        if held is not None:
            table.change(db, known["id"], now, reservation=held["id"])
    if news:
        place = sessions.whereabouts(db, known["station"], event.evse, event.connector)
        table.change(db, known["id"], now, **terms.there(db, known, place, known["start_date_time"]))
        sessions.tell(db, known["id"], rules, now)
    return table.by_pk(db, known["id"]), []


def _joined(
    db: Connection, known: Row, waiting: Row, event: TransactionChanged, rules: Rules, now: datetime
) -> tuple[Row, list[int]]:
    """A cable came before the driver was known, or the driver before the reservation: the Session that waited is it.

    One that its partner may have been told of already is INVALID; one that nobody knows of is no more.
    """
    told = {name: known[name] for name in ("transaction_id", "start_key", "start_date_time")}
    if (known["station_evse"], known["station_connector"]) != (None, None):
        place = {name: known[name] for name in _PLACE}
        told |= terms.there(db, waiting, place, known["start_date_time"])
    told |= ownership.of_presented_card(db, waiting, _as_begun(event, known), now)
    try:
        with apart(db):
            _hand_over(db, known, waiting["id"], rules, now)
            if not table.become(db, waiting["id"], SessionState.ACTIVE, now, **told):
                raise _GivenUp
    except _GivenUp:  # by another process, in this very moment
        return known, []
    sessions.tell(db, waiting["id"], rules, now)
    joined = table.by_pk(db, waiting["id"])
    return joined, stopping.begun(db, joined, rules, now)


class _GivenUp(Exception):
    """Nobody waits any more."""


def _hand_over(db: Connection, known: Row, to_pk: int, rules: Rules, now: datetime) -> None:
    """The transaction's messages are the other Session's, and it is free to have its id."""
    transactions.hand_over(db, known["id"], to_pk)
    if known["partner"] is None:
        transactions.forget(db, known["id"])
        return
    nameless = {"transaction_id": None, "start_key": None, "end_date_time": now}
    table.become(db, known["id"], SessionState.INVALID, now, **nameless)
    sessions.tell(db, known["id"], rules, now)


def _as_begun(event: TransactionChanged, known: Row) -> TransactionChanged:
    """2.x names the token once: it is still the one that was presented."""
    if event.id_token is not None or known["token_key"] is None:
        return event
    return replace(event, id_token=IdToken(value=known["token_key"]))


_PLACE = ("station_evse", "station_connector", "location", "evse_uid", "connector_id")


def _tells_place(event: TransactionChanged, known: Row) -> bool:
    """The EVSE, or after it the connector."""
    if event.evse is None or known["station_connector"] is not None:
        return False
    return known["station_evse"] is None or event.connector is not None


def _placed(event: TransactionChanged, known: Row) -> TransactionChanged:
    """2.x names the EVSE once, and the token perhaps later."""
    if event.evse is not None or event.connector is not None:
        return event
    return replace(event, evse=known["station_evse"], connector=known["station_connector"])


def _final(row: Row) -> bool:
    return row["state"] in {SessionState.COMPLETED, SessionState.INVALID}


def _note(db: Connection, known: Row, event: TransactionChanged, now: datetime) -> Message | None:
    """Keep the message; None when it was told before, or comes after the Session was closed, which nothing changes."""
    if event.phase is Phase.UPDATED and known["tally"] is not None and known["tally"]["count"] >= MOST_MESSAGES:
        return None
    at = _believed(event.at or max((one.at for one in event.readings if one.at), default=None), now)
    row = {
        "session": known["id"],
        "key": _message_key(event),
        "seq": event.seq,
        "phase": event.phase,
        "at": at,
        "trigger": event.trigger[:40],
        "charging_state": event.charging_state[:20],
        "stopped_reason": event.stopped_reason[:30],
        "offline": event.offline,
        "readings": READINGS.dump_python(event.readings, mode="json"),
        "noted_at": now,
    }
    if not transactions.note(db, row) or _final(known):
        return None
    return Message(
        at=at, phase=event.phase, seq=event.seq, charging_state=event.charging_state[:20], readings=event.readings
    )


def _believed(told: datetime | None, now: datetime) -> datetime:
    return told if told is not None and now - _OLDEST <= told <= now + _AHEAD else now


def _message_key(event: TransactionChanged) -> str:
    """2.x numbers its messages; 1.6 begins and ends once, and says the same again in the same words."""
    if event.seq is not None:  # a station that cannot count is still heard to begin and to end
        return f"seq {event.seq} {event.phase}"
    if event.phase is not Phase.UPDATED:
        return event.phase
    return hashlib.sha256(repr((event.at, event.readings)).encode()).hexdigest()


def _measure(
    db: Connection, known: Row, event: TransactionChanged, message: Message, rules: Rules, now: datetime
) -> None:
    """What a new message changes: energy, times, and whether it is over (2.x E02, E06)."""
    tally, told = _tallied(known, message), list[Message]()
    if tally is None:
        told = transactions.messages(db, known["id"])
        tally = Tally.of(told)
    if tally.count == MOST_MESSAGES:
        log.warning("a transaction has as many messages as are kept", session_id=known["session_id"])
    changed: dict[str, Any] = {"kwh": tally.kwh}
    if event.phase is Phase.STARTED and event.at is not None:
        began = changed["start_date_time"] = min(_believed(event.at, now), known["start_date_time"])
        if began < known["start_date_time"]:
            changed |= terms.of_earlier(db, known, began)
    ended = next((one.at for one in told if one.phase is Phase.ENDED), None)
    if ended is not None:
        changed["end_date_time"] = ended
        changed["closes_at"] = known["closes_at"] or now + rules.settings.transaction_patience
    news = any(known[name] != value for name, value in changed.items())
    table.change(db, known["id"], now if news else known["last_updated"], tally=_written(tally), **changed)
    if news:
        sessions.tell(db, known["id"], rules, now, at_leisure=True)
    if ended is not None and metering.is_complete(told):
        sessions.complete(db, known["id"], ended, rules, now)


def _tallied(known: Row, message: Message) -> Tally | None:
    """With one more message of a charge that goes on; None where all of them have to be looked at."""
    if known["tally"] is None or known["end_date_time"] is not None or message.phase is not Phase.UPDATED:
        return None
    return TALLY.validate_python(known["tally"]).after(message)


def _written(tally: Tally) -> dict[str, Any]:
    written: dict[str, Any] = TALLY.dump_python(tally, mode="json")
    return written
