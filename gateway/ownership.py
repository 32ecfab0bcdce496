"""Ownership: whose a transaction is, by what its station says of token, reservation and start."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway import authorization, replacing, reservations, sessions
from gateway.domain.addressing import same_spot
from gateway.domain.lifecycle import LIVE, ReservationState
from gateway.store import commands, stations, tokens, topology, transactions
from gateway.store import reservations as ledger
from gateway.store.prepared import Row
from ocpi.types import fold
from ocpp_bridge.events import TransactionChanged
from ocpp_bridge.orders import ORDER, RequestStart

#: Stations' clocks differ.
_SKEW = timedelta(minutes=5)


def claim(
    db: Connection, station: str, event: TransactionChanged, now: datetime, of: Row | None = None
) -> tuple[Row | None, Row | None]:
    """Take the reservation that this transaction uses up, and the Session that waited for it.

    ``of``: a charge whose eMSP is known already, and which uses up what is its own and nobody else's (P4).
    """
    held, waiting = _claimed(db, station, event, now, of)
    used = _used(held, waiting)
    if used is not None and replacing.is_moved(db, row := ledger.by_id(db, used)):
        replacing.with_nobody_beside(db, row)  # the other station may be answering
        held, waiting = _claimed(db, station, event, now, of)
        used = _used(held, waiting)
    if used is not None:
        reservations.used(db, used, now)
    return held, waiting


def _used(held: Row | None, waiting: Row | None) -> int | None:
    """The reservation's key."""
    found: int | None = held["id"] if held is not None else waiting["reservation"] if waiting is not None else None
    return found


def _claimed(
    db: Connection, station: str, event: TransactionChanged, now: datetime, of: Row | None
) -> tuple[Row | None, Row | None]:
    """The reservation that this transaction uses up, and the Session that waited for it, or for its start."""
    held, waiting = _reservation(db, station, event, now), _awaited(db, station, event, now)
    if held is not None and waiting is not None and event.remote_start_id is not None and not _of_one(held, waiting):
        held = None  # two eMSPs name one card: it is whose start it answers
    if of is not None:
        held = held if held is not None and _of_one(held, of) else None
        waiting = waiting if waiting is not None and authorization.owner(waiting) == authorization.owner(of) else None
    if held is not None:
        waiting = transactions.of_reservation(db, held["id"]) or waiting
    return held, waiting


def _of_one(held: Row, waiting: Row) -> bool:
    """The CPO's own reservations are for any eMSP's card."""
    return held["partner"] is None or (held["partner"], held["party_key"]) == authorization.owner(waiting)


def _awaited(db: Connection, station: str, event: TransactionChanged, now: datetime) -> Row | None:
    """The Session of the start that this transaction answers: by its number, else by station, connector and token."""
    if event.remote_start_id is not None:
        return transactions.asked_for(db, station, event.remote_start_id)
    if event.id_token is None or event.offline:
        return None
    names = [event.id_token.value, *_groups(db, station, event, now)]
    spot, at = (event.evse, event.connector), min(event.at or now, now)
    asked_by = at + _SKEW if _from_before_the_socket(db, station, event) else now
    return transactions.asked_at(db, station, spot, [fold(name) for name in names], at, asked_by)


def _from_before_the_socket(db: Connection, station: str, event: TransactionChanged) -> bool:
    """It was queued, and its time tells what it may answer; what is told at once may bear a wrong clock's."""
    known = stations.find(db, station)
    since = known["connected_at"] if known is not None else None
    return since is not None and event.at is not None and event.at < since - _SKEW


def unanswered_start(db: Connection, station: str, event: TransactionChanged) -> Row | None:
    """The START at the station that is not answered yet, and that this transaction answers: by token and place."""
    if event.remote_start_id is not None or event.id_token is None or event.offline:
        return None
    queued = _from_before_the_socket(db, station, event)
    for one in commands.unanswered_starts(db, station):
        order = ORDER.validate_python(one["order"])
        assert isinstance(order, RequestStart)
        here = same_spot((order.evse, order.connector), (event.evse, event.connector))
        in_time = not queued or event.at is None or event.at >= one["sent_at"] - _SKEW
        if here and in_time and fold(order.id_token.value) == fold(event.id_token.value):
            return one
    return None


def is_of_card(db: Connection, charge: Row, event: TransactionChanged, now: datetime) -> bool:
    """The card is the one that began the charge, or another one of its group."""
    assert event.id_token is not None
    if fold(event.id_token.value) == charge["token_key"]:
        return True
    return charge["group_key"] is not None and charge["group_key"] in map(
        fold, _groups(db, charge["station"], event, now)
    )


def _groups(db: Connection, station: str, event: TransactionChanged, now: datetime) -> list[str]:
    assert event.id_token is not None
    known = authorization.permissions(db, station, event.id_token.value, now)
    return [one["group_id_token"] for one in known if one["group_id_token"]]


def of_presented_card(db: Connection, waiting: Row, event: TransactionChanged, now: datetime) -> dict[str, Any]:
    """The Session is of the card that was presented, another one of the group perhaps, and its last authorization's."""
    if event.id_token is None:
        return {}
    for known in authorization.permissions(db, waiting["station"], event.id_token.value, now):
        if authorization.owner(known) == authorization.owner(waiting):
            reference = known["authorization_reference"] or waiting["authorization_reference"]
            return {
                "cdr_token": sessions.cdr_token(known["token"]),
                "auth_method": known["auth_method"],
                "authorization_reference": reference,
            }
    return {}


def owner(db: Connection, station: str, event: TransactionChanged, held: Row | None, now: datetime) -> dict[str, Any]:
    """The eMSP that authorised the token here, and the reservation that this charge uses up."""
    if event.id_token is None:
        return _of_start(db, station, event.remote_start_id)
    used = {"reservation": held["id"]} if held is not None else {}
    permitted = authorization.permissions(db, station, event.id_token.value, now)
    if not permitted:
        return used | (_of_reservation(db, held) if held is not None else {})
    return used | _columns(*_meant(db, permitted, held, event.remote_start_id))


def _of_start(db: Connection, station: str, remote_start_id: int | None) -> dict[str, Any]:
    """A start that was not answered in time, or not yet, says whose its charge is before any token does."""
    if remote_start_id is None:
        return {}
    found = (one for one in tokens.brought_by(db, station) if one["order"].get("remote_start_id") == remote_start_id)
    known = next(found, None)
    return {} if known is None else _columns(known, topology.cpo_of(db, known["to_country"], known["to_party"]))


def _columns(known: Row, cpo: int | None) -> dict[str, Any]:
    """Of an authorization: for whom a charge is, and with which token."""
    return {
        "partner": known["partner"],
        "from_country": known["from_country"],
        "from_party": known["from_party"],
        "cpo": cpo,
        "command": known["command"],
        "token_key": known["token_key"],
        "cdr_token": sessions.cdr_token(known["token"]),
        "auth_method": known["auth_method"],
        "authorization_reference": known["authorization_reference"],
    }


def _of_reservation(db: Connection, held: Row) -> dict[str, Any]:
    """A charge told so late that nothing authorises its card any more: it is the reservation's party's all the same."""
    known = transactions.last_of_reservation(db, held["id"])
    return {} if known is None else {name: known[name] for name in _WHOSE}


_WHOSE = (
    "partner",
    "from_country",
    "from_party",
    "cpo",
    "command",
    "token_key",
    "cdr_token",
    "auth_method",
    "authorization_reference",
)


def _meant(
    db: Connection, permitted: list[Row], held: Row | None, remote_start_id: int | None
) -> tuple[Row, int | None]:
    """Of several eMSPs that authorised the card: whose reservation or start it is, else the newest; and our party."""
    of_reservation = (held["partner"], held["party_key"]) if held is not None else None
    found = []
    for one in permitted:
        command = commands.by_id(db, one["command"]) if one["command"] is not None else None
        order = (command["order"] or {}) if command is not None else {}
        started = remote_start_id is not None and order.get("remote_start_id") == remote_start_id
        cpo = topology.cpo_of(db, command["to_country"], command["to_party"]) if command is not None else one["cpo"]
        found.append((authorization.owner(one) == of_reservation, started, one, cpo))
    _, _, known, cpo = max(found, key=lambda one: one[:2])
    return known, cpo


def _reservation(db: Connection, station: str, event: TransactionChanged, now: datetime) -> Row | None:
    """By its number, or where a station leaves that out or sends nonsense, by token and EVSE (1.6 §5.13)."""
    if event.id_token is None:
        return None
    permitted = authorization.permissions(db, station, event.id_token.value, now)
    if event.reservation is not None:
        named = ledger.at_station(db, station, event.reservation)
        if named is not None and _may_be_used(named, event, permitted, now):
            return named
    names = [event.id_token.value, *(one["group_id_token"] or "" for one in permitted)]
    for held in ledger.live_for_token(db, station, names):
        here = (held["station_evse"], held["station_connector"])
        if held["state"] == ReservationState.ACTIVE and (
            here == (None, None) or same_spot(here, (event.evse, event.connector))
        ):
            return held
    return None


def _may_be_used(held: Row, event: TransactionChanged, permitted: list[Row], now: datetime) -> bool:
    """In its time, though it be told late, where it is for, and by its card or one of its eMSP's: whatever number the
    station says, a stranger's charge is nobody else's to pay (P4)."""
    assert event.id_token is not None
    state = ReservationState(held["state"])
    in_time = state in LIVE or (state is ReservationState.EXPIRED and (event.at or now) < held["expiry_date"])
    spots = (held["station_evse"], held["station_connector"]), (event.evse, event.connector)
    here = (None, None) in spots or same_spot(*spots)
    own = fold(held["id_token"]) == fold(event.id_token.value)
    theirs = any(authorization.owner(one) == (held["partner"], held["party_key"]) for one in permitted)
    return in_time and here and (own or theirs or held["partner"] is None)
