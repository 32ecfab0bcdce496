"""`locations`, who sees what: all partners see all Locations, unless an operator names to one what it is to see."""

from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from gateway import sight
from gateway.cli.opening import Data, Json, Refused, reading, writing
from gateway.cli.partner import Which, find
from gateway.cli.printing import say, tell_json
from gateway.domain.parties import Cpo, Partner
from gateway.house import utc_now
from gateway.sight import Seen
from gateway.store import bindings, locations, partners, topology
from ocpi.headers import Party

app = typer.Typer()

_CPO_HELP = "A party of ours, as NL*CPO, all of whose Locations it is to see; may be repeated."
_LOCATION_HELP = "One Location, as LOC-1 or, where several of our parties have it, NL*CPO/LOC-1; may be repeated."


@app.command("show-to")
def show_to(
    which: Which,
    cpo: Annotated[list[str] | None, typer.Option("--cpo", metavar="CC*PID", help=_CPO_HELP)] = None,
    location: Annotated[list[str] | None, typer.Option("--location", metavar="ID", help=_LOCATION_HELP)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All Locations, as at first.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a partner these Locations and no others; the others do not exist for it. Without options: list them."""
    named = [*(cpo or ()), *(location or ())]
    if everything and named:
        raise typer.BadParameter("--all leaves nothing to be named")
    if everything or named:
        with writing(data) as house:
            partner = find(house.db, which)
            if everything:
                sight.show_everything(house.db, partner, utc_now())
            else:
                seen = [_cpo(house.db, one) for one in cpo or ()] + [_location(house.db, one) for one in location or ()]
                sight.show_only(house.db, partner, seen, utc_now())
    with reading(data) as house:
        partner = find(house.db, which)
        shown = _shown(house.db, partner)
    if json:
        tell_json(shown)
        return
    if shown["sees_all"]:
        say(f"{partner.name} (partner {partner.id}) sees all Locations.")
        return
    say(f"{partner.name} (partner {partner.id}) sees no other Locations than")
    for one in shown["sees"]:
        say(f"  {one['cpo']} {one['location'] or '(all)'}")


def _shown(db: Connection, partner: Partner) -> dict[str, Any]:
    return {
        "partner": partner.name,
        "sees_all": partner.sees_all,
        "sees": [
            {"cpo": str(Party(row["country_code"], row["party_id"])), "location": row["location_id"]}
            for row in locations.sights(db, partner.id)
        ],
    }


def _cpo(db: Connection, written: str) -> Seen:
    return _ours(db, written).id, None


def _ours(db: Connection, written: str) -> Cpo:
    country, star, party = written.partition("*")
    known = partners.cpos(db)
    for one in known:
        if star and one.party == Party(country, party):
            return one
    raise Refused(f"{written} is none of our parties ({', '.join(str(one.party) for one in known)}).")


def _location(db: Connection, written: str) -> Seen:
    party, slash, inner = written.partition("/")
    if slash and "*" in party:
        cpo = _ours(db, party)
        found = topology.find_location(db, cpo.id, inner)
        if found is None:
            raise Refused(f"{cpo.party} has no Location {inner!r}.")
        return cpo.id, found.id
    ids = bindings.locations_named(db, written)
    if len(ids) != 1:
        many = "Several of our parties have a" if ids else "There is no"
        raise Refused(f"{many} Location {written!r}{'; write NL*CPO/' + written if ids else ''}.")
    return topology.cpo_at(db, ids[0]), ids[0]
