"""Partners and our own parties: every query about who may talk to whom."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, literal, select, union_all, update

from gateway.domain.lifecycle import PARTNER, PartnerState, before
from gateway.domain.parties import Cpo, Partner, Role, Scope
from gateway.store import partner_tokens
from gateway.store.partner_rows import read_partner, read_party
from gateway.store.prepared import Prepared
from gateway.store.rows import client_info, cpo, partner, partner_party
from ocpi.headers import Party
from ocpi.hub_client_info import ConnectionStatus

_PARTIES = Prepared(
    select(partner_party).where(partner_party.c.partner == bindparam("partner_")).order_by(partner_party.c.id)
)
_DECLARED, _BEHIND = (
    select(table.c.country_code, table.c.party_id, literal(turn).label("turn"), table.c.id).where(
        table.c.partner == bindparam("partner_")
    )
    for turn, table in enumerate((partner_party, client_info))
)
#: What a hub has taken back is none of its parties any more (mod_hub_client_info §Push model).
_CONNECTED = _BEHIND.where(client_info.c.status != ConnectionStatus.SUSPENDED)
_SPOKEN_FOR = Prepared(union_all(_DECLARED, _CONNECTED).order_by("turn", "id"))
_NAMED = Prepared(
    union_all(
        _DECLARED.where(partner_party.c.key == bindparam("key_")),
        _CONNECTED.where(client_info.c.key == bindparam("key_")),
    ).order_by("turn", "id")
)
_BEFORE = select(partner.c.token_out_before).where(partner.c.token_out == bindparam("token_out_"))
_CPOS = Prepared(select(cpo).order_by(cpo.c.id))


def by_id(db: Connection, partner_id: int) -> Partner:
    return read_partner(db.execute(select(partner).where(partner.c.id == partner_id)).mappings().one())


def find(db: Connection, partner_id: int) -> Partner | None:
    row = db.execute(select(partner).where(partner.c.id == partner_id)).mappings().first()
    return None if row is None else read_partner(row)


def by_name(db: Connection, name: str) -> Partner | None:
    """The newest connection of that name that was not removed."""
    asked = (
        select(partner)
        .where(partner.c.name == name, partner.c.state != PartnerState.REMOVED)
        .order_by(partner.c.id.desc())
    )
    row = db.execute(asked).mappings().first()
    return None if row is None else read_partner(row)


def called(db: Connection, which: str) -> Partner | None:
    """By name, else by id; names have more than digits, so no word means two partners."""
    return by_name(db, which) or next((one for one in everyone(db) if str(one.id) == which), None)


def everyone(db: Connection) -> list[Partner]:
    return [read_partner(row) for row in db.execute(select(partner).order_by(partner.c.id)).mappings()]


def add(
    db: Connection,
    one: Partner,
    token_in: str,
    now: datetime,
    *,
    scope: Scope = Scope.ACCESS,
    expires_at: datetime | None = None,
) -> int:
    """A new connection; ``token_in`` is a hash, ``one.token_out`` is sealed, ``one.id`` is not looked at.

    An operator knows of one party; what the partner declares is put by ``declare``.
    """
    hosts = list(one.callback_hosts)
    row = {
        "name": one.name,
        "country_code": one.party.country_code,
        "party_id": one.party.party_id,
        "role": one.role,
        "version": one.version,
        "token_out": one.token_out,
        "token_out_encoding": one.encoding,
        "callback_hosts": hosts,
        "registered_hosts": hosts,
        "open_parties": one.open_parties,
        "sees_all": one.sees_all,
        "lenient_routing": one.lenient_routing,
        "trailing_slash": one.trailing_slash,
        "versions_url": one.versions_url,
        "allow_unlock": one.allow_unlock,
        "lenient_token": one.lenient_token,
        "keep_pushing": one.keep_pushing,
        "authorize_unknown": one.authorize_unknown,
        "state": one.state,
        "created_at": now,
    }
    added = int(db.execute(insert(partner).values(**row).returning(partner.c.id)).scalar_one())
    partner_tokens.add(db, added, token_in, scope, now, expires_at)
    if one.party.party_id:
        declare(db, added, [Role(party=one.party, role=one.role)])
    return added


def declare(db: Connection, partner_id: int, roles: Collection[Role]) -> None:
    """These, and no others, are the parties that the connection speaks for."""
    db.execute(delete(partner_party).where(partner_party.c.partner == partner_id))
    for one in roles:
        names = {"country_code": one.party.country_code, "party_id": one.party.party_id, "key": one.party.key}
        row = names | {"partner": partner_id, "role": one.role, "business_details": one.business_details}
        db.execute(insert(partner_party).values(**row))


def token_before(db: Connection, token_out: str) -> str | None:
    """The token that a partner was sent before this one (both sealed), while it may not know of the exchange."""
    found: str | None = db.execute(_BEFORE, {"token_out_": token_out}).scalar()
    return found


def change(db: Connection, partner_id: int, **values: Any) -> None:
    """What an operator says of it: columns of the table."""
    db.execute(update(partner).where(partner.c.id == partner_id).values(**values))


def registered_at(db: Connection, partner_id: int) -> datetime | None:
    """When its credentials were exchanged last; None: it was added by hand, or is invited only."""
    found: datetime | None = db.execute(select(partner.c.registered_at).where(partner.c.id == partner_id)).scalar()
    return found


def forget_token_before(db: Connection, partner_id: int) -> None:
    """The partner knows of its new token: it gave it to us."""
    change(db, partner_id, token_out_before=None)


def parties(db: Connection, partner_id: int, named: Party | None = None) -> list[Party]:
    """What the connection speaks for, each once: as it spells the one that is named, or all.

    A hub's parties are those that it declared, and those of which it has told us since.
    """
    asked = _SPOKEN_FOR if named is None else _NAMED
    values = {"partner_": partner_id} | ({} if named is None else {"key_": named.key})
    return list(dict.fromkeys(read_party(row) for row in asked.all(db, values)))


def roles(db: Connection, partner_id: int) -> list[Role]:
    """What the connection declared, in its order."""
    return [
        Role(party=read_party(row), role=row["role"], business_details=row["business_details"])
        for row in _PARTIES.all(db, {"partner_": partner_id})
    ]


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
    return [Cpo(id=row["id"], party=read_party(row), name=row["name"]) for row in _CPOS.all(db, {})]


def add_cpo(db: Connection, party: Party, name: str) -> int:
    row = {"country_code": party.country_code, "party_id": party.party_id, "key": party.key, "name": name}
    return int(db.execute(insert(cpo).values(**row).returning(cpo.c.id)).scalar_one())
