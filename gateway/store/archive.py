"""The archive: every query that takes commands out of the database that are over for long and for all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, or_, select, update

from gateway.domain.lifecycle import LIVE, UNFINISHED, CallbackState, CommandState
from gateway.store.rows import authorization, callback, callback_attempt, command, reservation, session

#: A result that is still owed; a reservation or a charge that goes on.
_NEEDED = or_(
    exists().where(callback.c.command == command.c.id, callback.c.state == CallbackState.DUE),
    exists().where(reservation.c.id == command.c.reservation, reservation.c.state.in_(LIVE)),
    exists().where(
        or_(session.c.id == command.c.session, session.c.command == command.c.id), session.c.state.in_(UNFINISHED)
    ),
)


def over(db: Connection, before: datetime, after: int, most: int) -> list[dict[str, Any]]:
    """Commands that were concluded before that time and that nothing needs, after that id, oldest first: each with its
    ``callbacks``, and those with their ``attempts``."""
    old = and_(command.c.state == CommandState.CONCLUDED, command.c.concluded_at < before, command.c.id > after)
    found = db.execute(select(command).where(old, ~_NEEDED).order_by(command.c.id).limit(most)).mappings().all()
    owed = select(callback).where(callback.c.command.in_([row["id"] for row in found])).order_by(callback.c.id)
    callbacks = db.execute(owed).mappings().all()
    tried = select(callback_attempt).where(callback_attempt.c.callback.in_([row["id"] for row in callbacks]))
    attempts = db.execute(tried.order_by(callback_attempt.c.id)).mappings().all()
    told = [{**row, "attempts": [dict(one) for one in attempts if one["callback"] == row["id"]]} for row in callbacks]
    return [{**row, "callbacks": [one for one in told if one["command"] == row["id"]]} for row in found]


def remove(db: Connection, ids: Sequence[int]) -> None:
    """Take these commands out, with all that is known of telling their results."""
    owed = select(callback.c.id).where(callback.c.command.in_(ids))
    for kept in (session, authorization):
        db.execute(update(kept).where(kept.c.command.in_(ids)).values(command=None))
    db.execute(delete(callback_attempt).where(callback_attempt.c.callback.in_(owed)))
    db.execute(delete(callback).where(callback.c.command.in_(ids)))
    db.execute(delete(command).where(command.c.id.in_(ids)))
