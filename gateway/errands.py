"""Errands: orders that the house gives on its own account; nobody is called back for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import CommandState
from gateway.house import Rules
from gateway.store import commands
from ocpi.commands import CommandType
from ocpp_bridge.orders import ORDER, CancelReservation, Order

#: What a command's type says of an errand that no partner could ask for.
ASK, SET_VARIABLE = "ASK", "SET_VARIABLE"


def give(
    db: Connection,
    rules: Rules,
    station: str,
    order: Order,
    type_: str,
    now: datetime,
    *,
    reservation: int | None = None,
    session: int | None = None,
    body: Mapping[str, Any] | None = None,
) -> int:
    """An order to be dispatched; its id. ``body`` keeps what its end will need."""
    row = {
        "type": type_,
        "body": body or {},
        "station": station,
        "order": ORDER.dump_python(order, mode="json"),
        "reservation": reservation,
        "session": session,
        "state": CommandState.RECEIVED,
        "received_at": now,
        "deadline": now + rules.settings.station_timeout,
        "promised_until": now + rules.settings.station_timeout,
    }
    return commands.write_down(db, {**commands.BLANK, **row})


def cancel(db: Connection, rules: Rules, station: str, number: int, reservation: int, now: datetime) -> int:
    """A CancelReservation to be dispatched; its id."""
    order = CancelReservation(number=number)
    return give(db, rules, station, order, CommandType.CANCEL_RESERVATION, now, reservation=reservation)
