"""`partner`, of hubs: the parties behind one, as it tells of them."""

from typing import Annotated

import typer

from gateway import hub_parties
from gateway.cli.opening import Data, Json, Refused, outgoing, reading
from gateway.cli.partner import Which, find
from gateway.cli.printing import moment, remark, say, tell_json, tell_table
from gateway.store import client_infos
from ocpi.headers import Party

app = typer.Typer()


@app.command()
def parties(
    which: Which,
    pull: Annotated[bool, typer.Option("--pull", help="Ask the hub for all of them first (HubClientInfo).")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the parties behind a hub, and whether the hub says that they are connected."""
    with reading(data) as house:
        hub = find(house.db, which)
        if not hub.is_hub:
            raise Refused(f"{hub.name} (partner {hub.id}) is no hub.")
    pulled = outgoing(data, lambda office: hub_parties.pull(office, hub)) if pull else None
    with reading(data) as house:
        found = [
            {
                "country_code": row["country_code"],
                "party_id": row["party_id"],
                "role": row["role"],
                "status": row["status"],
                "last_updated": row["last_updated"],
                "away": client_infos.away(house.db, hub.id, Party(row["country_code"], row["party_id"])) != "",
            }
            for row in client_infos.of_hub(house.db, hub.id)
        ]
    if json:
        tell_json(found)
        return
    if pulled is not None:
        say(f"{pulled.taken} were read.")
        if pulled.skipped:
            remark(f"{pulled.skipped} were not valid; the log says which.")
    columns = ("Party", "Role", "Status", "Since")
    rows = [
        (f"{one['country_code']}*{one['party_id']}", one["role"], one["status"], moment(one["last_updated"]))
        for one in found
    ]
    tell_table(columns, rows, f"{hub.name} has not told of any party yet.")
