"""Stations, the story: who may connect, what was told of boot, abilities and connectors."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from gateway import errands, evses, lost, reservations, stopping
from gateway.domain.evse_status import evse_status
from gateway.house import Rules
from gateway.secrets import password_fits
from gateway.store import callbacks, queues, stations
from gateway.store.errands import given_since
from gateway.store.evses import told
from gateway.store.prepared import Row
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.desk import Admission, Refused
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.events import BootAnswer, Booted, Registration, StatusChanged
from ocpp_bridge.orders import ORDER, Configure
from ocpp_bridge.reading import spelled

log = structlog.get_logger(__name__)

#: Further ahead than this, and reservations expire too early there.
_CLOSE, _FAR = timedelta(seconds=60), timedelta(days=365)
#: Security profile in which a station has no password: only where it was written down for it.
_OPEN_PROFILE = 0
#: CALLERROR of a station that has not been accepted yet, as far as it knows.
_NOT_BOOTED = "securityerror"
_AVAILABLE = "Available"
#: How a variable that was set at once is answered for.
_SET = "Accepted"


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
    here = {"connected_at": now, "disconnected_at": None, "offline_at": None, "heard_at": now}
    stations.change(db, station, subprotocol=subprotocol, **here)
    if changed:  # other names for what was asked
        stations.change(db, station, abilities=None)
        evses.learned(db, station, now)
    evses.follow(db, station, now)
    errands = reservations.clean(db, rules, now, station)
    admission = Admission(
        registration=Registration(known["registration"]) if known["registration"] else None,
        waiting=queues.is_waiting(db, station),
        ask_abilities=changed or known["abilities"] is None,
    )
    return admission, errands


def disconnected(db: Connection, station: str, rules: Rules, now: datetime) -> None:
    stations.change(db, station, disconnected_at=now, offline_at=now + rules.settings.offline_after)


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


def told_abilities(db: Connection, station: str, answer: Answer, now: datetime) -> None:
    """What it said is kept; that it could not say is an answer too, and it is not asked again until the next boot."""
    if answer.ending is Ending.RESULT:
        stations.change(db, station, abilities=answer.abilities or {})
    elif answer.ending is Ending.CALL_ERROR:
        stations.change(db, station, abilities={})
    evses.learned(db, station, now)


def learned(db: Connection, row: Row, rules: Rules, now: datetime) -> list[int]:
    """What the end of a command says of its station itself; the errands that it asks for."""
    answer = row["answer"] or {}
    # RebootRequired is told by the next boot.
    if row["type"] == errands.Errand.SET_VARIABLE and answer.get("status") == _SET:
        order = ORDER.validate_python(row["order"])
        assert isinstance(order, Configure)
        _remember(db, row["station"], order)
        evses.learned(db, row["station"], now)
    if row["ending"] != Ending.CALL_ERROR or answer.get("status", "").strip().casefold() != _NOT_BOOTED:
        return []
    known = stations.find(db, row["station"])
    since = known["connected_at"] if known is not None else None
    if given_since(db, row["station"], errands.Errand.ASK_BOOT, since or row["received_at"]):
        return []  # once in a contact is enough
    return [errands.ask_boot(db, rules, row["station"], now)]


def _remember(db: Connection, station: str, order: Configure) -> None:
    """An ability that was set is known at once, under the name by which it is asked for."""
    known = stations.find(db, station)
    dialect = DIALECTS.get(known["subprotocol"] or "") if known is not None else None
    if known is None or dialect is None or known["abilities"] is None:  # they are still to be asked
        return
    name = spelled(order.key, dialect.abilities)
    if name in dialect.abilities:
        stations.change(db, station, abilities=known["abilities"] | {name: order.value})


def status_changed(
    db: Connection, station: str, event: StatusChanged, rules: Rules, now: datetime
) -> tuple[list[int], list[int]]:
    """Ordered by the station's clock where that is plausible, else by arrival.

    (the commands to be called back again, the errands to dispatch): 1.6 has no other word for a reservation's end.
    """
    _mind_clock(db, station, event, now)
    told_at = min(event.at or now, now)  # a clock that is ahead is set right one day
    spot = (event.evse or 0, event.connector or 0)
    before = stations.told(db, station, spot)
    if not stations.put_status(db, station, spot, event.status[:24], event.error, told_at):
        return [], []
    for evse in stations.evses_at(db, station, spot):
        _told(db, evse)
    evses.follow(db, station, now)
    if event.status == _AVAILABLE and any(spot):
        stopping.seen_free(db, station, event.evse or None, event.connector or None, rules, now)
    if event.evse is not None:
        return [], []
    follows = lost.seen(db, station, spot[1], event.status, before, rules, now)
    callbacks.owe(db, follows.owed, now)
    return [one.command for one in follows.owed], follows.dispatch


def _mind_clock(db: Connection, station: str, event: StatusChanged, now: datetime) -> None:
    """A time that has not come yet is a clock that is ahead; one that is past may be a message that was late."""
    if event.at is None:
        return
    known, ahead = stations.find(db, station), event.at - now
    found = int(min(ahead, _FAR).total_seconds()) if ahead > _CLOSE else None
    if known is None or (found is None) == (known["clock_ahead"] is None):
        return
    stations.change(db, station, clock_ahead=found)
    if found is not None:
        log.warning("a station's clock is ahead of ours", station=station, seconds=found)


def _told(db: Connection, evse: int) -> None:
    """An EVSE's own status: what the station told last, of the EVSE or of its connectors."""
    said_of_it = stations.told_of(db, evse)
    whole, connectors = [[one for one in said_of_it if bool(one["connector"]) is part] for part in (False, True)]
    newest = max((one["told_at"] for one in said_of_it), default=None)
    said = whole if any(one["told_at"] == newest for one in whole) else connectors
    status = evse_status([one["status"] for one in said])
    if status is not None and newest is not None:
        told(db, evse, status, newest)
