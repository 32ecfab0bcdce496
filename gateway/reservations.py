"""Reservations, the story: what an order's end makes of them, and how those of unknown fate are cleaned up (P5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway import errands, evses, replacing, sessions
from gateway.domain.lifecycle import LIVE, CommandState, ReservationState
from gateway.each import each
from gateway.house import Rules
from gateway.ordered import as_ordered, other_than
from gateway.replacing import Concerned
from gateway.store import callbacks, commands, reservations, stations
from gateway.store.errands import cpo_cancels
from gateway.store.prepared import Row
from ocpi.commands import CommandResultType, CommandType
from ocpp_bridge.answers import Ending
from ocpp_bridge.meanings import Happened, Meaning
from ocpp_bridge.orders import ORDER, CancelReservation, Order, ReserveNow


@dataclass(frozen=True)
class Follows:
    """What an order's end asks for besides its own result."""

    dispatch: list[int] = field(default_factory=list)
    owed: list[callbacks.Owed] = field(default_factory=list)


def settle(
    db: Connection,
    row: Row,
    order: Order | None,
    about: Concerned | None,
    meaning: Meaning,
    rules: Rules,
    now: datetime,
) -> Follows:
    """A command has ended: what its reservation is now. ``row`` is the command as it was before it was concluded."""
    if about is None:
        return Follows()
    match order:
        case ReserveNow():
            return _reserved(db, row, about, order, meaning, rules, now)
        case CancelReservation():
            return _cancelled(db, row, about.held, meaning, rules, now)
    return Follows()


def late(db: Connection, row: Row, meaning: Meaning, rules: Rules, now: datetime) -> list[int]:
    """The truth came after TIMEOUT was told: a reservation accepted late is cancelled at the station at once (P3)."""
    order = ORDER.validate_python(row["order"])
    if not isinstance(order, ReserveNow) or row["reservation"] is None or meaning.happened is Happened.NO:
        return []
    held = reservations.by_id(db, row["reservation"])
    replaced = held["state"] == ReservationState.ACTIVE and held["command"] != row["id"]
    if replaced or commands.open_for_reservation(db, held["id"]):
        return []
    return [errands.cancel(db, rules, held["station"], held["number"], held["id"], now)]


def clean(db: Connection, rules: Rules, now: datetime, station: str | None = None) -> list[int]:
    """Cancel what is of unknown fate: now at ``station`` (it is there again), else wherever the pause is over."""
    unwanted = reservations.to_clean(db, now, station)
    return each(db, "a reservation cannot be cleaned up", unwanted, lambda held: _cancel_there(db, held, rules, now))


def expire(db: Connection, rules: Rules, now: datetime) -> None:
    """What has expired, the station's clock granted its grace, is over whether the station says so or not."""

    def end(reservation_id: int) -> None:
        if not _is_about_to_be_used(db, reservation_id, rules, now):
            _end(db, reservation_id, ReservationState.EXPIRED, rules, now)

    overdue = reservations.expired(db, now - rules.settings.reservation_grace)
    each(db, "a reservation cannot expire", overdue, end)


def _is_about_to_be_used(db: Connection, reservation_id: int, rules: Rules, now: datetime) -> bool:
    """Somebody is there: who presented the token in time, or was started in time, may still plug in."""
    held, settings = reservations.by_id(db, reservation_id), rules.settings
    if sessions.is_started(db, reservation_id, now):
        return True
    if now >= held["expiry_date"] + settings.reservation_grace + settings.connection_timeout:
        return False
    return stations.status_at(db, held["station"], held["station_evse"], held["station_connector"]) in _IN_USE


#: 1.6 Preparing, 2.x Occupied; a 2.x EVSE at which another driver plugs in stays Reserved (H03).
_IN_USE = {"Preparing", "Occupied"}


def ended(db: Connection, station: str, number: int, update: str, rules: Rules, now: datetime) -> list[int]:
    """2.x ReservationStatusUpdate; a number or a word that means nothing here changes nothing.

    The commands to be called back again.
    """
    held, wanted = reservations.at_station(db, station, number), _UPDATES.get(update)
    if held is None or wanted is None:
        return []
    owed = over(db, held, wanted, rules, now)
    callbacks.owe(db, owed, now)
    return [one.command for one in owed]


#: 2.x ReservationUpdateStatus; 2.1 H03.FR.11: the token was presented, and no transaction followed.
_UPDATES = {
    "Removed": ReservationState.REMOVED,
    "Expired": ReservationState.EXPIRED,
    "NoTransaction": ReservationState.EXPIRED,
}


def over(db: Connection, held: Row, wanted: ReservationState, rules: Rules, now: datetime) -> list[callbacks.Owed]:
    """The station has ended it; when it was removed, its owner is to be told."""
    if replacing.is_moved(db, held):
        held = replacing.with_nobody_beside(db, held)
    if commands.open_for_reservation(db, held["id"]):  # an extension that is on its way may still be accepted
        wanted = ReservationState.UNKNOWN
    if not _end(db, held["id"], wanted, rules, now) or wanted is not ReservationState.REMOVED:
        return []
    return _told_cancelled(db, held, rules, now, "The charging station has ended the reservation.")


def _end(db: Connection, reservation_id: int, wanted: ReservationState, rules: Rules, now: datetime) -> bool:
    """Move a reservation on; when that is its end, its Session ends too: it was not used."""
    held = reservations.become(db, reservation_id, wanted, now)
    if held is None:
        return False
    if wanted not in LIVE:
        sessions.unused(db, held, rules, now)
    evses.follow(db, held["station"], now)
    return True


def used(db: Connection, reservation_id: int, now: datetime) -> None:
    """A charge has begun on it, so the station has it, whether its answer has reached us or not."""
    reservations.become(db, reservation_id, ReservationState.ACTIVE, now)
    reservations.become(db, reservation_id, ReservationState.USED, now)


def never_asked(db: Connection, reservation_id: int, now: datetime) -> None:
    """An order was taken back before a station heard of it; with no other on its way, there is no reservation."""
    if not commands.open_for_reservation(db, reservation_id):
        reservations.become(db, reservation_id, ReservationState.REFUSED, now)


def never_moved(db: Connection, errand: int, now: datetime) -> None:
    """The errand that was to cancel it where it was is taken back: the party's reservation is this one again."""
    row = commands.by_id(db, errand)
    if row is not None and row["reservation"] is not None:
        reservations.change(db, row["reservation"], now, superseded=False)


def was_used(db: Connection, reservation_id: int | None) -> bool:
    if reservation_id is None:
        return False
    return ReservationState(reservations.by_id(db, reservation_id)["state"]) is ReservationState.USED


def _reserved(
    db: Connection,
    row: Row,
    about: Concerned,
    order: ReserveNow,
    meaning: Meaning,
    rules: Rules,
    now: datetime,
) -> Follows:
    held = about.held
    if held["state"] not in LIVE:
        return _too_late(db, row, held, meaning, rules, now)
    of_the_house = row["partner"] is None
    if meaning.happened is Happened.YES:
        told = {"confirmed_at": now} | ({} if of_the_house else {"command": row["id"]})
        told |= other_than(held, {"cleanup_at": None} | as_ordered(db, held, order))
        active = reservations.become(db, held["id"], ReservationState.ACTIVE, now, **told)
        if active is None:
            reservations.change(db, held["id"], now, **told)
        elif active["superseded"] and not about.moved:  # its party moved it since it was looked at
            held = replacing.with_nobody_beside(db, held)
        evses.follow(db, held["station"], now)
        if replacing.is_decided_elsewhere(db, held):
            return Follows(owed=_told_not_kept(db, row, held, rules, now))
        given_up = reservations.given_up(db, held) if about.moved else []
        sessions.reserved(db, held, given_up, row, order, rules, now)
        if given_up:
            reservations.forget_given_up(db, held, now)
        return Follows()
    first, kept = held["state"] == ReservationState.PENDING, held["state"] == ReservationState.ACTIVE
    if meaning.happened is Happened.NO and kept and of_the_house:  # what it lost it does not take again
        return Follows(owed=over(db, held, ReservationState.REMOVED, rules, now))
    asked_again = commands.open_for_reservation(db, held["id"], CommandType.RESERVE_NOW)
    if meaning.happened is Happened.NO and (first or (kept and _never_sent(row))):
        if asked_again:
            return Follows()
        reservations.become(db, held["id"], ReservationState.REFUSED, now)
        return Follows(owed=_told_given_up(db, held, rules, now))
    # An update that was refused, or whose fate is unknown, may have ended what it was to replace.
    reservations.become(db, held["id"], ReservationState.UNKNOWN, now)
    evses.follow(db, held["station"], now)
    if meaning.happened is Happened.UNKNOWN:  # and may have prolonged it
        reservations.change(db, held["id"], now, expiry_date=max(held["expiry_date"], order.expiry))
    if asked_again:  # the same number is on its way once more, and a cancellation would come after it
        return Follows()
    owed = _told_cancelled(db, held, rules, now) + _told_given_up(db, held, rules, now)
    return Follows(dispatch=[_cancel_there(db, held, rules, now)], owed=owed)


def _too_late(db: Connection, row: Row, held: Row, meaning: Meaning, rules: Rules, now: datetime) -> Follows:
    """It was used up while a change of it was on its way: what the station may hold under its number is unwanted."""
    first = held["command"] is None  # and no change: a charge began before the station's answer came
    if meaning.happened is Happened.NO or (first and held["state"] == ReservationState.USED):
        return Follows()
    owed = _told_cancelled(db, {**held, "command": row["id"]}, rules, now) if meaning.happened is Happened.YES else []
    return Follows(dispatch=[_cancel_there(db, held, rules, now)], owed=owed)


def _cancelled(db: Connection, row: Row, held: Row, meaning: Meaning, rules: Rules, now: datetime) -> Follows:
    reason = row["body"].get("reason") if row["partner"] is None else None
    if meaning.happened is Happened.YES:
        _end(db, held["id"], ReservationState.CANCELLED, rules, now)
    elif meaning.result is CommandResultType.UNKNOWN_RESERVATION:
        # The station has no such reservation: what we were not sure of is confirmed dead, what we believed in is gone.
        unsure = held["state"] == ReservationState.UNKNOWN
        wanted = ReservationState.CANCELLED if unsure else ReservationState.REMOVED
        _end(db, held["id"], wanted, rules, now)
    elif meaning.happened is Happened.UNKNOWN or reason is not None:
        _end(db, held["id"], ReservationState.UNKNOWN, rules, now)
        reservations.change(db, held["id"], now, cleanup_at=now + rules.settings.cleanup_pause)
    if reason is None or held["state"] not in LIVE:
        return Follows()
    # The CPO's word counts whether the station could be asked or not (mod_commands §Flow).
    return Follows(owed=_told_cancelled(db, held, rules, now, reason))


def _cancel_there(db: Connection, held: Row, rules: Rules, now: datetime) -> int:
    reservations.change(db, held["id"], now, cleanup_at=now + rules.settings.cleanup_pause)
    return errands.cancel(db, rules, held["station"], held["number"], held["id"], now)


def _never_sent(row: Row) -> bool:
    return bool(row["state"] != CommandState.SENT or row["ending"] == Ending.NOT_SENT)


def _told_given_up(db: Connection, held: Row, rules: Rules, now: datetime) -> list[callbacks.Owed]:
    """What was given up for this one at another station is cancelled there, and the party has neither of them.

    Where it is the CPO that cancels, that will be told with its reason.
    """
    given_up = [one for one in reservations.given_up(db, held) if not cpo_cancels(db, one["id"])]
    return [owed for one in given_up for owed in _told_cancelled(db, one, rules, now)]


def _told_not_kept(db: Connection, row: Row, held: Row, rules: Rules, now: datetime) -> list[callbacks.Owed]:
    """It was given up before the station accepted it; a party that has not got the other one has nothing now."""
    if replacing.newest(db, held)["command"] is not None:
        reservations.change(db, held["id"], now, command=None)
        return []
    return _told_cancelled(db, {**held, "command": row["id"]}, rules, now)


def _told_cancelled(
    db: Connection,
    held: Mapping[Any, Any],
    rules: Rules,
    now: datetime,
    text: str = "The reservation could not be changed and was cancelled.",
) -> list[callbacks.Owed]:
    """CANCELED_RESERVATION, once, to whoever was told ACCEPTED last."""
    command = commands.by_id(db, held["command"]) if held["command"] is not None else None
    if command is None or command["partner"] is None:
        return []
    reservations.change(db, held["id"], now, command=None)
    sessions.unused(db, reservations.by_id(db, held["id"]), rules, now)
    return [
        callbacks.Owed(
            command=command["id"],
            partner=command["partner"],
            url=command["response_url"],
            result=CommandResultType.CANCELED_RESERVATION,
            text=text,
            expires_at=now + rules.settings.command_timeout,
        )
    ]
