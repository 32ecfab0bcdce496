"""Lifecycles: every state, and which may follow which. Two rules: a state is changed only along these tables, and this
file knows no HTTP, no OCPP and no database."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class CommandState(StrEnum):
    """From the moment it is written down until it has its one result."""

    RECEIVED = "RECEIVED"
    #: The node that holds the station was rung.
    DISPATCHED = "DISPATCHED"
    #: Marked in a node's name before the socket write: never sent again (P2).
    SENT = "SENT"
    CONCLUDED = "CONCLUDED"


class CallbackState(StrEnum):
    """A result on its way to the eMSP."""

    DUE = "DUE"
    DELIVERED = "DELIVERED"
    #: Refused, or the promised time is over; an operator may replay it.
    ABANDONED = "ABANDONED"


class ReservationState(StrEnum):
    """What we know of a reservation at a station."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    USED = "USED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    #: The station dropped it (faulted, unavailable, rebooted).
    REMOVED = "REMOVED"
    REFUSED = "REFUSED"
    #: It may hold at the station: its integer stays allocated and is cancelled there (P5).
    UNKNOWN = "UNKNOWN"


class SessionState(StrEnum):
    """OCPI SessionStatus."""

    RESERVATION = "RESERVATION"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"


class PartnerState(StrEnum):
    """A connection; a removed one is kept for its history and lets nobody in."""

    #: Its registration is under way: it reaches versions and credentials, and nothing else.
    INVITED = "INVITED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REMOVED = "REMOVED"


S = TypeVar("S", bound=StrEnum)
Transitions = Mapping[S, frozenset[S]]

COMMAND: Transitions[CommandState] = {
    CommandState.RECEIVED: frozenset({CommandState.DISPATCHED, CommandState.SENT, CommandState.CONCLUDED}),
    CommandState.DISPATCHED: frozenset({CommandState.SENT, CommandState.CONCLUDED}),
    CommandState.SENT: frozenset({CommandState.CONCLUDED}),
    CommandState.CONCLUDED: frozenset(),
}

CALLBACK: Transitions[CallbackState] = {
    CallbackState.DUE: frozenset({CallbackState.DELIVERED, CallbackState.ABANDONED}),
    CallbackState.DELIVERED: frozenset(),
    #: Only by an operator's replay.
    CallbackState.ABANDONED: frozenset({CallbackState.DUE}),
}

_ENDED = frozenset(
    {
        ReservationState.USED,
        ReservationState.EXPIRED,
        ReservationState.CANCELLED,
        ReservationState.REMOVED,
    }
)

RESERVATION: Transitions[ReservationState] = {
    ReservationState.PENDING: frozenset({ReservationState.ACTIVE, ReservationState.REFUSED, ReservationState.UNKNOWN}),
    ReservationState.ACTIVE: _ENDED | {ReservationState.UNKNOWN},
    ReservationState.UNKNOWN: _ENDED | {ReservationState.ACTIVE},
    ReservationState.USED: frozenset(),
    #: An offline station tells late that it was used in time.
    ReservationState.EXPIRED: frozenset({ReservationState.USED}),
    ReservationState.CANCELLED: frozenset(),
    ReservationState.REMOVED: frozenset(),
    ReservationState.REFUSED: frozenset(),
}

#: These may hold at a station, so their key keeps its integer.
LIVE = frozenset({ReservationState.PENDING, ReservationState.ACTIVE, ReservationState.UNKNOWN})

SESSION: Transitions[SessionState] = {
    SessionState.RESERVATION: frozenset({SessionState.ACTIVE, SessionState.COMPLETED}),
    SessionState.PENDING: frozenset({SessionState.ACTIVE, SessionState.INVALID}),
    SessionState.ACTIVE: frozenset({SessionState.COMPLETED, SessionState.INVALID}),
    SessionState.COMPLETED: frozenset(),
    SessionState.INVALID: frozenset(),
}

#: A transaction may still come, or go on.
UNFINISHED = frozenset({SessionState.RESERVATION, SessionState.PENDING, SessionState.ACTIVE})

PARTNER: Transitions[PartnerState] = {
    PartnerState.INVITED: frozenset({PartnerState.ACTIVE, PartnerState.REMOVED}),
    PartnerState.ACTIVE: frozenset({PartnerState.SUSPENDED, PartnerState.REMOVED}),
    PartnerState.SUSPENDED: frozenset({PartnerState.ACTIVE, PartnerState.REMOVED}),
    PartnerState.REMOVED: frozenset(),
}


def before(transitions: Transitions[S], wanted: S) -> list[S]:
    """The states that ``wanted`` may follow: the condition of the one statement that changes it."""
    return [state for state, followers in transitions.items() if wanted in followers]


def may_become(transitions: Transitions[S], present: S, wanted: S) -> bool:
    return wanted in transitions[present]
