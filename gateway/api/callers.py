"""Callers: who sends a request, by its credentials token, and between which parties it travels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from starlette.requests import Request

from gateway.api.edge import given
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Cpo, Credential, Parties, Partner, Scope, resolve
from gateway.house import utc_now
from gateway.office import Office
from gateway.store import partner_tokens, partners
from ocpi.headers import Party, Routing, read_routing, token_candidates
from ocpi.status import OcpiError


class Unknown(Exception):
    """No valid credentials token (HTTP 401)."""


def office_of(request: Request) -> Office:
    found = request.app.state.office
    assert isinstance(found, Office)
    return found


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sends a request, and by which of its tokens it is known."""

    partner: Partner
    credential: Credential
    cpos: Sequence[Cpo]
    #: Of the parties that the connection declared: the one that the request names, or all when it names none.
    declared: Sequence[Party] = ()

    @property
    def is_registered(self) -> bool:
        return self.credential.scope is Scope.ACCESS and self.partner.state == PartnerState.ACTIVE


async def caller(request: Request) -> Caller:
    """Whoever the token belongs to, registered or about to be; raises Unknown."""
    office = office_of(request)
    candidates = token_candidates(given(request).get("authorization"))
    if not candidates:
        raise Unknown
    hashes = [office.rules.secrets.token_hash(token) for token in candidates]
    found = await office.store.glance(_look_up, hashes, _named(given(request)), utc_now())
    if found is None:
        raise Unknown
    return found


async def registered(request: Request) -> Caller:
    """A registered partner, by a token that is not for its registration (OCPI's A); raises Unknown."""
    found = await caller(request)
    if not found.is_registered:
        raise Unknown
    await proven(request, found)
    return found


async def parties(request: Request) -> tuple[Partner, Parties]:
    """The connection and the two ends of a functional module's request; raises Unknown, InvalidParameters."""
    found = await registered(request)
    return found.partner, resolve(found.partner, found.cpos, read_routing(given(request)), found.declared)


async def proven(request: Request, found: Caller) -> None:
    """The first use of a token shows that the partner has it, and has taken ours: those before it are over soon.

    Versions and details prove nothing: they are read in the middle of an exchange.
    """
    if not found.credential.used:
        office, now = office_of(request), utc_now()
        until = now + office.rules.settings.token_grace
        await office.store.note(partner_tokens.used, found.partner.id, found.credential, now, until)


def _named(headers: Mapping[str, str]) -> Party | None:
    try:
        return read_routing(headers).from_
    except OcpiError:  # whoever needs it is told when it is read again
        return Routing().from_


def _look_up(db: Connection, hashes: Sequence[str], named: Party | None, now: datetime) -> Caller | None:
    found = partner_tokens.holder(db, hashes, now)
    if found is None:
        return None
    partner, credential = found
    declared = [partner.party] if named == partner.party else partners.parties(db, partner.id, named)
    return Caller(partner=partner, credential=credential, cpos=partners.cpos(db), declared=declared)
