"""The station's variables: kept under each version's own names, read by what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Meaning(StrEnum):
    """What the station itself wants to know from its variables."""

    RESERVATION = "takes reservations at all"
    NON_EVSE_SPECIFIC = "takes reservations that name no EVSE"
    AUTHORIZE_REMOTE = "asks Authorize after a remote start"
    CONNECTION_TIMEOUT = "seconds from a grant until a cable must be in"
    HEARTBEAT = "seconds between heartbeats"
    METER_INTERVAL = "seconds between meter values"
    STOP_ON_INVALID = "stops a transaction whose token the CSMS refuses"
    START_POINT = "when a transaction starts"
    STOP_POINT = "when a transaction ends"
    CONNECTORS = "how many connectors there are"


@dataclass(frozen=True, slots=True)
class Variable:
    """A value as text; its first value tells what kind of text it may become."""

    value: str
    writable: bool = False

    def takes(self, value: str) -> bool:
        if self.value in ("true", "false"):
            return value.lower() in ("true", "false")
        return not self.value.isdigit() or value.isdigit()


class Configuration:
    """Names are found without regard to case."""

    def __init__(self, variables: Mapping[str, Variable], meanings: Mapping[Meaning, str]) -> None:
        self.variables = dict(variables)
        self._spelling = {name.lower(): name for name in variables}
        self._meanings = meanings

    def find(self, name: str) -> tuple[str, Variable] | None:
        spelling = self._spelling.get(name.lower())
        return None if spelling is None else (spelling, self.variables[spelling])

    def set(self, name: str, value: str) -> None:
        spelling = self._spelling[name.lower()]
        self.variables[spelling] = replace(self.variables[spelling], value=value)

    def mean(self, meaning: Meaning, value: str) -> None:
        """Set the variable with this meaning, writable or not; nothing where the version has none."""
        if meaning in self._meanings:
            self.set(self._meanings[meaning], value)

    def text(self, meaning: Meaning) -> str:
        """Empty when this version has no such variable."""
        return self.variables[self._meanings[meaning]].value if meaning in self._meanings else ""

    def flag(self, meaning: Meaning) -> bool:
        """Only "true" is true; a variable that is absent is false."""
        return self.text(meaning).lower() == "true"

    def lists(self, meaning: Meaning, member: str) -> bool:
        """Is the word a member of a comma-separated variable?"""
        return member in self.text(meaning).replace(" ", "").split(",")

    def seconds(self, meaning: Meaning) -> float:
        return float(self.text(meaning))
