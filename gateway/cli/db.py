"""`db`: the database's schema, and what grows in it."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from sqlalchemy import Engine

from gateway.cli.opening import Data, Json, Refused, engine_of
from gateway.cli.printing import say, tell_json
from gateway.house import utc_now
from gateway.settings import read_duration
from gateway.store import schema
from gateway.store.archive import over, remove
from gateway.store.engine import turn

app = typer.Typer(help="The database: its schema, and old rows.", no_args_is_help=True)


@app.command()
def upgrade(data: Data = None) -> None:
    """Bring the database to this release's schema; every other command does so too."""
    with engine_of(data) as (_, engine):
        before = _current(engine)
        schema.upgrade(engine)
    done = "was already at" if before == schema.head() else "is now at"
    say(f"The database {done} revision {schema.head()}.")


@app.command()
def current(data: Data = None, json: Json = False) -> None:
    """Show which revision the database is at; nothing is changed."""
    with engine_of(data) as (_, engine):
        seen: dict[str, Any] = {"current": _current(engine), "head": schema.head()}
    if json:
        tell_json(seen | {"up_to_date": seen["current"] == seen["head"]})
    elif seen["current"] is None:
        say(f"The database is empty; this release's revision is {seen['head']}.")
    elif seen["current"] == seen["head"]:
        say(f"The database is at revision {seen['current']}, this release's.")
    else:
        say(f"The database is at revision {seen['current']}; this release's is {seen['head']}.")


#: Commands in one transaction: a gateway that runs waits no longer than for one of its own.
BATCH = 200
#: A POST is answered from its record for a day.
YOUNGEST = timedelta(days=1)


@app.command()
def archive(
    file: Annotated[Path, typer.Argument(help="Where to write them, a JSON object a line; it is added to.")],
    older_than: Annotated[str, typer.Option(metavar="DURATION", help="Concluded so long ago: P90D, or seconds.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Move old commands, with their callbacks and attempts, out of the database into a file.

    What a reservation, a charge or a result that is still owed needs stays. Sessions and CDRs stay too, but a CDR for a
    reservation that an eMSP cancelled cannot be made again without its commands.
    """
    with engine_of(data) as (_, engine):
        before, after, moved = utc_now() - _age(older_than), 0, 0
        schema.upgrade(engine)
        with file.open("ab") as into:
            while True:
                with turn(engine), engine.begin() as db:
                    found = over(db, before, after, BATCH)
                    into.writelines(orjson.dumps(one, option=orjson.OPT_UTC_Z) + b"\n" for one in found)
                    into.flush()
                    os.fsync(into.fileno())  # before they are gone from where they were
                    remove(db, [one["id"] for one in found])
                if not found:
                    break
                after, moved = found[-1]["id"], moved + len(found)
    if json:
        tell_json({"moved": moved, "file": str(file)})
    else:
        say(f"{moved} commands were moved to {file}.")


def _age(written: str) -> timedelta:
    try:
        age = read_duration(written)
        utc_now() - age
    except ValueError as problem:
        raise Refused(f"--older-than: {problem}.") from None
    except OverflowError:
        raise Refused("--older-than: nothing is that old.") from None
    if age < YOUNGEST:
        raise Refused("--older-than: a day at least; the same POST is answered from the record so long.")
    return age


def _current(engine: Engine) -> str | None:
    """To look for an SQLite file would make it."""
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return None
    with engine.execution_options(reads_only=True).connect() as db:
        return schema.current(db)
