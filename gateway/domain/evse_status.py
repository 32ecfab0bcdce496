"""EVSE status: what an OCPI EVSE's Status is, by what its station and the house know (mod_locations §Status)."""

from collections.abc import Collection, Mapping

from ocpi.locations import Status

#: Every word of both families. A plug in the socket is use, with a transaction or without: OCPI's BLOCKED is a thing
#: that keeps drivers from getting there, of which no station knows.
_TOLD_AS: Mapping[str, Status] = {
    "Available": Status.AVAILABLE,
    "Reserved": Status.RESERVED,
    "Preparing": Status.CHARGING,
    "Charging": Status.CHARGING,
    "SuspendedEV": Status.CHARGING,
    "SuspendedEVSE": Status.CHARGING,
    "Finishing": Status.CHARGING,
    "Occupied": Status.CHARGING,
    "Unavailable": Status.INOPERATIVE,
    "Faulted": Status.OUTOFORDER,
}
_MOST_AVAILABLE_FIRST = (
    Status.AVAILABLE,
    Status.UNKNOWN,
    Status.RESERVED,
    Status.BLOCKED,
    Status.CHARGING,
    Status.INOPERATIVE,
    Status.OUTOFORDER,
)

#: Ours to say, not the station's.
DECIDED = frozenset({Status.PLANNED, Status.REMOVED})
#: Somebody may begin to charge there, if it is not reserved for another.
USABLE = frozenset({Status.AVAILABLE, Status.RESERVED})


def evse_status(told: Collection[str]) -> Status | None:
    """The least available of its connectors'; None when no word of theirs is known."""
    known = [_TOLD_AS[status] for status in told if status in _TOLD_AS]
    return max(known, key=_MOST_AVAILABLE_FIRST.index, default=None)


def shown_status(imported: Status, told: Status | None, *, reserved: bool, charging: bool, offline: bool) -> Status:
    """What partners see: the least available of what the station ``told`` and what the house knows.

    What was ``imported`` counts where it is ours to say, and until the station has told; what is gone tells nothing.
    """
    if imported in DECIDED:
        return imported
    if offline:
        return Status.UNKNOWN
    known = [told or imported, *([Status.RESERVED] if reserved else []), *([Status.CHARGING] if charging else [])]
    return max(known, key=_MOST_AVAILABLE_FIRST.index)
