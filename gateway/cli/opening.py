"""What every operator's command does first: find the settings and the database, and say in a sentence what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, StatementError

from gateway.domain.imported import Unimportable
from gateway.keys import proven_secrets
from gateway.logs import keep_off_stdout
from gateway.office import Office
from gateway.paged import NotPulled
from gateway.public_url import with_public_url
from gateway.registering import NotDone
from gateway.secrets import WrongKey
from gateway.settings import Settings, SettingsProblem, read_settings
from gateway.store import schema
from gateway.store.engine import open_engine, turn
from ocpi.status import OcpiError

T = TypeVar("T")

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        show_default=False,
        help="Data directory, as GATEWAY_DATA_DIR (default: ./gateway-data).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON and nothing else.")]


class Refused(Exception):
    """What the operator asked for cannot be done; the message is the sentence that says why."""


@dataclass(frozen=True, kw_only=True)
class House:
    """What a command works with, inside one transaction."""

    settings: Settings
    db: Connection


@contextmanager
def writing(data: Path | None) -> Iterator[House]:
    """One transaction on the database at this release's schema: committed at the end, undone by any mistake."""
    with _opened(data) as (settings, engine), turn(engine), engine.begin() as db:
        yield House(settings=settings, db=db)


@contextmanager
def reading(data: Path | None) -> Iterator[House]:
    """The same for looking only: it never waits for a running gateway's writers."""
    with _opened(data) as (settings, engine), engine.execution_options(reads_only=True).begin() as db:
        yield House(settings=settings, db=db)


def outgoing(data: Path | None, work: Callable[[Office], Awaitable[T]]) -> T:
    """What has to call partners; whether a gateway runs does not matter, and its queue is not needed."""
    with writing(data) as house:
        proven_secrets(house.settings, house.db)
        settings = with_public_url(house.settings)

    keep_off_stdout()

    async def run() -> T:
        office = Office.open(settings, settings.redis_url or f"unix://{settings.data_dir.absolute()}/none")
        try:
            return await work(office)
        finally:
            await office.close()

    with told():
        return asyncio.run(run())


@contextmanager
def engine_of(data: Path | None) -> Iterator[tuple[Settings, Engine]]:
    """The database as it is, whatever its schema."""
    with told():
        settings = read_settings(data_dir=data)
        engine = _engine(settings)
        try:
            yield settings, engine
        finally:
            engine.dispose()


@contextmanager
def told() -> Iterator[None]:
    """An operator's mistake, or the machine's, ends the command with a sentence on stderr and exit code 1."""
    try:
        yield
    except (Exception, SettingsProblem) as problem:
        sentence = _sentence(problem)
        if sentence is None:
            raise
        leave(sentence)


def leave(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1) from None


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """A parser for an option whose values are the keys of a table."""

    def parse(value: str) -> str:
        if value not in known:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}")
        return value

    return parse


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[Settings, Engine]]:
    with engine_of(data) as (settings, engine):
        with engine.execution_options(reads_only=True).connect() as db:
            present = schema.current(db)
        if present != schema.head():
            schema.upgrade(engine)
        yield settings, engine


def _engine(settings: Settings) -> Engine:
    scheme = settings.database.partition(":")[0].partition("+")[0]
    if scheme not in {"sqlite", "postgresql"}:
        raise Refused("GATEWAY_DATABASE_URL is wrong: it begins with sqlite:// or postgresql://")
    return open_engine(settings.database)


def _sentence(problem: BaseException) -> str | None:
    match problem:
        case Refused() | SettingsProblem() | WrongKey() | NotDone() | NotPulled() | OcpiError():
            return str(problem)
        case Unimportable():
            return "\n".join(["Nothing was imported:", *(f"  {line}" for line in problem.problems)])
        case IntegrityError():
            return "Somebody else changed the same thing at this moment, so nothing was changed here; try again."
        case DBAPIError():
            return f"The database cannot be used: {_first_line(problem.orig)}."
        case ArgumentError():
            return "GATEWAY_DATABASE_URL is wrong: it cannot be read as a URL"
        case CommandError():
            return f"The database was not made by this release or an older one: {_first_line(problem)}."
        case BrokenPipeError():
            return None
        case OSError(strerror=str(reason)):
            return f"{problem.filename}: {reason}." if problem.filename else f"{reason}."
        case UnicodeEncodeError() | StatementError(orig=UnicodeEncodeError()):
            return "What was given is no text that can be kept."
    return None


def _first_line(problem: BaseException | None) -> str:
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return lines[0].rstrip(".:")
