"""Waiting: an order that an operator gave to a station is followed until it has its result."""

import time
from datetime import timedelta
from pathlib import Path

from gateway import conclusions
from gateway.cli.opening import House, engine_of
from gateway.domain.lifecycle import CommandState
from gateway.house import Rules, utc_now
from gateway.keys import proven_secrets
from gateway.store import commands
from gateway.store.engine import turn
from gateway.store.prepared import Row

#: Seconds between two looks.
_PAUSE = 0.2
#: A gateway that runs concludes what is overdue within this time; else it is done here.
_PATIENCE = timedelta(seconds=3)


def rules_of(house: House) -> Rules:
    return Rules(settings=house.settings, secrets=proven_secrets(house.settings, house.db))


def outcome(data: Path | None, command_id: int) -> Row:
    """The command, concluded: by the gateway that runs, or here when none did in its time."""
    with engine_of(data) as (settings, engine):
        while True:
            with engine.execution_options(reads_only=True).begin() as db:
                row = commands.by_id(db, command_id)
            assert row is not None
            if row["state"] == CommandState.CONCLUDED:
                return row
            if utc_now() > row["deadline"] + _PATIENCE:
                with turn(engine), engine.begin() as db:
                    conclusions.conclude(db, [command_id], rules_of(House(settings=settings, db=db)), utc_now())
            time.sleep(_PAUSE)


def sentence(row: Row) -> str:
    """``CS-1 answered Rejected (NotEnabled), "out of season".``; without an answer, why there is none."""
    answer = row["answer"] or {}
    if row["dispatched_at"] is None:
        return f"No gateway is running that could ask {row['station']}."
    if not answer.get("status"):
        return f"{row['station']}: {row['result']}. {row['result_text']}".strip()
    reason = f" ({answer['reason']})" if answer.get("reason") else ""
    detail = f', "{answer["detail"]}"' if answer.get("detail") else ""
    return f"{row['station']} answered {answer['status']}{reason}{detail}."
