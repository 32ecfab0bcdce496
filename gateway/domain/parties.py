"""Who is speaking for whom: the parties of a request, from its routing headers and what the connection is allowed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ocpi.headers import Encoding, Party, Routing
from ocpi.status import InvalidParameters


class Scope(StrEnum):
    """What a token of a partner's opens."""

    #: OCPI's token A: versions and credentials, until the handshake is done.
    REGISTRATION = "REGISTRATION"
    ACCESS = "ACCESS"


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A connection, as everything above the database sees it."""

    id: int
    name: str
    #: The one that it speaks for when it names none; without a name until it is registered.
    party: Party
    #: EMSP, or HUB: then the from-party identifies the eMSP.
    role: str
    version: str
    token_out: str
    encoding: Encoding
    callback_hosts: tuple[str, ...]
    allow_unlock: bool
    lenient_token: bool
    state: str
    #: What it could not be told is told again until it is; else it is left to its pull.
    keep_pushing: bool = False
    #: It is asked about tokens that nobody here knows.
    authorize_unknown: bool = False
    #: False: it sees only the Locations that an operator names to it.
    sees_all: bool = True
    #: A hub's: any party may speak through it, also one that it has not told us of.
    open_parties: bool = False
    #: What its requests do not say of their parties is guessed.
    lenient_routing: bool = False
    #: It is called at URLs that end with a slash.
    trailing_slash: bool = False
    #: Where it was registered; None: it was added by hand.
    versions_url: str | None = None
    #: Those of the callback hosts that an operator named.
    registered_hosts: tuple[str, ...] = ()
    revision: int = 0

    @property
    def is_hub(self) -> bool:
        return self.role == "HUB"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """The token by which a caller was known: what it opens, and whether it was shown before."""

    hash: str
    number: int
    scope: Scope
    used: bool


@dataclass(frozen=True, kw_only=True)
class Role:
    """A party in a role (OCPI Role) that a partner speaks for."""

    party: Party
    role: str
    business_details: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Cpo:
    """One of our own parties."""

    id: int
    party: Party
    name: str


@dataclass(frozen=True, kw_only=True)
class Parties:
    """The two ends of a request: the eMSP that asks and our party that is asked."""

    emsp: Party
    cpo: Cpo


def principal(roles: Collection[Role]) -> tuple[Party, str]:
    """For whom a connection speaks when it names nobody, and what it is to us: a hub, or an eMSP."""
    for wanted in ("HUB", "EMSP"):
        for one in roles:
            if one.role == wanted:
                return one.party, wanted
    return next(iter(roles)).party, "EMSP"


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The two ends of a request, of which ours may be open: whoever has what is asked for."""

    emsp: Party
    #: None: the request does not say for which of them it is (transport_and_format §Open Routing Request).
    cpo: Cpo | None
    cpos: Sequence[Cpo]


def ends_of(partner: Partner, cpos: Sequence[Cpo], routing: Routing, declared: Collection[Party]) -> Ends:
    """The ends of a request; what the headers leave out is inferred where only one party can be meant.

    ``declared``: of the parties that the connection speaks for, those that the from-headers may mean.
    """
    return Ends(emsp=_emsp(partner, routing.from_, declared), cpo=_cpo(partner, cpos, routing.to), cpos=cpos)


def said(cpo: Cpo | None) -> Cpo:
    """Where one of ours must be meant; raises InvalidParameters."""
    if cpo is None:
        raise InvalidParameters("OCPI-to-country-code and OCPI-to-party-id are needed: there are several parties here")
    return cpo


def speaker(partner: Partner, routing: Routing, declared: Collection[Party]) -> Party:
    """The eMSP that asks, where it does not matter which of us is asked."""
    return _emsp(partner, routing.from_, declared)


def _emsp(partner: Partner, named: Party | None, declared: Collection[Party]) -> Party:
    if named is None:
        if partner.is_hub or (len(declared) > 1 and not partner.lenient_routing):
            raise InvalidParameters("OCPI-from-country-code and OCPI-from-party-id are needed on this connection")
        return partner.party
    if partner.is_hub and (partner.open_parties or named in declared):
        return named
    for one in declared:
        if one == named:
            return one
    raise InvalidParameters("OCPI-from-party-id names a party that is not of this connection")


def _cpo(partner: Partner, cpos: Sequence[Cpo], named: Party | None) -> Cpo | None:
    if partner.is_hub and named == partner.party and all(cpo.party != named for cpo in cpos):
        named = None  # to all of us (§Broadcast Push, §GET All via Hubs)
    meant = [cpo for cpo in cpos if named is None or cpo.party == named]
    if named is not None and not meant:
        raise InvalidParameters("OCPI-to-party-id names a party that is not here")
    return meant[0] if len(meant) == 1 else None
