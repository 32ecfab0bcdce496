"""What an eMSP asks, what it is answered at once, and how it is refused."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.parties import Parties, Partner
from ocpi.commands import Command, CommandResponse, CommandResponseType, CommandType
from ocpi.headers import MessageIds
from ocpi.status import StatusCode


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One command as it came in, read and understood."""

    partner: Partner
    parties: Parties
    version: str
    type: CommandType
    command: Command
    #: The body as JSON, for the record.
    body: Mapping[str, Any]
    ids: MessageIds
    #: The X-Request-ID was the partner's own, so the same POST can be recognised.
    identified: bool
    at: datetime
    #: The same for the same POST; None when it cannot be told.
    duplicate_key: str | None = None

    def __post_init__(self) -> None:
        if self.identified and self.duplicate_key is None:
            object.__setattr__(self, "duplicate_key", self._digest())

    def _digest(self) -> str:
        parts = (
            str(self.partner.id),
            self.parties.emsp.key,
            self.ids.request_id,
            self.version,
            self.type,
            self.command.model_dump_json(),
        )
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is answered at once."""

    response: CommandResponseType
    status_code: StatusCode = StatusCode.SUCCESS
    text: str = ""
    #: Seconds; 0 unless ACCEPTED.
    timeout: int = 0
    #: The commands to dispatch now, the asked one last; none: refused, or told a second time.
    dispatch: tuple[int, ...] = ()

    def wire(self) -> dict[str, Any]:
        message = [{"language": "en", "text": self.text}] if self.text else []
        return CommandResponse(result=self.response, timeout=self.timeout, message=message).wire()


class Refusal(Exception):
    """A command that is not taken on, and what is answered instead (mod_commands §CommandResponseType)."""

    def __init__(self, response: CommandResponseType, text: str, status_code: StatusCode = StatusCode.SUCCESS) -> None:
        super().__init__(text)
        self.said = Said(response=response, text=text, status_code=status_code)


def rejected(text: str, status_code: StatusCode = StatusCode.SUCCESS) -> Refusal:
    return Refusal(CommandResponseType.REJECTED, text, status_code)


def not_supported(text: str) -> Refusal:
    return Refusal(CommandResponseType.NOT_SUPPORTED, text)
