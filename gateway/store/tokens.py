"""Token aliases, the tokens that eMSPs have told us of, and which tokens are authorised at which station."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from gateway.domain.lifecycle import PartnerState
from gateway.secrets import Secrets
from gateway.store.prepared import Prepared, Row
from gateway.store.rows import authorization, binding, command, cpo, evse, location, partner, token, token_alias
from gateway.store.statements import put, put_newest, put_once
from ocpi.headers import Party
from ocpi.sessions import AuthMethod
from ocpi.tokens import Token
from ocpi.types import fold

_ALIAS = Prepared(
    select(token_alias.c.alias).where(
        token_alias.c.owner == bindparam("owner"), token_alias.c.uid_key == bindparam("uid_key")
    )
)


def alias(db: Connection, secrets: Secrets, owner: str, uid: str, now: datetime) -> str:
    """The alias of ``owner``'s token ``uid``; should two tokens meet in one alias, the later one gets another."""
    here = {"owner": owner, "uid_key": fold(uid)}
    known = _ALIAS.scalar(db, here)
    attempt = 0
    while known is None:
        row = here | {"alias": secrets.alias(owner, fold(uid), attempt)}
        put_once(db, token_alias, row | {"created_at": now})
        known = _ALIAS.scalar(db, here)
        attempt += 1
    return str(known)


def aliases(db: Connection, secrets: Secrets, partner_id: int, party: Party, now: datetime) -> Callable[[str], str]:
    """``alias`` for one eMSP: reservations, starts and authorizations all name its tokens and groups by this."""
    return lambda uid: alias(db, secrets, f"{partner_id}/{party.key}", uid, now)


_OWN = ("station", "token_key", "partner", "from_country", "from_party")


def authorize(db: Connection, row: dict[str, Any]) -> None:
    """A command brought this token to this station: its eMSP's newest word counts."""
    put(db, authorization, {"auth_method": AuthMethod.COMMAND, "cpo": None} | row, _OWN)


def grant(db: Connection, row: dict[str, Any], now: datetime) -> None:
    """A token was found good at this station; what a command said of it is not forgotten within its window."""
    if not put_once(db, authorization, row):
        mine = [authorization.c[name] == row[name] for name in _OWN]
        poorer = or_(authorization.c.auth_method != AuthMethod.COMMAND, authorization.c.until <= now)
        db.execute(update(authorization).where(*mine, poorer).values(row))


_AUTHORIZED = Prepared(
    select(authorization)
    .where(authorization.c.station == bindparam("station"), authorization.c.token_key == bindparam("token_key"))
    .order_by(authorization.c.command.desc().nulls_last(), authorization.c.until.desc(), authorization.c.id)
)


def brought_by(db: Connection, station: str) -> Sequence[Row]:
    """The tokens that commands have brought to a station, each with its command's ``order`` and our party."""
    asked = (
        select(authorization, command.c.order, command.c.to_country, command.c.to_party)
        .join(command, command.c.id == authorization.c.command)
        .where(authorization.c.station == station, command.c.order.is_not(None))
    )
    return db.execute(asked).mappings().all()


def authorized(db: Connection, station: str, token: str) -> Sequence[Row]:
    """What eMSPs have said of this token at this station, the newest command's first, then what was found otherwise."""
    return _AUTHORIZED.all(db, {"station": station, "token_key": fold(token)})


def brought(db: Connection, station: str, token: str, partner_id: int, party: Party) -> Row | None:
    """What this eMSP has said of the token at this station."""
    for row in authorized(db, station, token):
        if (row["partner"], Party(row["from_country"], row["from_party"])) == (partner_id, party):
            return row
    return None


_KEY = ("partner", "country_code", "party_id", "uid_key", "type")


def put_token(db: Connection, partner_id: int, one: Token) -> bool:
    """A token as its eMSP has it; False, and nothing changes, when what is known is newer."""
    row = _key(partner_id, one.owner, one.uid, one.type) | {"body": one.wire(), "last_updated": one.last_updated}
    return put_newest(db, token, row, _KEY, "last_updated")


_FIND_TOKEN = Prepared(select(token).where(*(token.c[name] == bindparam(name) for name in _KEY)))
_FIND_TOKENS = Prepared(
    select(token)
    .join(partner, partner.c.id == token.c.partner)
    .where(token.c.uid_key == bindparam("uid_key"), token.c.type == bindparam("type"))
    .where(partner.c.state == PartnerState.ACTIVE)
    .order_by(token.c.id)
)


def find_token(db: Connection, partner_id: int, owner: Party, uid: str, type_: str) -> Row | None:
    """An eMSP's token; None when it has not told us of it."""
    return _FIND_TOKEN.first(db, _key(partner_id, owner, uid, type_))


def find_tokens(db: Connection, uid: str, type_: str) -> Sequence[Row]:
    """Everybody's token of that uid: several eMSPs may have told us of one."""
    return _FIND_TOKENS.all(db, {"uid_key": fold(uid), "type": type_})


def _key(partner_id: int, owner: Party, uid: str, type_: str) -> dict[str, Any]:
    parts = (partner_id, fold(owner.country_code), fold(owner.party_id), fold(uid), str(type_))
    return dict(zip(_KEY, parts, strict=True))


_ASKED_ABOUT_STRANGERS = Prepared(
    select(partner.c.id)
    .where(partner.c.authorize_unknown, partner.c.state == PartnerState.ACTIVE)
    .order_by(partner.c.id)
)


def asked_about_strangers(db: Connection) -> Sequence[int]:
    """The connections that are asked about tokens that nobody has told us of."""
    return _ASKED_ABOUT_STRANGERS.scalars(db, {})


_SITES = Prepared(
    select(
        location.c.id.label("location"),
        location.c.location_id,
        evse.c.evse_uid,
        binding.c.station_evse,
        binding.c.station_connector,
        cpo.c.id.label("cpo"),
        cpo.c.country_code,
        cpo.c.party_id,
    )
    .select_from(binding)
    .join(evse, evse.c.id == binding.c.evse)
    .join(location, location.c.id == evse.c.location)
    .join(cpo, cpo.c.id == location.c.cpo_id)
    .where(binding.c.station == bindparam("station"))
    .order_by(binding.c.id)
)


def sites(db: Connection, station: str) -> Sequence[Row]:
    """The EVSEs of a station as eMSPs know them, and whose they are."""
    return _SITES.all(db, {"station": station})
