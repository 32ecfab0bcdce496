"""Token pulls, the story: all tokens of a partner, page by page, so that nothing that was not pushed is missing.

mod_tokens §Pull; transport_and_format §Pagination and §Offline behaviour.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.domain.parties import Partner
from gateway.each import each
from gateway.house import utc_now
from gateway.office import Office
from gateway.paged import MOST_PAGES, NotPulled, first_page, read_page
from gateway.store import endpoints, partners, token_syncs, tokens
from gateway.store.token_syncs import Pull
from ocpi.dialects import DIALECTS
from ocpi.headers import Party, Routing
from ocpi.tokens import Token, complete_token
from ocpi.versions import InterfaceRole, ModuleID

log = structlog.get_logger(__name__)

#: What changed while a pull went on is read again by the next one; clocks differ.
OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What a pull has brought."""

    taken: int
    skipped: int


async def sync(office: Office, partner: Partner, *, again: bool = False) -> Pulled:
    """Read the partner's tokens to the end, going on where a pull broke off; ``again``: all of them from the start.

    Raises NotPulled. What was read before is kept, and the next call goes on from there.
    """
    role = InterfaceRole.SENDER
    url = await office.store.read(endpoints.find, partner.id, ModuleID.TOKENS, role)
    if url is None:
        raise NotPulled(f"{partner.name} has no Tokens module that could be asked.")
    pull = await office.store.write(_begin, partner.id, again)
    page = pull.page or first_page(partner, url, pull.since)
    for _ in range(MOST_PAGES):
        told, following = await _read(office, partner, page, url)
        await office.store.write(_take, partner, told, following)
        if following is None:
            break
        page = following
    done = await office.store.write(token_syncs.finish, partner.id, utc_now())
    log.info("a partner's tokens were pulled", partner=partner.name, taken=done.taken, skipped=done.skipped)
    return Pulled(taken=done.taken, skipped=done.skipped)


async def sync_what_is_due(office: Office) -> None:
    """The pulls whose time has come, one after the other; each is due again in about its interval."""
    interval = office.rules.settings.token_pull_interval
    if not interval:
        return
    await office.store.write(token_syncs.plan, ModuleID.TOKENS, _soon(interval))
    while (due := await office.store.write(_take_due, interval)) is not None:
        partner = await office.store.read(partners.by_id, due)
        try:
            await sync(office, partner)
        except NotPulled as problem:
            log.warning("a partner's tokens could not be pulled", partner=partner.name, problem=str(problem))


def _take_due(db: Connection, interval: timedelta) -> int | None:
    now = utc_now()
    return token_syncs.take_due(db, now, now + interval * random.uniform(0.75, 1.25))


def _soon(interval: timedelta) -> datetime:
    """Not all at once, and not all at the same moment as everybody else's."""
    return utc_now() + interval * random.uniform(0, 0.25)


def _begin(db: Connection, partner_id: int, again: bool) -> Pull:
    return token_syncs.begin(db, partner_id, utc_now(), OVERLAP, again=again)


async def _read(office: Office, partner: Partner, page: str, url: str) -> tuple[list[Any], str | None]:
    cpos = await office.store.read(partners.cpos)
    routing = Routing(to=partner.party, from_=cpos[0].party if cpos else None)
    try:
        return await read_page(office, partner, page, url, routing)
    except NotPulled as unread:
        if unread.problem:
            await office.store.write(token_syncs.failed, partner.id, unread.problem, keeps_page=unread.keeps_page)
        raise


def _take(db: Connection, partner: Partner, told: list[Any], following: str | None) -> None:
    """The valid tokens of a page, and where the next one is; of the others the log tells."""
    now = utc_now()
    model = DIALECTS[partner.version].token
    declared = partners.parties(db, partner.id)
    made = each(db, "a token could not be taken", told, lambda one: _put(db, model, partner, declared, one, now))
    taken = sum(made)
    token_syncs.note_page(db, partner.id, following, taken=taken, skipped=len(told) - taken)


def _put(db: Connection, model: type[Token], partner: Partner, declared: list[Party], told: Any, now: datetime) -> bool:
    """Whether it was one of the partner's (transport_and_format §Client Owned Object Pull)."""
    if partner.lenient_token and isinstance(told, dict):
        told = complete_token(told, partner.party, now)
    try:
        token = model.model_validate(told)
    except ValidationError as wrong:
        fields = [".".join(map(str, one["loc"])) for one in wrong.errors()]
        log.warning("a pulled token is not valid", partner=partner.name, fields=fields)
        return False
    if token.owner not in declared and not (partner.is_hub and (partner.open_parties or _behind(db, partner, token))):
        log.warning("a pulled token is not of the partner's parties", partner=partner.name, party=str(token.owner))
        return False
    tokens.put_token(db, partner.id, token)
    return True


def _behind(db: Connection, hub: Partner, token: Token) -> bool:
    return bool(partners.parties(db, hub.id, token.owner))
