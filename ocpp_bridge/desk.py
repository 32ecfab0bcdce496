"""The desk: everything the bridge may ask of the house. A higher floor answers; the bridge knows no database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ocpp_bridge.answers import Answer
from ocpp_bridge.events import (
    BootAnswer,
    Booted,
    Registration,
    StatusChanged,
    TokenStatus,
    TransactionAnswer,
    TransactionChanged,
)
from ocpp_bridge.orders import IdToken, Order


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """An order that is marked SENT in our name: it is written to the socket now, or it is answered NOT_SENT."""

    id: int
    order: Order
    #: UTC; time spent in queues counts.
    deadline: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """What the house knows of a station that knocks."""

    #: Boot acceptance outlives sockets and our restarts; None before the first BootNotification.
    registration: Registration | None
    #: Orders are waiting for this station.
    waiting: bool = False
    #: Abilities were not asked since the last boot.
    ask_abilities: bool = False


class Refused(Exception):
    """The station may not connect; ``http_status`` is 404 (unknown identity) or 401 (wrong credentials)."""

    def __init__(self, http_status: int) -> None:
        super().__init__(http_status)
        self.http_status = http_status


class Desk(Protocol):
    """Every method may be called for many stations at once; ``station`` is the identity from the URL."""

    async def admit(self, station: str, username: str | None, password: bytes | None) -> str:
        """The station's identity as registered, before the handshake; raises Refused."""

    async def connected(self, station: str, subprotocol: str) -> Admission:
        """A socket is open and owned by this node."""

    async def disconnected(self, station: str) -> None:
        """The socket is gone and no newer one has taken its place."""

    async def claim(self, station: str) -> Claimed | None:
        """The station's oldest waiting order, now SENT (P2: compare-and-set before the socket write)."""

    async def answered(self, order_id: int, station: str, subprotocol: str, answer: Answer) -> None:
        """How a claimed order ended. Called once more when a late answer comes after NO_ANSWER or CONNECTION_LOST."""

    async def abilities(self, station: str, subprotocol: str, answer: Answer) -> None:
        """The answer to AskAbilities."""

    async def booted(self, station: str, event: Booted) -> BootAnswer: ...

    async def authorize(self, station: str, id_token: IdToken) -> TokenStatus: ...

    async def transaction(self, station: str, event: TransactionChanged) -> TransactionAnswer: ...

    async def status_changed(self, station: str, event: StatusChanged) -> None: ...

    async def reservation_ended(self, station: str, number: int, update: str) -> None:
        """2.x ReservationStatusUpdate: ``update`` is Expired, Removed or (2.1) NoTransaction."""

    async def heard(self, stations: Collection[str]) -> None:
        """A sign of life of each (any frame); called at most every few seconds."""
