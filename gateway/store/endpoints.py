"""Endpoints: where partners are called for a module."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, bindparam, delete, select

from gateway.store.prepared import Row
from gateway.store.rows import partner_endpoint
from gateway.store.statements import put as put_row

_ONE = and_(
    partner_endpoint.c.partner == bindparam("partner_"),
    partner_endpoint.c.identifier == bindparam("identifier_"),
    partner_endpoint.c.role == bindparam("role_"),
)
_FIND = select(partner_endpoint.c.url).where(_ONE)
_REMOVE = delete(partner_endpoint).where(_ONE)


def find(db: Connection, partner: int, identifier: str, role: str) -> str | None:
    """The URL of one interface of a partner's; None when it has told us of none."""
    url: str | None = db.execute(_FIND, _names(partner, identifier, role)).scalar()
    return url


def of_partner(db: Connection, partner: int) -> Sequence[Row]:
    """Everywhere that a partner is called, by module and role."""
    asked = select(partner_endpoint).where(partner_endpoint.c.partner == partner)
    return db.execute(asked.order_by(partner_endpoint.c.identifier, partner_endpoint.c.role)).mappings().all()


def put(db: Connection, partner: int, identifier: str, role: str, url: str) -> None:
    """That interface of a partner's is there from now on."""
    key = {"partner": partner, "identifier": identifier, "role": role}
    put_row(db, partner_endpoint, key | {"url": url}, tuple(key))


def remove(db: Connection, partner: int, identifier: str, role: str) -> bool:
    """A partner is not called there any more; False when it was not."""
    return db.execute(_REMOVE, _names(partner, identifier, role)).rowcount == 1


def remove_all(db: Connection, partner: int) -> None:
    """A partner is called nowhere any more."""
    db.execute(delete(partner_endpoint).where(partner_endpoint.c.partner == partner))


def _names(partner: int, identifier: str, role: str) -> dict[str, int | str]:
    return {"partner_": partner, "identifier_": identifier, "role_": role}
