"""Statements that SQLite and PostgreSQL both have and SQLAlchemy spells differently."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.rows import sequence


def _insert(db: Connection, table: Table) -> postgresql.Insert:
    """Both dialects' inserts say ON CONFLICT in the same words; the types have nothing in common but the name."""
    made: Any = sqlite.insert(table) if db.dialect.name == "sqlite" else postgresql.insert(table)
    return cast(postgresql.Insert, made)


def put(db: Connection, table: Table, row: Mapping[str, Any], key: Sequence[str]) -> None:
    """Insert ``row``, or change the one that has its ``key`` already."""
    statement = _insert(db, table).values(**row)
    changed = {name: statement.excluded[name] for name in row if name not in key}
    db.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


def put_newest(db: Connection, table: Table, row: Mapping[str, Any], key: Sequence[str], at: str) -> bool:
    """``put``, unless what is there is from a later time ``at``; whether it was put."""
    statement = _insert(db, table).values(**row)
    changed = {name: statement.excluded[name] for name in row if name not in key}
    newer = table.c[at] <= statement.excluded[at]
    return _did(db, table, statement.on_conflict_do_update(index_elements=list(key), set_=changed, where=newer))


def put_once(db: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert ``row`` unless a unique index has it already; whether it was inserted."""
    return _did(db, table, _insert(db, table).values(**row).on_conflict_do_nothing())


def _did(db: Connection, table: Table, statement: postgresql.Insert) -> bool:
    """Whether a row was written; an insert's rowcount is not told everywhere."""
    return db.execute(statement.returning(*table.primary_key)).first() is not None


def take_number(db: Connection, name: str) -> int:
    """The next number of a sequence: positive, and never given again."""
    statement = _insert(db, sequence).values(name=name, value=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"value": sequence.c.value + 1})
    return int(db.execute(counted.returning(sequence.c.value)).scalar_one())
