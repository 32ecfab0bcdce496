"""Errands: every query about the house's own orders, and about orders that it takes back."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from gateway.domain.lifecycle import CommandState
from gateway.store import commands
from gateway.store.rows import command
from ocpp_bridge.answers import Answer


def given_since(db: Connection, station: str, type_: str, since: datetime) -> bool:
    """The house gave the station an order of that type already."""
    mine = select(command.c.id).where(command.c.station == station, command.c.partner.is_(None))
    return db.execute(mine.where(command.c.type == type_, command.c.received_at >= since).limit(1)).first() is not None


def give_back(db: Connection, command_id: int, answer: Answer, now: datetime) -> None:
    """Write down of an order that was claimed in this very transaction why it is not sent after all."""
    commands.answered(db, command_id, None, answer, now)
    claimed = update(command).where(command.c.id == command_id, command.c.state == CommandState.SENT)
    db.execute(claimed.values(sent_at=None))


def cpo_cancels(db: Connection, reservation_id: int) -> bool:
    """The CPO's own cancellation of the reservation is on its way, and its owner will be told why."""
    mine = select(command.c.id).where(command.c.reservation == reservation_id, command.c.partner.is_(None))
    on_its_way = mine.where(command.c.state != CommandState.CONCLUDED)
    return db.execute(on_its_way.where(command.c.body["reason"].as_string().is_not(None)).limit(1)).first() is not None


def obsolete(db: Connection, reservation_id: int, now: datetime) -> None:
    """The house's own orders about a reservation that were not sent yet are not wanted; but the CPO keeps its word."""
    unwanted = (
        update(command)
        .where(command.c.reservation == reservation_id, command.c.partner.is_(None))
        .where(command.c.body["reason"].as_string().is_(None))
        .where(command.c.state.in_([CommandState.RECEIVED, CommandState.DISPATCHED]))
        .values(state=CommandState.CONCLUDED, concluded_at=now, result_text="not needed any more")
    )
    db.execute(unwanted)
