"""Partners' tokens: by which of them a caller is known, and how a newer one takes the place of the older ones."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, insert, or_, select, update

from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Credential, Partner, Scope
from gateway.store.partner_rows import read_partner
from gateway.store.prepared import Prepared
from gateway.store.rows import partner, partner_token

#: Every request begins with it. Equalities instead of IN: that would be written anew for each.
_HOLDER = Prepared(
    select(partner, partner_token.c.hash, partner_token.c.number, partner_token.c.scope, partner_token.c.used_at)
    .join(partner, partner.c.id == partner_token.c.partner)
    .where(or_(partner_token.c.hash == bindparam("one"), partner_token.c.hash == bindparam("other")))
    .where(or_(partner_token.c.expires_at.is_(None), partner_token.c.expires_at > bindparam("now")))
    .where(or_(partner.c.state == PartnerState.ACTIVE, partner.c.state == PartnerState.INVITED))
)
_OF_PARTNER = partner_token.c.partner == bindparam("partner_")
_NUMBER = select(func.coalesce(func.max(partner_token.c.number), 0)).where(_OF_PARTNER)
_LIVE = or_(partner_token.c.expires_at.is_(None), partner_token.c.expires_at > bindparam("until"))
_USED = (
    update(partner_token)
    .where(partner_token.c.hash == bindparam("hash_"), partner_token.c.used_at.is_(None))
    .values(used_at=bindparam("at"))
)
_END_OLDER = (
    update(partner_token)
    .where(_OF_PARTNER, partner_token.c.number < bindparam("number_"), _LIVE)
    .values(expires_at=bindparam("until"))
)
_END_OLDER_A = _END_OLDER.where(partner_token.c.scope == Scope.REGISTRATION)


def holder(db: Connection, hashes: Sequence[str], now: datetime) -> tuple[Partner, Credential] | None:
    """Whose token one of these (at most two) is, if it opens anything now."""
    row = _HOLDER.first(db, {"one": hashes[0], "other": hashes[-1], "now": now})
    if row is None:
        return None
    used = row["used_at"] is not None
    credential = Credential(hash=row["hash"], number=row["number"], scope=Scope(row["scope"]), used=used)
    return read_partner(row), credential


def known(db: Connection, hashes: Sequence[str]) -> bool:
    """Whether one of these is, or ever was, the token of a partner."""
    asked = select(partner_token.c.hash).where(partner_token.c.hash.in_(hashes))
    return db.execute(asked).first() is not None


def of_partner(db: Connection, partner_id: int, now: datetime) -> Sequence[RowMapping]:
    """What opens something now, the oldest first; the hashes are nobody's business."""
    asked = select(partner_token).where(_OF_PARTNER, _LIVE).order_by(partner_token.c.number)
    return db.execute(asked, {"partner_": partner_id, "until": now}).mappings().all()


def add(
    db: Connection, partner_id: int, token: str, scope: Scope, now: datetime, expires_at: datetime | None = None
) -> int:
    """The partner may show this token (a hash) from now on; its number."""
    number = int(db.execute(_NUMBER, {"partner_": partner_id}).scalar_one()) + 1
    row = {"hash": token, "partner": partner_id, "number": number, "scope": scope, "created_at": now}
    db.execute(insert(partner_token).values(**row, expires_at=expires_at))
    return number


def used(db: Connection, partner_id: int, one: Credential, now: datetime, until: datetime) -> None:
    """The partner shows that it has this token, and so ours: the older ones are good until then at most."""
    if db.execute(_USED, {"hash_": one.hash, "at": now}).rowcount == 1:
        end_older(db, partner_id, one.number, now, until)
        db.execute(update(partner).where(partner.c.id == partner_id).values(token_out_before=None))


def end_older(db: Connection, partner_id: int, number: int, now: datetime, until: datetime) -> None:
    """Those made before token ``number`` are good until then at most, and a token A no longer at all."""
    db.execute(_END_OLDER, {"partner_": partner_id, "number_": number, "until": until})
    db.execute(_END_OLDER_A, {"partner_": partner_id, "number_": number, "until": now})


def end(db: Connection, tokens: Sequence[str], until: datetime) -> None:
    """These (hashes) are good until then at most."""
    live = or_(partner_token.c.expires_at.is_(None), partner_token.c.expires_at > until)
    db.execute(update(partner_token).where(partner_token.c.hash.in_(tokens), live).values(expires_at=until))


def end_registration(db: Connection, partner_id: int, until: datetime) -> None:
    """No token A of the partner's is good for longer than that."""
    mine = and_(_OF_PARTNER, partner_token.c.scope == Scope.REGISTRATION, _LIVE)
    ended = update(partner_token).where(mine).values(expires_at=bindparam("until"))
    db.execute(ended, {"partner_": partner_id, "until": until})
