"""Events: what a station tells the house, and what the house answers, in words that fit every OCPP version."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ocpp_bridge.orders import IdToken


class Registration(StrEnum):
    """BootNotification's answer (the same three words in every version)."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Booted:
    """BootNotification."""

    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChanged:
    """StatusNotification, or a 2.x NotifyEvent about AvailabilityState. 1.6 has no ``evse``; 0 is the station."""

    evse: int | None
    connector: int | None
    #: The station's own word (1.6 nine states, 2.x five).
    status: str
    at: datetime | None = None
    error: str = ""


class Phase(StrEnum):
    """Where in its life a transaction is, as told by one message."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionChanged:
    """1.6 Start-/StopTransaction and MeterValues, 2.x TransactionEvent."""

    phase: Phase
    #: 2.x: the station's own id. 1.6: decimal text of ours; None in StartTransaction, which asks for one.
    transaction_id: str | None
    at: datetime | None
    #: 2.x seqNo; None on 1.6.
    seq: int | None = None
    evse: int | None = None
    connector: int | None = None
    id_token: IdToken | None = None
    reservation: int | None = None
    remote_start_id: int | None = None
    #: Register reading Energy.Active.Import.Register in Wh (meterStart, meterStop, or the newest sample).
    meter_wh: float | None = None
    #: 1.6 reason, 2.x stoppedReason.
    stopped_reason: str = ""
    #: 2.x triggerReason.
    trigger: str = ""
    #: 2.x chargingState.
    charging_state: str = ""
    offline: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenStatus:
    """The house's word on a token: 1.6 idTagInfo, 2.x idTokenInfo."""

    #: Accepted, Blocked, Expired, Invalid, ConcurrentTx: words that every version has.
    status: str
    #: Group (parentIdTag, groupIdToken): the same value everywhere.
    group: IdToken | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionAnswer:
    """What StartTransaction, StopTransaction and TransactionEvent are answered."""

    #: 1.6: the id we gave.
    transaction_id: str | None = None
    #: None when the message named no token.
    token: TokenStatus | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BootAnswer:
    """What BootNotification is answered."""

    status: Registration
    #: Heartbeat interval, or the pause before the next BootNotification, in seconds.
    interval: int = field(default=300)
