"""Endpoints: where partners are called for a module."""

from sqlalchemy import Connection, bindparam, select

from gateway.store.rows import partner_endpoint

_FIND = select(partner_endpoint.c.url).where(
    partner_endpoint.c.partner == bindparam("partner"),
    partner_endpoint.c.identifier == bindparam("identifier"),
    partner_endpoint.c.role == bindparam("role"),
)


def find(db: Connection, partner: int, identifier: str, role: str) -> str | None:
    """The URL of one interface of a partner's; None when it has told us of none."""
    url: str | None = db.execute(_FIND, {"partner": partner, "identifier": identifier, "role": role}).scalar()
    return url
