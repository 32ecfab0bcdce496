"""Callers: who sends a request, by its credentials token, and between which parties it travels."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from starlette.requests import Request

from gateway.api.edge import given, routed_of, routing_of
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Cpo, Credential, Ends, Parties, Partner, Scope, ends_of, said
from gateway.house import utc_now
from gateway.office import Office
from gateway.store import client_infos, locations, partner_tokens, partners
from ocpi.headers import Party, Routing, token_candidates
from ocpi.status import InvalidParameters, OcpiError


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
    #: The party behind a hub that the request names: the hub has taken it back, or said that it is away.
    is_suspended: bool = False
    is_back: bool = False

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
    found = await office.store.glance(_look_up, hashes, _named(request), utc_now())
    if found is None:
        raise Unknown
    return found


async def registered(request: Request) -> Caller:
    """A registered partner, by a token that is not for its registration (OCPI's A); raises Unknown."""
    found = await caller(request)
    if not found.is_registered:
        raise Unknown
    await proven(request, found)
    if found.is_back and (party := _named(request)) is not None:
        await office_of(request).store.note(client_infos.heard, found.partner.id, party, utc_now())
    return found


async def parties(request: Request) -> tuple[Partner, Parties]:
    """The connection and the two ends of a functional module's request; raises Unknown, InvalidParameters."""
    partner, found = await ends(request)
    return partner, answered_by(request, found.emsp, said(found.cpo))


async def ends(request: Request) -> tuple[Partner, Ends]:
    """Likewise where it may be left open which of our parties is asked."""
    found = await registered(request)
    if found.is_suspended:
        raise InvalidParameters("OCPI-from-party-id names a party that its hub has suspended")
    return found.partner, ends_of(found.partner, found.cpos, routing_of(request), found.declared)


async def listing(request: Request) -> tuple[Partner, list[int]]:
    """The connection that asks for a list, and whose of our parties': of several at once only a hub may ask."""
    partner, found = await ends(request)
    if found.cpo is None and partner.is_hub:
        return partner, [cpo.id for cpo in found.cpos]
    return partner, [answered_by(request, found.emsp, said(found.cpo)).cpo.id]


def answered_by(request: Request, emsp: Party, cpo: Cpo) -> Parties:
    """Who answers whom: a routed answer says so also where the question left it open (§Overview of Routing Headers)."""
    if not is_answered_as_asked(request, cpo):
        routed_of(request).update(Routing(to=routing_of(request).from_, from_=cpo.party).headers())
    return Parties(emsp=emsp, cpo=cpo)


def is_answered_as_asked(request: Request, cpo: Cpo) -> bool:
    """Whether the answer goes between the parties that the question names."""
    named = routing_of(request)
    return named.from_ is None or named.to == cpo.party


def presented(request: Request) -> Hashable:
    """What is the same whenever the same caller asks the same party: not looked up, and not believed."""
    return given(request).get("authorization"), request.scope["routing"]


async def proven(request: Request, found: Caller) -> None:
    """The first use of a token shows that the partner has it, and has taken ours: those before it are over soon.

    Versions and details prove nothing: they are read in the middle of an exchange.
    """
    if not found.credential.used:
        office, now = office_of(request), utc_now()
        until = now + office.rules.settings.token_grace
        await office.store.note(partner_tokens.used, found.partner.id, found.credential, now, until)


def _named(request: Request) -> Party | None:
    try:
        return routing_of(request).from_
    except OcpiError:  # whoever needs it is told when it is read again
        return None


def _look_up(db: Connection, hashes: Sequence[str], named: Party | None, now: datetime) -> Caller | None:
    found = partner_tokens.holder(db, hashes, now)
    if found is None:
        return None
    partner, credential = found
    declared = [partner.party] if named == partner.party else partners.parties(db, partner.id, named)
    cpos = partners.cpos(db)
    if not partner.sees_all:
        seen = locations.cpos_seen(db, partner.id)
        cpos = [cpo for cpo in cpos if cpo.id in seen]
    of_hub = client_infos.of_party(db, partner.id, named) if partner.is_hub and named is not None else []
    return Caller(
        partner=partner,
        credential=credential,
        cpos=cpos,
        declared=declared,
        is_suspended=client_infos.is_suspended(of_hub),
        is_back=client_infos.is_back(of_hub),
    )
