"""Tokens (mod_tokens): what a driver identifies with, and what its eMSP says about it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from ocpi.headers import Party
from ocpi.types import (
    Boolean,
    CiString2,
    CiString3,
    CiString36,
    DateTime,
    DisplayText,
    Model,
    Text2,
    Text64,
    ZeroOrMore,
    format_datetime,
)


class TokenType(StrEnum):
    """What kind of thing the token is."""

    AD_HOC_USER = "AD_HOC_USER"
    APP_USER = "APP_USER"
    OTHER = "OTHER"
    RFID = "RFID"


class WhitelistType(StrEnum):
    """Whether the eMSP is asked before this token may charge; a command overrides it (mod_commands §StartSession)."""

    #: Never ask.
    ALWAYS = "ALWAYS"
    #: As the CPO likes.
    ALLOWED = "ALLOWED"
    #: Ask; allow when the eMSP cannot be reached.
    ALLOWED_OFFLINE = "ALLOWED_OFFLINE"
    #: Always ask.
    NEVER = "NEVER"


class ProfileType(StrEnum):
    """How a driver likes to be charged (mod_sessions §ProfileType)."""

    CHEAP = "CHEAP"
    FAST = "FAST"
    GREEN = "GREEN"
    REGULAR = "REGULAR"


class AllowedType(StrEnum):
    """The eMSP's word in real-time authorization."""

    ALLOWED = "ALLOWED"
    BLOCKED = "BLOCKED"
    EXPIRED = "EXPIRED"
    NO_CREDIT = "NO_CREDIT"
    NOT_ALLOWED = "NOT_ALLOWED"


class EnergyContract(Model):
    """The driver's own energy supplier."""

    supplier_name: Text64
    contract_id: Text64 | None = None


class Token(Model):
    """A token; (owner, ``uid``, ``type``) tells it from all others."""

    country_code: CiString2
    party_id: CiString3
    uid: CiString36
    type: TokenType
    contract_id: CiString36
    visual_number: Text64 | None = None
    issuer: Text64
    #: OCPP 1.6 stations take 20 characters of it.
    group_id: CiString36 | None = None
    valid: Boolean
    whitelist: WhitelistType
    language: Text2 | None = None
    default_profile_type: ProfileType | None = None
    energy_contract: EnergyContract | None = None
    last_updated: DateTime

    @property
    def owner(self) -> Party:
        return Party(self.country_code, self.party_id)


class LocationReferences(Model):
    """Where the driver wants to charge."""

    location_id: CiString36
    evse_uids: ZeroOrMore[CiString36] = ()


class AuthorizationInfo(Model):
    """The eMSP's answer in real-time authorization."""

    allowed: AllowedType
    token: Token
    location: LocationReferences | None = None
    authorization_reference: CiString36 | None = None
    info: DisplayText | None = None


def complete_token(raw: dict[str, Any], party: Party, now: datetime) -> dict[str, Any]:
    """``raw`` with the required fields that a lenient partner leaves out; what it says itself stays.

    Some hubs document tokens of ``uid``, ``type`` and ``contract_id`` only. NEVER is the guess that allows least.
    """
    guessed = {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "contract_id": raw.get("uid"),
        "issuer": str(party),
        "valid": True,
        "whitelist": WhitelistType.NEVER,
        "last_updated": format_datetime(now),
    }
    return guessed | {name: value for name, value in raw.items() if value is not None}
