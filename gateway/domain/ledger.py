"""The ledger: who may use an EVSE now, said in the words of a station's own reservation module."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ocpi.types import fold


class CheckStatus(StrEnum):
    """What reservations say to a token at an EVSE, a type of connector or a station."""

    NOT_RESERVED = "NotReserved"
    RESERVED_FOR_TOKEN = "ReservedForToken"
    RESERVED_FOR_OTHER_TOKEN = "ReservedForOtherToken"
    #: A group exists, and none was given: with it, the answer might be another.
    RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN = "ReservedForOtherTokenAndHasParentToken"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A reservation that the station holds: of an EVSE, of any with a type of connector, or (neither) of any at all."""

    token: str
    expiry: datetime
    group: str | None = None
    evse: int | None = None
    connector_type: str | None = None

    def is_for(self, token: str, group: str | None) -> bool:
        """The token it was made for, or another of its group (1.6 §5.13, 2.x H03.FR.04); their case does not matter."""
        same_group = group is not None and self.group is not None and fold(group) == fold(self.group)
        return fold(token) == fold(self.token) or same_group


@dataclass(frozen=True, kw_only=True)
class Spot:
    """An EVSE of the station; on OCPP 1.6 a connector."""

    number: int
    #: 2.x ConnectorEnumType.
    connector_types: frozenset[str] = frozenset()
    #: Neither in use nor out of order; reserved is usable.
    usable: bool = True

    def serves(self, kept: Kept) -> bool:
        return kept.connector_type is None or kept.connector_type in self.connector_types


def check(
    kept: Collection[Kept],
    spots: Collection[Spot],
    evse: int | None,
    connector_type: str | None,
    token: str,
    group: str | None,
    now: datetime,
) -> CheckStatus:
    """May ``token`` use this EVSE (or any with that type of connector, or, with neither, any) now?"""
    living = [one for one in kept if one.expiry > now]
    if evse is not None:
        spot = next((one for one in spots if one.number == evse), Spot(number=evse, usable=False))
        return _at(spot, living, spots, token, group)
    wanted = [s for s in spots if s.usable and (connector_type is None or connector_type in s.connector_types)]
    said = {_at(spot, living, spots, token, group) for spot in wanted}
    return next((status for status in _BEST_FIRST if status in said), CheckStatus.NOT_RESERVED)


def held_up(kept: Collection[Kept], spots: Collection[Spot]) -> set[int]:
    """The EVSEs that reservations of no certain EVSE need: without one of these, they no longer all fit.

    When another EVSE comes free they are none (GlobalReservationRequirementDropped): the reservation lives on.
    """
    anywhere, free = _global(kept), _free(kept, spots)
    return {spot.number for spot in free if _needs(anywhere, free, spot)}


_BEST_FIRST = (
    CheckStatus.RESERVED_FOR_TOKEN,
    CheckStatus.NOT_RESERVED,
    CheckStatus.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN,
    CheckStatus.RESERVED_FOR_OTHER_TOKEN,
)


def _at(spot: Spot, living: Sequence[Kept], spots: Collection[Spot], token: str, group: str | None) -> CheckStatus:
    if here := [one for one in living if one.evse == spot.number]:
        mine = any(one.is_for(token, group) for one in here)
        return CheckStatus.RESERVED_FOR_TOKEN if mine else _for_others(here, group)
    if not spot.usable:
        return CheckStatus.NOT_RESERVED
    anywhere, free = _global(living), _free(living, spots)
    for own in (one for one in anywhere if spot.serves(one) and one.is_for(token, group)):
        # Its use ends it: the others must still fit without the EVSE.
        if not _needs([one for one in anywhere if one is not own], free, spot):
            return CheckStatus.RESERVED_FOR_TOKEN
    if _needs(anywhere, free, spot):
        return _for_others([one for one in anywhere if spot.serves(one)], group)
    return CheckStatus.NOT_RESERVED


def _for_others(reserved: Collection[Kept], group: str | None) -> CheckStatus:
    if group is None and any(one.group is not None for one in reserved):
        return CheckStatus.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN
    return CheckStatus.RESERVED_FOR_OTHER_TOKEN


def _global(living: Collection[Kept]) -> list[Kept]:
    return [one for one in living if one.evse is None]


def _free(living: Collection[Kept], spots: Collection[Spot]) -> list[Spot]:
    """The EVSEs that can serve a reservation of no certain EVSE."""
    taken = {one.evse for one in living}
    return [spot for spot in spots if spot.usable and spot.number not in taken]


def _needs(anywhere: Sequence[Kept], free: Sequence[Spot], spot: Spot) -> bool:
    """Fewer of the reservations fit without the EVSE."""
    others = [one for one in free if one.number != spot.number]
    return _fitting(anywhere, others) < _fitting(anywhere, free)


def _fitting(anywhere: Sequence[Kept], free: Sequence[Spot]) -> int:
    """How many of the reservations can have an EVSE each: a maximum matching, by augmenting paths."""
    holder: dict[int, int] = {}

    def place(wanting: int, tried: set[int]) -> bool:
        for spot in free:
            if spot.number not in tried and spot.serves(anywhere[wanting]):
                tried.add(spot.number)
                if spot.number not in holder or place(holder[spot.number], tried):
                    holder[spot.number] = wanting
                    return True
        return False

    return sum(place(wanting, set()) for wanting in range(len(anywhere)))
