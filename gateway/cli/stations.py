"""`stations`: the hardware, and what it told of itself."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from gateway import errands, shown
from gateway.cli.locations import spot
from gateway.cli.opening import Data, Json, Refused, reading, writing
from gateway.cli.printing import moment, say, tell_facts, tell_json, tell_table, tell_title
from gateway.cli.waiting import outcome, rules_of, sentence
from gateway.house import utc_now
from gateway.store import stations
from ocpi.commands import CommandResultType

app = typer.Typer(help="Charging stations.", no_args_is_help=True)


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the stations and whether they are connected."""
    with reading(data) as house:
        found = [shown.station(house.db, row) for row in stations.everyone(house.db)]
    if json:
        tell_json(found)
        return
    columns = ("Id", "Profile", "Protocol", "Registration", "Connected", "Last heard", "Bound to")
    rows = [
        (
            one["id"],
            one["security_profile"],
            one["subprotocol"],
            one["registration"],
            _connection(one),
            one["heard_at"],
            ", ".join(_name(each) for each in one["bindings"]),
        )
        for one in found
    ]
    tell_table(columns, rows, "There is no station yet; bring some with locations import.")


@app.command()
def show(
    station: Annotated[str, typer.Argument(metavar="ID", help="The station's identity.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a station: its connection, what it told at boot and since, and where it is."""
    with reading(data) as house:
        row = stations.find(house.db, station)
        if row is None:
            raise Refused(f"There is no station {station!r}.")
        found = shown.station(house.db, row)
    if json:
        tell_json(found)
        return
    tell_facts(_facts(found))
    tell_title("Connectors")
    columns = ("EVSE", "Connector", "Status", "Error", "Told")
    told = [
        (one["evse"] or "-", one["connector"], one["status"], one["error"], one["told_at"])
        for one in found["connectors"]
    ]
    tell_table(columns, told, "It told no status yet.")
    tell_title("Bound to")
    tell_table(("Location", "EVSE", "Connector", "At the station"), _bound(found["bindings"]), "Bound to nothing.")


@app.command("set")
def set_(
    station: Annotated[str, typer.Argument(metavar="ID", help="The station's identity.")],
    variable: Annotated[
        str,
        typer.Argument(metavar="COMPONENT.VARIABLE", help="e.g. ReservationCtrlr.NonEvseSpecific; on 1.6 a key."),
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it is to be.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Set a variable of a station (2.x SetVariables, 1.6 ChangeConfiguration), and wait for its answer."""
    with writing(data) as house:
        if stations.find(house.db, station) is None:
            raise Refused(f"There is no station {station!r}.")
        if station not in stations.online(house.db):
            raise Refused(f"Charging station {station} is offline.")
        errand = errands.configure(house.db, rules_of(house), station, variable, value, utc_now())
    row = outcome(data, errand)
    if json:
        tell_json(shown.outcome(row) | {"variable": variable, "value": value})
    else:
        say(sentence(row))
    if row["result"] != CommandResultType.ACCEPTED:
        raise typer.Exit(1)


def _connection(one: dict[str, Any]) -> str:
    if one["connected"]:
        return f"since {moment(one['connected_at'])}"
    return f"no, lost {moment(one['disconnected_at'])}" if one["disconnected_at"] else "never"


def _name(binding: dict[str, Any]) -> str:
    names = (binding["location_id"], binding["evse_uid"], binding["connector_id"])
    return "/".join(name for name in names if name is not None)


def _facts(one: dict[str, Any]) -> dict[str, object]:
    return {
        "Id": one["id"],
        "Security profile": one["security_profile"],
        "Protocol": one["subprotocol"],
        "Connected": _connection(one),
        "Last heard": one["heard_at"],
        "Registration": one["registration"],
        "Booted": one["booted_at"],
        **({"Clock ahead": f"{one['clock_ahead']} s"} if one["clock_ahead"] is not None else {}),
        **{f"Boot {name}": value for name, value in (one["boot"] or {}).items()},
        **{f"Ability {name}": value for name, value in (one["abilities"] or {}).items()},
    }


def _bound(found: Iterable[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [(one["location_id"], one["evse_uid"], one["connector_id"] or "every one", spot(one)) for one in found]
