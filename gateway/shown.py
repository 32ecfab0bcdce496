"""What operators are shown of each thing that is kept, the same on the command line and in the operator API."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import LIVE
from gateway.holding import held_up_at
from gateway.store import bindings, stations
from gateway.store.prepared import Row
from gateway.timeline import Callbacks, openly, timeline

#: ``{partner: its name}``.
Names = Mapping[int, str]

_STEPS = ("received_at", "dispatched_at", "sent_at", "answered_at", "concluded_at")
#: Drivers' tokens are personal data: they are shown with one command at a time.
_COMMAND = ("id", "type", "version", "station", "state", "response", "result", *_STEPS)
_ASKED = ("request_id", "correlation_id", "body", "response_url", "response_code", "response_text")
_ANSWERED = ("subprotocol", "ending", "answer", "result_text", "deadline", "promised_until")
_CALLBACK = ("id", "url", "result", "result_text", "state", "due_at", "expires_at", "created_at", "ended_at")
_ATTEMPT = ("at", "request_id", "http_status", "ocpi_status", "error", "milliseconds")

_PLACE = ("reservation_id", "location_id", "evse_uid", "connector_type", "station", "station_evse", "station_connector")
_TOKEN = ("id_token", "id_token_type", "group_id_token", "expiry_date", "state")
_RESERVATION = ("created_at", "updated_at", "confirmed_at", "cleanup_at", "superseded", "command")

_CONNECTION = ("connected_at", "disconnected_at", "heard_at", "booted_at", "boot", "abilities", "clock_ahead")
_STATION = ("id", "security_profile", "subprotocol", "registration", *_CONNECTION)
_STATUS = ("evse", "connector", "status", "error", "told_at")
_BINDING = ("location_id", "evse_uid", "connector_id", "station")

_SPOT = ("station", "station_evse", "station_connector", "location_id", "evse_uid", "connector_id")
_CHARGE = ("session_id", "state", "transaction_id", *_SPOT, "kwh", "currency", "auth_method", "authorization_reference")
_TIMES = ("start_date_time", "end_date_time", "pending_until", "last_updated", "created_at")

_CDR = ("total_energy", "total_time", "total_cost", "currency", "credit_reference_id")


def command(row: Row, names: Names) -> dict[str, Any]:
    """A command in a list."""
    ours = row["partner"] is None
    return {
        **_of(row, _COMMAND),
        "partner": _partner(row, names),
        "from": None if ours else _party(row, "from"),
        "to": None if ours else _party(row, "to"),
    }


def whole_command(row: Row, names: Names, owed: Callbacks) -> dict[str, Any]:
    """A command with all that is known of it."""
    return {
        **command(row, names),
        **_of(row, (*_ASKED, "reservation", "session", *_ANSWERED)),
        "order": openly(row["order"]),
        "timeline": [asdict(step) for step in timeline(row, owed)],
        "callbacks": [_callback(one, attempts) for one, attempts in owed],
    }


def outcome(row: Row) -> dict[str, Any]:
    """What became of an order that an operator gave."""
    answer = row["answer"] or {}
    said = {name: answer.get(name) or None for name in ("ending", "status", "reason", "detail")}
    return {"command": row["id"], "station": row["station"], "result": row["result"], "text": row["result_text"]} | said


def reservations(db: Connection, found: Collection[Row], now: datetime) -> list[dict[str, Any]]:
    """Reservations in a list, as ``gateway.store.reservations.listed`` gives them."""
    needed = {station: sorted(held_up_at(db, station, now)) for station in {row["station"] for row in found}}
    return [_reservation(row, needed[row["station"]]) for row in found]


def whole_reservations(db: Connection, found: Collection[Row], now: datetime) -> list[dict[str, Any]]:
    """Each with all that is known of it."""
    told = zip(reservations(db, found, now), found, strict=True)
    return [one | _of(row, _RESERVATION) for one, row in told]


def in_force(found: Collection[Row]) -> Row | None:
    """Of the reservations that have one number, the one that it means now: where a party moved it, the one there."""
    return min(found, key=lambda row: (row["superseded"], -row["id"]), default=None)


def station(db: Connection, row: Row) -> dict[str, Any]:
    """All that may be shown of a station; the password's hash may not."""
    return {
        **_of(row, _STATION),
        "connected": row["connected_at"] is not None and row["disconnected_at"] is None,
        "connectors": [_of(one, _STATUS) for one in stations.statuses(db, row["id"])],
        "bindings": [binding(one) for one in bindings.bindings(db, row["id"])],
    }


def binding(row: Row) -> dict[str, Any]:
    """As the file of an import has it."""
    return _of(row, _BINDING) | {"evse": row["station_evse"], "connector": row["station_connector"]}


def session(row: Row, names: Names) -> dict[str, Any]:
    """A Session, as ``gateway.store.sessions.listed`` gives it; of a stranger's charge there is no partner."""
    return {
        **_of(row, (*_CHARGE, *_TIMES, "command")),
        "reservation": row["number"],
        "partner": _partner(row, names),
        "to": None if row["partner"] is None else _party(row, "from"),
    }


def cdr(row: Row, names: Names) -> dict[str, Any]:
    """A CDR in a list."""
    return {
        "id": row["cdr_id"],
        "created_at": row["created_at"],
        "partner": _partner(row, names),
        "to": _party(row, "from"),
        "session_id": row["session_id"],
        **{name: row["body"].get(name) for name in _CDR},
        "credited_by": row["credited_by"],
    }


def _of(row: Row, names: Collection[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _partner(row: Row, names: Names) -> dict[str, Any] | None:
    return None if row["partner"] is None else {"id": row["partner"], "name": names.get(row["partner"])}


def _party(row: Row, end: str) -> dict[str, str]:
    return {"country_code": row[f"{end}_country"], "party_id": row[f"{end}_party"]}


def _callback(row: Row, attempts: Sequence[Row]) -> dict[str, Any]:
    return _of(row, _CALLBACK) | {"attempts": len(attempts), "tries": [_of(one, _ATTEMPT) for one in attempts]}


def _reservation(row: Row, needed: list[int]) -> dict[str, Any]:
    whose = {"id": row["partner"], "name": row["partner_name"], "party": row["party_key"]}
    own = row["station_evse"] if row["station_evse"] is not None else row["station_connector"]
    holds = needed if own is None else [own]
    return {
        "number": row["number"],
        "partner": None if row["partner"] is None else whose,
        **_of(row, _PLACE),
        "holds_up": holds if row["state"] in LIVE else [],
        **_of(row, _TOKEN),
    }
