"""Sight, the story: which of our parties' Locations a partner sees, and is told of."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.parties import Partner
from gateway.store import locations, partners, pushes
from ocpi.versions import ModuleID

#: (party of ours, Location or None for all of its).
Seen = tuple[int, int | None]


def show_everything(db: Connection, partner: Partner, now: datetime) -> None:
    """All Locations of all our parties, those to come as well."""
    locations.show_only(db, partner.id, [])
    partners.change(db, partner.id, sees_all=True)
    _tell(db, partner, now)


def show_only(db: Connection, partner: Partner, named: Sequence[Seen], now: datetime) -> None:
    """These and no others. What it has been told of before is not told again, and nothing takes it back."""
    locations.show_only(db, partner.id, named)
    partners.change(db, partner.id, sees_all=False)
    _tell(db, partner, now)


def _tell(db: Connection, partner: Partner, now: datetime) -> None:
    for location in locations.seen_by(db, partner.id):
        pushes.owe(db, partner.id, ModuleID.LOCATIONS, location, now)
