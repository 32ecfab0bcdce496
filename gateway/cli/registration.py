"""`partner`, how a connection comes and goes: invited or sought, its tokens renewed, its tokens' list pulled, ended."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection

from gateway import registering, registration, shown_partner, token_sync
from gateway.cli.opening import Data, Json, Refused, outgoing, reading, writing
from gateway.cli.parties import read_name
from gateway.cli.partner import Which, find, free_name
from gateway.cli.printing import remark, say, tell_json
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Partner
from gateway.house import Rules, utc_now
from gateway.keys import proven_secrets
from gateway.office import Office
from gateway.outgoing.guard import UrlRefused, check_url, plain_host
from gateway.public_url import with_public_url
from gateway.store import partners

app = typer.Typer()

T = TypeVar("T")

Name = Annotated[str, typer.Option("--name", metavar="N", help="A name, for people and for the other commands.")]


@app.command()
def invite(
    name: Name,
    again: Annotated[
        bool, typer.Option("--again", help="A new token for a partner of that name, registered already or not.")
    ] = False,
    data: Data = None,
) -> None:
    """Make a token A, for a partner to register with: prints its versions_url and token as JSON, once."""
    with writing(data) as house:
        rules = Rules(settings=with_public_url(house.settings), secrets=proven_secrets(house.settings, house.db))
        registration.ours(rules, partners.cpos(house.db), "-")  # what they would be refused for later is told now
        known = _known(house.db, name) if again else None
        wanted = known.name if known is not None else free_name(house.db, read_name(name))
        token = registration.invite(house.db, rules, wanted, known, utc_now())
    tell_json({"versions_url": registration.versions_url(rules), "token": token})


@app.command()
def register(
    url: Annotated[str, typer.Option("--versions-url", metavar="U", help="Their versions endpoint.")],
    token: Annotated[str, typer.Option("--token", metavar="A", help="The token that they have made, not Base64.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="N", help="A name, for people; without one, the host of the URL.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Register with a partner that has invited us; the same again for what was left in doubt."""
    with reading(data) as house:
        _check(url, allow_private=house.settings.allow_private_callbacks)
    called = read_name(name if name is not None else plain_host(url))
    done = outgoing(data, lambda office: registering.register(office, called, url, token.strip()))
    sentence = f"{done.name} ({done.party}, {done.role}) is partner {done.id} now, by OCPI {done.version}."
    _tell(data, done, json, sentence)


@app.command()
def rotate(which: Which, data: Data = None, json: Json = False) -> None:
    """Give a partner new tokens both ways, and tell it of new versions, endpoints and parties of ours."""
    done = outgoing(data, _with(which, registering.rotate))
    _tell(data, done, json, f"{done.name} (partner {done.id}) has new tokens, by OCPI {done.version}.")


@app.command()
def sync(
    which: Which,
    again: Annotated[bool, typer.Option("--again", help="All of them, not only what has changed.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Pull a partner's tokens; one that broke off goes on where it was."""
    pulled = outgoing(data, _with(which, lambda office, one: token_sync.sync(office, one, again=again)))
    if json:
        tell_json({"taken": pulled.taken, "skipped": pulled.skipped})
        return
    say(f"{pulled.taken} tokens were read.")
    if pulled.skipped:
        remark(f"{pulled.skipped} were not valid, or not the partner's own; the log says which.")


@app.command()
def remove(which: Which, data: Data = None) -> None:
    """End a connection on both sides; what the partner did is kept, and its name may be given anew."""
    with reading(data) as house:
        one = find(house.db, which)
    problem = outgoing(data, lambda office: registering.unregister(office, one))
    say(f"{one.name} (partner {one.id}) is {PartnerState.REMOVED} now.")
    if problem is not None:
        remark(f"They were told, and did not take it: {problem}")


def _with(which: str, work: Callable[[Office, Partner], Awaitable[T]]) -> Callable[[Office], Awaitable[T]]:
    async def found(office: Office) -> T:
        return await work(office, await office.store.read(find, which))

    return found


def _known(db: Connection, name: str) -> Partner:
    known = find(db, name)
    if known.state not in (PartnerState.INVITED, PartnerState.ACTIVE):
        raise Refused(f"{known.name} (partner {known.id}) is {known.state}.")
    return known


def _check(url: str, *, allow_private: bool) -> None:
    try:
        check_url(url, hosts=[plain_host(url)], allow_private=allow_private)
    except UrlRefused as refusal:
        raise Refused(f"--versions-url {url!r} cannot be called: {refusal}") from None


def _tell(data: Path | None, one: Partner, json: bool, sentence: str) -> None:
    if json:
        with reading(data) as house:
            told = shown_partner.whole_partner(house.db, one, utc_now())
        tell_json(told)
    else:
        say(sentence)
