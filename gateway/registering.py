"""Registering, the other half of the story: we begin, with a versions URL and a token A (credentials §Registration)."""

from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.calling import Line, call
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Partner, Scope
from gateway.handshake import Platform, Way, explore
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.registration import agreement, invited, new_token, ours, remove
from gateway.store import endpoints, partner_tokens, partners, registrations
from ocpi.credentials import Credentials
from ocpi.dialects import DIALECTS
from ocpi.envelope import Received, read_envelope
from ocpi.headers import Routing
from ocpi.status import OcpiError
from ocpi.versions import InterfaceRole, ModuleID

log = structlog.get_logger(__name__)

#: They know the token as that of somebody who is registered already.
_ALREADY = 405


class NotDone(Exception):
    """The credentials were not exchanged; the message is the sentence that says why, and what now."""


async def register(office: Office, name: str, url: str, token_a: str) -> Partner:
    """Register with the platform at ``url``; raises NotDone. Once more for what was left in doubt, with its name."""
    platform = await _explored(office, url, Way(token_a))
    token_b = new_token()
    partner, number, in_doubt = await office.store.write(_prepare, office.rules, name, platform, token_b)
    try:
        theirs = await _exchange(office, platform, "POST", token_b, in_doubt=in_doubt)
    except NotDone:
        await office.store.write(_undo, office.rules, partner, token_b)
        raise
    return await _settle(office, partner, platform, theirs, number)


async def rotate(office: Office, partner: Partner) -> Partner:
    """New tokens both ways, and whatever is new in versions, endpoints and roles; raises NotDone."""
    if partner.versions_url is None:
        raise NotDone(f"{partner.name} was added by hand: where its versions are is not known.")
    if partner.state != PartnerState.ACTIVE:
        raise NotDone(f"{partner.name} is {partner.state}.")
    way = Way(office.rules.secrets.open(partner.token_out), partner.encoding, partner.trailing_slash or None)
    platform = await _explored(office, partner.versions_url, way)
    token = new_token()
    number = await office.store.write(_give, office.rules, partner, token)
    try:
        theirs = await _exchange(office, platform, "PUT", token)
    except NotDone:
        await office.store.write(_undo, office.rules, partner, token)
        raise
    return await _settle(office, partner, platform, theirs, number)


async def unregister(office: Office, partner: Partner) -> str | None:
    """End the connection on both sides; if the partner did not take it (it is over here all the same), why."""
    problem = None
    role = InterfaceRole.SENDER
    url = await office.store.read(endpoints.find, partner.id, ModuleID.CREDENTIALS, role)
    if url is not None:
        way = Way(office.rules.secrets.open(partner.token_out), partner.encoding, partner.trailing_slash or None)
        posted = await _send(office, url, way, "DELETE", None)
        told = _read(posted)
        if told is None or not told.succeeded:
            problem = _refusal(posted, told)
    if not await office.store.write(remove, partner.id, utc_now()):
        raise NotDone(f"{partner.name} (partner {partner.id}) is {PartnerState.REMOVED} already.")
    return problem


async def _explored(office: Office, url: str, way: Way) -> Platform:
    try:
        return await explore(office, url, [way], list(DIALECTS))
    except OcpiError as problem:
        raise NotDone(f"{problem}.") from None


async def _exchange(
    office: Office, platform: Platform, method: str, token: str, *, in_doubt: bool = False
) -> Credentials | None:
    """Give them our credentials, and read theirs; None: they may have taken them. Raises NotDone when they have not.

    A lost answer is asked for again with the same token; whoever then calls us registered is told of an update.
    ``in_doubt``: an earlier try may have been taken.
    """
    cpos = await office.store.read(partners.cpos)
    try:
        body = ours(office.rules, cpos, token).wire()
    except OcpiError as problem:
        raise NotDone(str(problem)) from None
    for _ in range(3):
        posted = await _send(office, platform.credentials_url, platform.way, method, body)
        told = _read(posted)
        if told is not None and told.succeeded and (theirs := _credentials(told.one)) is not None:
            return theirs
        if posted.http_status == _ALREADY and in_doubt:
            method = "PUT"
        elif _may_be_done(posted, told):
            in_doubt = True
        elif not in_doubt:
            raise NotDone(f"They refuse: {_refusal(posted, told)}")
        else:
            break
    return None


async def _send(office: Office, url: str, way: Way, method: str, body: dict[str, Any] | None) -> Posted:
    line = Line(
        url=url,
        token_out=office.rules.secrets.seal(way.token),
        encoding=way.encoding,
        routing=Routing(),
        trailing_slash=bool(way.trailing_slash),
    )
    # They fetch our versions and details meanwhile, and are as slow as we may be.
    return await call(office, line, method, body, office.rules.settings.registration_timeout * 2)


async def _settle(
    office: Office, partner: Partner, platform: Platform, theirs: Credentials | None, number: int
) -> Partner:
    if theirs is None:
        raise NotDone(
            f"{partner.name} (partner {partner.id}) may have taken our credentials, but no answer came that says so: "
            "whatever it shows now, its new token or the one before, is good here. Try again."
        )
    done = await office.store.write(_done, office.rules, partner, platform, theirs, number)
    if done is None:
        raise NotDone(f"{partner.name} (partner {partner.id}) was changed at the same time; see partner show.")
    log.info("registered with a partner", partner=done.id, name=done.name, version=done.version)
    return done


def _prepare(db: Connection, rules: Rules, name: str, platform: Platform, token: str) -> tuple[Partner, int, bool]:
    """The partner, which calls us with ``token`` to answer us, that token's number, and whether we tried before."""
    known, now, hashed = partners.by_name(db, name), utc_now(), rules.secrets.token_hash(token)
    if known is None:
        new = invited(rules, name, platform)
        return partners.by_id(db, partners.add(db, new, hashed, now)), 1, False
    if known.state != PartnerState.INVITED:
        raise NotDone(f"There is a partner {name!r} already (id {known.id}, {known.state}).")
    number = partner_tokens.add(db, known.id, hashed, Scope.ACCESS, now)
    return known, number, known.versions_url is not None


def _give(db: Connection, rules: Rules, partner: Partner, token: str) -> int:
    return partner_tokens.add(db, partner.id, rules.secrets.token_hash(token), Scope.ACCESS, utc_now())


def _undo(db: Connection, rules: Rules, partner: Partner, token: str) -> None:
    """They have not taken it: all is as before."""
    partner_tokens.end(db, [rules.secrets.token_hash(token)], utc_now())
    if partner.state == PartnerState.INVITED and not partner_tokens.of_partner(db, partner.id, utc_now()):
        registrations.forget(db, partner.id)


def _done(
    db: Connection, rules: Rules, partner: Partner, platform: Platform, theirs: Credentials, number: int
) -> Partner | None:
    now: datetime = utc_now()
    agreed = agreement(rules, platform, theirs)
    if not registrations.settle(db, partner, agreed, now):
        return None
    # What they sent before they had it may still be on its way.
    partner_tokens.end_older(db, partner.id, number, now, now + rules.settings.token_grace)
    partners.forget_token_before(db, partner.id)
    return partners.by_id(db, partner.id)


def _may_be_done(posted: Posted, told: Received | None) -> bool:
    """No answer, one from somebody in between, or a good one that says nothing of what was done."""
    if told is not None:
        return told.succeeded
    return posted.http_status is None or posted.http_status >= 500 or 200 <= posted.http_status < 300


def _read(posted: Posted) -> Received | None:
    try:
        return read_envelope(posted.body)
    except ValueError:
        return None


def _credentials(told: Any) -> Credentials | None:
    """Theirs; a role without a name of its own is called as its party."""
    if not isinstance(told, dict) or not isinstance(told.get("roles"), list):
        return None
    roles = [
        {"business_details": {"name": str(one.get("party_id"))}} | {name: v for name, v in one.items() if v is not None}
        for one in told["roles"]
        if isinstance(one, dict)
    ]
    try:
        return Credentials.model_validate(told | {"roles": roles})
    except ValidationError:
        return None


def _refusal(posted: Posted, told: Received | None) -> str:
    if posted.http_status is None:
        return str(posted.error)
    code = f", OCPI {told.status_code} {told.status_message or ''}".rstrip() if told is not None else ""
    return f"HTTP {posted.http_status}{code}."
