"""Sessions: every query about charging transactions and the OCPI Sessions they are."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, select, update

from gateway.domain.lifecycle import SESSION, SessionState, before
from gateway.store.prepared import Prepared, Row
from gateway.store.rows import cpo, location, reservation, session
from gateway.store.statements import following
from ocpi.paging import Page
from ocpi.types import fold

_BY_PK = Prepared(select(session).where(session.c.id == bindparam("id_")))
_BY_SESSION_ID = Prepared(select(session).where(session.c.session_id == bindparam("session_id_")))
_OF_COMMAND = Prepared(select(session).where(session.c.command == bindparam("command_")))
_ADD = Prepared(insert(session).returning(session.c.id))


def by_session_id(db: Connection, session_id: str) -> Row | None:
    return _BY_SESSION_ID.first(db, {"session_id_": fold(session_id)})


def by_pk(db: Connection, session_pk: int) -> Row:
    return _BY_PK.one(db, {"id_": session_pk})


def of_command(db: Connection, command_id: int) -> Row | None:
    """The Session that a command began."""
    return _OF_COMMAND.first(db, {"command_": command_id})


#: With the names that OCPI tells beside it.
_WHOLE = (
    select(session, cpo.c.country_code.label("cpo_country"), cpo.c.party_id.label("cpo_party"), location.c.location_id)
    .join(cpo, cpo.c.id == session.c.cpo)
    .join(location, location.c.id == session.c.location)
)
#: What an OCPI Session cannot do without.
_TELLABLE = (session.c.cdr_token.is_not(None), session.c.location.is_not(None))
_WHOLE_ONE = Prepared(_WHOLE.where(session.c.id == bindparam("id_"), *_TELLABLE))


def whole(db: Connection, session_pk: int) -> Row | None:
    """A Session as ``page`` has it; None while its party of ours, its token or its Location is not known."""
    return _WHOLE_ONE.first(db, {"id_": session_pk})


def listed(
    db: Connection,
    *,
    partner: int | None = None,
    station: str | None = None,
    state: str | None = None,
    after: int | None = None,
    most: int = 100,
) -> Sequence[Row]:
    """The newest first, ``after`` that row, strangers' charges too; with the ``number`` of its reservation."""
    wanted = {"partner": partner, "station": station, "state": state}
    where = [session.c[name] == value for name, value in wanted.items() if value is not None]
    asked = _LISTED.where(*where, *following(session.c.id, after)).order_by(session.c.id.desc())
    return db.execute(asked.limit(most)).mappings().all()


def named(db: Connection, session_id: str) -> Row | None:
    """One Session as ``listed`` has it."""
    return db.execute(_LISTED.where(session.c.session_id == fold(session_id))).mappings().first()


_LISTED = (
    select(session, location.c.location_id, reservation.c.number)
    .join(location, location.c.id == session.c.location, isouter=True)
    .join(reservation, reservation.c.id == session.c.reservation, isouter=True)
)


def has_ended(db: Connection, session_pk: int) -> bool:
    return by_pk(db, session_pk)["state"] in {SessionState.COMPLETED, SessionState.INVALID}


def add(db: Connection, row: dict[str, Any]) -> int:
    return int(_ADD.scalar(db, row))


def change(db: Connection, session_pk: int, now: datetime, **values: Any) -> None:
    """Change what is known of a Session, but never its state."""
    assert "state" not in values
    _change(None, tuple(values)).send(db, {"id_": session_pk, "last_updated": now, **values})


def become(db: Connection, session_pk: int, wanted: SessionState, now: datetime, **values: Any) -> Row | None:
    """Move a Session along its lifecycle: as it is then; None when it cannot become that from where it is."""
    return _change(wanted, tuple(values)).first(db, {"id_": session_pk, "last_updated": now, **values})


@cache
def _change(wanted: SessionState | None, names: tuple[str, ...]) -> Prepared:
    columns: dict[str, Any] = {name: bindparam(name, type_=session.c[name].type) for name in names}
    # A process reads its clock before it has its turn to write: what is said later is never updated earlier.
    said, at = session.c.last_updated, bindparam("last_updated", type_=session.c.last_updated.type)
    columns["last_updated"] = case((said > at, said), else_=at)
    here = update(session).where(session.c.id == bindparam("id_"))
    if wanted is None:
        return Prepared(here.values(columns))
    moved = here.where(session.c.state.in_(before(SESSION, wanted))).values(columns | {"state": wanted})
    return Prepared(moved.returning(session))


def page(
    db: Connection, partner: int, party: tuple[str, str] | None, cpo_ids: Collection[int], wanted: Page
) -> tuple[int, Sequence[Row]]:
    """A partner's Sessions with these of our parties, of one eMSP when ``party`` names it: (how many, the page's)."""
    mine = [session.c.partner == partner, session.c.cpo.in_(cpo_ids), *_TELLABLE]
    if wanted.date_from is not None:
        mine.append(session.c.last_updated >= wanted.date_from)
    if wanted.date_to is not None:
        mine.append(session.c.last_updated < wanted.date_to)
    if party is not None:
        mine.append(func.lower(session.c.from_country) == fold(party[0]))
        mine.append(func.lower(session.c.from_party) == fold(party[1]))
    total = db.execute(select(func.count()).select_from(session).where(*mine)).scalar_one()
    asked = _WHOLE.where(*mine).order_by(session.c.id).offset(wanted.offset).limit(wanted.limit)
    return int(total), db.execute(asked).mappings().all()
