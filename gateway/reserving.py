"""Reserving, the story of the CPO's own hand: reservations for its own app, its cancelling of anybody's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import Connection

from gateway import errands
from gateway.domain.addressing import Place, online_only, whole
from gateway.domain.lifecycle import LIVE, ReservationState
from gateway.domain.tokens import group_token, id_token
from gateway.holding import may_use, types_at
from gateway.house import Rules
from gateway.ordered import reserved_as
from gateway.store import bindings, commands, partners, reservations, stations, tokens, topology
from gateway.store.prepared import Row
from gateway.store.statements import take_number
from gateway.whereabouts import Online
from ocpi.commands import CommandType
from ocpi.tokens import Token, TokenType, WhitelistType
from ocpp_bridge.dialect import Dialect
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.orders import IdToken, ReserveNow

__all__ = ["Impossible", "Wanted", "cancel", "make", "may_use"]

#: Whose aliases stand for the tokens of the CPO's own app.
_OWNER = "cpo"
_LONGEST_REASON = 512


class Impossible(Exception):
    """What the CPO asked for cannot be done; the message is the sentence that says why.

    ``field`` of Wanted is wrong in itself; None: now is not the time for it.
    """

    def __init__(self, why: str, field: str | None = None) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A reservation that the CPO wants: of an EVSE, of any with a type of connector, or (neither) of any."""

    location_id: str
    #: The driver's token, by OCPI's names.
    token: str
    until: datetime
    token_type: TokenType = TokenType.APP_USER
    group: str | None = None
    evse_uid: str | None = None
    #: As the station's OCPP version says it (2.x ConnectorEnumType).
    connector_type: str | None = None


def make(db: Connection, wanted: Wanted, rules: Rules, online: Online, now: datetime) -> int:
    """Ask a station for it; the errand, to be dispatched. Raises Impossible."""
    _must_be_possible(wanted, rules, now)
    location = _location(db, wanted.location_id)
    place = _place(db, location, wanted, online)
    token, group = _station_tokens(db, wanted, location, rules, DIALECTS[online[place.station]], now)
    order = ReserveNow(
        number=take_number(db, "reservation"),
        expiry=wanted.until,
        id_token=token,
        group=group,
        evse=place.station_evse,
        connector=place.station_connector,
        connector_type=wanted.connector_type,
    )
    name = f"cpo-{order.number}"
    row = {
        "number": order.number,
        "partner": None,
        "party_key": "",
        "reservation_id": name,
        "reservation_key": name,
        "location": location["id"],
        "state": ReservationState.PENDING,
        "superseded": False,
        "created_at": now,
        "updated_at": now,
    }
    reservation = reservations.add(db, row | reserved_as(order, place.station, place.evse))
    return errands.reserve(db, rules, place.station, order, reservation, now)


def cancel(db: Connection, number: int, reason: str, rules: Rules, now: datetime) -> int:
    """Cancel anybody's, for compelling reasons; the errand, to be dispatched. Raises Impossible.

    Its owner is told CANCELED_RESERVATION with the reason whatever the station says, unless it was used meanwhile.
    """
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise Impossible(f"A reason is one to {_LONGEST_REASON} printable characters: its owner is told.")
    held = reservations.of_number(db, number)
    if held is None:
        raise Impossible(f"There is no reservation {number}.")
    if held["state"] not in LIVE:
        raise Impossible(f"Reservation {number} is over: {_ENDS[held['state']]}.")
    if commands.open_for_reservation(db, held["id"], CommandType.CANCEL_RESERVATION):
        raise Impossible(f"Reservation {number} is being cancelled already.")
    return errands.cancel(db, rules, held["station"], number, held["id"], now, reason)


_ENDS = {
    ReservationState.USED: "it was used",
    ReservationState.EXPIRED: "it has expired",
    ReservationState.CANCELLED: "it was cancelled",
    ReservationState.REMOVED: "the charging station has ended it",
    ReservationState.REFUSED: "the charging station has refused it",
}


def _must_be_possible(wanted: Wanted, rules: Rules, now: datetime) -> None:
    if wanted.evse_uid is not None and wanted.connector_type is not None:
        raise Impossible("A reservation is of an EVSE or of a type of connector, not of both.", "connector_type")
    least, most = rules.settings.reservation_min, rules.settings.reservation_max
    if not least <= wanted.until - now <= most:
        raise Impossible(f"A reservation lasts from {_seconds(least)} to {_seconds(most)} seconds.", "until")


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _location(db: Connection, location_id: str) -> Row:
    named = bindings.locations_named(db, location_id)
    found = [row for row in bindings.locations(db) if row["id"] in named]
    if len(found) != 1:
        many = "Several of our parties have" if found else "There is no"
        raise Impossible(f"{many} location {location_id!r}.", "location_id")
    return found[0]


def _place(db: Connection, location: Row, wanted: Wanted, online: Online) -> Place:
    if wanted.evse_uid is not None and not topology.has_evse(db, location["id"], wanted.evse_uid):
        raise Impossible(f"There is no EVSE {wanted.evse_uid!r} at location {wanted.location_id!r}.", "evse_uid")
    places = topology.places(db, location["id"], wanted.evse_uid)
    reachable = online_only(places, online)
    if not reachable:
        raise Impossible("The charging station is offline." if places else "It is bound to no charging station.")
    why = {place.station: _unable(db, place.station, wanted, online) for place in reachable}
    able = [place for place in reachable if not why[place.station]]
    if not able:
        raise Impossible(next(iter(why.values())))
    return able[0] if wanted.evse_uid is not None else whole(_most_fitting(db, able, wanted))


def _most_fitting(db: Connection, able: list[Place], wanted: Wanted) -> Place:
    """A station that has the connector, as far as we know, and an EVSE that is free."""

    def fits(place: Place) -> tuple[bool, bool]:
        types = types_at(db, place.station, place.station_evse, place.station_connector)
        return wanted.connector_type in types if wanted.connector_type else True, place.free

    return max(able, key=fits)


def _unable(db: Connection, station: str, wanted: Wanted, online: Online) -> str:
    """Why the station cannot; empty when it may: only an explicit no of its own refuses early."""
    dialect, (_, told) = DIALECTS[online[station]], stations.abilities(db, [station])[station]
    if dialect.reserves(told or {}) is False:
        return f"Charging station {station} takes no reservations."
    if wanted.evse_uid is not None:
        return ""
    if dialect.whole_station(told or {}) is False:
        return f"Charging station {station} takes no reservation that names no EVSE."
    known = dialect.connector_types
    if wanted.connector_type is None or known is None or wanted.connector_type in known:
        return ""
    return f"Charging station {station} cannot be told {wanted.connector_type!r}{_instead(known)}."


def _instead(known: Iterable[str]) -> str:
    words = ", ".join(sorted(known))
    return f", only {words}" if words else ": its OCPP version reserves no type of connector"


def _station_tokens(
    db: Connection, wanted: Wanted, location: Row, rules: Rules, dialect: Dialect, now: datetime
) -> tuple[IdToken, IdToken | None]:
    def alias(uid: str) -> str:
        return tokens.alias(db, rules.secrets, _OWNER, uid, now)

    token = _token(db, wanted, location, now)
    return id_token(token, dialect.longest_id_token, alias), group_token(token, alias)


def _token(db: Connection, wanted: Wanted, location: Row, now: datetime) -> Token:
    name = next(one.name for one in partners.cpos(db) if one.id == location["cpo_id"])
    try:
        return Token(
            country_code=location["country_code"],
            party_id=location["party_id"],
            uid=wanted.token,
            type=wanted.token_type,
            contract_id=wanted.token,
            issuer=name[:64],
            group_id=wanted.group,
            valid=True,
            whitelist=WhitelistType.NEVER,
            last_updated=now,
        )
    except ValidationError:
        raise Impossible("A token's uid, and its group's, is 1 to 36 printable ASCII characters.", "token") from None
