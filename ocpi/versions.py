"""Versions (version_information_endpoint): which versions a platform speaks, and where each module of one is."""

from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from ocpi.types import Model, OneOrMore, Text64, Url

M = TypeVar("M", bound=Model)


class InterfaceRole(StrEnum):
    """SENDER is who owns the data, RECEIVER who it is pushed to; for Commands the CPO is the RECEIVER."""

    SENDER = "SENDER"
    RECEIVER = "RECEIVER"


class ModuleID(StrEnum):
    """The standard modules."""

    CDRS = "cdrs"
    CHARGING_PROFILES = "chargingprofiles"
    COMMANDS = "commands"
    CREDENTIALS = "credentials"
    HUB_CLIENT_INFO = "hubclientinfo"
    LOCATIONS = "locations"
    SESSIONS = "sessions"
    TARIFFS = "tariffs"
    TOKENS = "tokens"


class Version(Model):
    """A version that a platform speaks, and the URL of its details."""

    version: Text64
    url: Url


class Endpoint(Model):
    """Where one side of a module is. Parties may agree on modules of their own, so ``identifier`` is open."""

    identifier: Annotated[ModuleID | Text64, Field(union_mode="left_to_right")]
    role: InterfaceRole
    url: Url


class VersionDetails(Model):
    """All endpoints of one version."""

    version: Text64
    endpoints: OneOrMore[Endpoint]

    def url(self, module: ModuleID, role: InterfaceRole) -> str | None:
        """Where to call; for credentials the role has no meaning (note of 2.2.1-d2)."""
        for endpoint in self.endpoints:
            if endpoint.identifier == module and (endpoint.role == role or module is ModuleID.CREDENTIALS):
                return endpoint.url
        return None


def read_versions(data: Any) -> tuple[Version, ...]:
    """A peer's versions, those that cannot be read left out: it may be newer than we are."""
    return _readable(Version, data if isinstance(data, list) else [data])


def read_endpoints(data: Any) -> tuple[Endpoint, ...]:
    """The endpoints in a peer's version details, those that cannot be read left out.

    The role of credentials has no meaning, and older peers give none.
    """
    told = data.get("endpoints") if isinstance(data, dict) else None
    given = [one for one in told or () if isinstance(one, dict)] if isinstance(told, list) else []
    sender = {"role": InterfaceRole.SENDER}
    return _readable(Endpoint, [one | sender if _is_credentials(one) else one for one in given])


def _is_credentials(one: dict[str, Any]) -> bool:
    return one.get("identifier") == ModuleID.CREDENTIALS


def _readable(model: type[M], given: list[Any]) -> tuple[M, ...]:
    found = []
    for one in given:
        try:
            found.append(model.model_validate(one))
        except ValidationError:
            continue
    return tuple(found)
