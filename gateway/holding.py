"""Holding, the story of the ledger: what stations hold for whom, and who may therefore use what now."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from gateway.authorization import owner
from gateway.domain.addressing import same_spot
from gateway.domain.connector_types import ocpp_connector_type
from gateway.domain.evse_status import DECIDED, USABLE
from gateway.domain.ledger import CheckStatus, Kept, Spot, check, held_up
from gateway.store import commands, reservations, stations, transactions
from gateway.store.prepared import Row
from ocpi.locations import ConnectorFormat, ConnectorType, PowerType
from ocpi.types import fold
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.orders import RequestStart


def may_use(
    db: Connection,
    station: str,
    evse: int | None,
    connector_type: str | None,
    token: str,
    group: str | None,
    now: datetime,
) -> CheckStatus:
    """What the station's reservations say to a token (as the station knows it); on 1.6 connectors are the EVSEs."""
    return check(_kept(db, station, now), _spots(db, station), evse, connector_type, token, group, now)


def held_up_at(db: Connection, station: str, now: datetime) -> set[int]:
    """The EVSEs of the station that reservations of no certain EVSE need now."""
    return held_up(_kept(db, station, now), _spots(db, station))


def held_up_until_ended(db: Connection, station: str) -> set[int]:
    """Likewise while they are ACTIVE, as one that names its EVSE is shown, whatever the clock says."""
    active = [_as_kept(one) for one in reservations.active_at(db, station, 0)]
    return held_up(active, _spots(db, station))


def types_at(db: Connection, station: str, evse: int | None, connector: int | None) -> frozenset[str]:
    """The types of connector (2.x ConnectorEnumType) that an EVSE has, as imported."""
    number = _number(evse, connector)
    return next((spot.connector_types for spot in _spots(db, station) if spot.number == number), frozenset())


def taken(db: Connection, station: str, command_id: int, order: RequestStart, now: datetime) -> str:
    """Why a start is certain to be refused; empty when it is not certain, and the station's word counts.

    Two eMSPs may name one card: the station would let both use the reservation, but it is one's (P4).
    """
    group = order.group.value if order.group is not None else None
    held = reservations.held_at(db, station, now)
    there = [one for one in held if _is_there(one, order)]
    asking = commands.by_id(db, command_id)
    open_to = (None, owner(asking) if asking is not None else None)
    mine = [one["id"] for one in held if _whose(one) in open_to and _as_kept(one).is_for(order.id_token.value, group)]
    if not any(one["id"] in mine for one in there):
        if not all(_is_in_doubt(db, one) for one in there):
            return "The EVSE is reserved for somebody else."
        if _is_needed(db, station, held, mine, order, now):
            return "Every EVSE that is free is reserved for somebody else."
    for begun in transactions.pending(db, station, now):
        same = begun["token_key"] == fold(order.id_token.value) and owner(begun) == open_to[1]
        if _is_there(begun, order) and not same:
            return "Somebody else is about to charge at the EVSE."
    return ""


def _is_needed(
    db: Connection, station: str, held: Sequence[Row], mine: Collection[int], order: RequestStart, now: datetime
) -> bool:
    """Reservations of no certain EVSE need this one, whatever becomes of what is not certain."""
    number = _number(order.evse, order.connector)
    if number is None or all(_place(one) is not None for one in held):
        return False
    certain = [one for one in held if not _is_in_doubt(db, one)]
    spots = _spots(db, station)
    if len([one for one in certain if one["id"] in mine]) < len(mine) or _has_more(db, station, spots):
        return False
    # What is not open to this start is for another token, though the station may see the same card (P4).
    kept = [_as_kept(one) if one["id"] in mine else replace(_as_kept(one), token="", group=None) for one in certain]
    group = order.group.value if order.group is not None else None
    said = check(kept, spots, number, None, order.id_token.value, group, now)
    return said not in {CheckStatus.NOT_RESERVED, CheckStatus.RESERVED_FOR_TOKEN}


def _has_more(db: Connection, station: str, spots: Sequence[Spot]) -> bool:
    """The station has EVSEs that are bound to none of ours, where its reservations may find room."""
    bound = {spot.number for spot in spots}
    told = {one["evse"] or one["connector"] for one in stations.statuses(db, station) if one["status"] in _FREE}
    subprotocol, abilities = stations.abilities(db, [station]).get(station, (None, None))
    dialect = DIALECTS.get(subprotocol or "")
    count = dialect.connectors(abilities or {}) if dialect is not None else None
    return bool(told - {0} - bound) or (count or 0) > len(bound)


#: In a station's words.
_FREE = {"Available", "Reserved"}


def _whose(held: Row) -> tuple[int, str] | None:
    """(connection, folded party); None: the CPO's own."""
    return None if held["partner"] is None else (held["partner"], held["party_key"])


def _is_in_doubt(db: Connection, held: Row) -> bool:
    """An order about it is on its way, or its token was presented, so that its EVSE is Available (2.x H03.FR.10)."""
    if commands.open_for_reservation(db, held["id"]):
        return True
    told = stations.told_of(db, held["evse"]) if held["evse"] is not None else []
    since = max((one["told_at"] for one in told), default=held["created_at"])
    free = all(one["status"] == "Available" for one in told)
    return bool(free and since > (held["confirmed_at"] or held["created_at"]))


def _is_there(row: Row, order: RequestStart) -> bool:
    return same_spot((row["station_evse"], row["station_connector"]), (order.evse, order.connector))


def _kept(db: Connection, station: str, now: datetime) -> list[Kept]:
    return [_as_kept(held) for held in reservations.held_at(db, station, now)]


def _as_kept(held: Row) -> Kept:
    return Kept(
        token=held["id_token"],
        expiry=held["expiry_date"],
        group=held["group_id_token"],
        evse=_place(held),
        connector_type=held["connector_type"],
    )


def _place(held: Row) -> int | None:
    return _number(held["station_evse"], held["station_connector"])


def _number(evse: int | None, connector: int | None) -> int | None:
    """A 1.6 station's connectors are its EVSEs, unless a binding says that several are one."""
    return evse if evse is not None else connector


def _spots(db: Connection, station: str) -> list[Spot]:
    bound: defaultdict[int, list[Row]] = defaultdict(list)
    for row in stations.places(db, station):
        if (number := _number(row["station_evse"], row["station_connector"])) is not None:
            bound[number].append(row)
    subprotocol, _ = stations.abilities(db, [station]).get(station, (None, None))
    dialect = DIALECTS.get(subprotocol or "")
    words = dialect.connector_types if dialect is not None else None
    running = [
        (one["station_evse"], one["station_connector"]) for one in transactions.running_at(db, station, None, None)
    ]
    return [
        Spot(
            number=number,
            connector_types=frozenset(kind for row in rows for kind in _types(row, words)),
            usable=all(_is_usable(row, running) for row in rows),
        )
        for number, rows in bound.items()
    ]


def _is_usable(row: Row, running: Sequence[tuple[int | None, int | None]]) -> bool:
    """As the station told; an imported status says nothing of this moment, except that it is not there at all."""
    if any(same_spot((row["station_evse"], row["station_connector"]), one) for one in running):
        return False
    if row["imported_status"] in DECIDED:
        return False
    return row["told_status"] is None or row["told_status"] in USABLE


def _types(row: Row, words: Collection[str] | None) -> list[str]:
    """The types of the connectors that a binding speaks of, in the station's words."""
    evses = [one for one in row["body"].get("evses") or [] if fold(one["uid"]) == row["evse_key"]]
    mine = [one for evse in evses for one in evse["connectors"] if row["connector_key"] in ("", fold(one["id"]))]
    return [
        ocpp_connector_type(
            ConnectorType(one["standard"]),
            ConnectorFormat(one["format"]),
            one["max_amperage"],
            PowerType(one["power_type"]),
            words,
        )
        for one in mine
    ]
