"""What the operator API tells of partners."""

from datetime import datetime

from pydantic import BaseModel, Field

from gateway.api.operator_models import Party
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Scope
from ocpi.headers import Encoding


class Connected(Party):
    """A connection; without a party until it is registered."""

    id: int
    name: str
    role: str = Field(description="EMSP or HUB.")
    version: str = Field(description="The OCPI version in which it is called.")
    state: PartnerState
    callback_hosts: list[str] = Field(description="Hosts that its response_url may name.")
    allow_unlock: bool
    lenient_token: bool
    token_out_encoding: Encoding
    keep_pushing: bool
    authorize_unknown: bool
    endpoints: dict[str, str] = Field(description="Where it is called for a module.")
    failing_pushes: int


class RoleOfParty(Party):
    """A party in one of its roles."""

    role: str


class TokenIn(BaseModel):
    """A token that it may show, without the token."""

    scope: Scope
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None


class TokenPull(BaseModel):
    """Where the pull of its tokens stands."""

    synced_at: datetime | None
    due_at: datetime | None
    taken: int
    skipped: int
    error: str


class WholeConnected(Connected):
    """A connection with all that may be shown of it."""

    versions_url: str | None
    registered_at: datetime | None
    parties: list[RoleOfParty]
    open_parties: bool
    tolerance: dict[str, str] = Field(description="`yes`, `no`, or `always`.")
    tokens_in: list[TokenIn]
    token_sync: TokenPull | None


class Invitation(BaseModel):
    """For whoever is to register; the token is told once."""

    versions_url: str
    token: str


class Ended(BaseModel):
    """A connection that is over here."""

    id: int
    problem: str | None = Field(description="What the partner answered, if it did not take it.")


class Pulled(BaseModel):
    """What a pull has brought."""

    taken: int
    skipped: int
