"""HubClientInfo (mod_hub_client_info): which parties a hub connects, and whether they can be reached."""

from enum import StrEnum

from ocpi.credentials import Role
from ocpi.types import CiString2, CiString3, DateTime, Model


class ConnectionStatus(StrEnum):
    """Whether a party can be reached through the hub."""

    CONNECTED = "CONNECTED"
    OFFLINE = "OFFLINE"
    #: It is to be connected, and never was.
    PLANNED = "PLANNED"
    #: It will not be connected any more: the only way to delete one.
    SUSPENDED = "SUSPENDED"


class ClientInfo(Model):
    """A party in a role, as its hub tells of it."""

    party_id: CiString3
    country_code: CiString2
    role: Role
    status: ConnectionStatus
    last_updated: DateTime
