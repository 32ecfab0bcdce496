"""Partners and our own parties: every query about who may talk to whom."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from gateway.domain.lifecycle import PARTNER, PartnerState, before
from gateway.domain.parties import Cpo, Partner
from gateway.store.prepared import Prepared, Row, among
from gateway.store.rows import cpo, partner
from ocpi.headers import Encoding, Party

_BY_TOKEN = Prepared(select(partner).where(among(partner.c.token_in, "hashes"), partner.c.state == PartnerState.ACTIVE))
_CPOS = Prepared(select(cpo).order_by(cpo.c.id))


def by_token(db: Connection, hashes: Sequence[str]) -> Partner | None:
    """The active connection that one of these token hashes belongs to."""
    row = _BY_TOKEN.first(db, {"hashes": list(hashes)})
    return None if row is None else _partner(row)


def has_token(db: Connection, hashes: Sequence[str]) -> bool:
    """Whether one of these is, or ever was, the token of a connection: a removed one keeps its own."""
    return db.execute(select(partner.c.id).where(partner.c.token_in.in_(hashes))).first() is not None


def by_id(db: Connection, partner_id: int) -> Partner:
    return _partner(db.execute(select(partner).where(partner.c.id == partner_id)).mappings().one())


def by_name(db: Connection, name: str) -> Partner | None:
    """The newest connection of that name that was not removed."""
    asked = (
        select(partner)
        .where(partner.c.name == name, partner.c.state != PartnerState.REMOVED)
        .order_by(partner.c.id.desc())
    )
    row = db.execute(asked).mappings().first()
    return None if row is None else _partner(row)


def called(db: Connection, which: str) -> Partner | None:
    """By name, else by id; names have more than digits, so no word means two partners."""
    return by_name(db, which) or next((one for one in everyone(db) if str(one.id) == which), None)


def everyone(db: Connection) -> list[Partner]:
    return [_partner(row) for row in db.execute(select(partner).order_by(partner.c.id)).mappings()]


def add(db: Connection, one: Partner, token_in: str, now: datetime) -> int:
    """A new connection; ``token_in`` is a hash, ``one.token_out`` is sealed, ``one.id`` is not looked at."""
    row = {
        "name": one.name,
        "country_code": one.party.country_code,
        "party_id": one.party.party_id,
        "role": one.role,
        "version": one.version,
        "token_in": token_in,
        "token_out": one.token_out,
        "token_out_encoding": one.encoding,
        "callback_hosts": list(one.callback_hosts),
        "allow_unlock": one.allow_unlock,
        "lenient_token": one.lenient_token,
        "keep_pushing": one.keep_pushing,
        "authorize_unknown": one.authorize_unknown,
        "state": one.state,
        "created_at": now,
    }
    return int(db.execute(insert(partner).values(**row).returning(partner.c.id)).scalar_one())


def become(db: Connection, partner_id: int, wanted: PartnerState) -> bool:
    """Suspend, resume or remove a connection; False when it cannot become that."""
    changed = (
        update(partner)
        .where(partner.c.id == partner_id, partner.c.state.in_(before(PARTNER, wanted)))
        .values(state=wanted)
    )
    return db.execute(changed).rowcount == 1


def cpos(db: Connection) -> list[Cpo]:
    """Our own parties, in the order in which they were added."""
    return [
        Cpo(id=row["id"], party=Party(row["country_code"], row["party_id"]), name=row["name"])
        for row in _CPOS.all(db, {})
    ]


def add_cpo(db: Connection, party: Party, name: str) -> int:
    row = {"country_code": party.country_code, "party_id": party.party_id, "key": party.key, "name": name}
    return int(db.execute(insert(cpo).values(**row).returning(cpo.c.id)).scalar_one())


def _partner(row: Row) -> Partner:
    return Partner(
        id=row["id"],
        name=row["name"],
        party=Party(row["country_code"], row["party_id"]),
        role=row["role"],
        version=row["version"],
        token_out=row["token_out"],
        encoding=Encoding(row["token_out_encoding"]),
        callback_hosts=tuple(row["callback_hosts"]),
        allow_unlock=row["allow_unlock"],
        lenient_token=row["lenient_token"],
        keep_pushing=row["keep_pushing"],
        authorize_unknown=row["authorize_unknown"],
        state=row["state"],
    )
