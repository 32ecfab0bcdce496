"""Offers: the capabilities of an EVSE that partners are told, which are those that commands are taken on by now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ocpi.locations import Capability

#: What a command asks of an EVSE.
_COMMANDED = frozenset({Capability.RESERVABLE, Capability.REMOTE_START_STOP_CAPABLE, Capability.UNLOCK_CAPABLE})
#: No charge is steered here, whatever the hardware could do: there is no module that would ask for it.
_NOT_OFFERED = frozenset({Capability.CHARGING_PROFILE_CAPABLE, Capability.CHARGING_PREFERENCES_CAPABLE})


@dataclass(frozen=True, kw_only=True)
class Way:
    """A station by which an EVSE, or one connector of it, can be asked, and what is known of that station."""

    #: Empty: every connector of the EVSE that has no way of its own.
    connector_key: str
    station_connector: int | None
    #: It was said, explicitly, that no reservations are taken.
    refuses_reservations: bool
    #: A start names one connector of the EVSE (OCPP 1.x).
    starts_connectors: bool


def offered(imported: Collection[str], ways: Sequence[Way]) -> list[str]:
    """What is told of an EVSE that was ``imported`` with these; the first of its ``ways`` is the EVSE's own."""
    refused = set(_NOT_OFFERED)
    if not ways:
        refused |= _COMMANDED
    elif ways[0].refuses_reservations:
        refused.add(Capability.RESERVABLE)
    if all(way.station_connector is None for way in ways):
        refused.add(Capability.UNLOCK_CAPABLE)
    told = [each for each in dict.fromkeys(imported) if each not in refused]
    # mod_locations §Capability: the connector decides which of a 1.x station's is started.
    connectors = {way.station_connector for way in ways if way.starts_connectors and way.connector_key}
    if len(connectors) > 1 and Capability.START_SESSION_CONNECTOR_REQUIRED not in told:
        told.append(Capability.START_SESSION_CONNECTOR_REQUIRED)
    return told


def open_to(told: Collection[str], *, may_unlock: bool) -> list[str]:
    """``told`` to a partner: some commands are not open to all of them."""
    return [each for each in told if may_unlock or each != Capability.UNLOCK_CAPABLE]
