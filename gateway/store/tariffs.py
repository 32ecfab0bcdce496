"""Tariffs: every query about what our parties ask for, and where."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from gateway.domain import tariffs
from gateway.store.prepared import Prepared
from gateway.store.rows import location, tariff
from gateway.store.statements import put as put_row
from ocpi.paging import Page
from ocpi.tariffs import Tariff
from ocpi.types import fold

_FIND = Prepared(
    select(tariff.c.body).where(tariff.c.cpo == bindparam("cpo_"), tariff.c.tariff_key == bindparam("tariff_key_"))
)


def put(db: Connection, cpo_id: int, one: Tariff) -> None:
    """A Tariff as imported, new or instead of the one of that id."""
    row = {"cpo": cpo_id, "tariff_id": one.id, "tariff_key": fold(one.id), "body": one.wire()}
    put_row(db, tariff, row | {"last_updated": one.last_updated}, ("cpo", "tariff_key"))


def find(db: Connection, cpo_id: int, tariff_id: str) -> dict[str, Any] | None:
    """The OCPI Tariff of that id."""
    body: dict[str, Any] | None = _FIND.scalar(db, {"cpo_": cpo_id, "tariff_key_": fold(tariff_id)})
    return body


def everything(db: Connection) -> list[dict[str, Any]]:
    """Every OCPI Tariff of all our parties."""
    return list(db.execute(select(tariff.c.body).order_by(tariff.c.id)).scalars())


def unknown(db: Connection) -> list[str]:
    """Ids that connectors name and that no Tariff of their party has."""
    known = {(row.cpo, row.tariff_key) for row in db.execute(select(tariff.c.cpo, tariff.c.tariff_key))}
    bodies = db.execute(select(location.c.cpo_id, location.c.body))
    named = {(row.cpo_id, fold(one)): one for row in bodies for one in tariffs.named_in(row.body)}
    return sorted({one for key, one in named.items() if key not in known})


def page(db: Connection, cpo_ids: Collection[int], wanted: Page) -> tuple[int, Sequence[dict[str, Any]]]:
    """These parties' OCPI Tariffs: (how many, the page's)."""
    of_it: list[ColumnElement[bool]] = [tariff.c.cpo.in_(cpo_ids)]
    if wanted.date_from is not None:
        of_it.append(tariff.c.last_updated >= wanted.date_from)
    if wanted.date_to is not None:
        of_it.append(tariff.c.last_updated < wanted.date_to)
    total = db.execute(select(func.count()).select_from(tariff).where(*of_it)).scalar_one()
    asked = select(tariff.c.body).where(*of_it).order_by(tariff.c.id).offset(wanted.offset).limit(wanted.limit)
    return int(total), db.execute(asked).scalars().all()


def in_force(
    db: Connection, cpo_id: int, place: Mapping[str, Any], evse_uid: str, connector_id: str, at: datetime
) -> dict[str, Any] | None:
    """The OCPI Tariff of a partner's session that begins ``at`` that time at this connector of the OCPI Location.

    None: no price is known.
    EVSE and connector may be ``#NA``; an id that names no Tariff of the party is no price.
    """
    found = [find(db, cpo_id, one) for one in tariffs.named_at(place, evse_uid, connector_id)]
    chosen = tariffs.in_force((Tariff.model_validate(one) for one in found if one is not None), at)
    return chosen.wire() if chosen is not None else None
