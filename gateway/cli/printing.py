"""How commands answer: tables for people, JSON for programs, remarks on stderr."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: A pipe has no width: nothing in it is folded or cut.
_ENDLESS = 100_000


def tell_json(value: Any) -> None:
    """The only thing on stdout; times are ISO 8601 with a Z."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))


def tell_table(columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
    """A row a line; the sentence ``nothing`` when there is none."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    _print(table if table.row_count else Text(nothing))


def tell_facts(facts: Mapping[str, object]) -> None:
    """One thing, a fact a line; what is not known is left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None and value != "":
            table.add_row(name, _cell(value))
    _print(table)


def tell_title(title: str) -> None:
    _print(Text(f"\n{plain(title)}", style="bold"))


def say(sentence: str) -> None:
    typer.echo(plain(sentence))


def remark(sentence: str) -> None:
    """What an operator should know beside the answer, out of the way of whoever reads stdout."""
    typer.echo(plain(sentence), err=True)


def plain(text: str) -> str:
    """Stations and partners choose what we print; none of it may drive the operator's terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else f"\\x{ord(sign):02x}" for sign in text)


def compact(value: Any) -> str:
    """JSON on one line, for a table's cell."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


def moment(at: datetime | None, timespec: str = "seconds") -> str:
    """``2026-01-31T12:00:00Z``."""
    return "" if at is None else f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec)}Z"


def _cell(value: object) -> Text:
    match value:
        case None:
            return Text("")
        case bool():
            return Text("yes" if value else "no")
        case datetime():
            return Text(moment(value))
        case dict():
            return Text(plain(compact(value)))
    return Text(plain(str(value)))


def _print(what: Table | Text) -> None:
    if sys.stdout.isatty():
        Console().print(what)
        return
    console = Console(width=_ENDLESS, file=StringIO())
    with console.capture() as written:
        console.print(what)
    for line in written.get().splitlines():
        typer.echo(line.rstrip())
