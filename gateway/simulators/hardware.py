"""The station's hardware and what happens on it: EVSEs, cables, grants and transactions, as plain values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.simulators.reservations import Condition

#: What the simulated car draws while it charges, unless it is told otherwise.
POWER_W = 11_000


class Shown(StrEnum):
    """What a connector shows, in more words than any OCPP version has; each version tells them in its own."""

    AVAILABLE = "Available"
    RESERVED = "Reserved"
    #: A token was accepted, no cable yet.
    GRANTED = "Granted"
    PLUGGED = "Plugged"
    CHARGING = "Charging"
    #: The transaction is over, the cable is still in.
    FINISHING = "Finishing"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is presented; OCPP 1.6 has no types."""

    value: str
    type: str = "ISO14443"


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Leave to charge: given to a token, perhaps by a remote start, perhaps by using up a reservation."""

    token: Token
    group: str | None = None
    remote_start_id: int | None = None
    remote: bool = False
    reservation: int | None = None


@dataclass(kw_only=True, slots=True)
class Transaction:
    """A charging session of this station; ``id`` is None until a 1.6 CSMS has given one."""

    evse: "Evse"
    started: datetime
    meter_start: float
    id: str | None
    grant: Grant | None = None
    charging: bool = False
    #: Why it is over for the driver, though it lasts until the cable is out (2.x TxStopPoint EVConnected).
    stopped: str = ""
    next_seq: int = 0
    #: The fields that 2.x wants only once, when they become known.
    told: set[str] = field(default_factory=set)


@dataclass(kw_only=True, slots=True)
class Evse:
    """One power path with its connectors; ``first_connector`` is how OCPP 1.6 counts them through the station."""

    number: int
    connectors: tuple[str, ...]
    first_connector: int
    plugged: bool = False
    #: The simulated driver plugged in by itself, and so unplugs by itself.
    driverless: bool = False
    #: FAULTED or UNAVAILABLE while out of order.
    out_of_order: Condition | None = None
    grant: Grant | None = None
    transaction: Transaction | None = None
    finishing: bool = False
    register_wh: float = 0.0
    #: What the car draws while it charges.
    power_w: int = POWER_W
    charging_since: datetime | None = None

    @property
    def condition(self) -> Condition:
        """In the ledger's words."""
        if self.out_of_order is not None:
            return self.out_of_order
        if self.grant is not None:
            return Condition.OCCUPIED
        return Condition.PLUGGED if self.plugged else Condition.AVAILABLE

    def shown(self, held: bool) -> Shown:
        """What the connectors show; ``held`` is the ledger's word that the EVSE is kept for somebody.

        A cable alone does not end Reserved (2.x H03, cable plugged in first; the same on 1.6 §4.9).
        """
        if self.out_of_order is not None:
            return Shown(self.out_of_order)
        if self.finishing:
            return Shown.FINISHING
        if self.grant is None:
            return Shown.RESERVED if held else Shown.PLUGGED if self.plugged else Shown.AVAILABLE
        if self.transaction is not None and self.transaction.charging:
            return Shown.CHARGING
        return Shown.PLUGGED if self.plugged else Shown.GRANTED

    def meter(self, now: datetime) -> float:
        """Energy.Active.Import.Register in Wh."""
        if self.charging_since is None:
            return self.register_wh
        return self.register_wh + self.power_w * (now - self.charging_since).total_seconds() / 3600

    def power(self) -> float:
        """Power.Active.Import in W."""
        return 0.0 if self.charging_since is None else float(self.power_w)

    def begin_charging(self, now: datetime) -> None:
        self.charging_since = now

    def end_charging(self, now: datetime) -> None:
        self.register_wh = self.meter(now)
        self.charging_since = None

    def connector_numbers(self) -> range:
        """As they are counted within the EVSE (2.x connectorIds)."""
        return range(1, len(self.connectors) + 1)

    def connector_ids(self) -> range:
        """OCPP 1.6 connectorIds."""
        return range(self.first_connector, self.first_connector + len(self.connectors))


def evses_of(layout: tuple[tuple[str, ...], ...]) -> dict[int, Evse]:
    """EVSEs numbered from 1, their connectors counted through."""
    evses, connector = {}, 1
    for number, connectors in enumerate(layout, start=1):
        evses[number] = Evse(number=number, connectors=connectors, first_connector=connector)
        connector += len(connectors)
    return evses
