"""Registrations: what a handshake changes of a partner, in one transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, delete, null, or_, update

from gateway.domain.lifecycle import PARTNER, PartnerState, before
from gateway.domain.parties import Partner, Role, principal
from gateway.store import endpoints, partners
from gateway.store.rows import partner, partner_endpoint, partner_party, partner_token
from ocpi.headers import Encoding
from ocpi.versions import Endpoint, ModuleID


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What two platforms have agreed upon."""

    version: str
    roles: Collection[Role]
    endpoints: Collection[Endpoint]
    #: Sealed.
    token_out: str
    encoding: Encoding
    trailing_slash: bool
    versions_url: str
    #: Where the partner is at home: its response_url may be there.
    hosts: Collection[str]


def settle(db: Connection, one: Partner, agreed: Agreed, now: datetime) -> bool:
    """The partner is as agreed from now on; False, and nothing changes, when another handshake was quicker."""
    party, role = principal(agreed.roles)
    known = partner.c.state == PartnerState.ACTIVE
    changed = (
        update(partner)
        .where(partner.c.id == one.id, partner.c.revision == one.revision)
        .where(or_(known, partner.c.state.in_(before(PARTNER, PartnerState.ACTIVE))))
        .where(partner.c.state != PartnerState.SUSPENDED)
        .values(
            state=PartnerState.ACTIVE,
            country_code=party.country_code,
            party_id=party.party_id,
            role=role,
            version=agreed.version,
            token_out=agreed.token_out,
            token_out_before=case((known, partner.c.token_out), else_=null()),
            token_out_encoding=agreed.encoding,
            trailing_slash=agreed.trailing_slash,
            versions_url=agreed.versions_url,
            callback_hosts=sorted({*one.registered_hosts, *agreed.hosts}),
            revision=partner.c.revision + 1,
            registered_at=now,
        )
    )
    if db.execute(changed).rowcount != 1:
        return False
    partners.declare(db, one.id, agreed.roles)
    endpoints.remove_all(db, one.id)
    urls = {(str(each.identifier), str(each.role)): each.url for each in agreed.endpoints if _is_standard(each)}
    for (identifier, role), url in urls.items():
        endpoints.put(db, one.id, identifier, role, url)
    return True


def forget(db: Connection, partner_id: int) -> None:
    """A partner that was never registered leaves nothing."""
    for table in (partner_token, partner_party, partner_endpoint):
        db.execute(delete(table).where(table.c.partner == partner_id))
    invited = partner.c.state == PartnerState.INVITED
    db.execute(delete(partner).where(partner.c.id == partner_id, invited))


def _is_standard(endpoint: Endpoint) -> bool:
    return isinstance(endpoint.identifier, ModuleID)
