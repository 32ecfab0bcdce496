"""The modules in which partners are called, and what they are there: the rest of their version details is of no use."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from ocpi.versions import Endpoint, InterfaceRole, ModuleID

CALLED: Mapping[str, InterfaceRole] = MappingProxyType(
    {
        ModuleID.SESSIONS: InterfaceRole.RECEIVER,
        ModuleID.CDRS: InterfaceRole.RECEIVER,
        ModuleID.TOKENS: InterfaceRole.SENDER,
        ModuleID.LOCATIONS: InterfaceRole.RECEIVER,
        ModuleID.HUB_CLIENT_INFO: InterfaceRole.SENDER,
    }
)


def missing(expected: Iterable[str], offered: Collection[Endpoint]) -> list[str]:
    """What is expected of a partner and not among what it offers, in words."""
    there = {(one.identifier, one.role) for one in offered}
    modules = {one.identifier for one in offered}
    found = []
    for module in expected:
        role = CALLED.get(module)
        if (module, role) not in there if role else module not in modules:
            found.append(f"{module} {role}" if role else module)
    return found
