"""Sessions, the story: what a partner is told of a reservation, of a start that was asked for, and of a charge."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping

from gateway.house import Rules
from ocpp_bridge.orders import ReserveNow


def reserved(
    db: Connection, held: RowMapping, command: RowMapping, order: ReserveNow, rules: Rules, now: datetime
) -> None:
    """The station holds the reservation, or what it was changed to (mod_sessions §Reservation)."""


def unused(db: Connection, reservation_id: int, rules: Rules, now: datetime) -> None:
    """A reservation is over without a charge: its Session is COMPLETED (mod_sessions §Reservation)."""
