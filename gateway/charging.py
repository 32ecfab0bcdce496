"""Charging, the story: a station's transactions, and the OCPI Sessions that they are for the eMSPs that own them."""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping

from gateway import authorization, reservations
from gateway.domain.lifecycle import ReservationState, SessionState
from gateway.house import Rules
from gateway.store import commands, sessions, topology
from gateway.store import reservations as ledger
from gateway.store.statements import take_number
from ocpi.sessions import AuthMethod, CdrToken, Session
from ocpi.tokens import Token
from ocpi.types import fold
from ocpp_bridge.events import Phase, TransactionAnswer, TransactionChanged

#: Where a required id cannot be known (transport_and_format §No data available).
_NOT_AVAILABLE = "#NA"


def transaction(
    db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime
) -> TransactionAnswer:
    """Note what a station tells of a transaction, in whatever order and how often it tells it, and answer it."""
    known = _known(db, station, event)
    # 2.x names a transaction that we have not heard of when its first message comes later, or never.
    if known is None and (event.phase is Phase.STARTED or event.seq is not None):
        known = _begin(db, station, event, rules, now)
    elif known is not None:
        _go_on(db, station, known, event, now)
    token = authorization.authorize(db, station, event.id_token, now) if event.id_token is not None else None
    return TransactionAnswer(transaction_id=known["transaction_id"] if known is not None else None, token=token)


def _known(db: Connection, station: str, event: TransactionChanged) -> RowMapping | None:
    if event.transaction_id is not None:
        return sessions.by_transaction(db, station, event.transaction_id)
    if event.phase is Phase.STARTED:
        return sessions.by_start_key(db, _start_key(station, event))
    # A 1.6 station that never got an id sends -1: only the connector tells, where it leaves no doubt.
    running = sessions.running_at(db, station, event.evse, event.connector)
    return running[0] if len(running) == 1 else None


def _start_key(station: str, event: TransactionChanged) -> str:
    """1.6: a StartTransaction that is told again is the same in all of these (1.6 §4.8)."""
    token = event.id_token.value if event.id_token else ""
    told = (station, event.connector, fold(token), event.at and event.at.isoformat(), _meter(event))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _meter(event: TransactionChanged) -> float | None:
    return None if event.register_wh is None else float(event.register_wh)


def _begin(db: Connection, station: str, event: TransactionChanged, rules: Rules, now: datetime) -> RowMapping:
    place = topology.place_of(db, station, event.evse, event.connector)
    ended = event.phase is Phase.ENDED
    row: dict[str, Any] = {
        "session_id": str(uuid4()),
        "station": station,
        "transaction_id": event.transaction_id or str(take_number(db, "transaction")),
        "start_key": _start_key(station, event) if event.transaction_id is None else None,
        "station_evse": event.evse,
        "station_connector": event.connector,
        "location": place.location if place else None,
        "evse_uid": place.evse_uid if place else _NOT_AVAILABLE,
        "connector_id": place.connector_id if place else _NOT_AVAILABLE,
        "currency": rules.settings.currency,
        "state": SessionState.COMPLETED if ended else SessionState.ACTIVE,
        "start_date_time": event.at or now,
        "end_date_time": (event.at or now) if ended else None,
        "meter_start": _meter(event),
        "meter_last": _meter(event),
        "auth_method": AuthMethod.COMMAND,
        "from_country": "",
        "from_party": "",
        "created_at": now,
        "last_updated": now,
    }
    session_pk = sessions.add(db, row | _owner(db, station, event, now))
    return sessions.by_pk(db, session_pk)


def _go_on(db: Connection, station: str, known: RowMapping, event: TransactionChanged, now: datetime) -> None:
    """A later message: the owner may become known only now, as 2.x tells token, EVSE and reservation just once."""
    changed: dict[str, Any] = {}
    if known["partner"] is None:
        changed |= _owner(db, station, _placed(event, known), now)
    if known["station_evse"] is None and known["station_connector"] is None and event.evse is not None:
        changed |= _whereabouts(db, station, event)
    if (meter := _meter(event)) is not None:
        changed["meter_last"] = max(meter, known["meter_last"] or 0.0)
        if known["meter_start"] is None or event.phase is Phase.STARTED:
            changed["meter_start"] = meter
    if event.phase is Phase.STARTED and event.at is not None:
        changed["start_date_time"] = min(event.at, known["start_date_time"])
    if changed:
        sessions.change(db, known["id"], now, **changed)
    if event.phase is Phase.ENDED:
        sessions.become(db, known["id"], SessionState.COMPLETED, now, end_date_time=event.at or now)


def _placed(event: TransactionChanged, known: RowMapping) -> TransactionChanged:
    """2.x names the EVSE once, and the token perhaps later."""
    if event.evse is not None or event.connector is not None:
        return event
    return replace(event, evse=known["station_evse"], connector=known["station_connector"])


def _whereabouts(db: Connection, station: str, event: TransactionChanged) -> dict[str, Any]:
    place = topology.place_of(db, station, event.evse, event.connector)
    found = {"station_evse": event.evse, "station_connector": event.connector}
    if place is None:
        return found
    return found | {"location": place.location, "evse_uid": place.evse_uid, "connector_id": place.connector_id}


def _owner(db: Connection, station: str, event: TransactionChanged, now: datetime) -> dict[str, Any]:
    """The eMSP whose command brought the token here, and the reservation that this charge uses up."""
    if event.id_token is None:
        return {}
    permitted = authorization.permissions(db, station, event.id_token.value, now)
    held = _reservation(db, station, event, [one["group_id_token"] for one in permitted])
    if held is not None:
        reservations.used(db, held["id"], now)
    if not permitted:
        return {}
    known, command = _meant(db, permitted, held, event.remote_start_id)
    token = Token.model_validate(known["token"])
    cdr_token = CdrToken(
        country_code=token.country_code,
        party_id=token.party_id,
        uid=token.uid,
        type=token.type,
        contract_id=token.contract_id,
    )
    return {
        "partner": known["partner"],
        "from_country": known["from_country"],
        "from_party": known["from_party"],
        "cpo": topology.cpo_of(db, command["to_country"], command["to_party"]),
        "command": known["command"],
        "reservation": held["id"] if held is not None else None,
        "cdr_token": cdr_token.wire(),
        "authorization_reference": known["authorization_reference"],
    }


def _meant(
    db: Connection, permitted: list[RowMapping], held: RowMapping | None, remote_start_id: int | None
) -> tuple[RowMapping, RowMapping]:
    """Of several eMSPs that brought the card: whose reservation or start it is, else the newest; and its command."""
    of_reservation = (held["partner"], held["party_key"]) if held is not None else None
    found = []
    for one in permitted:
        command = commands.by_id(db, one["command"])
        assert command is not None
        started = remote_start_id is not None and command["order"].get("remote_start_id") == remote_start_id
        found.append((authorization.owner(one) == of_reservation, started, one, command))
    _, _, known, command = max(found, key=lambda one: one[:2])
    return known, command


def _reservation(
    db: Connection, station: str, event: TransactionChanged, groups: list[str | None]
) -> RowMapping | None:
    """By its number, or where a station leaves that out or sends nonsense, by token and EVSE (1.6 §5.13)."""
    assert event.id_token is not None
    if event.reservation is not None:
        named = ledger.at_station(db, station, event.reservation)
        if named is not None:
            return named
    for held in ledger.live_for_token(db, station, [event.id_token.value, *(group or "" for group in groups)]):
        here = (held["station_evse"], held["station_connector"])
        if held["state"] == ReservationState.ACTIVE and (
            here == (None, None)
            or event.evse == here[0] is not None
            or (event.evse is None and event.connector == here[1])
        ):
            return held
    return None


def render(row: RowMapping) -> Session:
    """A Session as OCPI tells it, in the newest version's words."""
    start, last = row["meter_start"], row["meter_last"]
    kwh = max(0.0, ((last or 0.0) - (start or 0.0)) / 1000)
    return Session(
        country_code=row["cpo_country"],
        party_id=row["cpo_party"],
        id=row["session_id"],
        start_date_time=row["start_date_time"],
        end_date_time=row["end_date_time"],
        kwh=round(kwh, 4),
        cdr_token=CdrToken.model_validate(row["cdr_token"]),
        auth_method=AuthMethod(row["auth_method"]),
        authorization_reference=row["authorization_reference"],
        location_id=row["location_id"] or _NOT_AVAILABLE,
        evse_uid=row["evse_uid"],
        connector_id=row["connector_id"],
        currency=row["currency"],
        status=row["state"],
        last_updated=row["last_updated"],
    )
