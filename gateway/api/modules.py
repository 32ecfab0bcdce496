"""The modules that are served, as one table: routes, version details and documents are read off it."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

from gateway.api import cdrs, commands, credentials, hub_client_info, locations, sessions, tariffs, tokens
from gateway.api.callers import Caller
from ocpi.dialect import Dialect
from ocpi.versions import InterfaceRole, ModuleID


def _hubs(caller: Caller) -> bool:
    return caller.is_registered and caller.partner.is_hub


def _everybody(_: Caller) -> bool:
    """Whoever registers looks for what it needs before it does (credentials §Required endpoints not available)."""
    return True


@dataclass(frozen=True, kw_only=True)
class Module:
    """One side of a module of ours."""

    identifier: ModuleID
    role: InterfaceRole
    router_for: Callable[[Dialect], APIRouter]
    #: Where it is, below ``/ocpi/``.
    place: str = "cpo/{version}/{identifier}"
    #: To whom it is shown in version details.
    is_shown_to: Callable[[Caller], bool] = _everybody

    def path(self, dialect: Dialect) -> str:
        return f"/ocpi/{self.place.format(version=dialect.version, identifier=self.identifier)}"


MODULES = (
    Module(
        identifier=ModuleID.CREDENTIALS,
        role=InterfaceRole.SENDER,  # which has no meaning here (note of 2.2.1-d2)
        router_for=credentials.router_for,
        place="{version}/{identifier}",
    ),
    Module(identifier=ModuleID.CDRS, role=InterfaceRole.SENDER, router_for=cdrs.router_for),
    Module(identifier=ModuleID.COMMANDS, role=InterfaceRole.RECEIVER, router_for=commands.router_for),
    Module(
        identifier=ModuleID.HUB_CLIENT_INFO,
        role=InterfaceRole.RECEIVER,
        router_for=hub_client_info.router_for,
        is_shown_to=_hubs,
    ),
    Module(identifier=ModuleID.LOCATIONS, role=InterfaceRole.SENDER, router_for=locations.router_for),
    Module(identifier=ModuleID.SESSIONS, role=InterfaceRole.SENDER, router_for=sessions.router_for),
    Module(identifier=ModuleID.TARIFFS, role=InterfaceRole.SENDER, router_for=tariffs.router_for),
    Module(identifier=ModuleID.TOKENS, role=InterfaceRole.RECEIVER, router_for=tokens.router_for),
)
