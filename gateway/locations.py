"""Locations, the story: a Location as a partner is told it now, in its version's words (mod_locations)."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping

from gateway.domain.offers import open_to
from gateway.domain.parties import Partner
from gateway.store import locations
from gateway.store.locations import Kept
from ocpi.dialect import Dialect
from ocpi.locations import Location
from ocpi.paging import Page
from ocpi.types import fold

#: An OCPI object as it goes into JSON.
Wire = dict[str, Any]

#: Where an object keeps what is below it, and by what that is named.
_WITHIN = (("evses", "uid"), ("connectors", "id"))


def listed(
    db: Connection, partner: Partner, cpo_ids: Collection[int], wanted: Page, dialect: Dialect
) -> tuple[int, list[Wire]]:
    """What a partner sees: (how many, the page's)."""
    total, found = locations.page(db, partner, cpo_ids, wanted)
    return total, [told(one, partner, dialect) for one in found]


def one(
    db: Connection, partner: Partner, cpo_ids: Collection[int], place: Sequence[str], dialect: Dialect
) -> Wire | None:
    """A Location, or below it an EVSE and a Connector of it, by their ids.

    None: there is none that this partner sees, or two of our parties have one and it is not said which is meant.
    """
    location_id, *within = place
    found = locations.named(db, partner, cpo_ids, location_id)
    if len(found) != 1:
        return None
    part: Wire | None = told(found[0], partner, dialect)
    for (children, name), wanted in zip(_WITHIN, within, strict=False):
        inner: list[Wire] = part.get(children, []) if part is not None else []
        part = next((each for each in inner if fold(each[name]) == fold(wanted)), None)
    return part


def told(kept: Kept, partner: Partner, dialect: Dialect) -> Wire:
    """What was imported, with what moves as it is now."""
    moving = {row["evse_key"]: row for row in kept.evses}
    imported = Location.model_validate(kept.row["body"])
    evses = tuple(
        each.model_copy(update=_moving(moving[fold(each.uid)], partner))
        for each in imported.evses
        if fold(each.uid) in moving
    )
    updated = max([kept.row["last_updated"], *(each.last_updated for each in evses)])
    return dialect.render_location(imported.model_copy(update={"evses": evses, "last_updated": updated}))


def _moving(row: RowMapping, partner: Partner) -> dict[str, Any]:
    return {
        "status": row["status"],
        "capabilities": tuple(open_to(row["offered"], may_unlock=partner.allow_unlock)),
        "last_updated": row["last_updated"],
    }
