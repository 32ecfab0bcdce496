"""Doubts: whether a charge that seems to run is over, where its station has not said so, or says something else."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.house import Rules
from gateway.store import sessions as table
from gateway.store import transactions
from gateway.store.prepared import Row
from ocpp_bridge.events import Phase, TransactionChanged

#: What is told of a moment no longer ago than that is told of now: stations' clocks differ.
_NOW = timedelta(minutes=5)


def of_others(
    db: Connection, station: str, spot: tuple[int | None, int | None], began: datetime, rules: Rules, now: datetime
) -> None:
    """Where a transaction begins no earlier one runs: its end was lost, or is still to come."""
    running = transactions.running_at(db, station, *spot) if spot != (None, None) else []
    for one in running:
        here = (one["station_evse"], one["station_connector"]) == spot
        if here and one["end_date_time"] is None and one["start_date_time"] < began:
            ended = transactions.last_told(db, one["id"]) or now
            closes = now + rules.settings.transaction_patience
            table.change(db, one["id"], now, end_date_time=ended, closes_at=closes)


def dispelled(db: Connection, known: Row, event: TransactionChanged, rules: Rules, now: datetime) -> Row:
    """A charge that its station tells of now goes on, whatever made us think that it was over."""
    if event.phase is not Phase.UPDATED or event.offline:
        return known
    at, changed = event.at or now, dict[str, object]()
    if known["doubted"] and now - at < _NOW:
        changed["doubted"] = False
    if known["closes_at"] is not None and not transactions.ends(db, known["id"]):
        doubted_at = known["closes_at"] - rules.settings.transaction_patience
        if at > doubted_at:  # and not from the queue of before
            changed |= {"end_date_time": None, "closes_at": None}
    if not changed:
        return known
    table.change(db, known["id"], now, **changed)
    return table.by_pk(db, known["id"])
