"""Authorization, the story: what a station is told of a token as far as that is known, and whose charge it makes."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.lifecycle import PartnerState, ReservationState
from gateway.store import partners, reservations, tokens, transactions
from gateway.store.prepared import Row
from ocpi.headers import Party
from ocpi.sessions import AuthMethod
from ocpi.types import fold
from ocpp_bridge.events import Phase, TokenStatus, TransactionChanged
from ocpp_bridge.orders import IdToken

INVALID = TokenStatus(status="Invalid")

#: A message with this trigger brings the token that ends the charge, before its end (2.x E07).
_STOPS = "StopAuthorized"


def authorize(db: Connection, station: str, token: IdToken, now: datetime) -> TokenStatus:
    """What is known of the token there; nobody is asked."""
    known = permissions(db, station, token.value, now)
    return accepted(known[0]) if known else own_reservation(db, station, token) or INVALID


def permissions(db: Connection, station: str, token: str, now: datetime) -> list[Row]:
    """What eMSPs authorise the token there now, the newest command's first."""
    return [known for known in tokens.authorized(db, station, token) if _lasts(db, known, now)]


def accepted(known: Row) -> TokenStatus:
    group = known["group_id_token"]
    return TokenStatus(status="Accepted", group=IdToken(value=group) if group else None)


def owner(row: Row) -> tuple[int, str]:
    """(connection, folded party): whose an authorization is; reservations are told apart in the same way."""
    return row["partner"], Party(row["from_country"], row["from_party"]).key


def is_sure(db: Connection, known: Row, now: datetime) -> bool:
    """Neither is its eMSP asked again nor the whitelist looked at, where a token may have become invalid meanwhile.

    So are tokens of commands in their time (mod_commands §ReserveNow, §StartSession), what the eMSP has just allowed,
    and the token of a charge that runs: however often the station tells of it, it is not judged anew.
    """
    return (_remembered(known, now) and known["auth_method"] != AuthMethod.WHITELIST) or _runs(db, known)


def lives(db: Connection, known: Row) -> bool:
    """Its connection does, or a charge or a reservation outlives that."""
    return partners.by_id(db, known["partner"]).state == PartnerState.ACTIVE or _runs(db, known) or holds(db, known)


def holds(db: Connection, known: Row) -> bool:
    """A reservation of its eMSP waits there for the token."""
    return any(
        held["state"] == ReservationState.ACTIVE and (held["partner"], held["party_key"]) == owner(known)
        for held in reservations.live_for_token(db, known["station"], [known["token_key"]])
    )


def own_reservation(db: Connection, station: str, token: IdToken) -> TokenStatus | None:
    """The CPO's own reservation for the token needs no eMSP's word, nor does the charge that it became."""
    waiting = reservations.live_for_token(db, station, [token.value])
    charging = (one["reservation"] for one in transactions.running_at(db, station, None, None) if one["reservation"])
    used = [reservations.by_id(db, one) for one in charging]
    for held in [*(one for one in waiting if one["state"] == ReservationState.ACTIVE), *used]:
        if held["partner"] is None and fold(token.value) in _names(held):
            group, type_ = held["group_id_token"], held["group_id_token_type"] or "Central"
            return TokenStatus(status="Accepted", group=IdToken(value=group, type=type_) if group else None)
    return None


def ends_charge(event: TransactionChanged) -> bool:
    """The message's token ends a charge: no eMSP is asked whether it may."""
    return event.phase is Phase.ENDED or event.trigger == _STOPS


def spot(db: Connection, station: str, event: TransactionChanged) -> tuple[int | None, int | None]:
    """(evseId, connectorId) of the message's transaction: 2.x names them once, and the token perhaps later."""
    told = event.evse, event.connector
    if told != (None, None) or event.transaction_id is None:
        return told
    known = transactions.by_id(db, station, event.transaction_id)
    return told if known is None else (known["station_evse"], known["station_connector"])


def may_end(db: Connection, station: str, event: TransactionChanged, now: datetime) -> TokenStatus | None:
    """What is told of the token that ends a charge: Accepted for the one that began it, and for one of its group."""
    if event.id_token is None:
        return None
    ending = transactions.by_id(db, station, event.transaction_id) if event.transaction_id is not None else None
    if ending is not None and ending["partner"] is not None:
        for known in tokens.authorized(db, station, event.id_token.value):
            if owner(known) == owner(ending) and (_began(known, ending) or _is_of_its_group(db, known, ending)):
                return accepted(known)
    return authorize(db, station, event.id_token, now)


def _lasts(db: Connection, known: Row, now: datetime) -> bool:
    return _remembered(known, now) or holds(db, known) or _runs(db, known)


def _remembered(known: Row, now: datetime) -> bool:
    return known["until"] is None or now < known["until"]


def _runs(db: Connection, known: Row) -> bool:
    running = transactions.running_at(db, known["station"], None, None)
    return any(one["partner"] is not None and owner(one) == owner(known) and _began(known, one) for one in running)


def _began(known: Row, running: Row) -> bool:
    return fold(running["cdr_token"]["uid"]) == fold(known["token"]["uid"])


def _is_of_its_group(db: Connection, known: Row, ending: Row) -> bool:
    began = tokens.authorized(db, ending["station"], ending["token_key"] or ending["cdr_token"]["uid"])
    groups = {one["group_id_token"] for one in began if owner(one) == owner(ending)}
    return known["group_id_token"] is not None and known["group_id_token"] in groups


def _names(held: Row) -> set[str]:
    return {fold(name) for name in (held["id_token"], held["group_id_token"]) if name}
