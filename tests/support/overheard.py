"""What a SQLite database is asked: a test hears each statement before it is carried out, and may come in between."""

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

#: Called with the driver's cursor, the statement and its parameters; what it raises, the driver raises.
Hear = Callable[[sqlite3.Cursor, str, Any], None]


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        self.connection.hear(sqlite3.Cursor(self.connection), statement, parameters)
        return super().execute(statement, parameters)


class _Connection(sqlite3.Connection):
    hear: Hear

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(_Cursor)

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self.cursor().execute(statement, parameters)


def overhear(engine: Engine, hear: Hear) -> None:
    """From now on, ``hear`` is told of each statement."""

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, arguments: Any, words: Any) -> _Connection:
        connection = sqlite3.connect(*arguments, factory=_Connection, **words)
        connection.hear = hear
        return connection

    engine.dispose()
