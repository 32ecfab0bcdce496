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

#: Until it is heard.
_AWAY = (ConnectionStatus.OFFLINE, ConnectionStatus.PLANNED)
_OF_HUB = select(client_info).where(client_info.c.partner == bindparam("partner_")).order_by(client_info.c.id)
_OF_PARTY = Prepared(_OF_HUB.where(client_info.c.key == bindparam("key_")))
_HEARD = (
    update(client_info)
    .where(client_info.c.partner == bindparam("partner_"), client_info.c.key == bindparam("key_"))
    .where(client_info.c.status.in_(_AWAY))
    .where(or_(client_info.c.heard_at.is_(None), client_info.c.heard_at <= client_info.c.told_at))
    .values(heard_at=bindparam("now"))
)


def put(db: Connection, hub: int, one: ClientInfo, now: datetime) -> bool:
    """What the hub tells of a party in a role; False: we know something newer."""
    party = Party(one.country_code, one.party_id)
    if any(_is_as_told(row, one) for row in of_party(db, hub, party)):
        return True  # said again, as in a list that is pulled: it is no newer for that
    key = {"partner": hub, "key": party.key, "role": one.role}
    told = {"country_code": one.country_code, "party_id": one.party_id, "status": one.status, "told_at": now}
    return put_newest(db, client_info, key | told | {"last_updated": one.last_updated}, tuple(key), "last_updated")


def _is_as_told(row: Row, one: ClientInfo) -> bool:
    known = (row["role"], row["status"], row["last_updated"])
    return bool(known == (one.role, one.status, one.last_updated))


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


def is_back(told: Sequence[Row]) -> bool:
    """A party that asks us something now was said to be away, and has not been heard since."""
    return any(row["status"] in _AWAY and not _was_heard(row) for row in told)


def heard(db: Connection, hub: int, party: Party, now: datetime) -> bool:
    """A party that was said to be away has asked us something; whether that is news."""
    return db.execute(_HEARD, {"partner_": hub, "key_": party.key, "now": now}).rowcount > 0


def _is_there(row: Row) -> bool:
    return row["status"] == ConnectionStatus.CONNECTED or (row["status"] in _AWAY and _was_heard(row))


def _was_heard(row: Row) -> bool:
    """Since the hub told of it."""
    return row["heard_at"] is not None and row["heard_at"] > row["told_at"]
