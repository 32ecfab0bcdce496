"""`tariffs`: what our parties ask for, as it was imported with the Locations."""

from collections.abc import Iterable
from typing import Any

import typer

from gateway.cli.opening import Data, Json, reading
from gateway.cli.printing import tell_json, tell_table
from gateway.store import tariffs

app = typer.Typer(help="Tariffs.", no_args_is_help=True)


@app.callback()
def nouns() -> None:
    """Without a callback a lone command would need no name."""


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List Tariffs; with --json each as partners see it."""
    with reading(data) as house:
        found = tariffs.everything(house.db)
    if json:
        tell_json(found)
        return
    columns = ("Tariff", "Party", "Type", "Currency", "Prices", "From", "Until")
    tell_table(columns, map(_row, found), "There is no Tariff yet; bring some with locations import.")


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["id"],
        f"{one['country_code']}*{one['party_id']}",
        one.get("type", ""),
        one["currency"],
        ", ".join(_prices(one["elements"])),
        one.get("start_date_time", ""),
        one.get("end_date_time", ""),
    )


def _prices(elements: Iterable[dict[str, Any]]) -> Iterable[str]:
    """``ENERGY 0.25``; with a star where it does not apply always."""
    for element in elements:
        for component in element["price_components"]:
            yield f"{component['type']} {component['price']}{'*' if element.get('restrictions') else ''}"
