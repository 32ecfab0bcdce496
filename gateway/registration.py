"""Registration, the story: credentials are exchanged, by whoever begins, and a connection comes and goes by it."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Cpo, Credential, Partner, Scope
from gateway.domain.parties import Role as Speaks
from gateway.handshake import Platform, Way, explore
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.store import callbacks, endpoints, partner_tokens, partners, pushes, registrations, token_syncs
from gateway.store.registrations import Agreed
from ocpi.business import BusinessDetails
from ocpi.credentials import Credentials, CredentialsRole, Role
from ocpi.dialects import NEWEST
from ocpi.headers import Party
from ocpi.status import ServerError

log = structlog.get_logger(__name__)


def new_token() -> str:
    """256 bits that nobody guesses, as text that needs no escaping (credentials §Credentials object)."""
    return secrets.token_urlsafe(32)


def versions_url(rules: Rules) -> str:
    return f"{rules.settings.public_url.rstrip('/')}/ocpi/versions"


def ours(rules: Rules, cpos: Sequence[Cpo], token: str) -> Credentials:
    """Who we are, and the token by which whoever reads this is to call us. Raises ServerError."""
    if not (rules.settings.public_url.startswith("https://") or rules.settings.allow_private_callbacks):
        raise ServerError("GATEWAY_PUBLIC_URL is no https URL: tokens would travel in clear.")
    if not cpos:
        raise ServerError("There is no party here yet that could be spoken to.")
    roles = tuple(
        CredentialsRole(
            role=Role.CPO,
            business_details=BusinessDetails(name=one.name[:100]),
            party_id=one.party.party_id,
            country_code=one.party.country_code,
        )
        for one in cpos
    )
    return Credentials(token=token, url=versions_url(rules), roles=roles)


def invite(db: Connection, rules: Rules, name: str, known: Partner | None, now: datetime) -> str:
    """Token A for a platform that is to register with us: a new one, or ``known`` once more; the earlier A is over."""
    token = new_token()
    hashed, expires = rules.secrets.token_hash(token), now + rules.settings.invitation_lasts
    if known is None:
        partners.add(db, invited(rules, name), hashed, now, scope=Scope.REGISTRATION, expires_at=expires)
        return token
    partner_tokens.end_registration(db, known.id, now)
    partner_tokens.add(db, known.id, hashed, Scope.REGISTRATION, now, expires)
    return token


def invited(rules: Rules, name: str, platform: Platform | None = None) -> Partner:
    """Nobody in particular yet."""
    way = platform.way if platform is not None else Way("")
    return Partner(
        id=0,
        name=name,
        party=Party("", ""),
        role="EMSP",
        version=platform.version if platform is not None else NEWEST.version,
        token_out=rules.secrets.seal(way.token),
        encoding=way.encoding,
        callback_hosts=(),
        allow_unlock=False,
        lenient_token=False,
        state=PartnerState.INVITED,
        versions_url=platform.versions_url if platform is not None else None,
    )


async def welcome(
    office: Office, partner: Partner, credential: Credential, cpos: Sequence[Cpo], version: str, theirs: Credentials
) -> Credentials:
    """A platform tells its credentials: see whether it can be called, take it at its word, and give it a new token.

    Until that is done nothing has changed. Raises OcpiError.
    """
    rules, token = office.rules, new_token()
    answer = ours(rules, cpos, token)
    ways = [Way(theirs.token, partner.encoding)]
    if credential.scope is Scope.ACCESS and partner.state == PartnerState.ACTIVE:
        # It may know its new token only when this is over.
        ways.append(Way(rules.secrets.open(partner.token_out), partner.encoding))
    platform = await explore(office, theirs.url, ways, [version])
    agreed = agreement(rules, platform, theirs)
    if not await office.store.write(_welcome, rules, partner, agreed, token):
        raise ServerError("The connection was changed at the same time; try again.")
    log.info("a partner was registered", partner=partner.id, name=partner.name, version=version)
    return answer


def agreement(rules: Rules, platform: Platform, theirs: Credentials) -> Agreed:
    return Agreed(
        version=platform.version,
        roles=[_speaks(one) for one in theirs.roles],
        endpoints=platform.endpoints,
        token_out=rules.secrets.seal(theirs.token),
        encoding=platform.way.encoding,
        trailing_slash=bool(platform.way.trailing_slash),
        versions_url=platform.versions_url,
        hosts=platform.hosts,
    )


def remove(db: Connection, partner_id: int, now: datetime) -> bool:
    """The connection is over in both directions: it opens nothing, and nothing is said to it any more."""
    if not partners.become(db, partner_id, PartnerState.REMOVED):
        return False
    unheard, untold = callbacks.abandon(db, partner_id, now), pushes.drop(db, partner_id)
    endpoints.remove_all(db, partner_id)
    token_syncs.stop(db, partner_id)
    if unheard or untold:
        log.warning("a partner left with things unsaid", partner=partner_id, results=unheard, objects=untold)
    return True


def _welcome(db: Connection, rules: Rules, partner: Partner, agreed: Agreed, token: str) -> bool:
    now = utc_now()
    if not registrations.settle(db, partner, agreed, now):
        return False
    partner_tokens.add(db, partner.id, rules.secrets.token_hash(token), Scope.ACCESS, now)
    # If the answer is lost, it may come back with what it had.
    partner_tokens.end_registration(db, partner.id, now + rules.settings.registration_grace)
    return True


def _speaks(one: CredentialsRole) -> Speaks:
    details: dict[str, Any] = one.business_details.wire()
    return Speaks(party=one.party, role=one.role, business_details=details)
