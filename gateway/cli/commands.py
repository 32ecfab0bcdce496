"""`commands`: what partners asked, what stations answered, and what became of the result."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gateway import shown
from gateway.cli.opening import Data, Json, Refused, reading, writing
from gateway.cli.partner import find
from gateway.cli.printing import moment, remark, say, tell_facts, tell_json, tell_table, tell_title
from gateway.domain.lifecycle import CommandState
from gateway.house import utc_now
from gateway.store import callbacks, commands, partners
from gateway.timeline import Step, timeline

app = typer.Typer(help="Commands of partners, and the house's own.", no_args_is_help=True)

CommandId = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The command's id.")]

#: Who asked with a command of the gateway itself, such as a clean-up.
THE_HOUSE = "the house"


@app.command("list")
def list_(
    partner: Annotated[
        str | None, typer.Option("--partner", metavar="P", help="Only this partner's: its name or id.")
    ] = None,
    state: Annotated[
        CommandState | None, typer.Option("--state", case_sensitive=False, help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest first.")] = 100,
    data: Data = None,
    json: Json = False,
) -> None:
    """List commands, the newest first."""
    with reading(data) as house:
        asked_by = find(house.db, partner).id if partner is not None else None
        found = commands.listed(house.db, partner=asked_by, state=state, most=limit + 1)
        names = {one.id: one.name for one in partners.everyone(house.db)}
    listed = [shown.command(row, names) for row in found[:limit]]
    if json:
        tell_json(listed)
    else:
        tell_table(
            ("Id", "Received", "Partner", "From", "Type", "Station", "State", "Result"), map(_row, listed), "None."
        )
    if len(found) > limit:
        remark(f"There are more: these are the newest {limit}; see --limit.")


@app.command()
def show(command: CommandId, data: Data = None, json: Json = False) -> None:
    """Show a command: its timeline, what was asked and answered, and every attempt to call back."""
    with reading(data) as house:
        row = commands.by_id(house.db, command)
        if row is None:
            raise Refused(f"There is no command {command}.")
        owed = callbacks.told_of(house.db, command)
        names = {one.id: one.name for one in partners.everyone(house.db)}
    whole, steps = shown.whole_command(row, names, owed), timeline(row, owed)
    if json:
        tell_json(whole)
        return
    tell_facts(_facts(whole))
    tell_title("Timeline")
    tell_table(("At", "After", "Step", ""), _timed(steps), "")
    tell_title("Callbacks")
    columns = ("Id", "State", "Result", "Attempts", "URL", "Until")
    rows = [(c["id"], c["state"], c["result"], len(tries), c["url"], c["expires_at"]) for c, tries in owed]
    tell_table(columns, rows, "None is owed.")


@app.command()
def replay(command: CommandId, data: Data = None) -> None:
    """Have the results of a command that were abandoned posted after all, by the gateway that runs."""
    now = utc_now()
    with writing(data) as house:
        until = now + house.settings.command_timeout
        if commands.by_id(house.db, command) is None:
            raise Refused(f"There is no command {command}.")
        again = callbacks.replay(house.db, command, now, until)
        if not again:
            raise Refused(f"Command {command} has no abandoned result.")
    results = "1 result" if len(again) == 1 else f"{len(again)} results"
    say(f"{results} of command {command} will be posted by the running gateway, at the latest at {moment(until)}.")


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    partner = one["partner"]["name"] if one["partner"] else THE_HOUSE
    refused = one["response"] if one["response"] not in {"", "ACCEPTED"} else ""
    outcome = one["result"] or (f"{refused} at once" if refused else "")
    return (
        one["id"],
        one["received_at"],
        partner,
        _party(one["from"]),
        one["type"],
        one["station"],
        one["state"],
        outcome,
    )


def _party(party: dict[str, str] | None) -> str:
    return f"{party['country_code']}*{party['party_id']}" if party else ""


def _facts(one: dict[str, Any]) -> dict[str, object]:
    partner = one["partner"]
    return {
        "Command": f"{one['id']} {one['type']}",
        "Partner": f"{partner['name']} (id {partner['id']}, OCPI {one['version']})" if partner else THE_HOUSE,
        "From": _party(one["from"]),
        "To": _party(one["to"]),
        "X-Request-ID": one["request_id"],
        "X-Correlation-ID": one["correlation_id"],
        "Asked": one["body"],
        "Response": f"{one['response']} ({one['response_code']}) {one['response_text']}".strip() if partner else None,
        "Response URL": one["response_url"],
        "Station": one["station"],
        "Protocol": one["subprotocol"],
        "Order": one["order"],
        "Answer": one["answer"],
        "State": one["state"],
        "Result": one["result"],
        "Text": one["result_text"],
        "Station's deadline": one["deadline"],
        "Promised until": one["promised_until"],
    }


def _timed(steps: Sequence[Step]) -> list[tuple[object, ...]]:
    return [
        (moment(step.at, "milliseconds"), f"+{(step.at - steps[0].at).total_seconds():.3f} s", step.name, step.what)
        for step in steps
    ]
