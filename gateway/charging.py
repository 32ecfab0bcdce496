"""Charging, the story: what a station tells of a transaction, in whatever order and how often it tells it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway import authorization, doubts, evses, measuring, ownership, sessions, stopping, terms
from gateway.domain.lifecycle import SessionState
from gateway.each import each
from gateway.house import Rules
from gateway.measuring import AHEAD, believed
from gateway.store import sessions as table
from gateway.store import topology, transactions
from gateway.store.abreast import apart
from gateway.store.prepared import Row
from gateway.store.statements import take_number
from ocpi.types import fold
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.orders import IdToken


@dataclass(frozen=True)
class Noted:
    """A message was noted: the transaction's id, which is ours on 1.6, and the orders that waited for it."""

    transaction_id: str | None
    dispatch: list[int] = field(default_factory=list)


def transaction(db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime) -> Noted:
    """Note what a station tells of a transaction; whatever it is, it is answered."""
    dispatch: list[int] = []
    known = _known(db, station, event, now)
    # What a meter says changes nothing of who is where; an end is followed where the Session is completed.
    placeless = known is not None and (known["station_evse"], known["station_connector"]) == (None, None)
    is_news = known is None or placeless or event.phase is Phase.STARTED
    is_news = is_news or event.id_token is not None or event.reservation is not None
    if known is None and (event.phase is Phase.STARTED or event.seq is not None):
        # 2.x names a transaction that we have not heard of when its first message comes later, or never.
        known = _begin(db, station, event, rules, now)
        dispatch = stopping.begun(db, known, rules, now)
    elif known is not None:
        known, dispatch = _go_on(db, known, event, rules, now)
    if known is not None and (message := measuring.note(db, known, event, now)) is not None:
        measuring.measure(db, known, event, message, rules, now)
    if is_news:
        evses.follow(db, station, now)
    return Noted(transaction_id=known["transaction_id"] if known is not None else None, dispatch=dispatch)


def token_of_nobody_s(db: Connection, station: str, event: TransactionChanged) -> IdToken | None:
    """The token of a charge that is no eMSP's, where this message is the first that says at which EVSE it is."""
    known = transactions.by_id(db, station, event.transaction_id) if event.transaction_id is not None else None
    if known is None or _final(known) or known["partner"] is not None or not _tells_place(event, known):
        return None
    return _as_begun(event, known).id_token


def close(db: Connection, rules: Rules, now: datetime) -> None:
    """Transactions that ended are closed without the messages that never came."""

    def end(session_pk: int) -> None:
        row = measuring.measured_anew(db, table.by_pk(db, session_pk), now)
        sessions.complete(db, row, row["end_date_time"] or now, rules, now)

    each(db, "a Session cannot be closed", transactions.to_close(db, now), end)


def _known(db: Connection, station: str, event: TransactionChanged, now: datetime) -> Row | None:
    if event.transaction_id is not None:
        return transactions.by_id(db, station, event.transaction_id)
    if event.phase is Phase.STARTED:
        return transactions.by_start_key(db, _start_key(db, station, event))
    # A 1.6 station that never got an id sends -1: only the connector tells, where it leaves no doubt.
    running = transactions.running_at(db, station, event.evse, event.connector)
    meant = [one for one in running if _may_mean(db, one, event, now)]
    return meant[0] if len(meant) == 1 else None


def _may_mean(db: Connection, running: Row, event: TransactionChanged, now: datetime) -> bool:
    """What is told without an id is not of a charge that began later, nor of another driver's."""
    if event.at is not None and event.at < running["start_date_time"] - AHEAD:
        return False
    return event.id_token is None or running["token_key"] is None or ownership.is_of_card(db, running, event, now)


def _start_key(db: Connection, station: str, event: TransactionChanged) -> str:
    """1.6: a StartTransaction that is told again is the same in all of these (1.6 §4.8).

    Without a time, what has ended already is not told again: those charges are numbered.
    """
    token = event.id_token.value if event.id_token else ""
    meter = event.register_wh
    told = (station, event.connector, fold(token), event.at and event.at.isoformat(), meter and str(meter))
    key = hashlib.sha256(repr(told).encode()).hexdigest()
    if event.at is not None:
        return key
    family = key[:48]
    before = transactions.last_of_family(db, family)
    number = int(before["start_key"].removeprefix(f"{family}:")) if before is not None else 0
    return f"{family}:{number + (before is not None and _final(before)):010}"


def _begin(db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime) -> Row:
    """The Session that was waiting for this transaction, or a new one."""
    row: dict[str, Any] = {
        "transaction_id": event.transaction_id or str(take_number(db, "transaction")),
        "start_key": _start_key(db, station, event) if event.transaction_id is None else None,
        "start_date_time": believed(event.at, now),
    }
    held, waiting = ownership.claim(db, station, event, now)
    where = sessions.whereabouts(db, station, event.evse, event.connector)
    doubts.of_others(db, station, (event.evse, event.connector), row["start_date_time"], rules, now)
    start = ownership.unanswered_start(db, station, event)
    if waiting is not None:
        row |= _of_start(start, waiting)
        told = where if (event.evse, event.connector) != (None, None) else {name: waiting[name] for name in _PLACE}
        row |= terms.there(db, waiting, told, row["start_date_time"])
        row |= ownership.of_presented_card(db, waiting, event, now)
        if (begun := table.become(db, waiting["id"], SessionState.ACTIVE, now, **row)) is not None:
            sessions.tell(db, begun, rules, now)
            return begun
    # Nobody waited for it, or another process gave up waiting in this very moment.
    owner = ownership.owner(db, station, event, held, now)
    if not owner and event.id_token is not None:  # whose it is may depend on the EVSE, which 2.x tells later
        owner = {"token_key": fold(event.id_token.value)}
    owner |= _of_start(start, owner)
    session_pk = sessions.add(db, where | row | owner | {"state": SessionState.ACTIVE}, rules, now)
    return table.by_pk(db, session_pk)


def _of_start(start: Row | None, charge: Mapping[str, Any]) -> dict[str, Any]:
    """The charge answers a START that the station has not answered otherwise yet, unless it is another eMSP's."""
    if start is None or charge.get("partner") is None or charge.get("state") == SessionState.PENDING:
        return {}
    return {"command": start["id"]} if authorization.owner(start) == authorization.owner(charge) else {}


def _go_on(db: Connection, known: Row, event: TransactionChanged, rules: Rules, now: datetime) -> tuple[Row, list[int]]:
    """2.x tells token, EVSE, reservation and remoteStartId just once each, in whichever message it knows them."""
    news, ends = _tells_place(event, known), authorization.ends_charge(event)
    event = _placed(event, known)
    if _final(known):
        return known, []
    elsewhere = _began_elsewhere(db, event, known)
    known = doubts.dispelled(db, known, event, rules, now)
    if news or elsewhere:
        doubts.of_others(db, known["station"], (event.evse, event.connector), known["start_date_time"], rules, now)
    if known["partner"] is None:
        event = _as_begun(event, known) if news else event
        held, waiting = (None, None) if ends else ownership.claim(db, known["station"], event, now)
        if waiting is not None:
            return _joined(db, known, waiting, event, rules, now)
        owner = ownership.owner(db, known["station"], event, held, now)
        if owner:
            price = terms.price(db, {**known, **owner}, known["start_date_time"])
            table.change(db, known["id"], now, **owner, **price)
            sessions.tell(db, {**known, **owner}, rules, now)
    elif known["reservation"] is None and (event.reservation is not None or news):
        held, waiting = ownership.claim(db, known["station"], _as_begun(event, known), now, of=known)
        if waiting is not None and authorization.owner(waiting) == authorization.owner(known):
            return _joined(db, known, waiting, event, rules, now)
        if held is not None:
            table.change(db, known["id"], now, reservation=held["id"])
    if news or elsewhere:
        place = sessions.whereabouts(db, known["station"], event.evse, event.connector)
        table.change(db, known["id"], now, **terms.there(db, known, place, known["start_date_time"]))
        sessions.tell(db, table.by_pk(db, known["id"]), rules, now)
    return table.by_pk(db, known["id"]), []


def _joined(
    db: Connection, known: Row, waiting: Row, event: TransactionChanged, rules: Rules, now: datetime
) -> tuple[Row, list[int]]:
    """A cable came before the driver was known, or the driver before the reservation: the Session that waited is it.

    One that its partner may have been told of already is INVALID; one that nobody knows of is no more.
    """
    told = {name: known[name] for name in ("transaction_id", "start_key", "start_date_time")}
    place: dict[str, Any] = {name: known[name] for name in _PLACE}
    if _tells_place(event, known):
        place = sessions.whereabouts(db, known["station"], event.evse, event.connector)
    if (place["station_evse"], place["station_connector"]) != (None, None):
        told |= terms.there(db, waiting, place, known["start_date_time"])
    told |= ownership.of_presented_card(db, waiting, _as_begun(event, known), now)
    try:
        with apart(db):
            _hand_over(db, known, waiting["id"], rules, now)
            joined = table.become(db, waiting["id"], SessionState.ACTIVE, now, **told)
            if joined is None:
                raise _GivenUp
    except _GivenUp:  # by another process, in this very moment
        return known, []
    sessions.tell(db, joined, rules, now)
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
    sessions.tell(db, known, rules, now)


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


def _began_elsewhere(db: Connection, event: TransactionChanged, known: Row) -> bool:
    """2.x: its first message comes after others, by which it was taken for one at the place of its start.

    Told later, or again, another place moves no charge.
    """
    if event.phase is not Phase.STARTED or event.evse is None or _tells_place(event, known):
        return False
    there = (event.evse, event.connector if event.connector is not None else known["station_connector"])
    if there == (known["station_evse"], known["station_connector"]) or transactions.begins(db, known["id"]):
        return False
    return topology.place_of(db, known["station"], event.evse, event.connector) is not None


def _placed(event: TransactionChanged, known: Row) -> TransactionChanged:
    """2.x names the EVSE once, and the token perhaps later."""
    if event.evse is not None or event.connector is not None:
        return event
    return replace(event, evse=known["station_evse"], connector=known["station_connector"])


def _final(row: Row) -> bool:
    return row["state"] in {SessionState.COMPLETED, SessionState.INVALID}
