"""Errands: orders that the house gives on its own account; nobody is called back for them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import CommandState
from gateway.house import Rules
from gateway.store import commands
from ocpi.commands import CommandType
from ocpp_bridge.orders import (
    ORDER,
    AskBoot,
    AskStatus,
    AskTransaction,
    CancelReservation,
    Configure,
    Order,
    RequestStop,
    ReserveNow,
)


class Errand(StrEnum):
    """What the house asks of a station beside the commands that OCPI has."""

    SET_VARIABLE = "SET_VARIABLE"
    ASK_BOOT = "ASK_BOOT"
    ASK_TRANSACTION = "ASK_TRANSACTION"
    ASK_STATUS = "ASK_STATUS"


def cancel(
    db: Connection, rules: Rules, station: str, number: int, reservation: int, now: datetime, reason: str | None = None
) -> int:
    """A CancelReservation to be dispatched; its id. ``reason``: the CPO cancels, and the eMSP is told why."""
    body = {} if reason is None else {"reason": reason}
    order = CancelReservation(number=number)
    return _give(db, rules, CommandType.CANCEL_RESERVATION, station, order, now, body=body, reservation=reservation)


def reserve(db: Connection, rules: Rules, station: str, order: ReserveNow, reservation: int, now: datetime) -> int:
    """A ReserveNow of the CPO's own, or again of what the station has lost."""
    return _give(db, rules, CommandType.RESERVE_NOW, station, order, now, reservation=reservation)


def configure(db: Connection, rules: Rules, station: str, key: str, value: str, now: datetime) -> int:
    """2.x SetVariables, 1.6 ChangeConfiguration."""
    return _give(db, rules, Errand.SET_VARIABLE, station, Configure(key=key, value=value), now)


def ask_boot(db: Connection, rules: Rules, station: str, now: datetime) -> int:
    """The station says that it has not been accepted yet: it is to tell of its boot."""
    return _give(db, rules, Errand.ASK_BOOT, station, AskBoot(), now)


def stop(db: Connection, rules: Rules, station: str, transaction_id: str, session: int, now: datetime) -> int:
    """A RequestStop that an eMSP wanted when it could not be given yet."""
    order = RequestStop(transaction_id=transaction_id)
    return _give(db, rules, CommandType.STOP_SESSION, station, order, now, session=session)


def ask_transaction(
    db: Connection, rules: Rules, station: str, transaction_id: str, session: int, now: datetime
) -> int:
    """2.x GetTransactionStatus: does the transaction still run?"""
    order = AskTransaction(transaction_id=transaction_id)
    return _give(db, rules, Errand.ASK_TRANSACTION, station, order, now, session=session)


def ask_status(
    db: Connection, rules: Rules, station: str, evse: int | None, connector: int | None, session: int, now: datetime
) -> int:
    """The status of a connector is to be told again."""
    return _give(db, rules, Errand.ASK_STATUS, station, AskStatus(evse=evse, connector=connector), now, session=session)


def _give(
    db: Connection,
    rules: Rules,
    type_: str,
    station: str,
    order: Order,
    now: datetime,
    *,
    body: Mapping[str, Any] | None = None,
    reservation: int | None = None,
    session: int | None = None,
) -> int:
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
