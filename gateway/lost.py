"""Lost reservations: what a 1.6 station's statuses tell of them, which has no other word for their end (1.6 §5.13)."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway import errands
from gateway.domain.lifecycle import ReservationState
from gateway.house import Rules
from gateway.reservations import Follows, over
from gateway.store import commands, reservations, stations
from gateway.store.prepared import Row
from ocpp_bridge.orders import IdToken, ReserveNow

#: With less time left a reservation that was lost is not made again.
_WORTH_IT = timedelta(seconds=60)
_OUT_OF_ORDER = {"Faulted", "Unavailable"}


def seen(
    db: Connection, station: str, connector: int, status: str, before: str | None, rules: Rules, now: datetime
) -> Follows:
    """A connector (0: the station) told ``status``, and ``before`` that another; what it means for what is held there.

    2.x stations keep reservations over a reboot (B01.FR.13) and tell of their end themselves.
    """
    if status in _OUT_OF_ORDER:
        held = [*reservations.active_at(db, station, connector), *_of_any_connector(db, station, connector)]
        return Follows(owed=[one for each in held for one in over(db, each, ReservationState.REMOVED, rules, now)])
    if connector == 0:  # it says nothing of the connectors
        return Follows()
    if status == "Reserved":
        for each in reservations.active_at(db, station, connector):
            reservations.change(db, each["id"], now, confirmed_at=now)
    if status != "Available" or before == "Preparing":  # a token was presented: it is used, or it runs out
        return Follows()
    return _not_reserved(db, station, connector, before, rules, now)


def _of_any_connector(db: Connection, station: str, connector: int) -> list[Row]:
    """What is held of the station as a whole is lost with the last of its connectors (1.6 §5.13)."""
    if connector == 0:  # all that it holds is lost as it is
        return []
    told = {one["connector"]: one["status"] for one in stations.statuses(db, station)}
    known = {row["station_connector"] for row in stations.places(db, station)}
    if any(told.get(one) not in _OUT_OF_ORDER for one in known):
        return []
    whole = (None, None)
    everything = reservations.active_at(db, station, 0)
    return [one for one in everything if (one["station_evse"], one["station_connector"]) == whole]


def _not_reserved(
    db: Connection, station: str, connector: int, before: str | None, rules: Rules, now: datetime
) -> Follows:
    follows, known = Follows(), stations.find(db, station)
    assert known is not None
    for held in reservations.active_at(db, station, connector):
        rebooted = known["booted_at"] is not None and known["booted_at"] > (held["confirmed_at"] or held["created_at"])
        if (before == "Reserved" or rebooted) and not _ends_anyway(db, held, rules, now):
            _again_or_never(db, held, rules, now, follows)
    return follows


def _ends_anyway(db: Connection, held: Row, rules: Rules, now: datetime) -> bool:
    """It expires, by the station's clock perhaps already, or an order about it is on its way: ours, or its owner's."""
    expires = held["expiry_date"] - rules.settings.reservation_grace <= now
    return bool(expires or held["superseded"] or commands.open_for_reservation(db, held["id"]))


def _again_or_never(db: Connection, held: Row, rules: Rules, now: datetime, follows: Follows) -> None:
    if rules.settings.reserve_again and held["expiry_date"] - now > _WORTH_IT:
        follows.dispatch.append(errands.reserve(db, rules, held["station"], as_held(held), held["id"], now))
    else:
        follows.owed.extend(over(db, held, ReservationState.REMOVED, rules, now))


def as_held(held: Row) -> ReserveNow:
    """The order that the station accepted, with the same number (P2: a new order, not the old one again)."""
    group = held["group_id_token"]
    return ReserveNow(
        number=held["number"],
        expiry=held["expiry_date"],
        id_token=IdToken(value=held["id_token"], type=held["id_token_type"]),
        group=IdToken(value=group, type=held["group_id_token_type"]) if group else None,
        evse=held["station_evse"],
        connector=held["station_connector"],
        connector_type=held["connector_type"],
    )
