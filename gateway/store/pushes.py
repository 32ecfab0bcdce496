"""Pushes: every query about what partners are to be told of our objects, and what they have been told."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from gateway.store.rows import partner_endpoint, push


def owe(
    db: Connection,
    partner: int,
    module: str,
    object_: int,
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> None:
    """A partner is to be told of an object, if it has said where; the earlier of two times counts."""
    endpoint = select(partner_endpoint.c.id).where(
        partner_endpoint.c.partner == partner,
        partner_endpoint.c.identifier == module,
        partner_endpoint.c.role == "RECEIVER",
    )
    if db.execute(endpoint).first() is None:
        return
    due = not_before or now
    here = push.c.module == module, push.c.object == object_
    earlier = func.coalesce(push.c.due_at, due)
    known = update(push).where(*here).values(revision=push.c.revision + 1, due_at=earlier)
    if db.execute(known).rowcount == 0:
        row = {"partner": partner, "module": module, "object": object_, "due_at": due, "created_at": now}
        db.execute(insert(push).values(**row, revision=1, attempts=0, error=""))
    elif not_before is None:
        db.execute(update(push).where(*here, push.c.due_at > now).values(due_at=now))
