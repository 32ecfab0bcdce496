"""Reservations: every query about what stations hold for whom."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    and_,
    bindparam,
    exists,
    insert,
    or_,
    select,
    update,
)

from gateway.domain.lifecycle import LIVE, RESERVATION, CommandState, ReservationState, before
from gateway.store.prepared import Prepared, Row
from gateway.store.rows import command, evse, location, partner, reservation
from gateway.store.statements import following, hold
from ocpi.types import fold


def _is_live(some: FromClause) -> ColumnElement[bool]:
    """Spelt out, and in the order of the indexes' own conditions, or the database does not see that they serve."""
    return some.c.state.in_(bindparam("live", sorted(LIVE), expanding=True, literal_execute=True))


IS_LIVE = _is_live(reservation)

_OF_KEY = select(reservation).where(
    reservation.c.partner == bindparam("partner"),
    reservation.c.party_key == bindparam("party_key"),
    reservation.c.reservation_key == bindparam("reservation_key"),
)
_LIVE = Prepared(_OF_KEY.where(IS_LIVE, ~reservation.c.superseded))
_NEWEST = Prepared(
    _OF_KEY.add_columns(location.c.cpo_id)
    .join(location, location.c.id == reservation.c.location)
    .order_by(reservation.c.id.desc())
    .limit(1)
)
_OLDER = _OF_KEY.where(reservation.c.superseded, reservation.c.id < bindparam("id_"))
_GIVEN_UP = Prepared(_OLDER.where(reservation.c.command.is_not(None)))
_before = reservation.alias("before")
_HAS_MOVED = (
    exists()
    .where(*(_before.c[name] == reservation.c[name] for name in ("partner", "party_key", "reservation_key")))
    .where(_before.c.superseded, _before.c.id < reservation.c.id)
    .where(or_(_before.c.command.is_not(None), _is_live(_before)))
    .correlate(reservation)
)
_MOVED = Prepared(select(reservation, _HAS_MOVED.label("has_moved")).where(reservation.c.id == bindparam("id_")))
_BY_ID = Prepared(select(reservation).where(reservation.c.id == bindparam("id_")))
_ADD = Prepared(insert(reservation).returning(reservation.c.id))


def live(db: Connection, partner: int, party_key: str, reservation_id: str) -> Row | None:
    """The party's reservation of that id that may hold at a station."""
    return _of_key(db, _LIVE, partner, party_key, reservation_id)


def newest(db: Connection, partner: int, party_key: str, reservation_id: str) -> Row | None:
    """The party's last reservation of that id, ended or not, with the ``cpo_id`` of ours that it is at."""
    return _of_key(db, _NEWEST, partner, party_key, reservation_id)


def _of_key(db: Connection, asked: Prepared, partner: int, party_key: str, reservation_id: str) -> Row | None:
    key = {"partner": partner, "party_key": party_key, "reservation_key": fold(reservation_id)}
    return asked.first(db, key)


def by_id(db: Connection, reservation_id: int) -> Row:
    return _BY_ID.one(db, {"id_": reservation_id})


def add(db: Connection, row: dict[str, Any]) -> int:
    return int(_ADD.scalar(db, row))


def change(db: Connection, reservation_id: int, now: datetime, **values: Any) -> None:
    """Change what is known of a reservation, but never its state."""
    assert "state" not in values
    _change(tuple(values)).send(db, {"id_": reservation_id, "updated_at": now, **values})


@cache
def _change(names: tuple[str, ...]) -> Prepared:
    columns: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in ("updated_at", *names)}
    return Prepared(update(reservation).where(reservation.c.id == bindparam("id_")).values(columns))


def become(db: Connection, reservation_id: int, wanted: ReservationState, now: datetime, **values: Any) -> Row | None:
    """Move a reservation along its lifecycle: as it is then; None when it cannot become that from where it is."""
    return _become(wanted, tuple(values)).first(db, {"id_": reservation_id, "updated_at": now, **values})


@cache
def _become(wanted: ReservationState, names: tuple[str, ...]) -> Prepared:
    columns: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in ("updated_at", *names)}
    here = reservation.c.id == bindparam("id_"), reservation.c.state.in_(before(RESERVATION, wanted))
    return Prepared(update(reservation).where(*here).values({**columns, "state": wanted}).returning(reservation))


def to_clean(db: Connection, now: datetime, station: str | None = None, most: int = 100) -> Sequence[Row]:
    """Reservations of unknown fate, or not wanted any more, that are to be cancelled at their station now (P5)."""
    on_its_way = (
        select(command.c.id).where(command.c.reservation == reservation.c.id, command.c.state != CommandState.CONCLUDED)
    ).exists()
    # One that moved to another station is cancelled here until it is, though it is known to hold.
    moved = and_(reservation.c.superseded, reservation.c.state == ReservationState.ACTIVE)
    unwanted = or_(reservation.c.state == ReservationState.UNKNOWN, moved)
    asked = select(reservation).where(IS_LIVE, unwanted, ~on_its_way).limit(most)
    if station is None:
        asked = asked.where(or_(reservation.c.cleanup_at.is_(None), reservation.c.cleanup_at <= now))
    else:
        asked = asked.where(reservation.c.station == station)
    return db.execute(asked).mappings().all()


def given_up(db: Connection, held: Row) -> Sequence[Row]:
    """What the party held before ``held`` and gave up for it, as far as it believes that it has it still."""
    return _GIVEN_UP.all(db, _key_of(held))


def _key_of(held: Row) -> dict[str, Any]:
    return {name: held[name] for name in ("partner", "party_key", "reservation_key")} | {"id_": held["id"]}


def with_moved(db: Connection, reservation_id: int) -> Row:
    """And whether it ``has_moved``: its party has given up another for it, which may not be over yet."""
    return _MOVED.one(db, {"id_": reservation_id})


def lock(db: Connection, held: Row) -> None:
    """Until the commit no other process judges what becomes of the party's reservations of that id that moved."""
    hold(db, f"reservation {held['partner']} {held['party_key']} {held['reservation_key']}")


def forget_given_up(db: Connection, held: Row, now: datetime) -> None:
    """The party has ``held`` instead, and need not hear what becomes of the others."""
    for one in given_up(db, held):
        change(db, one["id"], now, command=None)


def expired(db: Connection, before_: datetime) -> list[int]:
    """Live reservations whose expiry, grace included, is over and about which nothing is on its way."""
    on_its_way = (
        select(command.c.id).where(command.c.reservation == reservation.c.id, command.c.state != CommandState.CONCLUDED)
    ).exists()
    over = and_(
        IS_LIVE,
        reservation.c.state.in_([ReservationState.ACTIVE, ReservationState.UNKNOWN]),
        reservation.c.expiry_date <= before_,
    )
    return list(db.execute(select(reservation.c.id).where(over, ~on_its_way)).scalars())


def at_station(db: Connection, station: str, number: int) -> Row | None:
    asked = select(reservation).where(reservation.c.station == station, reservation.c.number == number)
    return db.execute(asked).mappings().first()


def active_at(db: Connection, station: str, station_connector: int) -> Sequence[Row]:
    """What a 1.6 station holds at a connector; at connector 0: all that it holds."""
    active = reservation.c.state == ReservationState.ACTIVE
    asked = select(reservation).where(reservation.c.station == station, IS_LIVE, active)
    if station_connector != 0:
        asked = asked.where(reservation.c.station_connector == station_connector)
    return db.execute(asked).mappings().all()


def held_at(db: Connection, station: str, now: datetime) -> Sequence[Row]:
    """What a station certainly holds: ACTIVE, not expired, and not waiting to be cancelled there."""
    return _HELD_AT.all(db, {"station": station, "now": now})


_HELD_AT = Prepared(
    select(reservation).where(
        reservation.c.station == bindparam("station"),
        IS_LIVE,
        reservation.c.state == ReservationState.ACTIVE,
        ~reservation.c.superseded,
        reservation.c.expiry_date > bindparam("now"),
    )
)


def of_number(db: Connection, number: int) -> Row | None:
    """The reservation that the integer means now: where a party moved one, the one that it has moved to."""
    asked = select(reservation).where(reservation.c.number == number)
    return db.execute(asked.order_by(reservation.c.superseded, reservation.c.id.desc())).mappings().first()


def listed(
    db: Connection,
    *,
    number: int | None = None,
    station: str | None = None,
    state: str | None = None,
    after: int | None = None,
    most: int = 100,
) -> Sequence[Row]:
    """The newest first, ``after`` that row, by the partners' names too."""
    wanted = {"number": number, "station": station, "state": state}
    where = [reservation.c[name] == value for name, value in wanted.items() if value is not None]
    asked = _LISTED.where(*where, *following(reservation.c.id, after)).order_by(reservation.c.id.desc()).limit(most)
    return db.execute(asked).mappings().all()


_LISTED = (
    select(reservation, location.c.location_id, evse.c.evse_uid, partner.c.name.label("partner_name"))
    .join(location, location.c.id == reservation.c.location)
    .join(evse, evse.c.id == reservation.c.evse, isouter=True)
    .join(partner, partner.c.id == reservation.c.partner, isouter=True)
)


_LIVE_AT = Prepared(
    select(reservation).where(reservation.c.station == bindparam("station"), IS_LIVE).order_by(reservation.c.id.desc())
)


def live_for_token(db: Connection, station: str, tokens: Sequence[str]) -> Sequence[Row]:
    """Live reservations at a station for one of these token values (idToken or its group, folded)."""
    keys = {fold(token) for token in tokens if token}
    return [
        row
        for row in _LIVE_AT.all(db, {"station": station})
        if fold(row["id_token"]) in keys or (row["group_id_token"] and fold(row["group_id_token"]) in keys)
    ]
