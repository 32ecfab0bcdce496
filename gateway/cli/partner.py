"""`partner`: who may send us commands, and where we may call them."""

import base64
import re
from enum import StrEnum
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from gateway import shown_partner
from gateway.cli import endpoints
from gateway.cli.opening import Data, Json, Refused, one_of, reading, writing
from gateway.cli.parties import Country, PartyId, read_name, read_party
from gateway.cli.printing import moment, remark, say, tell_facts, tell_json, tell_table
from gateway.domain.called import CALLED
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Partner, Scope
from gateway.house import utc_now
from gateway.keys import proven_secrets
from gateway.outgoing.guard import UrlRefused, check_target, plain_host
from gateway.secrets import Secrets
from gateway.store import partner_tokens, partners
from ocpi.dialects import DIALECTS, NEWEST
from ocpi.headers import Encoding, token_candidates

app = typer.Typer(help="Partners: the eMSPs and hubs that may send us commands.", no_args_is_help=True)

NO_HOSTS = "No --callback-host: every response_url of theirs will be refused, and so every command."

_MODULES = ", ".join(CALLED)
_ENDPOINT = "Where they are called for a module, without ids: https, and http only with private callbacks allowed."

Which = Annotated[str, typer.Argument(metavar="PARTNER", help="Its name or its id.")]


class Role(StrEnum):
    """What a partner may be."""

    EMSP = "EMSP"
    HUB = "HUB"


@app.command()
def add(
    name: Annotated[str, typer.Option("--name", metavar="N", help="A name, for people and for the other commands.")],
    country: Country,
    party: PartyId,
    token_in: Annotated[str, typer.Option("--token-in", metavar="T", help="What they send us, not Base64.")],
    token_out: Annotated[str, typer.Option("--token-out", metavar="T", help="What we send them, not Base64.")],
    role: Annotated[
        Role, typer.Option(metavar="EMSP|HUB", case_sensitive=False, help="A hub speaks for many eMSPs.")
    ] = Role.EMSP,
    version: Annotated[
        str,
        typer.Option(
            metavar="|".join(DIALECTS), parser=one_of(DIALECTS), help="The OCPI version in which we call them."
        ),
    ] = NEWEST.version,
    callback_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that their response_url may name, as written in URLs; repeatable."),
    ] = None,
    allow_unlock: Annotated[bool, typer.Option("--allow-unlock", help="They may send UNLOCK_CONNECTOR.")] = False,
    lenient_token: Annotated[
        bool, typer.Option("--lenient-token", help="Their Token objects may lack required fields.")
    ] = False,
    raw_token: Annotated[bool, typer.Option("--raw-token", help="Send them the token as it is, not Base64.")] = False,
    endpoint_: Annotated[
        list[str] | None,
        typer.Option("--endpoint", metavar="MODULE=URL", help=f"{_ENDPOINT} One of {_MODULES}; repeatable."),
    ] = None,
    keep_pushing: Annotated[
        bool, typer.Option("--keep-pushing", help="Tell them again and again of what they did not take.")
    ] = False,
    authorize_unknown: Annotated[
        bool, typer.Option("--authorize-unknown", help="Ask them about tokens that nobody here knows.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add a partner; it may call us from now on."""
    with writing(data) as house:
        allow_private = house.settings.allow_private_callbacks
        places = endpoints.read_endpoints(endpoint_ or (), allow_private=allow_private)
        secrets = proven_secrets(house.settings, house.db)
        new = Partner(
            id=0,
            name=free_name(house.db, read_name(name)),
            party=read_party(country, party),
            role=role,
            version=version,
            token_out=secrets.seal(_token("--token-out", token_out)),
            encoding=Encoding.RAW if raw_token else Encoding.BASE64,
            callback_hosts=tuple(dict.fromkeys(map(read_host, callback_host or ()))),
            allow_unlock=allow_unlock,
            lenient_token=lenient_token,
            state=PartnerState.ACTIVE,
            keep_pushing=keep_pushing,
            authorize_unknown=authorize_unknown,
            open_parties=role is Role.HUB,
        )
        hashed = _unused(house.db, secrets, _token("--token-in", token_in))
        added = find(house.db, str(partners.add(house.db, new, hashed, utc_now())))
        for module, url in places.items():
            endpoints.put(house.db, added.id, module, url)
        told = shown_partner.partner(house.db, added)
    if json:
        tell_json(told)
    else:
        say(f"{added.name} ({added.party}, {added.role}) is partner {added.id} now.")
    if not added.callback_hosts:
        remark(NO_HOSTS)


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the partners, removed ones too."""
    with reading(data) as house:
        found = partners.everyone(house.db)
        told = [shown_partner.partner(house.db, one) for one in found]
    if json:
        tell_json(told)
        return
    columns = ("Id", "Name", "Party", "Role", "OCPI", "State", "Callback hosts", "Unlock")
    rows = [_row(one) for one in found]
    tell_table(columns, rows, "There is no partner yet; add one with partner add.")


@app.command()
def show(which: Which, data: Data = None, json: Json = False) -> None:
    """Show a partner; its tokens are not shown to anybody."""
    with reading(data) as house:
        found = find(house.db, which)
        told = shown_partner.whole_partner(house.db, found, utc_now())
    if json:
        tell_json(told)
        return
    hosts = ", ".join(found.callback_hosts) or "none: every response_url of theirs is refused"
    places = {f"endpoint_{module}": url for module, url in told.pop("endpoints").items()}
    forgiven = {f"tolerates_{what}": how for what, how in told.pop("tolerance").items()}
    parties = ", ".join(f"{one['country_code']}*{one['party_id']} {one['role']}" for one in told.pop("parties"))
    tokens = [_token_line(one) for one in told.pop("tokens_in")]
    pull = told.pop("token_sync") or {}
    facts = told | {"callback_hosts": hosts, "parties": parties} | places | forgiven
    facts |= {f"token_{number}": line for number, line in enumerate(tokens, 1)}
    facts |= {f"tokens_{name}": value for name, value in pull.items()}
    tell_facts({name.replace("_", " ").capitalize(): value for name, value in facts.items()})


def _row(one: Partner) -> tuple[object, ...]:
    party = one.party if one.party.party_id else ""
    hosts = ", ".join(one.callback_hosts)
    return (one.id, one.name, party, one.role, one.version, one.state, hosts, one.allow_unlock)


def _token_line(one: dict[str, Any]) -> str:
    scope = "registration" if one["scope"] == Scope.REGISTRATION else "everything"
    used = f"used since {moment(one['used_at'])}" if one["used_at"] else "not used yet"
    until = f", good until {moment(one['expires_at'])}" if one["expires_at"] else ""
    return f"for {scope}, {used}{until}"


@app.command()
def endpoint(
    which: Which,
    module: Annotated[str, typer.Argument(metavar="MODULE", help=f"One of {_MODULES}.")],
    url: Annotated[str | None, typer.Argument(metavar="URL", help=f"{_ENDPOINT} Left out: nowhere any more.")] = None,
    data: Data = None,
) -> None:
    """Say where a partner is called for a module: what it is told of goes there from its next change on."""
    with writing(data) as house:
        found = find(house.db, which)
        endpoints.read_module(module)
        if url is not None:
            allow_private = house.settings.allow_private_callbacks
            endpoints.put(house.db, found.id, module, endpoints.read_url(module, url, allow_private=allow_private))
        elif not endpoints.remove(house.db, found.id, module):
            raise Refused(f"{found.name} (partner {found.id}) has no endpoint for {module}.")
    say(f"{found.name} (partner {found.id}) is called for {module} {f'at {url}' if url else 'no more'}.")


@app.command()
def suspend(which: Which, data: Data = None) -> None:
    """Let a partner in no more, until it is resumed; its token is answered with HTTP 401."""
    become(data, which, PartnerState.SUSPENDED)


@app.command()
def resume(which: Which, data: Data = None) -> None:
    """Let a suspended partner in again."""
    become(data, which, PartnerState.ACTIVE)


def become(data: Data, which: str, wanted: PartnerState) -> None:
    with writing(data) as house:
        found = find(house.db, which)
        if not partners.become(house.db, found.id, wanted):
            cannot = "already" if found.state == wanted else f"and cannot become {wanted}"
            raise Refused(f"{found.name} (partner {found.id}) is {found.state} {cannot}.")
    say(f"{found.name} (partner {found.id}) is {wanted} now.")


def find(db: Connection, which: str) -> Partner:
    """By name or id."""
    found = partners.called(db, which)
    if found is None:
        raise Refused(f"There is no partner {which!r}.")
    return found


def free_name(db: Connection, name: str) -> str:
    if name.isdecimal():
        raise Refused("--name needs more than digits: those are ids.")
    taken = partners.by_name(db, name)
    if taken is not None:
        raise Refused(f"There is a partner {name!r} already (id {taken.id}, {taken.state}).")
    return name


def _token(option: str, token: str) -> str:
    if not re.fullmatch("[!-~]{1,64}", token):
        raise Refused(f"{option} is 1 to 64 printable ASCII characters without spaces.")
    return token


def _unused(db: Connection, secrets: Secrets, token: str) -> str:
    """The token's hash. A token that is another's in Base64, or the other way round, could mean either of them."""
    spellings = {token, base64.b64encode(token.encode()).decode(), *token_candidates(f"Token {token}")}
    if partner_tokens.known(db, [secrets.token_hash(one) for one in spellings]):
        raise Refused("This --token-in is in use, or was a removed partner's; make a new one.")
    return secrets.token_hash(token)


def read_host(host: str) -> str:
    """A host as URLs have it; one that could never be called is refused now."""
    try:
        if plain_host(f"https://{host}") != host:
            raise UrlRefused("A host has no scheme, port or path.")
        check_target("https", host, allow_private=True)
    except UrlRefused as refusal:
        why = f"is no host that can be called: {refusal} Write a name, an IPv4 address or an [IPv6] address."
        raise Refused(f"--callback-host {host!r} {why}") from None
    return host.lower()
