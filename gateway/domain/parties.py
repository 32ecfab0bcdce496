"""Who is speaking for whom: the parties of a request, from its routing headers and what the connection is allowed."""

from collections.abc import Sequence
from dataclasses import dataclass

from ocpi.headers import Encoding, Party, Routing
from ocpi.status import InvalidParameters


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A connection, as everything above the database sees it."""

    id: int
    name: str
    party: Party
    #: EMSP, or HUB: then any from-party may be named, and identifies the eMSP.
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

    @property
    def is_hub(self) -> bool:
        return self.role == "HUB"


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


def resolve(partner: Partner, cpos: Sequence[Cpo], routing: Routing) -> Parties:
    """The ends of a request; what the headers leave out is inferred where only one party can be meant."""
    return Parties(emsp=_emsp(partner, routing.from_), cpo=_cpo(cpos, routing.to))


def _emsp(partner: Partner, named: Party | None) -> Party:
    if named is None and partner.is_hub:
        raise InvalidParameters("OCPI-from-country-code and OCPI-from-party-id are needed on a hub's connection")
    if named is None or named == partner.party:
        return partner.party
    if not partner.is_hub:
        raise InvalidParameters("OCPI-from-party-id names a party that is not of this connection")
    return named


def _cpo(cpos: Sequence[Cpo], named: Party | None) -> Cpo:
    meant = [cpo for cpo in cpos if named is None or cpo.party == named]
    if named is not None and not meant:
        raise InvalidParameters("OCPI-to-party-id names a party that is not here")
    if len(meant) != 1:
        raise InvalidParameters("OCPI-to-country-code and OCPI-to-party-id are needed: there are several parties here")
    return meant[0]
