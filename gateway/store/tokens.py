"""Token aliases, and which tokens a command has authorised at which station."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select

from gateway.secrets import Secrets
from gateway.store.rows import authorization, token_alias
from gateway.store.statements import put, put_once
from ocpi.types import fold

_ALIAS = select(token_alias.c.alias).where(
    token_alias.c.owner == bindparam("owner"), token_alias.c.uid_key == bindparam("uid_key")
)


def alias(db: Connection, secrets: Secrets, owner: str, uid: str, now: datetime) -> str:
    """The alias of ``owner``'s token ``uid``; should two tokens meet in one alias, the later one gets another."""
    here = {"owner": owner, "uid_key": fold(uid)}
    known = db.execute(_ALIAS, here).scalar_one_or_none()
    attempt = 0
    while known is None:
        row = here | {"alias": secrets.alias(owner, fold(uid), attempt)}
        put_once(db, token_alias, row | {"created_at": now})
        known = db.execute(_ALIAS, here).scalar_one_or_none()
        attempt += 1
    return str(known)


def authorize(db: Connection, row: dict[str, Any]) -> None:
    """A command brought this token to this station: its eMSP's newest word counts."""
    put(db, authorization, row, ("station", "token_key", "partner", "from_country", "from_party"))


_AUTHORIZED = (
    select(authorization)
    .where(authorization.c.station == bindparam("station"), authorization.c.token_key == bindparam("token_key"))
    .order_by(authorization.c.command.desc())
)


def authorized(db: Connection, station: str, token: str) -> Sequence[RowMapping]:
    """What eMSPs have said of this token at this station, the newest first."""
    return db.execute(_AUTHORIZED, {"station": station, "token_key": fold(token)}).mappings().all()
