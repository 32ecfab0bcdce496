"""Errands: orders that the house gives on its own account; nobody is called back for them."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.lifecycle import CommandState
from gateway.house import Rules
from gateway.store import commands
from ocpi.commands import CommandType
from ocpp_bridge.orders import ORDER, CancelReservation


def cancel(db: Connection, rules: Rules, station: str, number: int, reservation: int, now: datetime) -> int:
    """A CancelReservation to be dispatched; its id."""
    row = {
        "type": CommandType.CANCEL_RESERVATION,
        "body": {},
        "station": station,
        "order": ORDER.dump_python(CancelReservation(number=number), mode="json"),
        "reservation": reservation,
        "state": CommandState.RECEIVED,
        "received_at": now,
        "deadline": now + rules.settings.station_timeout,
        "promised_until": now + rules.settings.station_timeout,
    }
    return commands.write_down(db, {**commands.BLANK, **row})
