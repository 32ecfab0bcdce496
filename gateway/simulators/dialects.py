"""The OCPP versions that a simulated station can speak, by the names that people write."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.simulators import v16, v21, v201
from gateway.simulators.words import Dialect

DIALECTS: Mapping[str, Dialect] = {"1.6": v16.DIALECT, "2.0.1": v201.DIALECT, "2.1": v21.DIALECT}
NEWEST = "2.1"


def spoken(ocpp: str, notify_event: bool) -> Dialect:
    """The version, with statuses told by NotifyEvent if that is asked for; ValueError where it has no such message."""
    dialect = DIALECTS[ocpp]
    if not notify_event:
        return dialect
    if dialect.events is None:
        raise ValueError(f"OCPP {ocpp} has no NotifyEvent")
    return replace(dialect, status=dialect.events, status_action="NotifyEvent")
