"""Measuring, the story: each message of a transaction is kept once, and what they add up to is told (2.x E02, E06)."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from gateway import sessions, terms
from gateway.domain import metering
from gateway.domain.lifecycle import SessionState
from gateway.domain.metering import TALLY, Message, Tally
from gateway.house import Rules
from gateway.store import sessions as table
from gateway.store import transactions
from gateway.store.prepared import Row
from ocpp_bridge.events import READINGS, Phase, TransactionChanged

log = structlog.get_logger(__name__)

#: A clock that was never set says 1970, and one that was set wrong another year: a moment that is older than what a
#: station keeps to itself, or still to come, is taken for that of its arrival.
_OLDEST, AHEAD = timedelta(days=90), timedelta(minutes=5)
#: Of one transaction: one every ten seconds for two days. Its end is heard all the same, with its register.
MOST_MESSAGES = 17_280


def note(db: Connection, known: Row, event: TransactionChanged, now: datetime) -> Message | None:
    """Keep the message; None when it was told before, or comes after the Session was closed, which nothing changes."""
    full = known["tally"] is not None and known["tally"]["count"] >= MOST_MESSAGES
    if full and (event.phase is not Phase.ENDED or transactions.ends(db, known["id"])):
        return None
    at = believed(event.at or max((one.at for one in event.readings if one.at), default=None), now)
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
    if not transactions.note(db, row) or known["state"] in _FINAL:
        return None
    return Message(
        at=at, phase=event.phase, seq=event.seq, charging_state=event.charging_state[:20], readings=event.readings
    )


_FINAL = {SessionState.COMPLETED, SessionState.INVALID}


def believed(told: datetime | None, now: datetime) -> datetime:
    return told if told is not None and now - _OLDEST <= told <= now + AHEAD else now


def _message_key(event: TransactionChanged) -> str:
    """2.x numbers its messages; 1.6 begins and ends once, and says the same again in the same words."""
    if event.seq is not None:  # a station that cannot count is still heard to begin and to end
        return f"seq {event.seq} {event.phase}"
    if event.phase is not Phase.UPDATED:
        return event.phase
    return hashlib.sha256(repr((event.at, event.readings)).encode()).hexdigest()


def measure(
    db: Connection, known: Row, event: TransactionChanged, message: Message, rules: Rules, now: datetime
) -> None:
    """What a new message changes: energy, times, and whether it is over."""
    if _waits_for_others(db, known, message):
        table.change(db, known["id"], known["last_updated"], tally=_counted(known))
        return
    tally, told = _tallied(known, message), list[Message]()
    if tally is None:
        told = transactions.messages(db, known["id"])
        tally = Tally.of(told)
    if tally.count == MOST_MESSAGES:
        log.warning("a transaction has as many messages as are kept", session_id=known["session_id"])
    changed: dict[str, Any] = {"kwh": tally.kwh}
    began: datetime = known["start_date_time"]
    if event.phase is Phase.STARTED and event.at is not None:
        began = changed["start_date_time"] = min(believed(event.at, now), began)
        if began < known["start_date_time"]:
            changed |= terms.of_earlier(db, known, began)
    ended = _end(told, began)
    if ended is not None:
        changed["end_date_time"] = ended
        changed["closes_at"] = known["closes_at"] or now + rules.settings.transaction_patience
    news = any(known[name] != value for name, value in changed.items())
    table.change(db, known["id"], now if news else known["last_updated"], tally=_written(tally), **changed)
    if news:
        sessions.tell(db, known, rules, now, at_leisure=True)
    if ended is not None and metering.is_complete(told):
        sessions.complete(db, known, ended, rules, now)


def measured_anew(db: Connection, known: Row, now: datetime) -> Row:
    """A Session that is about to be closed, with all that was told of it."""
    told = transactions.messages(db, known["id"])
    ended = _end(told, known["start_date_time"]) or known["end_date_time"]
    table.change(db, known["id"], now, kwh=metering.energy(told), end_date_time=ended)
    return table.by_pk(db, known["id"])


def _end(told: list[Message], began: datetime) -> datetime | None:
    """A station's clock may have been set in between."""
    return next((max(one.at, began) for one in told if one.phase is Phase.ENDED), None)


def _waits_for_others(db: Connection, known: Row, message: Message) -> bool:
    """Its end was told while others are missing: what they add up to is looked at when none is, or at its close."""
    if known["closes_at"] is None or message.seq is None:
        return False
    before = transactions.ends(db, known["id"]) - (message.phase is Phase.ENDED)
    return before > 0 and not transactions.has_no_gap(db, known["id"])


def _tallied(known: Row, message: Message) -> Tally | None:
    """With one more message of a charge that goes on; None where all of them have to be looked at."""
    if known["tally"] is None or known["end_date_time"] is not None:
        return None
    return TALLY.validate_python(known["tally"]).after(message)


def _counted(known: Row) -> dict[str, Any]:
    before: dict[str, Any] = known["tally"] or _written(Tally())
    return before | {"count": before["count"] + 1}


def _written(tally: Tally) -> dict[str, Any]:
    written: dict[str, Any] = TALLY.dump_python(tally, mode="json")
    return written
