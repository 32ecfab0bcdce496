"""Asked again: the one query of a partner that looks for what became of its command."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from gateway.store.rows import callback, command, session
from ocpi.headers import Party

_ASKED = (
    select(command, session.c.session_id)
    .join(session, session.c.id == command.c.session, isouter=True)
    .where(command.c.partner == bindparam("partner_"), command.c.request_id == bindparam("request_id_"))
    .order_by(command.c.id.desc())
)
_RESULTS = select(callback).where(callback.c.command == bindparam("command_")).order_by(callback.c.id)


def newest(db: Connection, partner_id: int, emsp: Party, request_id: str) -> RowMapping | None:
    """The newest command that this party sent under this X-Request-ID; another party's is none."""
    asked = {"partner_": partner_id, "request_id_": request_id}
    for row in db.execute(_ASKED, asked).mappings():
        if Party(row["from_country"], row["from_party"]) == emsp:
            return row
    return None


def results(db: Connection, command_id: int) -> Sequence[RowMapping]:
    """What its response_url was to be told, in order."""
    return db.execute(_RESULTS, {"command_": command_id}).mappings().all()
