"""`partner set`: what a partner may do, where it may be called, and what is forgiven to it."""

from typing import Annotated, Any

import typer

from gateway import shown_partner
from gateway.cli.opening import Data, Json, Refused, writing
from gateway.cli.partner import Which, find, read_host
from gateway.cli.printing import say, tell_json
from gateway.domain.parties import Partner
from gateway.house import utc_now
from gateway.store import partners
from ocpi.headers import Encoding

app = typer.Typer()

#: Options that are columns of the table, as they are.
Switch = bool | None


@app.command("set")
def set_(
    which: Which,
    allow_unlock: Annotated[
        Switch, typer.Option("--allow-unlock/--no-allow-unlock", help="They may send UNLOCK_CONNECTOR.")
    ] = None,
    keep_pushing: Annotated[
        Switch,
        typer.Option("--keep-pushing/--no-keep-pushing", help="Tell them again and again of what they did not take."),
    ] = None,
    authorize_unknown: Annotated[
        Switch,
        typer.Option("--authorize-unknown/--no-authorize-unknown", help="Ask them about tokens nobody here knows."),
    ] = None,
    raw_token: Annotated[
        Switch, typer.Option("--raw-token/--no-raw-token", help="Send them the token as it is, not Base64.")
    ] = None,
    lenient_token: Annotated[
        Switch,
        typer.Option("--lenient-token/--no-lenient-token", help="Their Token objects may lack required fields."),
    ] = None,
    lenient_routing: Annotated[
        Switch,
        typer.Option("--lenient-routing/--no-lenient-routing", help="Their requests may lack routing headers."),
    ] = None,
    trailing_slash: Annotated[
        Switch,
        typer.Option("--trailing-slash/--no-trailing-slash", help="Call them at URLs that end with a slash."),
    ] = None,
    open_parties: Annotated[
        Switch,
        typer.Option("--open-parties/--no-open-parties", help="A hub's: any party may speak through it."),
    ] = None,
    callback_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that their response_url may name, beside their own; repeatable."),
    ] = None,
    no_callback_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="One that it may not name any more; repeatable.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Change what holds for a partner, from its next request on."""
    given: dict[str, Any] = {
        "allow_unlock": allow_unlock,
        "keep_pushing": keep_pushing,
        "authorize_unknown": authorize_unknown,
        "lenient_token": lenient_token,
        "lenient_routing": lenient_routing,
        "trailing_slash": trailing_slash,
        "open_parties": open_parties,
    }
    if raw_token is not None:
        given["token_out_encoding"] = Encoding.RAW if raw_token else Encoding.BASE64
    with writing(data) as house:
        one = find(house.db, which)
        changed = {name: value for name, value in given.items() if value is not None}
        changed |= _hosts(one, callback_host or (), no_callback_host or ())
        if not changed:
            raise Refused("Say what is to change; see partner set --help.")
        partners.change(house.db, one.id, **changed)
        told = shown_partner.whole_partner(house.db, partners.by_id(house.db, one.id), utc_now())
    if json:
        tell_json(told)
    else:
        say(f"{one.name} (partner {one.id}) was changed.")


def _hosts(one: Partner, more: list[str] | tuple[()], less: list[str] | tuple[()]) -> dict[str, list[str]]:
    """What an operator named stays when the partner registers anew; what came by its registration comes back."""
    if not more and not less:
        return {}
    added, taken = [read_host(host) for host in more], {read_host(host) for host in less}
    if unknown := taken - set(one.callback_hosts):
        raise Refused(f"{', '.join(sorted(unknown))}: not among the callback hosts of {one.name}.")
    both = (one.callback_hosts, one.registered_hosts)
    now, registered = ([host for host in dict.fromkeys([*each, *added]) if host not in taken] for each in both)
    return {"callback_hosts": now, "registered_hosts": registered}
