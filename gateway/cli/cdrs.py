"""`cdrs`: what partners are billed for, and how it is taken back."""

from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from gateway import cdrs, shown
from gateway.cdrs import NotPossible
from gateway.cli.opening import Data, Json, Refused, reading, writing
from gateway.cli.partner import find
from gateway.cli.printing import remark, say, tell_facts, tell_json, tell_table, tell_title
from gateway.domain.lifecycle import SessionState
from gateway.house import utc_now
from gateway.store import cdrs as table
from gateway.store import partners, sessions
from gateway.store.prepared import Row

app = typer.Typer(help="CDRs, and what is credited.", no_args_is_help=True)

CdrId = Annotated[str, typer.Argument(metavar="ID", help="The CDR's id.")]

_LONGEST_REASON = 255  # mod_cdrs §CDR, remark


@app.command("list")
def list_(
    partner: Annotated[
        str | None, typer.Option("--partner", metavar="P", help="Only this partner's: its name or id.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest first.")] = 100,
    data: Data = None,
    json: Json = False,
) -> None:
    """List CDRs, the newest first."""
    with reading(data) as house:
        of = find(house.db, partner).id if partner is not None else None
        found = table.listed(house.db, of, limit + 1)
        names = {one.id: one.name for one in partners.everyone(house.db)}
    listed = [shown.cdr(row, names) for row in found[:limit]]
    if json:
        tell_json(listed)
    else:
        columns = ("CDR", "Made", "Partner", "Session", "kWh", "Hours", "Cost", "Credits", "Credited by")
        tell_table(columns, map(_row, listed), "None.")
    if len(found) > limit:
        remark(f"There are more: these are the newest {limit}; see --limit.")


@app.command()
def show(cdr: CdrId, data: Data = None, json: Json = False) -> None:
    """Show a CDR, as it was sealed."""
    with reading(data) as house:
        row = _find(house.db, cdr)
        names = {one.id: one.name for one in partners.everyone(house.db)}
    whole = shown.cdr(row, names) | {"body": row["body"]}
    if json:
        tell_json(whole)
        return
    tell_facts(_facts(whole))
    tell_title("Periods")
    tell_table(("From", "What", "Tariff"), map(_period, row["body"]["charging_periods"]), "")


@app.command()
def credit(
    cdr: CdrId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Told to the partner.")],
    again: Annotated[bool, typer.Option("--again", help="Make a new CDR of what the station told.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Take a CDR back with a Credit CDR, and with --again make it anew."""
    now = utc_now()
    with writing(data) as house:
        row, told = _find(house.db, cdr), _read_reason(reason)
        try:
            taken_back = cdrs.credit(house.db, row["id"], told, now)
            instead = cdrs.replace(house.db, row["id"], now) if again else None
        except NotPossible as problem:
            raise Refused(str(problem)) from None
        credit_id, new_id = _id(house.db, taken_back), _id(house.db, instead)
    if json:
        tell_json({"credit": credit_id, "again": new_id})
        return
    say(f"CDR {row['cdr_id']} is taken back by {credit_id}.")
    if again:
        say(f"CDR {new_id} is made instead." if new_id else "No CDR is made instead: nothing is to be paid.")


@app.command()
def make(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The Session's id.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Make the CDR of a Session that is over and has none: the log said why it could not be made then."""
    with writing(data) as house:
        row = sessions.by_session_id(house.db, session)
        if row is None:
            raise Refused(f"There is no Session {session}.")
        if row["state"] != SessionState.COMPLETED:
            raise Refused(f"Session {session} is {row['state']}: only a COMPLETED one has a CDR.")
        known = {one["cdr_id"] for one in table.of_session(house.db, row["id"])}
        try:
            cdrs.settle(house.db, row["id"], utc_now())
        except NotPossible as problem:
            raise Refused(f"No CDR can be made of Session {session}. {problem}") from None
        made = [one["cdr_id"] for one in table.of_session(house.db, row["id"]) if one["cdr_id"] not in known]
    if json:
        tell_json({"made": made})
    elif made:
        say(f"CDR {made[0]} is made.")
    else:
        say("It has its CDR already." if known else "No CDR is made: nothing is to be paid.")


def _id(db: Connection, cdr_pk: int | None) -> str | None:
    return None if cdr_pk is None else str(table.by_pk(db, cdr_pk)["cdr_id"])


def _read_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise Refused(f"--reason is one to {_LONGEST_REASON} printable characters.")
    return reason


def _find(db: Connection, cdr_id: str) -> Row:
    found = table.named(db, cdr_id)
    if not found:
        raise Refused(f"There is no CDR {cdr_id}.")
    if len(found) > 1:
        raise Refused(f"Several of our parties have a CDR {cdr_id}.")
    return found[0]


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    names = ("session_id", "total_energy", "total_time")
    return (
        one["id"],
        one["created_at"],
        one["partner"]["name"],
        *(one[name] for name in names),
        _money(one["total_cost"], one["currency"]),
        one["credit_reference_id"],
        one["credited_by"],
    )


def _facts(one: dict[str, Any]) -> dict[str, object]:
    body = one["body"]
    costs = {name: _money(price, one["currency"]) for name, price in body.items() if name.endswith("_cost")}
    return {
        "CDR": one["id"],
        "Partner": f"{one['partner']['name']} (id {one['partner']['id']})",
        "Party": f"{one['to']['country_code']}*{one['to']['party_id']}",
        "Session": one["session_id"],
        "From": body["start_date_time"],
        "Until": body["end_date_time"],
        "Location": "/".join(body["cdr_location"][name] for name in ("id", "evse_uid", "connector_id")),
        "Authorized by": f"{body['auth_method']} {body.get('authorization_reference', '')}".strip(),
        "Tariff": ", ".join(tariff["id"] for tariff in body.get("tariffs", ())),
        "kWh": body["total_energy"],
        "Hours": body["total_time"],
        **{name.replace("_", " ").capitalize(): told for name, told in costs.items()},
        "Remark": body.get("remark"),
        "Credits": one["credit_reference_id"],
        "Credited by": one["credited_by"],
    }


def _period(one: dict[str, Any]) -> tuple[object, ...]:
    dimensions = ", ".join(f"{each['type']} {each['volume']}" for each in one["dimensions"])
    return one["start_date_time"], dimensions, one.get("tariff_id")


def _money(price: dict[str, Any], currency: str) -> str:
    vat = f" ({price['incl_vat']} with VAT)" if price.get("incl_vat") is not None else ""
    return f"{price['excl_vat']} {currency}{vat}"
