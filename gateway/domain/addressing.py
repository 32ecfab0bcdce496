"""Which EVSE takes a command: pure choice among the places that our own bindings name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An EVSE (or one connector of it) of a Location, and where it is at a station."""

    location: int
    location_id: str
    #: None: any EVSE of the station.
    evse: int | None
    evse_uid: str
    connector_id: str
    station: str
    station_evse: int | None
    station_connector: int | None
    capabilities: frozenset[str] = frozenset()
    #: Those that partners are told.
    offered: frozenset[str] = frozenset()
    #: In which version its station spoke last, and what it told of its abilities then.
    subprotocol: str = ""
    abilities: Mapping[str, str] | None = None
    #: No transaction, no reservation and no other status than Available was told; not asked where one EVSE is meant.
    free: bool = True
    chosen_at: datetime | None = None


def choose(candidates: Sequence[Place], whole_station: Mapping[str, bool | None]) -> Place:
    """The order of choice for a command that names no EVSE; ``candidates`` are capable and on online stations.

    ``whole_station``: what is known of stations' taking reservations without an EVSE; empty where that is no question.
    """
    stations = {place.station for place in candidates}
    if len(stations) == 1 and whole_station.get(*stations):
        return whole(candidates[0])
    free = [place for place in candidates if place.free]
    return min(free or candidates[:1], key=lambda place: place.chosen_at or _NEVER)


def whole(place: Place) -> Place:
    """The station of ``place``, no EVSE named."""
    return replace(place, evse=None, evse_uid="#NA", connector_id="#NA", station_evse=None, station_connector=None)


def online_only(places: Sequence[Place], online: Collection[str]) -> list[Place]:
    return [place for place in places if place.station in online]


def same_spot(one: tuple[int | None, int | None], other: tuple[int | None, int | None]) -> bool:
    """Two (EVSE, connector) of a station are one place; 1.6 has only connectors, and 2.x may leave them out."""
    if one[0] is not None and other[0] is not None:
        return one[0] == other[0]
    return one[1] is not None and one[1] == other[1]
