"""Queues: every query about the orders that wait at stations, and whose turn it is."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, select

from gateway.domain.lifecycle import CommandState
from gateway.store.prepared import Prepared, among
from gateway.store.rows import command
from ocpi.headers import Party


@dataclass(frozen=True, kw_only=True)
class Queued:
    """An open order in its station's queue."""

    id: int
    station: str
    #: Whose it is: connection and eMSP.
    party: tuple[int | None, str]
    #: It still waits for its turn.
    unsent: bool


_OPEN = command.c.state != CommandState.CONCLUDED
_QUEUE = Prepared(
    select(
        command.c.id,
        command.c.station,
        command.c.partner,
        command.c.from_country,
        command.c.from_party,
        and_(command.c.state != CommandState.SENT, command.c.ending.is_(None)).label("unsent"),
    )
    .where(command.c.station.in_(select(command.c.station).where(among(command.c.id, "ids"))), _OPEN)
    .order_by(command.c.id)
)
_WAITING_AT = Prepared(
    select(command.c.id).where(command.c.station == bindparam("station_"), _OPEN).order_by(command.c.id)
)


def queue_of(db: Connection, ids: Collection[int]) -> list[Queued]:
    """The open orders of the stations that these commands are for, oldest first."""
    return [
        Queued(
            id=row["id"],
            station=row["station"],
            party=(row["partner"], Party(row["from_country"], row["from_party"]).key),
            unsent=bool(row["unsent"]),
        )
        for row in _QUEUE.all(db, {"ids": list(ids)})
    ]


def crowded_out(queue: Sequence[Queued], most: int) -> set[int]:
    """Those that find ``most`` before them at their station; the first one of each party has its place (P6)."""
    places, parties, found = Counter[str](), set[tuple[str, tuple[int | None, str]]](), set[int]()
    for one in queue:
        if places[one.station] >= most and (one.station, one.party) in parties:
            found.add(one.id)
        else:
            places[one.station] += 1
            parties.add((one.station, one.party))
    return found


def waiting_at(db: Connection, station: str) -> list[int]:
    """The open commands of a station, oldest first."""
    return _WAITING_AT.scalars(db, {"station_": station})


def is_waiting(db: Connection, station: str) -> bool:
    asked = select(command.c.id).where(command.c.station == station, _OPEN, command.c.ending.is_(None))
    return db.execute(asked.where(command.c.state != CommandState.SENT).limit(1)).first() is not None
