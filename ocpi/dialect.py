"""A dialect: what differs between OCPI versions, as a value. Everything inside the house speaks the newest one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ocpi.cdrs import CDR
from ocpi.commands import Command, CommandType
from ocpi.locations import Location
from ocpi.sessions import Session
from ocpi.status import StatusCode
from ocpi.tariffs import Tariff
from ocpi.tokens import Token
from ocpi.types import Model


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One version of OCPI."""

    version: str
    #: A command that is not here does not exist in this version.
    commands: Mapping[CommandType, type[Command]]
    token: type[Token]
    #: Reads a session of this version, and the newest version's, of which it hears what it has fields for.
    session: type[Model]
    #: Likewise.
    cdr: type[Model]
    tariff: type[Tariff]
    #: A location with nothing in it that this version has no words for.
    narrow: Callable[[Location], Location]
    #: What a hub may answer.
    hub_codes: frozenset[StatusCode]

    def render_session(self, session: Session) -> dict[str, Any]:
        return self.session.model_validate(session.wire()).wire()

    def render_cdr(self, cdr: CDR) -> dict[str, Any]:
        return self.cdr.model_validate(cdr.wire()).wire()

    def render_tariff(self, tariff: Tariff) -> dict[str, Any]:
        return self.tariff.model_validate(tariff.wire()).wire()

    def render_location(self, location: Location) -> dict[str, Any]:
        return self.narrow(location).wire()
