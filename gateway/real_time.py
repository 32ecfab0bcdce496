"""Real-time authorization, the story: eMSPs are asked whether a token may charge (mod_tokens §Sender POST)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import quote

import structlog
from pydantic import ValidationError

from gateway.authorization import INVALID, accepted
from gateway.calling import Line, call
from gateway.house import utc_now
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.whitelists import ANYWHERE, Candidate, Decision, Grant, Site, Spot, decide, grant
from ocpi.envelope import Received, read_envelope
from ocpi.headers import Routing
from ocpi.sessions import AuthMethod
from ocpi.status import StatusCode
from ocpi.tokens import AllowedType, AuthorizationInfo, complete_token
from ocpi.types import fold
from ocpp_bridge.events import TokenStatus
from ocpp_bridge.orders import IdToken

log = structlog.get_logger(__name__)

#: In words that every OCPP version has, the clearest first; whatever else is said is Invalid.
_REFUSED = {AllowedType.BLOCKED: TokenStatus(status="Blocked"), AllowedType.EXPIRED: TokenStatus(status="Expired")}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What became of one question."""

    who: Candidate
    #: False: it may not even have heard the question.
    reached: bool
    #: None: it said nothing of the token, or does not know it.
    info: AuthorizationInfo | None = None


class RealTime:
    """One for a process that talks to stations: who asks for the same token at the same spot shares the question."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._asking: dict[tuple[str, IdToken, Spot], asyncio.Task[TokenStatus]] = {}

    async def authorize(self, station: str, token: IdToken, spot: Spot = ANYWHERE) -> TokenStatus:
        """What the station is told of the token; within the setting's time, whatever the eMSPs do."""
        key = (station, IdToken(value=fold(token.value), type=token.type), spot)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._find_out(station, token, spot))
            task.add_done_callback(partial(self._found_out, key))
        # Its answer is remembered though the station that asked has gone.
        return await asyncio.shield(task)

    def _found_out(self, key: tuple[str, IdToken, Spot], task: asyncio.Task[TokenStatus]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # whoever still waits is told; a failure that nobody waits for is no news

    async def _find_out(self, station: str, token: IdToken, spot: Spot) -> TokenStatus:
        decision = await self._office.store.read(decide, station, token, spot, utc_now())
        if decision.status is not None:
            return decision.status
        sure = [one for one in decision.candidates if not one.verdict.ask and one.verdict.allowed]
        said = [] if sure else await self._ask(decision)
        given = self._listed(sure[0]) if sure else self._granted(said, decision.site)
        if given is not None:
            settled = (station, token, given, decision.site, self._office.rules, utc_now())
            return await self._office.store.note(grant, *settled)
        return _without_grant(decision, said)

    async def _ask(self, decision: Decision) -> list[Said]:
        """What they said until one of them allowed it, or all had their time; they are asked at once."""
        questions = [
            asyncio.create_task(ask(self._office, one, decision.site)) for one in decision.candidates if one.verdict.ask
        ]
        said: list[Said] = []
        try:
            for question in asyncio.as_completed(questions):
                said.append(await question)
                if _allows(said[-1], decision.site):
                    break
        finally:
            for question in questions:
                question.cancel()
            await asyncio.gather(*questions, return_exceptions=True)
        return said

    def _granted(self, said: Sequence[Said], site: Site | None) -> Grant | None:
        for one in said:
            if _allows(one, site):
                return self._allowed(one, site)
        offline = (one.who for one in said if not one.reached and one.who.verdict.allowed)
        first = next(offline, None)
        return None if first is None else self._listed(first)

    def _allowed(self, said: Said, site: Site | None) -> Grant:
        assert said.info is not None
        now = utc_now()
        lasts = self._office.rules.settings.authorization_memory
        return Grant(
            who=said.who,
            token=said.info.token,
            how=AuthMethod.AUTH_REQUEST,
            reference=said.info.authorization_reference,
            # Allowed at some EVSEs only: it is asked again when the station says at which one.
            until=now + lasts if _covers(said.info, site) else now,
        )

    def _listed(self, who: Candidate) -> Grant:
        assert who.token is not None
        until = utc_now() + self._office.rules.settings.authorization_memory
        return Grant(who=who, token=who.token, how=AuthMethod.WHITELIST, until=until)


async def ask(office: Office, who: Candidate, site: Site | None) -> Said:
    """One POST to the eMSP's authorize."""
    posted = await _post(office, who, site)
    said = heard(posted, who, utc_now())
    if not said.reached:
        log.info(
            "an eMSP could not be asked about a card",
            partner=who.partner.name,
            http_status=posted.http_status,
            problem=posted.error,
        )
    return said


async def _post(office: Office, who: Candidate, site: Site | None) -> Posted:
    if who.url is None:
        sentence = "It has no Tokens module that can be asked."
        return Posted(http_status=None, body=b"", error=sentence, milliseconds=0)
    line = Line(
        url=who.url,
        token_out=who.partner.token_out,
        encoding=who.partner.encoding,
        routing=Routing(to=who.party, from_=site.cpo_party if site else None),
        trailing_slash=who.partner.trailing_slash,
    )
    # All that we know of the place: the eMSP has no reason to ask for more (2002).
    body = site.location.wire() if site else None
    below = f"/{quote(who.uid, safe='')}/authorize?type={who.type}"
    return await call(office, line, "POST", body, office.rules.settings.authorize_timeout, below=below)


def heard(posted: Posted, who: Candidate, now: datetime) -> Said:
    """What an answer says: an unknown token is 404, 2004 or both (mod_tokens §Sender POST); nonsense is no answer."""
    if posted.http_status == 404:
        return Said(who=who, reached=True)
    try:
        if posted.error is not None:
            raise ValueError(posted.error)
        received = read_envelope(posted.body)
    except ValueError:
        return Said(who=who, reached=False)
    if StatusCode.CLIENT_ERROR <= received.status_code < StatusCode.SERVER_ERROR:
        return Said(who=who, reached=True)
    if not received.succeeded or posted.http_status is None or not 200 <= posted.http_status < 300:
        return Said(who=who, reached=False)
    info = _info(received, who, now)
    return Said(who=who, reached=info is not None, info=info)


def _info(received: Received, who: Candidate, now: datetime) -> AuthorizationInfo | None:
    """As far as we need it; a Token that is left out, or cannot be read, is the one that was asked about."""
    told = received.one if isinstance(received.one, dict) else {}
    word = {name: told.get(name) for name in ("allowed", "authorization_reference", "location")}
    known = who.token.wire() if who.token else {"uid": who.uid, "type": who.type}
    given = token if isinstance(token := told.get("token"), dict) else {}
    party = who.party or who.partner.party
    for meant in (given, complete_token(known | given, party, now), complete_token(known, party, now)):
        try:
            return AuthorizationInfo.model_validate(word | {"token": meant})
        except ValidationError:
            continue
    return None


def _allows(said: Said, site: Site | None) -> bool:
    return said.info is not None and said.info.allowed is AllowedType.ALLOWED and _is_here(said.info, site)


def _is_here(info: AuthorizationInfo, site: Site | None) -> bool:
    """The eMSP may allow it at some EVSEs only (mod_tokens §AuthorizationInfo)."""
    if info.location is None or site is None:
        return True
    here, there = _keys(site.location.evse_uids), _keys(info.location.evse_uids)
    return fold(info.location.location_id) == fold(site.location.location_id) and (not there or bool(here & there))


def _covers(info: AuthorizationInfo, site: Site | None) -> bool:
    """It may charge wherever the station may have meant."""
    if info.location is None or site is None or not info.location.evse_uids:
        return True
    return _keys(site.location.evse_uids) <= _keys(info.location.evse_uids)


def _keys(uids: Sequence[str]) -> set[str]:
    return {fold(uid) for uid in uids}


def _without_grant(decision: Decision, said: Sequence[Said]) -> TokenStatus:
    """Nobody allowed it: a reservation holds as long as its eMSP does not say no; else the clearest refusal counts."""
    refused = {one.who.partner.id: one.info.allowed for one in said if one.info is not None}
    for who in decision.candidates:
        if who.held is not None and who.verdict.ask and who.partner.id not in refused:
            return accepted(who.held)
    return next((status for word, status in _REFUSED.items() if word in refused.values()), INVALID)
