"""`locations`: what partners see of us, and which station each of their names is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from gateway import importing, shown
from gateway.cli.opening import Data, Json, reading, told, writing
from gateway.cli.printing import remark, say, tell_json, tell_table
from gateway.domain import imported
from gateway.house import utc_now
from gateway.store import bindings
from gateway.store.prepared import Row

app = typer.Typer(help="Locations, and the stations that they are bound to.", no_args_is_help=True)

_FILE_HELP = (
    'JSON: {"locations": [OCPI Location…], "stations": [{"id", "password", "security_profile"}], '
    '"bindings": [{"location_id", "evse_uid", "connector_id", "station", "evse", "connector"}], '
    '"tariffs": [OCPI Tariff…]}'
)

_REPLACE_HELP = (
    "The file has all Locations of the parties that it names: the EVSEs of their other Locations become REMOVED."
)

_BROUGHT = ("locations", "evses", "connectors", "stations", "bindings", "tariffs")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE_HELP)],
    replace: Annotated[bool, typer.Option("--replace", help=_REPLACE_HELP)] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Import Locations, stations, bindings and Tariffs: all of the file, or nothing when anything in it is wrong."""
    with told():
        contents = imported.read(file.read_bytes())
    with writing(data) as house:
        counts = importing.bring_in(house.db, contents, utc_now(), replace=replace)
    changed = [{"what": one.what, "kind": one.thing.kind, "name": one.thing.name} for one in counts.changes]
    if json:
        tell_json(asdict(counts) | {"changes": changed, "unheard": list(contents.unheard)})
    else:
        say(f"Imported {', '.join(_counted(getattr(counts, name), name) for name in _BROUGHT)}.")
        for one in changed:
            say(f"  {one['what']} {one['kind']} {one['name']}")
        if not changed:
            say("Nothing has changed.")
    for place in contents.unheard:
        remark(f"{place} is no field that is read.")
    if counts.unbound_evses:
        remark(
            f"{_counted(counts.unbound_evses, 'evses')} bound to no station: no command for them can be carried out."
        )
    if counts.unknown_tariffs:
        remark(f"No Tariff is known of these tariff_ids: {', '.join(counts.unknown_tariffs)}. They are no price.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List Locations, their EVSEs and what they are bound to."""
    with reading(data) as house:
        found = _locations(house.db)
    if json:
        tell_json(found)
        return
    columns = ("Location", "Party", "Name", "EVSE", "Status", "Connectors", "Capabilities", "Station")
    tell_table(columns, _rows(found), "There is no Location yet; bring some with locations import.")


def spot(binding: dict[str, Any]) -> str:
    """``CS-1 2/1``: the station's own evseId and connectorId, ``-`` for what is not said."""
    return f"{binding['station']} {binding['evse'] or '-'}/{binding['connector'] or '-'}"


def _counted(number: int, name: str) -> str:
    singular = {"evses": "EVSE"}.get(name, name.removesuffix("s"))
    return f"{number} {singular if number == 1 else f'{singular}s'}"


def _locations(db: Connection) -> list[dict[str, Any]]:
    evses, connectors = _by("location", bindings.evses(db)), _by("evse", bindings.connectors(db))
    bound = _by("evse", bindings.bindings(db))
    return [
        {
            "country_code": one["country_code"],
            "party_id": one["party_id"],
            "id": one["location_id"],
            "name": one["body"].get("name"),
            "last_updated": one["last_updated"],
            "evses": [_evse(evse, connectors[evse["id"]], bound[evse["id"]]) for evse in evses[one["id"]]],
        }
        for one in bindings.locations(db)
    ]


def _evse(evse: Row, connectors: Sequence[Row], bound: Sequence[Row]) -> dict[str, Any]:
    return {
        "uid": evse["evse_uid"],
        "status": evse["status"],
        "capabilities": evse["capabilities"],
        "connectors": [one["connector_id"] for one in connectors],
        "bindings": [shown.binding(one) for one in bound],
    }


def _by(name: str, rows: Iterable[Row]) -> defaultdict[int, list[Row]]:
    sorted_: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        sorted_[row[name]].append(row)
    return sorted_


def _rows(found: Iterable[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for one in found:
        location = (one["id"], f"{one['country_code']}*{one['party_id']}", one["name"] or "")
        for evse in one["evses"]:
            stations = ", ".join(
                f"{binding['connector_id']}: {spot(binding)}" if binding["connector_id"] else spot(binding)
                for binding in evse["bindings"]
            )
            told = (evse["uid"], evse["status"], ", ".join(evse["connectors"]), ", ".join(evse["capabilities"]))
            yield (*location, *told, stations)
        if not one["evses"]:
            yield (*location, "", "", "", "", "")
