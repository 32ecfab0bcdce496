"""Stations, the story: who may connect, what was told of boot, abilities and connectors."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway import reservations
from gateway.house import Rules
from gateway.secrets import password_fits
from gateway.store import commands, stations
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.desk import Admission, Refused
from ocpp_bridge.events import BootAnswer, Booted, Registration, StatusChanged

#: A station's clock may be this far ahead of ours before its timestamps are not believed.
_PLAUSIBLE = timedelta(minutes=5)
#: Security profile in which a station has no password: only where it was written down for it.
_OPEN_PROFILE = 0
_OUT_OF_ORDER = {"Faulted", "Unavailable"}


def admit(db: Connection, station: str, username: str | None, password: bytes | None) -> str:
    """The identity as registered; raises Refused with 404 or 401. The user name must be the identity (whitepaper)."""
    known = stations.find(db, station)
    if known is None:
        raise Refused(404)
    if known["security_profile"] == _OPEN_PROFILE:
        return station
    if known["password"] is None or password is None or username != station:
        raise Refused(401)
    if not password_fits(password, known["password"]):
        raise Refused(401)
    return station


def connected(
    db: Connection, station: str, subprotocol: str, rules: Rules, now: datetime
) -> tuple[Admission, list[int]]:
    """A socket is open: what the bridge is to know, and the clean-up orders that waited for it (P5)."""
    known = stations.find(db, station)
    assert known is not None
    changed = known["subprotocol"] != subprotocol
    stations.change(db, station, subprotocol=subprotocol, connected_at=now, disconnected_at=None, heard_at=now)
    if changed:  # other names for what was asked
        stations.change(db, station, abilities=None)
    errands = reservations.clean(db, rules, now, station)
    admission = Admission(
        registration=Registration(known["registration"]) if known["registration"] else None,
        waiting=commands.is_waiting(db, station),
        ask_abilities=changed or known["abilities"] is None,
    )
    return admission, errands


def disconnected(db: Connection, station: str, now: datetime) -> None:
    stations.change(db, station, disconnected_at=now)


def booted(db: Connection, station: str, event: Booted, rules: Rules, now: datetime) -> BootAnswer:
    """Every registered station is accepted; that outlives its sockets and our restarts."""
    told = {
        "vendor": event.vendor,
        "model": event.model,
        "serial": event.serial,
        "firmware": event.firmware,
        "reason": event.reason,
    }
    stations.change(db, station, registration=Registration.ACCEPTED, boot=told, booted_at=now, heard_at=now)
    return BootAnswer(status=Registration.ACCEPTED, interval=rules.settings.heartbeat_interval)


def told_abilities(db: Connection, station: str, answer: Answer) -> None:
    """What it said is kept; that it could not say is an answer too, and it is not asked again until the next boot."""
    if answer.ending is Ending.RESULT:
        stations.change(db, station, abilities=answer.abilities or {})
    elif answer.ending is Ending.CALL_ERROR:
        stations.change(db, station, abilities={})


def status_changed(db: Connection, station: str, event: StatusChanged, rules: Rules, now: datetime) -> list[int]:
    """Ordered by the station's clock where that is plausible, else by arrival.

    The commands to be called back again: 1.6 has no other word for a reservation that was removed.
    """
    told_at = event.at if event.at is not None and event.at <= now + _PLAUSIBLE else now
    spot = (event.evse or 0, event.connector or 0)
    newest = stations.put_status(db, station, spot, event.status[:24], event.error, told_at)
    if not newest or event.evse is not None or event.status not in _OUT_OF_ORDER:
        return []
    return reservations.out_of_order(db, station, spot[1], rules, now)


def heard(db: Connection, station: str, now: datetime) -> None:
    stations.change(db, station, heard_at=now)
