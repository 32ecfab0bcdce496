"""History: finished commands and live reservations by the hundred thousand, copied from one that a run has made.

A reservation is copied with all the rows that it has left, to other stations and with other identities: whatever else
the copies say is what the gateway itself has written.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    Table,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from gateway.domain.lifecycle import CallbackState, CommandState, ReservationState
from gateway.store import rows
from gateway.store.engine import turn
from workers.bench.scene import STATION
from workers.bench.talk import Broken

#: How long ago the copies of what is over were made; how much longer than their pattern those of what is live last.
AGO, LONGER = timedelta(days=7), timedelta(hours=20)
#: Copies in one transaction: a gateway that is up waits no longer than that for its turn.
AT_ONCE = 5_000
#: Seconds until what was called back is written down as called back.
PATIENCE = 10.0

#: What a reservation leaves, and what it has at its station besides, in the order in which rows may be inserted.
LEFT = (rows.reservation, rows.session, rows.command, rows.callback, rows.callback_attempt)
HELD = (rows.token_alias, rows.authorization)
#: The columns that mean rows of these tables, by foreign keys and without.
MEANS = {"reservation": rows.reservation, "session": rows.session, "command": rows.command, "callback": rows.callback}
#: Texts that no two rows may share, and how much of them a copy keeps before its own number.
UNIQUE = {"duplicate_key": 48, "session_id": 24, "reservation_id": 24, "reservation_key": 24}
#: The same of a driver's token, where the drivers are others.
TOKEN = {"id_token": 12, "token_key": 12, "alias": 12, "uid_key": 24}
#: Where a copy is, instead of where its pattern was.
PLACE: Mapping[str, ColumnElement[Any]] = {
    "station": rows.binding.c.station,
    "station_evse": rows.binding.c.station_evse,
    "station_connector": rows.binding.c.station_connector,
    "evse": rows.evse.c.id,
    "evse_uid": rows.evse.c.evse_uid,
    "location": rows.evse.c.location,
}


@dataclass(frozen=True)
class At:
    """The stations that the copies are spread over, by the numbers of their spots."""

    first: int
    count: int


def add_finished(engine: Engine, commands: int, at: At) -> None:
    """``commands`` that are over, or one less: a reservation is made and cancelled."""
    _add(engine, _Copier(_pattern(engine, ReservationState.CANCELLED, LEFT), at, UNIQUE, -AGO), commands // 2)


def add_live(engine: Engine, reservations: int, at: At) -> None:
    """Reservations of as many drivers, that hold for the rest of the run."""
    pattern = _pattern(engine, ReservationState.ACTIVE, (*LEFT, *HELD))
    pattern.rows[rows.reservation][0]["expiry_date"] += LONGER
    _add(engine, _Copier(pattern, at, UNIQUE | TOKEN, timedelta(0)), reservations)


@dataclass(frozen=True)
class _Pattern:
    """The rows of one reservation; ids and numbers above ``top`` are free."""

    rows: dict[Table, list[dict[str, Any]]]
    top: dict[Table, int]
    number: int


def _pattern(engine: Engine, state: str, tables: Sequence[Table]) -> _Pattern:
    """Of a reservation about which all is said: a copy is nothing that the gateway would still have to do."""
    of_it = rows.command.c.reservation == rows.reservation.c.id
    asked = exists().where(of_it, rows.command.c.state != CommandState.CONCLUDED)
    owed = exists().where(
        of_it, rows.callback.c.command == rows.command.c.id, rows.callback.c.state == CallbackState.DUE
    )
    settled = select(rows.reservation).where(rows.reservation.c.state == state, ~asked, ~owed)
    until = time.monotonic() + PATIENCE
    while (found := _first(engine, settled)) is None:
        if time.monotonic() > until:
            raise Broken(f"There is no reservation that is {state}, of which the history could be made.")
        time.sleep(0.1)
    with engine.execution_options(reads_only=True).connect() as db:
        of = {rows.reservation: [found]}
        for table in tables[1:]:
            of[table] = [dict(row) for row in db.execute(select(table).where(_left_by(table, of))).mappings()]
        top = {table: int(db.scalar(select(func.max(table.c.id))) or 0) for table in tables if "id" in table.c}
        number = int(db.scalar(select(func.max(rows.reservation.c.number))) or 0)
        return _Pattern(of, top, number)


def _first(engine: Engine, settled: Select[Any]) -> dict[str, Any] | None:
    with engine.execution_options(reads_only=True).connect() as db:
        found = db.execute(settled.order_by(rows.reservation.c.id)).mappings().first()
        return None if found is None else dict(found)


def _left_by(table: Table, of: Mapping[Table, Sequence[Mapping[str, Any]]]) -> ColumnElement[bool]:
    """The rows of a table that follow from those before."""
    held = of[rows.reservation][0]
    if table is rows.token_alias:
        return rows.token_alias.c.alias == str(held["id_token"])
    if table in {rows.session, rows.command}:
        return table.c.reservation.in_([held["id"]])
    by = "callback" if table is rows.callback_attempt else "command"
    return table.c[by].in_([row["id"] for row in of[MEANS[by]]])


@dataclass(frozen=True)
class _Copier:
    """Says each column of a copy."""

    pattern: _Pattern
    at: At
    unique: Mapping[str, int]
    later: timedelta

    def copies(self, table: Table, row: Mapping[str, Any], first: int, last: int) -> Any:
        """The statement that makes the copies ``first`` to ``last`` of a row."""
        number = _numbers(first, last)
        spot = self.at.first + (number.c.n - 1) % self.at.count
        source = number.join(rows.binding, rows.binding.c.station == literal(STATION) + cast(spot, String)).join(
            rows.evse, rows.evse.c.id == rows.binding.c.evse
        )
        chosen = select(*(self._column(column, row[column.name], number.c.n) for column in table.c))
        return insert(table).from_select([column.name for column in table.c], chosen.select_from(source))

    def _column(self, column: Column[Any], value: Any, copy: ColumnElement[int]) -> ColumnElement[Any]:
        if value is None:
            return null()
        table = column.table if column.name == "id" else MEANS.get(column.name)
        if table is not None:
            return self._key(table, value, copy)
        if column.name == "number":
            return literal(self.pattern.number) + copy
        if column.name in PLACE:
            return PLACE[column.name]
        if (kept := self.unique.get(column.name)) is not None:
            return literal(f"{value[:kept]}-") + cast(copy, String)
        if isinstance(value, datetime):
            value += self.later
        return literal(value, column.type)

    def _key(self, table: Any, value: int, copy: ColumnElement[int]) -> ColumnElement[int]:
        known = [row["id"] for row in self.pattern.rows[table]]
        return literal(self.pattern.top[table]) + (copy - 1) * len(known) + known.index(value) + 1


def _numbers(first: int, last: int) -> CTE:
    number = select(literal(first).label("n")).cte("number", recursive=True)
    return number.union_all(select(number.c.n + 1).where(number.c.n < last))


def _add(engine: Engine, copier: _Copier, copies: int) -> None:
    for first in range(1, copies + 1, AT_ONCE):
        with turn(engine), engine.begin() as db:
            for table, patterns in copier.pattern.rows.items():
                for row in patterns:
                    db.execute(copier.copies(table, row, first, min(copies, first + AT_ONCE - 1)))
    with turn(engine), engine.begin() as db:
        _settle(db, copier.pattern, copies)


def _settle(db: Connection, pattern: _Pattern, copies: int) -> None:
    """What counts up goes on above the copies; and the planner knows of them, as it would after a while."""
    numbers = update(rows.sequence).where(rows.sequence.c.name == "reservation")
    db.execute(numbers.values(value=rows.sequence.c.value + copies))
    if db.dialect.name != "postgresql":
        return
    for table in pattern.top:
        newest = select(func.max(table.c.id)).scalar_subquery()
        db.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), newest)))
    for table in pattern.rows:
        db.exec_driver_sql(f"ANALYZE {db.dialect.identifier_preparer.format_table(table)}")
