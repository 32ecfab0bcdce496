"""What a dialect of OCPP is to the simulated station: how things are said and what is heard, one value per version."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway.simulators.configuration import Configuration, Meaning, Variable
from gateway.simulators.hardware import Evse, Shown, Token, Transaction
from gateway.simulators.reservations import Reservation

Payload = dict[str, Any]


class CallError(Exception):
    """A CALL is answered with CALLERROR."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"{code}: {description}")
        self.code, self.description = code, description


class Unreachable(Exception):
    """The station could not ask: offline, not accepted yet, or no answer came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The station's word on a command, with what 2.x statusInfo can carry."""

    word: str
    reason: str = ""
    detail: str = ""
    transaction_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message that the station has to get rid of; ``keep`` ones wait while it is offline."""

    action: str
    #: Built when it is sent: a 1.6 transaction has no id before its start was answered.
    build: Callable[[], Payload]
    keep: bool = False
    heard: Callable[[Payload], None] = field(default=lambda payload: None)


class Phase(StrEnum):
    """2.x TransactionEventEnumType."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Why a transaction is told about, in the words of 2.x; older versions say what they can."""

    phase: Phase
    trigger: str
    at: datetime
    meter_wh: float
    power_w: float = 0.0
    offline: bool = False
    stopped_reason: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a CSMS said about a token, and the transaction id that it gave (1.6)."""

    status: str | None = None
    group: str | None = None
    transaction_id: str | None = None


class Ending(Protocol):
    """What a command may ask of the transactions."""

    def finish(self, evse: Evse, reason: str, trigger: str) -> None: ...

    def find(self, transaction_id: str) -> Evse | None: ...


class Deeds(Protocol):
    """What a command may ask of the station, whatever its version."""

    @property
    def accepted(self) -> bool: ...

    @property
    def configuration(self) -> Configuration: ...

    @property
    def evses(self) -> dict[int, Evse]: ...

    @property
    def charging(self) -> Ending: ...

    async def reserve(self, wish: Reservation, token: Token) -> Verdict: ...

    def cancel(self, number: int) -> Verdict: ...

    async def start(
        self, token: Token, group: str | None, evse: int | None, remote_start_id: int | None
    ) -> Verdict: ...

    def stop(self, transaction_id: str) -> Verdict: ...

    def unlock(self, evse: Evse) -> None: ...

    def trigger(self, requested: str, evse: int | None, connector: int | None = None) -> str: ...

    def queued(self, transaction_id: str | None) -> bool: ...


Answer = Callable[[Deeds, Payload], Awaitable[Payload]]
#: What some of an EVSE's connectors (counted from 1 within it) show, as payloads of one action.
Showing = Callable[[Evse, Shown, datetime, Collection[int]], list[Payload]]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One OCPP version."""

    subprotocol: str
    #: Package of the official schemas, and how their request files end.
    schemas: str
    request_suffix: str
    #: CALLERROR code for a payload that its schema refuses.
    violation: str
    answers: Mapping[str, Answer]
    variables: Mapping[str, Variable]
    meanings: Mapping[Meaning, str]
    boot: Callable[[str, str], Payload]
    #: What connectors show; or the whole station.
    status: Showing
    station_status: Callable[[Shown, datetime], list[Payload]]
    authorize: Callable[[Token], Payload]
    judged: Callable[[Payload], Judgement]
    transaction: Callable[[Transaction, Occasion], Message | None]
    #: What an EVSE's meter shows, whether there is a transaction or not.
    meter_values: Callable[[Evse, Occasion], Message]
    new_transaction_id: Callable[[], str | None]
    #: The action that ``status`` has the payloads of.
    status_action: str = "StatusNotification"
    #: The same as NotifyEvent says it; None where there is no such message.
    events: Showing | None = None
    #: Token types that are never asked about (2.x C05.FR.01).
    trusted_types: frozenset[str] = frozenset()
    #: Words that ReservationStatusUpdate has; empty where there is no such message.
    updates: frozenset[str] = frozenset()


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as every version takes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """A timestamp of the CSMS; without an offset it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
