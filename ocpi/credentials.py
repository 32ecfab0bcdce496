"""Credentials (credentials.asciidoc): how two platforms tell each other who they are, where, and by which token."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from ocpi.business import BusinessDetails
from ocpi.headers import Party
from ocpi.types import CiString2, CiString3, Model, OneOrMore, Url

#: Raw, never in Base64 here; what can stand in a header.
CredentialsToken = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]


class Role(StrEnum):
    """What a party is in the market."""

    CPO = "CPO"
    EMSP = "EMSP"
    HUB = "HUB"
    #: National Access Point.
    NAP = "NAP"
    #: Navigation Service Provider.
    NSP = "NSP"
    OTHER = "OTHER"
    #: Smart Charging Service Provider.
    SCSP = "SCSP"


class CredentialsRole(Model):
    """A party that the platform speaks for, in one of its roles."""

    role: Role
    business_details: BusinessDetails
    party_id: CiString3
    country_code: CiString2

    @property
    def party(self) -> Party:
        return Party(self.country_code, self.party_id)


class Credentials(Model):
    """The token by which whoever reads it is to call, the versions endpoint, and who is there."""

    token: CredentialsToken
    url: Url
    roles: OneOrMore[CredentialsRole]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({(one.role, one.party) for one in self.roles}) < len(self.roles):
            raise ValueError("a party is declared twice in the same role")
        return self
