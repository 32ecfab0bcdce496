"""Whitelists, the story: whose a presented token may be, and who is asked before it charges (mod_tokens §Flows)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway import authorization
from gateway.domain import whitelist
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Partner
from gateway.domain.tokens import group_token
from gateway.domain.whitelist import Verdict
from gateway.house import Rules
from gateway.store import client_infos, endpoints, partners, tokens
from gateway.store.prepared import Row
from ocpi.headers import Party
from ocpi.sessions import AuthMethod
from ocpi.tokens import LocationReferences, Token, TokenType
from ocpi.types import fold
from ocpi.versions import InterfaceRole, ModuleID
from ocpp_bridge.events import TokenStatus
from ocpp_bridge.orders import IdToken

#: As what eMSPs know a token, by what a station calls it (2.x IdTokenEnumType; 1.6 has no types, and is heard as
#: Central). What is typed on a keypad or told by a car is no card, though it may have a card's number.
_TYPES: Mapping[str, TokenType] = {
    "central": TokenType.RFID,
    "emaid": TokenType.OTHER,
    "iso14443": TokenType.RFID,
    "iso15693": TokenType.RFID,
}
#: A CiString(36) that is no step of a path.
_UID = re.compile(r"(?!\.{1,2}$)[ -~]{1,36}")
_STRANGER = Verdict(ask=True, allowed=False)

#: (evseId, connectorId) as the station counts.
Spot = tuple[int | None, int | None]
ANYWHERE: Spot = (None, None)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a token is presented, as eMSPs know it: every EVSE of the station, unless the station named one."""

    location: LocationReferences
    cpo: int
    cpo_party: Party


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An eMSP whose token it may be."""

    partner: Partner
    #: None: only the hub knows.
    party: Party | None
    uid: str
    type: TokenType
    #: As we were told of it, or a command brought it.
    token: Token | None = None
    #: Its Tokens module; None: it cannot be asked.
    url: str | None
    verdict: Verdict
    #: What a command said of it, and its reservation keeps alive.
    held: Row | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a station is told, or else who has a word in it."""

    status: TokenStatus | None = None
    candidates: Sequence[Candidate] = ()
    site: Site | None = None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A token was found good at a station."""

    who: Candidate
    token: Token
    how: AuthMethod
    reference: str | None = None
    #: It is its eMSP's there until then.
    until: datetime


def decide(db: Connection, station: str, token: IdToken, spot: Spot, now: datetime) -> Decision:
    """What is sure, or who may say more; after its quarter of an hour a command's card is one of these again."""
    known = tokens.authorized(db, station, token.value)
    for one in known:
        if authorization.is_sure(db, one, now) and authorization.lives(db, one):
            return Decision(status=authorization.accepted(one))
    if (own := authorization.own_reservation(db, station, token)) is not None:
        return Decision(status=own)
    candidates = _told_of(db, token, known)
    if all(one.verdict is _STRANGER for one in candidates):
        asked = {one.partner.id for one in candidates}
        candidates += [one for one in _strangers(db, token) if one.partner.id not in asked]
    if not candidates:
        return Decision(status=authorization.INVALID)
    return Decision(candidates=candidates, site=_site(db, station, spot))


def grant(
    db: Connection, station: str, presented: IdToken, given: Grant, site: Site | None, rules: Rules, now: datetime
) -> TokenStatus:
    """What the station is told; remembered, so that the charge is its eMSP's and the start that follows asks nobody."""
    who = given.who
    party = who.party or given.token.owner
    group = group_token(given.token, tokens.aliases(db, rules.secrets, who.partner.id, party, now))
    row = {
        "station": station,
        "token_key": fold(presented.value),
        "group_id_token": group.value if group else None,
        "partner": who.partner.id,
        "from_country": party.country_code,
        "from_party": party.party_id,
        "token": given.token.wire(),
        # The last that was given counts (mod_sessions §Session).
        "authorization_reference": given.reference or (who.held and who.held["authorization_reference"]),
        "auth_method": given.how,
        "command": who.held and who.held["command"],
        "cpo": site and site.cpo,
        "until": given.until,
    }
    tokens.grant(db, row, now)
    return TokenStatus(status="Accepted", group=group)


def _told_of(db: Connection, presented: IdToken, known: Sequence[Row]) -> list[Candidate]:
    """Those whose token it is, as commands brought it or as they told us of it."""
    found: dict[tuple[int, str], Candidate] = {}
    for row in known:
        held = row if authorization.holds(db, row) else None
        found[authorization.owner(row)] = _brought(db, row, held)
    type_ = _TYPES.get(fold(presented.type))
    for row in tokens.find_tokens(db, presented.value, type_) if type_ else ():
        token = Token.model_validate(row["body"])
        found.setdefault((row["partner"], token.owner.key), _of(db, row["partner"], token, whitelist.judge(token)))
    # What a station remembers of an eMSP outlives the connection to it, except for its reservations.
    return [one for one in found.values() if one.partner.state == PartnerState.ACTIVE or one.held is not None]


def _brought(db: Connection, row: Row, held: Row | None) -> Candidate:
    """Its whitelist's word is the stored token's; what a command brought is not stored (mod_commands §ReserveNow)."""
    token = Token.model_validate(row["token"])
    stored = tokens.find_token(db, row["partner"], token.owner, token.uid, token.type)
    if stored is None:
        return _of(db, row["partner"], token, _STRANGER, held)
    token = Token.model_validate(stored["body"])
    return _of(db, row["partner"], token, whitelist.judge(token), held)


def _of(db: Connection, partner_id: int, token: Token, verdict: Verdict, held: Row | None = None) -> Candidate:
    partner = partners.by_id(db, partner_id)
    return Candidate(
        partner=partner,
        party=token.owner,
        uid=token.uid,
        type=token.type,
        token=token,
        url=_url(db, partner, token.owner),
        verdict=verdict,
        held=held,
    )


def _strangers(db: Connection, presented: IdToken) -> list[Candidate]:
    """Of a token that nobody told us of, those are asked who wish it."""
    type_, uid = _TYPES.get(fold(presented.type)), presented.value
    if type_ is None or not _UID.fullmatch(uid):
        return []
    wishing = [partners.by_id(db, one) for one in tokens.asked_about_strangers(db)]
    # A hub finds the party itself (transport_and_format §Open routing).
    asked = [(partner, None if partner.is_hub else partner.party, _url(db, partner)) for partner in wishing]
    return [
        Candidate(partner=partner, party=party, uid=uid, type=type_, url=url, verdict=_STRANGER)
        for partner, party, url in asked
        if url is not None
    ]


def _url(db: Connection, partner: Partner, party: Party | None = None) -> str | None:
    """None also where a hub says that the party is away: nothing is sent to it (mod_hub_client_info §Scenarios)."""
    if partner.state != PartnerState.ACTIVE:
        return None
    if partner.is_hub and party is not None and client_infos.away(db, partner.id, party):
        return None
    return endpoints.find(db, partner.id, ModuleID.TOKENS, InterfaceRole.SENDER)


def _site(db: Connection, station: str, spot: Spot) -> Site | None:
    """None: none of its EVSEs is known to eMSPs."""
    found = tokens.sites(db, station)
    named = [one for one in found if spot != ANYWHERE and _is_at(one, spot)] or found
    if not named:
        return None
    first = named[0]
    uids = [one["evse_uid"] for one in named if one["location"] == first["location"]]
    return Site(
        location=LocationReferences(location_id=first["location_id"], evse_uids=tuple(dict.fromkeys(uids))),
        cpo=first["cpo"],
        cpo_party=Party(first["country_code"], first["party_id"]),
    )


def _is_at(site: Row, spot: Spot) -> bool:
    """1.6 tells connectors only, whether or not the binding names an EVSE as well."""
    named, bound = (0, "station_evse") if spot[0] is not None else (1, "station_connector")
    return bool(spot[named] == site[bound])
