"""Whereabouts: which stations a command may concern, and which place of theirs it is for."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.asked import Asked, not_supported, rejected
from gateway.domain.addressing import Place, choose, online_only
from gateway.store import locations, reservations, sessions, topology
from ocpi.commands import CancelReservation, ReserveNow, StartSession, StopSession, UnlockConnector
from ocpi.status import StatusCode
from ocpp_bridge.dialect import Dialect
from ocpp_bridge.dialects import DIALECTS

#: ``{station: subprotocol}`` of the stations that a node holds right now.
Online = Mapping[str, str]

_OFFLINE = "The charging station is offline."


@dataclass(frozen=True)
class At:
    """A command's Location and what of it is named."""

    location_id: str
    evse_uid: str | None
    connector_id: str | None = None


def stations_concerned(db: Connection, asked: Asked) -> set[str]:
    """The stations of which we must know whether they are online."""
    match asked.command:
        case StopSession(session_id=session_id):
            session = sessions.by_session_id(db, session_id)
            return set() if session is None else {session["station"]}
        case CancelReservation(reservation_id=reservation_id):
            held = reservations.live(db, asked.partner.id, asked.parties.emsp.key, reservation_id)
            return set() if held is None else {held["station"]}
        case ReserveNow() | StartSession() | UnlockConnector() as command:
            found = _seen(db, asked, command.location_id)
            return set() if found is None else topology.stations_of(db, found.id, command.evse_uid)
    return set()


def find_place(
    db: Connection,
    asked: Asked,
    location: int,
    at: At,
    capability: str,
    online: Online,
    prefer: str | None = None,
    reserving: bool = False,
) -> Place:
    """Where the command goes; raises Refusal. ``prefer``: a station to stay at; ``reserving``: a station will do."""
    elsewhere = topology.places(db, location, at.evse_uid, at.connector_id)
    if at.evse_uid is not None and (not elsewhere or at.connector_id is not None):
        _must_exist(db, location, at)
    capable = [place for place in elsewhere if capability in place.capabilities]
    if not capable:
        raise not_supported("No EVSE here can do this." if at.evse_uid is None else "This EVSE cannot do this.")
    if reserving:
        capable = _that_reserve(capable)
    reachable = online_only(capable, online)
    if not reachable:
        raise rejected(_OFFLINE)
    if at.evse_uid is not None:
        return reachable[0]
    staying = [place for place in reachable if place.station == prefer]
    place = choose(staying or reachable, _whole_station(reachable) if reserving else {})
    if place.evse is not None:
        topology.chosen(db, place.evse, asked.at)
    return place


def location_of(db: Connection, asked: Asked, location_id: str) -> int:
    found = _seen(db, asked, location_id)
    if found is None:
        raise rejected("Unknown location.", StatusCode.UNKNOWN_LOCATION)
    return found.id


def _seen(db: Connection, asked: Asked, location_id: str) -> topology.FoundLocation | None:
    """One that is not shown to the partner is not there for it."""
    found = topology.find_location(db, asked.parties.cpo.id, location_id)
    return found if found is not None and locations.sees(db, asked.partner, found.id) else None


def must_be_online(station: str, online: Online) -> None:
    if station not in online:
        raise rejected(_OFFLINE)


def _must_exist(db: Connection, location: int, at: At) -> None:
    assert at.evse_uid is not None
    if not topology.has_evse(db, location, at.evse_uid):
        raise rejected("Unknown EVSE.", StatusCode.UNKNOWN_LOCATION)
    if at.connector_id is not None and not topology.has_connector(db, location, at.evse_uid, at.connector_id):
        raise rejected("Unknown connector.", StatusCode.UNKNOWN_LOCATION)


def _that_reserve(places: list[Place]) -> list[Place]:
    """Those whose station has not said that it takes no reservations; raises Refusal when there is none."""
    refusing = {station for station, (dialect, told) in _known(places).items() if dialect.reserves(told) is False}
    found = [place for place in places if place.station not in refusing]
    if not found:
        raise not_supported("The charging station takes no reservations.")
    return found


def _whole_station(places: list[Place]) -> dict[str, bool | None]:
    """What is known of the stations' taking reservations that name no EVSE."""
    return {station: dialect.whole_station(told) for station, (dialect, told) in _known(places).items()}


def _known(places: list[Place]) -> dict[str, tuple[Dialect, Mapping[str, str]]]:
    """What the stations have told of their abilities, and in which version."""
    return {
        place.station: (DIALECTS[place.subprotocol], place.abilities)
        for place in places
        if place.subprotocol in DIALECTS and place.abilities is not None
    }
