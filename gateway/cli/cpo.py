"""`cpo`: our own parties."""

from typing import Annotated, Any

import typer

from gateway.cli.opening import Data, Json, Refused, reading, writing
from gateway.cli.parties import Country, PartyId, read_name, read_party
from gateway.cli.printing import say, tell_json, tell_table
from gateway.domain.parties import Cpo
from gateway.store import partners

app = typer.Typer(help="Our own CPO parties.", no_args_is_help=True)


@app.command()
def add(
    country: Country,
    party: PartyId,
    name: Annotated[str, typer.Option("--name", metavar="N", help="Its name, for people.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Add a party of ours, in whose name partners are answered."""
    with writing(data) as house:
        wanted, called = read_party(country, party), read_name(name)
        if any(one.party == wanted for one in partners.cpos(house.db)):
            raise Refused(f"{wanted} is a party of ours already.")
        added = Cpo(id=partners.add_cpo(house.db, wanted, called), party=wanted, name=called)
    if json:
        tell_json(_told(added))
    else:
        say(f"{wanted} ({called}) is a party of ours now.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List our parties."""
    with reading(data) as house:
        found = partners.cpos(house.db)
    if json:
        tell_json([_told(one) for one in found])
    else:
        rows = [(one.id, one.party, one.name) for one in found]
        tell_table(("Id", "Party", "Name"), rows, "There is no party yet; add one with cpo add.")


def _told(one: Cpo) -> dict[str, Any]:
    return {
        "id": one.id,
        "country_code": one.party.country_code,
        "party_id": one.party.party_id,
        "name": one.name,
    }
