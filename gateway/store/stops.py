"""Stops: every query about STOP_SESSIONs that wait for the id of their Session's transaction."""

from sqlalchemy import Connection, literal, select, update

from gateway.domain.lifecycle import CommandState
from gateway.store.rows import command, session
from ocpi.commands import CommandType
from ocpp_bridge.orders import ORDER, Order

#: A STOP_SESSION without an order cannot be sent yet.
_WAITS = command.c.order.is_(None)


def give_orders(db: Connection, session_pk: int, order: Order) -> list[int]:
    """Those that wait may be sent now; their ids."""
    waiting = update(command).where(command.c.session == session_pk, _WAITS)
    given = waiting.where(command.c.state != CommandState.CONCLUDED).values(order=ORDER.dump_python(order, mode="json"))
    return list(db.execute(given.returning(command.c.id)).scalars())


def failed(db: Connection, session_pk: int, start: int | None) -> bool:
    """One waited until its time was over: for this Session, or for an earlier one of the same ``start``."""
    if start is None:
        return False
    # In one list, for an "or" of the two would have PostgreSQL read all commands.
    sessions = select(session.c.id).where(session.c.command == start).union_all(select(literal(session_pk)))
    here = command.c.session.in_(sessions)
    asked = select(command.c.id).where(here, command.c.type == CommandType.STOP_SESSION)
    if db.execute(asked.where(~_WAITS).limit(1)).first() is not None:  # what its driver wanted was done
        return False
    return db.execute(asked.where(_WAITS, command.c.result.is_not(None)).limit(1)).first() is not None
