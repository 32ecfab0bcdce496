"""Each: work on many rows, in which one that fails keeps no other from its turn."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from gateway.store.abreast import apart, send_now

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


def each(db: Connection, what: str, ones: Iterable[T], work: Callable[[T], R]) -> list[R]:
    """What ``work`` made of those that it could be done for; the log tells of the others, and of ``what``."""
    made = []
    send_now(db)
    for one in ones:
        try:
            with apart(db):
                made.append(work(one))
        except OperationalError:  # of the database as a whole: SQLite has undone the others' work with it
            raise
        except Exception as problem:  # whatever it is, it concerns this one alone
            log.error(what, row=one if isinstance(one, int) else None, problem=repr(problem))
    return made
