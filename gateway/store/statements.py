"""Statements that SQLite and PostgreSQL both have and SQLAlchemy spells differently.

Here and in the other files of the store, what runs for every command is built once, when the module is read, and gets
its values as parameters: building a statement costs several times what the database does with it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.prepared import Prepared
from gateway.store.rows import sequence

_HOLD = Prepared(select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name_"), 0)).label("held")))


def insert_into(dialect: str, table: Table) -> postgresql.Insert:
    """Both dialects' inserts say ON CONFLICT in the same words; the types have nothing in common but the name."""
    made: Any = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return cast(postgresql.Insert, made)


@cache
def _put(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...]) -> Prepared:
    statement = insert_into(dialect, table).values({name: bindparam(name) for name in columns})
    changed = {name: statement.excluded[name] for name in columns if name not in key}
    return Prepared(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


@cache
def _put_newest(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...], at: str) -> Prepared:
    statement = insert_into(dialect, table).values({name: bindparam(name) for name in columns})
    changed = {name: statement.excluded[name] for name in columns if name not in key}
    newer = table.c[at] <= statement.excluded[at]
    put_ = statement.on_conflict_do_update(index_elements=list(key), set_=changed, where=newer)
    # An insert's rowcount is not told everywhere.
    return Prepared(put_.returning(*table.primary_key))


@cache
def _put_once(dialect: str, table: Table, columns: tuple[str, ...]) -> Prepared:
    statement = insert_into(dialect, table).values({name: bindparam(name) for name in columns})
    return Prepared(statement.on_conflict_do_nothing().returning(*table.primary_key))


@cache
def _count(dialect: str) -> Prepared:
    statement = insert_into(dialect, sequence).values(name=bindparam("name"), value=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"value": sequence.c.value + 1})
    return Prepared(counted.returning(sequence.c.value))


def put(db: Connection, table: Table, row: Mapping[str, Any], key: Sequence[str]) -> None:
    """Insert ``row``, or change the one that has its ``key`` already."""
    _put(db.dialect.name, table, tuple(row), tuple(key)).send(db, row)


def put_newest(db: Connection, table: Table, row: Mapping[str, Any], key: Sequence[str], at: str) -> bool:
    """``put``, unless what is there is from a later time ``at``; whether it was put."""
    return _put_newest(db.dialect.name, table, tuple(row), tuple(key), at).first(db, row) is not None


def put_once(db: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert ``row`` unless a unique index has it already; whether it was inserted."""
    return _put_once(db.dialect.name, table, tuple(row)).first(db, row) is not None


def following(key: ColumnElement[int], after: int | None) -> list[ColumnElement[bool]]:
    """The condition of a page of a list, the newest first: older than the last one of the page before."""
    return [] if after is None else [key < after]


def take_number(db: Connection, name: str) -> int:
    """The next number of a sequence: positive, and never given again."""
    return int(_count(db.dialect.name).scalar(db, {"name": name}))


def hold(db: Connection, name: str) -> None:
    """Until the commit no other process holds the same. SQLite has one writer at a time."""
    if db.dialect.name == "postgresql":
        _HOLD.all(db, {"name_": name})
