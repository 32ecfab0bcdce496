"""The station's ledger of reservations: who may use which EVSE, decided without clock, socket or OCPP version.

Rules of this file: a reservation for one EVSE takes that EVSE out of the pool; all others (by connector type, or for
the whole station) float, and are accepted only while every floating one can be given an EVSE of the pool of its own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Result(StrEnum):
    """What a station answers to a wish to reserve."""

    ACCEPTED = "Accepted"
    FAULTED = "Faulted"
    OCCUPIED = "Occupied"
    REJECTED = "Rejected"
    UNAVAILABLE = "Unavailable"


class EndReason(StrEnum):
    """Why a reservation ended, or why an EVSE is no longer held for one."""

    EXPIRED = "Expired"
    CANCELLED = "Cancelled"
    USED_TO_START_CHARGING = "UsedToStartCharging"
    #: The EVSE was held only for floating reservations, which now fit without it; they live on.
    GLOBAL_RESERVATION_REQUIREMENT_DROPPED = "GlobalReservationRequirementDropped"


class Check(StrEnum):
    """May this token use this EVSE?"""

    NOT_RESERVED = "NotReserved"
    RESERVED_FOR_TOKEN = "ReservedForToken"
    RESERVED_FOR_OTHER_TOKEN = "ReservedForOtherToken"
    #: A group of the token could still open it, but none was given.
    RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN = "ReservedForOtherTokenAndHasParentToken"


class Update(StrEnum):
    """What became of a reservation."""

    PLACED = "Placed"
    USED = "Used"
    EXPIRED = "Expired"
    REMOVED = "Removed"
    CANCELLED = "Cancelled"


class Condition(StrEnum):
    """What the ledger knows of an EVSE."""

    AVAILABLE = "Available"
    #: A cable is in, nobody is authorised.
    PLUGGED = "Plugged"
    OCCUPIED = "Occupied"
    FAULTED = "Faulted"
    UNAVAILABLE = "Unavailable"


INOPERATIVE = frozenset({Condition.FAULTED, Condition.UNAVAILABLE})
RESULT_OF = {
    Condition.PLUGGED: Result.OCCUPIED,
    Condition.OCCUPIED: Result.OCCUPIED,
    Condition.FAULTED: Result.FAULTED,
    Condition.UNAVAILABLE: Result.UNAVAILABLE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """A wish to keep an EVSE, any EVSE with a connector type, or (neither given) any EVSE free for a token."""

    number: int
    id_token: str
    expiry: datetime
    evse: int | None = None
    connector_type: str | None = None
    group: str | None = None

    def is_for(self, id_token: str, group: str | None) -> bool:
        """Tokens are compared without case and without type; the group only when both sides have one."""
        if self.id_token.lower() == id_token.lower():
            return True
        return self.group is not None and group is not None and self.group.lower() == group.lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A reservation is over; or, without a number, an EVSE is no longer held for any of the floating ones."""

    reason: EndReason
    number: int | None = None
    update: Update | None = None
    evse: int | None = None


class Ledger:
    """The live reservations of one station, and the condition of its EVSEs."""

    def __init__(
        self, evses: Mapping[int, Collection[str]], on_end: Callable[[Ended], None] = lambda ended: None
    ) -> None:
        self._types = {evse: frozenset(types) for evse, types in evses.items()}
        self._on_end = on_end
        #: In the order of placing; the oldest floating ones are kept when EVSEs fail.
        self.live: dict[int, Reservation] = {}
        self.conditions = dict.fromkeys(self._types, Condition.AVAILABLE)

    def place(self, wish: Reservation, now: datetime) -> Result:
        """Take the wish in. Its number's old reservation goes first, and stays gone when the new one is refused."""
        held = self._held_for_floating()
        self.live.pop(wish.number, None)
        result = self._verdict(wish, now)
        if result is Result.ACCEPTED:
            self.live[wish.number] = wish
        self._tell_dropped(held)
        return result

    def cancel(self, number: int) -> bool:
        if number not in self.live:
            return False
        self._end(number, EndReason.CANCELLED, Update.CANCELLED)
        return True

    def use(self, evse: int, id_token: str, group: str | None = None) -> Reservation | None:
        """The reservation that this token consumes by being accepted at the EVSE (2.x H03.FR.09)."""
        if self.check(evse, id_token, group) is not Check.RESERVED_FOR_TOKEN:
            return None
        used = self._own(evse, id_token, group)
        if used is not None:
            self._end(used.number, EndReason.USED_TO_START_CHARGING, Update.USED, evse)
        return used

    def expire(self, now: datetime) -> None:
        for number in [r.number for r in self.live.values() if r.expiry <= now]:
            self._end(number, EndReason.EXPIRED, Update.EXPIRED)

    def forget(self) -> None:
        """Lose everything, as a station without lasting memory does."""
        self.live.clear()

    def set_condition(self, evse: int, condition: Condition) -> None:
        """An EVSE that fails takes its reservation along, and the youngest floating ones that no longer fit."""
        held = self._held_for_floating()
        self.conditions[evse] = condition
        if condition in INOPERATIVE:
            for number in [*self._bound_to(evse), *self._misfits()]:
                self._end(number, EndReason.CANCELLED, Update.REMOVED, evse)
        self._tell_dropped(held)

    def check(self, evse: int | None, id_token: str, group: str | None = None) -> Check:
        """May the token use the EVSE (or, without one, any EVSE)?"""
        if evse is None:
            return self._check_station(id_token, group)
        own = self._own(evse, id_token, group)
        if own is not None and own.evse == evse:
            return Check.RESERVED_FOR_TOKEN
        foreign = [self.live[number] for number in self._bound_to(evse)]
        others = [r for r in self._floating() if r is not own]
        if not foreign and self._needs(evse, others):
            foreign = [r for r in others if self._fits(r, evse)]
        if foreign:
            return _denial(foreign, group)
        return Check.NOT_RESERVED if own is None else Check.RESERVED_FOR_TOKEN

    def held(self) -> set[int]:
        """The EVSEs to be shown as Reserved (2.x H01.FR.20, FR.23, FR.24)."""
        return {r.evse for r in self.live.values() if r.evse is not None} | self._held_for_floating()

    def _verdict(self, wish: Reservation, now: datetime) -> Result:
        targets = [wish.evse] if wish.evse is not None else [e for e in self._types if self._fits(wish, e)]
        if wish.expiry <= now or not any(target in self._types and self._fits(wish, target) for target in targets):
            return Result.REJECTED
        free = [e for e in targets if self.conditions[e] is Condition.AVAILABLE and not self._bound_to(e)]
        if free and self._all_served([*self.live.values(), wish]):
            return Result.ACCEPTED
        return _refusal([RESULT_OF.get(self.conditions[e], Result.OCCUPIED) for e in targets])

    def _all_served(self, reservations: Collection[Reservation]) -> bool:
        floating = [r for r in reservations if r.evse is None]
        return self._served(floating, self._pool(reservations, {Condition.AVAILABLE})) == len(floating)

    def _pool(self, reservations: Collection[Reservation], conditions: Collection[Condition]) -> list[int]:
        bound = {r.evse for r in reservations}
        return [e for e, condition in self.conditions.items() if condition in conditions and e not in bound]

    def _given(self, floating: Collection[Reservation], pool: Collection[int]) -> set[int]:
        """The EVSEs of the pool that go to as many floating ones as possible."""
        return set(matching([[e for e in pool if self._fits(r, e)] for r in floating]))

    def _served(self, floating: Collection[Reservation], pool: Collection[int]) -> int:
        """How many of the floating ones can have an EVSE of their own."""
        return len(self._given(floating, pool))

    def _needs(self, evse: int, floating: Collection[Reservation]) -> bool:
        """Would one floating reservation fewer be served without this EVSE?"""
        others = [e for e in self._pool(self.live.values(), {Condition.AVAILABLE}) if e != evse]
        return self._served(floating, others) < self._served(floating, [*others, evse])

    def _held_for_floating(self) -> set[int]:
        """Every EVSE without which one fewer is served; one that the largest giving leaves over is never needed."""
        floating, pool = self._floating(), self._pool(self.live.values(), {Condition.AVAILABLE})
        if not floating:
            return set()
        return {e for e in self._given(floating, pool) if self._needs(e, floating)}

    def _misfits(self) -> Iterator[int]:
        """Numbers of floating reservations that do not fit beside the older ones."""
        pool = self._pool(self.live.values(), {Condition.AVAILABLE, Condition.PLUGGED})
        kept: list[Reservation] = []
        for reservation in self._floating():
            if self._served([*kept, reservation], pool) > len(kept):
                kept.append(reservation)
            else:
                yield reservation.number

    def _check_station(self, id_token: str, group: str | None) -> Check:
        if any(r.is_for(id_token, group) for r in self.live.values()):
            return Check.RESERVED_FOR_TOKEN
        checks = [self.check(e, id_token, group) for e, c in self.conditions.items() if c is Condition.AVAILABLE]
        return next((c for c in checks if c is Check.NOT_RESERVED), checks[0] if checks else Check.NOT_RESERVED)

    def _own(self, evse: int, id_token: str, group: str | None) -> Reservation | None:
        """The token's reservation that fits the EVSE: bound before floating, by token before by group."""
        own = [r for r in self.live.values() if r.is_for(id_token, group) and self._fits(r, evse)]
        return min(own, key=lambda r: (r.evse is None, r.id_token.lower() != id_token.lower()), default=None)

    def _floating(self) -> list[Reservation]:
        return [r for r in self.live.values() if r.evse is None]

    def _bound_to(self, evse: int) -> list[int]:
        return [r.number for r in self.live.values() if r.evse == evse]

    def _fits(self, reservation: Reservation, evse: int) -> bool:
        wanted = reservation.connector_type
        return reservation.evse in (None, evse) and (wanted is None or wanted in self._types[evse])

    def _end(self, number: int, reason: EndReason, update: Update, evse: int | None = None) -> None:
        held = self._held_for_floating()
        ended = self.live.pop(number)
        self._on_end(Ended(number=number, reason=reason, update=update, evse=evse or ended.evse))
        self._tell_dropped(held)

    def _tell_dropped(self, held: set[int]) -> None:
        for evse in sorted(held - self.held()):
            if self.conditions[evse] is Condition.AVAILABLE:
                self._on_end(Ended(reason=EndReason.GLOBAL_RESERVATION_REQUIREMENT_DROPPED, evse=evse))


def matching(wishes: Collection[Collection[int]]) -> dict[int, int]:
    """The largest giving of EVSEs to wishes, ``{evse: index of the wish}``, by augmenting paths (Kuhn)."""
    given: dict[int, int] = {}
    ordered = list(wishes)

    def settle(wish: int, tried: set[int]) -> bool:
        for evse in ordered[wish]:
            if evse not in tried:
                tried.add(evse)
                if evse not in given or settle(given[evse], tried):
                    given[evse] = wish
                    return True
        return False

    for wish in range(len(ordered)):
        settle(wish, set())
    return given


def _refusal(targets: Collection[Result]) -> Result:
    """2.x H01.FR.11, FR.12, FR.14; where the targets differ, waiting helps when one is occupied."""
    return next(word for word in (Result.OCCUPIED, Result.FAULTED, Result.UNAVAILABLE) if word in targets)


def _denial(foreign: Collection[Reservation], group: str | None) -> Check:
    if group is None and any(r.group is not None for r in foreign):
        return Check.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN
    return Check.RESERVED_FOR_OTHER_TOKEN
