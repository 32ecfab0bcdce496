"""Client infos: every query about parties behind hubs, as their hubs tell of them (mod_hub_client_info)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, update

from gateway.store.prepared import Prepared, Row
from gateway.store.rows import client_info
from gateway.store.statements import put_newest
from ocpi.credentials import Role
from ocpi.headers import Party
from ocpi.hub_client_info import ClientInfo, ConnectionStatus

_OF_HUB = select(client_info).where(client_info.c.partner == bindparam("partner_")).order_by(client_info.c.id)
_OF_PARTY = Prepared(_OF_HUB.where(client_info.c.key == bindparam("key_")))
_HEARD = (
    update(client_info)
    .where(client_info.c.partner == bindparam("partner_"), client_info.c.key == bindparam("key_"))
    .where(client_info.c.status.in_([ConnectionStatus.OFFLINE, ConnectionStatus.PLANNED]))
    .where(or_(client_info.c.heard_at.is_(None), client_info.c.heard_at <= client_info.c.told_at))
    .values(heard_at=bindparam("now"))
)


def put(db: Connection, hub: int, one: ClientInfo, now: datetime) -> bool:
    """What the hub tells of a party in a role; False: we know something newer."""
    key = {"partner": hub, "key": Party(one.country_code, one.party_id).key, "role": one.role}
    told = {"country_code": one.country_code, "party_id": one.party_id, "status": one.status, "told_at": now}
    return put_newest(db, client_info, key | told | {"last_updated": one.last_updated}, tuple(key), "last_updated")


def of_hub(db: Connection, hub: int) -> Sequence[Row]:
    return db.execute(_OF_HUB, {"partner_": hub}).mappings().all()


def of_party(db: Connection, hub: int, party: Party) -> Sequence[Row]:
    """In each of its roles."""
    return _OF_PARTY.all(db, {"partner_": hub, "key_": party.key})


def away(db: Connection, hub: int, party: Party) -> str:
    """Why nothing is sent to a party behind a hub; empty: the hub has not said that it cannot be reached."""
    told = of_party(db, hub, party)
    as_emsp = [row for row in told if row["role"] == Role.EMSP] or told
    if not as_emsp or any(_is_there(row) for row in as_emsp):
        return ""
    newest = max(as_emsp, key=lambda row: row["told_at"])
    return f"The hub says that {party} is {newest['status']}."


def is_suspended(told: Sequence[Row]) -> bool:
    """The hub has taken back what it told of a party, in every role."""
    return bool(told) and all(row["status"] == ConnectionStatus.SUSPENDED for row in told)


def heard(db: Connection, hub: int, party: Party, now: datetime) -> bool:
    """A party that was said to be away has asked us something; whether that is news."""
    return db.execute(_HEARD, {"partner_": hub, "key_": party.key, "now": now}).rowcount > 0


def _is_there(row: Row) -> bool:
    if row["status"] == ConnectionStatus.SUSPENDED:
        return False
    return row["status"] == ConnectionStatus.CONNECTED or (
        row["heard_at"] is not None and row["heard_at"] > row["told_at"]
    )
