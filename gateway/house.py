"""The house: what every story needs at hand, opened once per process."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.secrets import Secrets
from gateway.settings import Settings


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a story needs to decide: the settings, and what only this gateway can compute. No connection to anything."""

    settings: Settings
    secrets: Secrets
