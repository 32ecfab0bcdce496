"""`db`: the schema of the database."""

from pathlib import Path
from typing import Any

import typer
from sqlalchemy import Engine

from gateway.cli.opening import Data, Json, engine_of
from gateway.cli.printing import say, tell_json
from gateway.store import schema

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


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


def _current(engine: Engine) -> str | None:
    """To look for an SQLite file would make it."""
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return None
    with engine.execution_options(reads_only=True).connect() as db:
        return schema.current(db)
