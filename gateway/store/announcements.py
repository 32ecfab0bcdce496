"""Announcements: a Location that changed is to be told to every partner that sees it."""

from collections.abc import Collection
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Executable, bindparam, literal, select

from gateway.domain.lifecycle import PartnerState
from gateway.store.locations import SEES
from gateway.store.rows import location, partner, partner_endpoint, push
from gateway.store.statements import insert_into
from ocpi.versions import ModuleID


def announce(db: Connection, locations: Collection[int], now: datetime) -> None:
    """Whoever sees one of these Locations, and has said where it wants to hear of them, is to be told of it."""
    if locations:
        db.execute(_announce(db.dialect.name), {"locations": list(locations), "now": now})


# In the order of the rows' key, so that two processes never wait for each other.
_TO_ANNOUNCE = (
    select(
        partner.c.id,
        literal(str(ModuleID.LOCATIONS)),
        location.c.id,
        bindparam("now", type_=push.c.due_at.type),
        bindparam("now", type_=push.c.created_at.type),
        literal(1),
        literal(0),
        literal(""),
    )
    .select_from(location)
    .join(partner, partner.c.state == PartnerState.ACTIVE)
    .join(partner_endpoint, partner_endpoint.c.partner == partner.c.id)
    .where(partner_endpoint.c.identifier == ModuleID.LOCATIONS, partner_endpoint.c.role == "RECEIVER")
    .where(location.c.id.in_(bindparam("locations", expanding=True)), SEES)
    .order_by(location.c.id, partner.c.id)
)


@cache
def _announce(dialect: str) -> Executable:
    columns = ("partner", "module", "object", "due_at", "created_at", "revision", "attempts", "error")
    statement = insert_into(dialect, push).from_select(columns, _TO_ANNOUNCE)
    again = {"revision": push.c.revision + 1, "due_at": statement.excluded["due_at"]}
    return statement.on_conflict_do_update(index_elements=["module", "object", "partner"], set_=again)
