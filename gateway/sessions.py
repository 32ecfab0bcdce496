"""Sessions, the story: what a partner is told of a reservation, of a start that was asked for, and of a charge."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from gateway import cdrs, evses, terms
from gateway.domain import metering
from gateway.domain.addressing import same_spot
from gateway.domain.lifecycle import ReservationState, SessionState
from gateway.each import each
from gateway.house import Rules
from gateway.store import pushes, sessions, stations, tokens, topology, transactions
from gateway.store import reservations as ledger
from gateway.store.abreast import apart, send_now
from gateway.store.prepared import Row
from ocpi.headers import Party
from ocpi.paging import Page
from ocpi.sessions import NOT_AVAILABLE, AuthMethod, CdrToken, Session
from ocpi.types import fold
from ocpi.versions import ModuleID
from ocpp_bridge.answers import Answer
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.orders import RequestStart, ReserveNow

log = structlog.get_logger(__name__)


def reserved(
    db: Connection,
    held: Row,
    given_up: Sequence[Row],
    command: Row,
    order: ReserveNow,
    rules: Rules,
    now: datetime,
) -> None:
    """The station holds the reservation, or what it was changed to (mod_sessions §Reservation).

    ``given_up``: what its party gave up for it at other stations.
    """
    if command["partner"] is None:  # the CPO's own, or an eMSP's that the house renews: nothing new to tell
        return
    told = whose(db, command, order.id_token.value)
    where = whereabouts(db, held["station"], order.evse, order.connector, held["location"])
    known = _of_reservation(db, held, given_up)
    if known is not None:
        told = _said_later(told, known) | terms.there(db, known, where, now)
        sessions.change(db, known["id"], now, reservation=held["id"], **told)
        tell(db, known, rules, now)
        return
    row = told | where | {"state": SessionState.RESERVATION, "reservation": held["id"], "start_date_time": now}
    add(db, row, rules, now)


def unused(db: Connection, held: Row, rules: Rules, now: datetime) -> None:
    """A reservation is over without a charge: its Session is COMPLETED (mod_sessions §Reservation)."""
    known = transactions.of_reservation(db, held["id"])
    moving = held["superseded"] and held["command"] is not None  # to another station, where it may go on
    if known is not None and not moving:
        over = held["expiry_date"] if held["state"] == ReservationState.EXPIRED else now
        complete(db, known, max(known["start_date_time"], min(over, now)), rules, now)


def started(
    db: Connection, command: Row, order: RequestStart, answer: Answer | None, rules: Rules, now: datetime
) -> None:
    """The station will try to start: what it reserved for this token, or else a Session that is PENDING."""
    if command["partner"] is None or sessions.of_command(db, command["id"]) is not None:
        return
    told = _asked(order) | {"command": command["id"]}
    told |= whose(db, command, order.id_token.value)
    until = now + _connection_timeout(db, command["station"], rules) + rules.settings.connection_margin
    known = _reserved_for(db, command, order)
    if known is not None:
        sessions.change(db, known["id"], now, pending_until=until, **_said_later(told, known))
        tell(db, known, rules, now)
        return
    running = answer and answer.transaction_id and transactions.by_id(db, command["station"], answer.transaction_id)
    if running and running["partner"] is None:  # it waited only for an authorization (2.x F01.FR.13)
        price = terms.price(db, {**running, **told}, running["start_date_time"])
        sessions.change(db, running["id"], now, **told, **price)
        tell(db, {**running, **told}, rules, now)
        if running["state"] == SessionState.COMPLETED:  # the answer came after the end
            _settle(db, running["id"], now)
        return
    told |= whereabouts(db, command["station"], order.evse, order.connector)
    add(db, told | {"state": SessionState.PENDING, "start_date_time": now, "pending_until": until}, rules, now)


def is_started(db: Connection, reservation_id: int, now: datetime) -> bool:
    """The station has accepted a start for the reservation, and its driver may still plug in."""
    known = transactions.of_reservation(db, reservation_id)
    return known is not None and known["pending_until"] is not None and now < known["pending_until"]


def lapse(db: Connection, rules: Rules, now: datetime) -> None:
    """Starts that became no charge in the time that a driver has to plug in will never be billed."""

    def give_up(session_pk: int) -> None:
        given_up = sessions.become(db, session_pk, SessionState.INVALID, now, end_date_time=now)
        if given_up is not None:
            tell(db, given_up, rules, now)

    each(db, "a start cannot be given up", transactions.lapsed(db, now), give_up)


def complete(db: Connection, known: Row, ended_at: datetime, rules: Rules, now: datetime) -> None:
    """A Session is over, which is final (mod_sessions §SessionStatus)."""
    ended = sessions.become(db, known["id"], SessionState.COMPLETED, now, end_date_time=ended_at, closes_at=None)
    if ended is None:
        return
    tell(db, ended, rules, now)
    if known["state"] == SessionState.ACTIVE:  # else what holds its EVSE is the reservation, if anything does
        evses.follow(db, ended["station"], now)
    if cdrs.can_be_due(ended):
        _settle(db, ended["id"], now)


def _settle(db: Connection, session_pk: int, now: datetime) -> None:
    """A CDR that cannot be made keeps no station waiting for its answer: an operator makes it (``cdrs make``)."""
    send_now(db)
    try:
        with apart(db):
            cdrs.settle(db, session_pk, now)
    except OperationalError:  # the database had a bad moment: all of it is tried again
        raise
    except Exception as problem:
        session_id = sessions.by_pk(db, session_pk)["session_id"]
        log.error("a CDR cannot be made", session_id=session_id, problem=repr(problem.__cause__ or problem))


def add(db: Connection, row: dict[str, Any], rules: Rules, now: datetime) -> int:
    """A Session begins, or is told of at last, at the price of the moment when it began; its key."""
    blank: dict[str, Any] = {
        "partner": None,
        "session_id": str(uuid4()),
        "currency": rules.settings.currency,
        "auth_method": AuthMethod.COMMAND,
        "kwh": 0,
        "created_at": now,
        "last_updated": now,
    }
    whole = blank | row | terms.beginning(db, row, row["start_date_time"])
    session_pk = sessions.add(db, whole)
    tell(db, whole | {"id": session_pk}, rules, now)
    return session_pk


def tell(db: Connection, session: Mapping[str, Any], rules: Rules, now: datetime, *, at_leisure: bool = False) -> None:
    """The partner that owns the Session is to hear of a change; of a meter's progress not each time."""
    if session["partner"] is not None:
        not_before = now + rules.settings.session_pause if at_leisure else None
        pushes.owe(db, session["partner"], ModuleID.SESSIONS, session["id"], now, not_before=not_before)


def whose(db: Connection, command: Row, token: str) -> dict[str, Any]:
    """The columns that say for whom a command is, and with which token."""
    party = Party(command["from_country"], command["from_party"])
    mine = (one for one in tokens.authorized(db, command["station"], token) if one["partner"] == command["partner"])
    known = next((one for one in mine if Party(one["from_country"], one["from_party"]) == party), None)
    return {
        "station": command["station"],
        "partner": command["partner"],
        "from_country": party.country_code,
        "from_party": party.party_id,
        "cpo": topology.cpo_of(db, command["to_country"], command["to_party"]),
        "command": command["id"],
        "token_key": fold(token),
        "cdr_token": None if known is None else cdr_token(known["token"]),
        "authorization_reference": command["body"].get("authorization_reference"),
    }


def cdr_token(token: dict[str, Any]) -> dict[str, Any]:
    """What Sessions and CDRs say of a Token (mod_cdrs §CdrToken)."""
    return CdrToken.model_validate(token).wire()


def whereabouts(
    db: Connection, station: str, evse: int | None, connector: int | None, location: int | None = None
) -> dict[str, Any]:
    """The columns that say where a Session is: ``#NA`` where the station has not said yet."""
    spot = {"station": station, "station_evse": evse, "station_connector": connector}
    anywhere = evse is None and connector is None
    place = None if anywhere else topology.place_of(db, station, evse, connector)
    if place is None:
        return spot | {"location": location, "evse_uid": NOT_AVAILABLE, "connector_id": NOT_AVAILABLE}
    return spot | {"location": place.location, "evse_uid": place.evse_uid, "connector_id": place.connector_id}


def views(
    db: Connection, partner: int, party: tuple[str, str] | None, cpo_ids: Collection[int], wanted: Page
) -> tuple[int, list[Session]]:
    """A partner's Sessions with these of our parties, of one eMSP when ``party`` names it: (how many, the page's)."""
    total, rows = sessions.page(db, partner, party, cpo_ids, wanted)
    return total, [view(db, row) for row in rows]


def view(db: Connection, row: Row) -> Session:
    """A Session as OCPI tells it, in the newest version's words; ``row`` is one of ``gateway.store.sessions.page``."""
    finished = row["state"] in {SessionState.COMPLETED, SessionState.INVALID}
    until = row["end_date_time"] or transactions.last_told(db, row["id"]) or row["last_updated"]
    done = cdrs.usage(db, row, until)
    return Session(
        country_code=row["cpo_country"],
        party_id=row["cpo_party"],
        id=row["session_id"],
        start_date_time=row["start_date_time"],
        end_date_time=row["end_date_time"] if finished else None,
        kwh=row["kwh"],
        cdr_token=CdrToken.model_validate(row["cdr_token"]),
        auth_method=AuthMethod(row["auth_method"]),
        authorization_reference=row["authorization_reference"],
        location_id=row["location_id"] or NOT_AVAILABLE,
        evse_uid=row["evse_uid"],
        connector_id=row["connector_id"],
        currency=row["currency"],
        charging_periods=metering.periods(done, finished),
        total_cost=cdrs.session_cost(db, row, done),
        status=row["state"],
        last_updated=row["last_updated"],
    )


def _asked(order: RequestStart) -> dict[str, Any]:
    return {"remote_start_id": order.remote_start_id, "group_key": fold(order.group.value) if order.group else None}


def _said_later(told: dict[str, Any], known: Row) -> dict[str, Any]:
    """What a later command says of a Session: the reference that was given last stays (mod_sessions §Session)."""
    return told | {"authorization_reference": told["authorization_reference"] or known["authorization_reference"]}


def _of_reservation(db: Connection, held: Row, given_up: Sequence[Row]) -> Row | None:
    """The Session of this reservation, or of the one that the party gave up for it at another station."""
    before = [one["id"] for one in given_up]
    found = (transactions.of_reservation(db, one) for one in [held["id"], *reversed(before)])
    return next((one for one in found if one is not None), None)


def _reserved_for(db: Connection, command: Row, order: RequestStart) -> Row | None:
    """The Session of the reservation that this start will use."""
    names = [order.id_token.value, *([order.group.value] if order.group else [])]
    mine = (command["partner"], Party(command["from_country"], command["from_party"]).key)
    for held in ledger.live_for_token(db, command["station"], names):
        spots = (held["station_evse"], held["station_connector"]), (order.evse, order.connector)
        here = (None, None) in spots or same_spot(*spots)
        if held["state"] == ReservationState.ACTIVE and here and (held["partner"], held["party_key"]) == mine:
            return transactions.of_reservation(db, held["id"])
    return None


def _connection_timeout(db: Connection, station: str, rules: Rules) -> timedelta:
    subprotocol, abilities = stations.abilities(db, [station])[station]
    dialect = DIALECTS.get(subprotocol or "")
    seconds = dialect.connection_timeout(abilities) if dialect is not None and abilities else None
    return rules.settings.connection_timeout if seconds is None else timedelta(seconds=seconds)
