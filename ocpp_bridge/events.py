"""Events: what a station tells the house, and what the house answers, in words that fit every OCPP version."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import TypeAdapter

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
class Signed:
    """A signed meter value, verbatim: whoever checks it needs each character."""

    data: str
    #: 2.x encodingMethod and signingMethod; 1.6 has no fields for them.
    encoding: str = ""
    method: str = ""
    public_key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What was measured at one moment, of all phases together; None where nothing was told of it."""

    at: datetime | None
    #: Energy.Active.Import.Register in Wh.
    register_wh: Decimal | None = None
    #: Energy.Active.Import.Interval in Wh: since the reading before.
    interval_wh: Decimal | None = None
    #: Power.Active.Import in W.
    power_w: Decimal | None = None
    #: Current.Import in A.
    current_a: Decimal | None = None
    #: State of charge in percent.
    soc: Decimal | None = None
    #: ReadingContext: Sample.Periodic, Transaction.Begin, Transaction.End … (the same words in every version).
    context: str = "Sample.Periodic"
    signed: Signed | None = None


#: How readings are written down (decimals as text): ``READINGS.dump_python(readings, mode="json")``.
READINGS: TypeAdapter[tuple[Reading, ...]] = TypeAdapter(tuple[Reading, ...])


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
    #: In time order, meterStart and meterStop among them.
    readings: tuple[Reading, ...] = ()
    #: 1.6 reason, 2.x stoppedReason.
    stopped_reason: str = ""
    #: 2.x triggerReason.
    trigger: str = ""
    #: 2.x chargingState.
    charging_state: str = ""
    offline: bool = False

    @property
    def register_wh(self) -> Decimal | None:
        """The newest reading of the import register in Wh; None when there is none."""
        newest_first = (reading.register_wh for reading in reversed(self.readings))
        return next((register for register in newest_first if register is not None), None)


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
