"""Judgement: for each of the five commands, whether it is taken on, and as which order it goes to which station."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.asked import Asked, Refusal, not_supported, rejected
from gateway.domain.addressing import Place
from gateway.domain.lifecycle import LIVE, UNFINISHED, ReservationState, SessionState
from gateway.domain.tokens import authorized_until, group_token, id_token
from gateway.house import Rules
from gateway.ordered import reserved_as
from gateway.replacing import can_be_replaced, give_up, number_at
from gateway.store import reservations, sessions, tokens, topology, transactions
from gateway.store.prepared import Row
from gateway.store.statements import take_number
from gateway.whereabouts import At, Online, find_place, location_of, must_be_online
from ocpi.commands import (
    CancelReservation,
    Command,
    CommandResponseType,
    CommandType,
    ReserveNow,
    StartSession,
    StopSession,
    UnlockConnector,
)
from ocpi.headers import Party
from ocpi.status import StatusCode
from ocpi.tokens import Token
from ocpi.types import fold
from ocpp_bridge import orders
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.orders import IdToken, Order


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a judge has before it."""

    db: Connection
    asked: Asked
    rules: Rules
    online: Online


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A command that is taken on."""

    station: str
    #: None: it waits for the id of its Session's transaction.
    order: Order | None
    reservation: int | None = None
    session: int | None = None
    #: The token that it authorises at the station, and as what the station knows it.
    token: Token | None = None
    id_token: IdToken | None = None
    group: IdToken | None = None
    authorization_reference: str | None = None
    #: Reservations to be cancelled first: (station, number, id).
    before: list[tuple[str, int, int]] = field(default_factory=list)


C = TypeVar("C", bound=Command)
Judge = Callable[[Bench, C], Taken]


def judge(bench: Bench) -> Taken:
    """Take the command on, or raise Refusal: before anything is written that would mean something without a command."""
    return JUDGES[bench.asked.type](bench, bench.asked.command)


def _reserve(bench: Bench, command: ReserveNow) -> Taken:
    db, asked = bench.db, bench.asked
    location = location_of(db, asked, command.location_id)
    held = reservations.live(db, asked.partner.id, asked.parties.emsp.key, command.reservation_id)
    if held is not None and held["location"] != location:
        raise rejected("This reservation_id is in use at another location.")
    _must_be_own(asked, command.token)
    _must_be_reservable_until(bench, command)
    at = At(command.location_id, command.evse_uid)
    stay = held["station"] if held is not None else None
    place = find_place(db, asked, location, at, "RESERVABLE", bench.online, prefer=stay, reserving=True)
    token, group = _station_tokens(bench, command.token, place.station)
    replaces = held is not None and can_be_replaced(db, held, place.station, asked.at)
    order = orders.ReserveNow(
        number=held["number"] if held is not None and replaces else number_at(db, held, place.station),
        expiry=command.expiry_date,
        id_token=token,
        group=group,
        evse=place.station_evse,
        connector=place.station_connector,
    )
    if held is not None and replaces:
        before, reservation = [], held["id"]
    else:
        before = give_up(db, held, asked.at) if held is not None else []
        reservation = reservations.add(db, _reservation_row(bench, command, place, order))
    return Taken(
        station=place.station,
        order=order,
        reservation=reservation,
        token=command.token,
        id_token=token,
        group=group,
        authorization_reference=command.authorization_reference,
        before=before,
    )


def _reservation_row(bench: Bench, command: ReserveNow, place: Place, order: orders.ReserveNow) -> dict[str, Any]:
    asked = bench.asked
    return {
        "number": order.number,
        "partner": asked.partner.id,
        "party_key": asked.parties.emsp.key,
        "reservation_id": command.reservation_id,
        "reservation_key": fold(command.reservation_id),
        "location": place.location,
        "state": ReservationState.PENDING,
        "superseded": False,
        "created_at": asked.at,
        "updated_at": asked.at,
    } | reserved_as(order, place.station, place.evse)


def _cancel(bench: Bench, command: CancelReservation) -> Taken:
    db, asked = bench.db, bench.asked
    known = reservations.newest(db, asked.partner.id, asked.parties.emsp.key, command.reservation_id)
    if known is None or known["cpo_id"] != asked.parties.cpo.id:
        raise rejected("Unknown reservation.")
    held: Row | None = known
    if known["state"] not in LIVE or known["superseded"]:  # one that moves may hold where it was
        held = reservations.live(db, asked.partner.id, asked.parties.emsp.key, command.reservation_id)
    if held is None:
        raise rejected(_ENDED[ReservationState(known["state"])])
    must_be_online(held["station"], bench.online)
    return Taken(station=held["station"], order=orders.CancelReservation(number=held["number"]), reservation=held["id"])


#: A reservation that is over is answered from what we know, without asking the station.
_ENDED: Mapping[ReservationState, str] = {
    ReservationState.USED: "The reservation was used.",
    ReservationState.EXPIRED: "The reservation has expired.",
    ReservationState.CANCELLED: "The reservation was cancelled already.",
    ReservationState.REMOVED: "The charging station has ended the reservation.",
    ReservationState.REFUSED: "Unknown reservation.",
}


def _start(bench: Bench, command: StartSession) -> Taken:
    db, asked = bench.db, bench.asked
    location = location_of(db, asked, command.location_id)
    _must_be_own(asked, command.token)
    at = At(command.location_id, command.evse_uid, command.connector_id)
    if at.evse_uid is None:
        at = _reserved_at(bench, command, location) or at
    place = find_place(db, asked, location, at, "REMOTE_START_STOP_CAPABLE", bench.online)
    if command.connector_id is None and "START_SESSION_CONNECTOR_REQUIRED" in place.offered:
        raise rejected("This EVSE needs a connector_id.", StatusCode.NOT_ENOUGH_INFORMATION)
    token, group = _station_tokens(bench, command.token, place.station)
    order = orders.RequestStart(
        id_token=token,
        group=group,
        remote_start_id=take_number(db, "remote start"),
        evse=place.station_evse,
        connector=place.station_connector,
    )
    return Taken(
        station=place.station,
        order=order,
        token=command.token,
        id_token=token,
        group=group,
        authorization_reference=command.authorization_reference,
    )


def _reserved_at(bench: Bench, command: StartSession, location: int) -> At | None:
    """The EVSE that this token has reserved at the Location, if it has one."""
    places = [place for place in topology.places(bench.db, location) if place.station in bench.online]
    uids = {place.evse: place.evse_uid for place in places}
    for station in sorted({place.station for place in places}):
        token, group = _station_tokens(bench, command.token, station)
        names = [token.value] + ([group.value] if group else [])
        for held in reservations.live_for_token(bench.db, station, names):
            whose = held["partner"], held["party_key"]
            mine = whose == (bench.asked.partner.id, bench.asked.parties.emsp.key)  # two eMSPs may name one card
            if mine and held["evse"] in uids and held["state"] == ReservationState.ACTIVE:
                return At(command.location_id, uids[held["evse"]])
    return None


_OVER = "This session has ended."


def _stop(bench: Bench, command: StopSession) -> Taken:
    asked = bench.asked
    session = sessions.by_session_id(bench.db, command.session_id)
    if session is None or session["cpo"] not in (None, asked.parties.cpo.id):
        raise Refusal(CommandResponseType.UNKNOWN_SESSION, "Unknown session.")
    if session["partner"] != asked.partner.id or _owner(session) != asked.parties.emsp:
        raise rejected("This session is not of one of your customers.")
    if session["state"] not in {SessionState.ACTIVE, SessionState.PENDING} and session["remote_start_id"] is None:
        raise rejected("This session is a reservation." if session["end_date_time"] is None else _OVER)
    if session["state"] not in UNFINISHED:
        raise rejected(_OVER)
    must_be_online(session["station"], bench.online)
    known = session["transaction_id"]
    order = orders.RequestStop(transaction_id=known) if known is not None else None
    return Taken(station=session["station"], order=order, session=session["id"])


def _unlock(bench: Bench, command: UnlockConnector) -> Taken:
    asked = bench.asked
    if not asked.partner.allow_unlock:
        raise not_supported("UNLOCK_CONNECTOR is not open to you.")
    at = At(command.location_id, command.evse_uid, command.connector_id)
    location = location_of(bench.db, asked, command.location_id)
    place = find_place(bench.db, asked, location, at, "UNLOCK_CAPABLE", bench.online)
    if place.station_connector is None:
        raise not_supported("This connector has no number at its charging station.")
    # 1.6 §5.18: unlocking ends a running transaction first, so it must not be somebody else's.
    for session in transactions.running_at(bench.db, place.station, place.station_evse, place.station_connector):
        if session["partner"] != asked.partner.id or _owner(session) != asked.parties.emsp:
            raise rejected("A session of somebody else is running there.")
    return Taken(station=place.station, order=orders.Unlock(evse=place.station_evse, connector=place.station_connector))


JUDGES: Mapping[CommandType, Judge[Any]] = {
    CommandType.RESERVE_NOW: _reserve,
    CommandType.CANCEL_RESERVATION: _cancel,
    CommandType.START_SESSION: _start,
    CommandType.STOP_SESSION: _stop,
    CommandType.UNLOCK_CONNECTOR: _unlock,
}


def _owner(session: Row) -> Party:
    return Party(session["from_country"], session["from_party"])


def _must_be_own(asked: Asked, token: Token) -> None:
    """Ownership, never validity: the eMSP has authorised its own token already (mod_commands §ReserveNow)."""
    if Party(token.country_code, token.party_id) != asked.parties.emsp:
        raise rejected("This token is not one of yours.")


def _must_be_reservable_until(bench: Bench, command: ReserveNow) -> None:
    settings, lasts = bench.rules.settings, command.expiry_date - bench.asked.at
    if lasts < settings.reservation_min:
        raise rejected(f"expiry_date must be at least {_seconds(settings.reservation_min)} s from now.")
    if lasts > settings.reservation_max:
        raise rejected(f"expiry_date must be at most {_seconds(settings.reservation_max)} s from now.")


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _station_tokens(bench: Bench, token: Token, station: str) -> tuple[IdToken, IdToken | None]:
    """The token and its group as the station is told them: one function for reservations, starts and authorizations."""
    asked = bench.asked
    alias = tokens.aliases(bench.db, bench.rules.secrets, asked.partner.id, asked.parties.emsp, asked.at)
    longest = DIALECTS[bench.online[station]].longest_id_token
    return id_token(token, longest, alias), group_token(token, alias)


def authorize(bench: Bench, taken: Taken, command_id: int) -> None:
    """What the command brought is authorised at the station from now on (mod_commands §ReserveNow, §StartSession)."""
    if taken.token is None or taken.id_token is None:
        return
    asked = bench.asked
    row = {
        "station": taken.station,
        "token_key": fold(taken.id_token.value),
        "group_id_token": taken.group.value if taken.group else None,
        "partner": asked.partner.id,
        "from_country": asked.parties.emsp.country_code,
        "from_party": asked.parties.emsp.party_id,
        "token": taken.token.wire(),
        "authorization_reference": taken.authorization_reference,
        "command": command_id,
        "cpo": asked.parties.cpo.id,
        "until": authorized_until(taken.token, asked.at),
    }
    tokens.authorize(bench.db, row)
