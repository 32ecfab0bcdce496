"""Merging: what a Location is from now on, by what it was and what a file says of it."""

from collections.abc import Sequence
from datetime import datetime

from ocpi.locations import EVSE, Connector, Location, Status
from ocpi.types import fold

_NEVER_COMPARED = {"last_updated"}


def merged(before: Location | None, given: Location, now: datetime) -> Location:
    """``given``, in which whatever is new or other than ``before`` is of this moment, and the rest as old as it was.

    What left it stays in it, REMOVED: others refer to it (mod_locations §Flow). The very ``before``: nothing changed.
    """
    known = {fold(one.uid): one for one in before.evses} if before is not None else {}
    evses = [_evse(known.pop(fold(one.uid), None), one, now) for one in given.evses]
    evses += [_removed(one, now) for one in known.values()]
    if before is None:
        return given.model_copy(update={"evses": tuple(evses), "last_updated": now})
    same = _same(before, given, besides={"evses"})
    made = given.model_copy(
        update={"evses": tuple(evses), "last_updated": before.last_updated if same else max(now, before.last_updated)}
    )
    return before if same and _all_the_same(before.evses, evses) else made


def _evse(before: EVSE | None, given: EVSE, now: datetime) -> EVSE:
    known = {fold(one.id): one for one in before.connectors} if before is not None else {}
    connectors = tuple(_connector(known.get(fold(one.id)), one, now) for one in given.connectors)
    if before is None:
        return given.model_copy(update={"connectors": connectors, "last_updated": now})
    same = _same(before, given, besides={"connectors"}) and before.connectors == connectors
    return before if same else given.model_copy(update={"connectors": connectors, "last_updated": now})


def _connector(before: Connector | None, given: Connector, now: datetime) -> Connector:
    if before is not None and _same(before, given):
        return before
    return given.model_copy(update={"last_updated": now})


def _removed(one: EVSE, now: datetime) -> EVSE:
    if one.status is Status.REMOVED:
        return one
    return one.model_copy(update={"status": Status.REMOVED, "last_updated": now})


def _same(one: Location | EVSE | Connector, other: object, besides: frozenset[str] | set[str] = frozenset()) -> bool:
    assert isinstance(other, type(one))
    left_out = _NEVER_COMPARED | besides
    return one.model_dump(exclude=set(left_out)) == other.model_dump(exclude=set(left_out))


def _all_the_same(before: Sequence[EVSE], evses: Sequence[EVSE]) -> bool:
    """In whatever order."""
    kept = {id(one) for one in before}
    return len(before) == len(evses) and all(id(one) in kept for one in evses)
