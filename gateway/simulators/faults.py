"""Faults: the ways in which a simulated party misbehaves when it is told to, ``name`` or ``name=value``."""

from collections.abc import Collection, Mapping
from typing import Any

STATION_FAULTS: Mapping[str, str] = {
    "mute": "never answers a call",
    "slow": "thinks for SECONDS before it carries out a command",
    "late": "carries a command out at once and answers after SECONDS",
    "reject": "rejects every command",
    "call-error": "answers every command with CALLERROR (CODE, default InternalError)",
    "drop": "carries a command out, then closes the socket instead of answering",
    "reboot": "reboots after ReserveNow",
    "forget": "loses its reservations when it reboots",
    "duplicate": "answers every command twice",
    "offline-queue": "goes offline for SECONDS (default 1) after it accepted a start; sends the transaction afterwards",
    "garbage": "sends malformed frames before each answer",
    "no-plug": "accepts a start, then nobody plugs in",
    "no-reservation-id": "leaves the reservationId out of its transaction messages, or says VALUE (-1) instead",
    "faulted": "every EVSE is Faulted from the beginning",
}
EMSP_FAULTS: Mapping[str, str] = {
    "500": "answers HTTP 500",
    "status": "answers with the HTTP status CODE",
    "ocpi": "answers HTTP 200 with the OCPI status CODE in the envelope",
    "slow": "answers after SECONDS",
    "never": "accepts the request and never answers",
    "redirect": "answers HTTP 302 to another place (URL)",
    "wrong-envelope": "answers JSON that is no OCPI envelope",
    "first-n-500": "answers HTTP 500 to the first N callbacks",
    "close": "closes the connection without an answer",
    "huge": "answers a body without an end",
}
#: The messages that name the reservation that a transaction uses up.
TRANSACTION_MESSAGES = frozenset({"StartTransaction", "TransactionEvent"})


class Faults:
    """The faults that were asked for; an unknown name is a ValueError that lists the known ones."""

    def __init__(self, asked: Collection[str], known: Mapping[str, str]) -> None:
        self._values = dict(_parsed(fault) for fault in asked)
        if unknown := self._values.keys() - known.keys():
            raise ValueError(f"unknown fault {', '.join(sorted(unknown))}; known are {', '.join(known)}")

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str) -> str:
        return self._values.get(name) or default

    def number(self, name: str, default: float = 1.0) -> float:
        """The fault's value; 0 when it was not asked for."""
        return float(self._values[name] or default) if name in self._values else 0.0

    def spoil(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """What the station says instead of ``payload``."""
        if "no-reservation-id" not in self or action not in TRANSACTION_MESSAGES or "reservationId" not in payload:
            return payload
        instead = self.text("no-reservation-id", "")
        rest = {name: value for name, value in payload.items() if name != "reservationId"}
        return rest | {"reservationId": int(instead)} if instead else rest


def _parsed(fault: str) -> tuple[str, str]:
    name, _, value = fault.partition("=")
    return name, value
