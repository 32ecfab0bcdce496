"""Stopping, the story: a STOP_SESSION that is too early, and one that the station refuses."""

from datetime import datetime

from sqlalchemy import Connection

from gateway import errands, measuring, sessions
from gateway.domain.lifecycle import SessionState
from gateway.house import Rules
from gateway.store import sessions as table
from gateway.store import stops, transactions
from gateway.store.prepared import Row
from ocpp_bridge.answers import Answer
from ocpp_bridge.orders import RequestStop


def begun(db: Connection, session: Row, rules: Rules, now: datetime) -> list[int]:
    """A transaction has begun: who asked to stop it before it had an id is served now.

    One whose time was over was told FAILED; what its driver wanted is done all the same.
    """
    order = RequestStop(transaction_id=session["transaction_id"])
    waiting = stops.give_orders(db, session["id"], order)
    if waiting or not stops.failed(db, session["id"], session["command"]):
        return waiting
    return [errands.stop(db, rules, session["station"], session["transaction_id"], session["id"], now)]


def refused(db: Connection, command: Row, rules: Rules, now: datetime) -> list[int]:
    """The station does not know, or will not stop, a transaction that we believe in: it is asked for what it knows."""
    session = table.by_pk(db, command["session"])
    if session["state"] != SessionState.ACTIVE or session["doubted"]:
        return []
    table.change(db, session["id"], now, doubted=True)
    at, spot = session["station"], (session["station_evse"], session["station_connector"])
    return [
        errands.ask_transaction(db, rules, at, session["transaction_id"], session["id"], now),
        errands.ask_status(db, rules, at, *spot, session["id"], now),
    ]


def asked(db: Connection, command: Row, answer: Answer, rules: Rules, now: datetime) -> None:
    """What 2.x says of a transaction (E14): it runs, its messages are still to come, or it is over and forgotten."""
    if answer.ongoing is None:
        return
    if answer.ongoing:
        table.change(db, command["session"], now, doubted=False)
    elif not answer.messages_in_queue:
        _forget(db, command["session"], rules, now)


def seen_free(
    db: Connection, station: str, evse: int | None, connector: int | None, rules: Rules, now: datetime
) -> None:
    """A connector is Available: a transaction there that the station would not stop is over (1.6 has no other word)."""
    for session in transactions.running_at(db, station, evse, connector):
        if session["doubted"]:
            _forget(db, session["id"], rules, now)


def _forget(db: Connection, session_pk: int, rules: Rules, now: datetime) -> None:
    known = measuring.measured_anew(db, table.by_pk(db, session_pk), now)
    sessions.complete(db, known, transactions.last_told(db, session_pk) or now, rules, now)
