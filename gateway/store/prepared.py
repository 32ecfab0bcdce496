"""Prepared statements: what runs for every command is compiled once and handed to the driver as it is.

SQLAlchemy looks a statement up in its caches and builds a context and a result each time it runs, which costs several
times what the database does with it. Here that is done once for each kind of database; words, types and errors are
SQLAlchemy's all the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from sqlalchemy import ARRAY, JSON, BindParameter, ColumnElement, Connection, Dialect, Insert, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import NullType

from gateway.store.engine import later, told, way

#: What a database answers: a mapping by the names of the columns.
Row = Mapping[Any, Any]

_Convert = Callable[[Any], Any]


class Prepared:
    """``statement``, which has a ``bindparam`` for each value, and one by ``among`` for a list of them."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        #: By the kind of database; an insert of values also by its columns, which are those that it is given.
        self._compiled: dict[str | tuple[str, ...], _Compiled] = {}
        self._is_insert = isinstance(statement, Insert) and statement.select is None

    def run(self, db: Connection, values: Row) -> int:
        """How many rows were changed."""
        return int(self._for(db, values).execute(db, values).rowcount)

    def send(self, db: Connection, values: Row) -> None:
        """Nobody asks what was changed; what is amiss with it may be told with the next statement, or the commit."""
        self._for(db, values).send(db, values)

    def all(self, db: Connection, values: Row) -> list[Row]:
        compiled = self._for(db, values)
        return [_Found(found, compiled.places) for found in compiled.execute(db, values).fetchall()]

    def first(self, db: Connection, values: Row) -> Row | None:
        compiled = self._for(db, values)
        found = compiled.execute(db, values).fetchall()
        return _Found(found[0], compiled.places) if found else None

    def one(self, db: Connection, values: Row) -> Row:
        (row,) = self.all(db, values)
        return row

    def scalars(self, db: Connection, values: Row) -> list[Any]:
        """The first column of every row."""
        compiled = self._for(db, values)
        (_, convert), *_ = compiled.places.values()
        found = compiled.execute(db, values).fetchall()
        return [row[0] if convert is None else convert(row[0]) for row in found]

    def scalar(self, db: Connection, values: Row) -> Any:
        """The first column of the first row; None without one."""
        return next(iter(self.scalars(db, values)), None)

    def _for(self, db: Connection, values: Row) -> "_Compiled":
        key = (db.dialect.name, *values) if self._is_insert else db.dialect.name
        compiled = self._compiled.get(key)
        if compiled is None:
            columns = tuple(values) if self._is_insert else ()
            compiled = self._compiled[key] = _Compiled(self._statement, db.dialect, columns)
        return compiled


class _Found(Mapping[Any, Any]):
    """A row, of which a value is converted when it is asked for: most rows are asked for a few of many."""

    __slots__ = ("_places", "_values")

    def __init__(self, values: Sequence[Any], places: Mapping[str, tuple[int, _Convert | None]]) -> None:
        self._values, self._places = values, places

    def __getitem__(self, name: str) -> Any:
        place, convert = self._places[name]
        value = self._values[place]
        return value if convert is None else convert(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class _Compiled:
    """A statement as one kind of database takes it."""

    def __init__(self, statement: Any, dialect: Dialect, columns: Sequence[str]) -> None:
        _spell_out(statement)
        compiled: SQLCompiler = statement.compile(dialect=_in_order(dialect), column_keys=columns or None)
        # What an insert is not given has its column's default.
        defaults = {column.key: getattr(column.default, "arg", None) for column in compiled.insert_prefetch}
        given = {name for name, bound in compiled.binds.items() if bound.required and name not in defaults}
        # Lists that the statement brings itself are spelt out here.
        spelt = compiled.construct_expanded_state(dict.fromkeys(given) | defaults, escape_names=False)
        self._dialect, self._text = dialect, spelt.statement
        own = {name: bound.type.dialect_impl(dialect).bind_processor(dialect) for name, bound in compiled.binds.items()}
        convert: Mapping[str, Any] = {**own, **spelt.processors}
        #: In the driver's order: name, conversion, and in a tuple what the statement brings itself.
        self._sent: list[tuple[str, _Convert | None, tuple[Any] | None]] = [
            (name, convert.get(name), None if name in given else (_sent(spelt.parameters[name], convert.get(name)),))
            for name in spelt.positiontup or ()
        ]
        answered = getattr(statement, "exported_columns", ())
        #: By the name of each column: where it is in what the driver answers, and its conversion.
        self.places: dict[str, tuple[int, _Convert | None]] = {
            column.name: (place, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for place, column in enumerate(answered)
        }
        assert len(self.places) == len(answered), "two columns of one name"

    def execute(self, db: Connection, values: Row) -> Any:
        """What was answered, as a cursor has it."""
        return self._hand_over(db, way(db).execute, values)

    def send(self, db: Connection, values: Row) -> None:
        self._hand_over(db, partial(later, db), values)

    def _hand_over(self, db: Connection, to: Callable[[str, Sequence[Any]], Any], values: Row) -> Any:
        sent = self._sent_with(values)
        try:
            return to(self._text, sent)
        except self._dialect.loaded_dbapi.Error as problem:
            raise told(db, problem, self._text) from problem

    def _sent_with(self, values: Row) -> list[Any]:
        return [
            brought[0] if brought is not None else values[name] if convert is None else convert(values[name])
            for name, convert, brought in self._sent
        ]


@cache
def _in_order(dialect: Dialect) -> Dialect:
    """``dialect`` with its values in order, as both databases take them."""
    if dialect.name != "postgresql":
        return dialect
    return PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy's


def _spell_out(statement: Any) -> None:
    """What never changes is part of the text. SQLite would prepare a statement anew each time it runs, to see whether
    a value that it is given lets it use an index of some rows only, and PostgreSQL's plan for all values uses none.
    """
    for element in iterate(statement):
        if isinstance(element, BindParameter) and not element.required:
            values: list[Any] = list(element.value or ()) if element.expanding else [element.value]
            element.literal_execute = all(isinstance(value, str | int) for value in values)


def _sent(value: Any, convert: _Convert | None) -> Any:
    return value if convert is None else convert(value)


class among(ColumnElement[Any]):
    """``column`` is one of a list that is given as ``name``: one statement, however long the list is."""

    inherit_cache = False
    type = NullType()  # a Boolean would be compared with 1 where a database has none

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column, self.name = column, name


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: SQLCompiler, **words: Any) -> str:
    given = bindparam(element.name, type_=JSON, required=True)
    column, list_ = compiler.process(element.column, **words), compiler.process(given, **words)
    return f"{column} IN (SELECT value FROM json_each({list_}))"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **words: Any) -> str:
    given = bindparam(element.name, type_=ARRAY(element.column.type), required=True)
    # A list that the planner can look into makes a plan for this list look better than one for any, each time anew.
    return (
        f"{compiler.process(element.column, **words)} = ANY (ARRAY(SELECT unnest({compiler.process(given, **words)})))"
    )
