"""`reservations`: what stations hold for whom, the CPO's own ones, and its cancelling of anybody's."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from gateway import reserving, shown
from gateway.cli.opening import Data, Json, Refused, leave, reading, writing
from gateway.cli.printing import moment, remark, say, tell_facts, tell_json, tell_table, tell_title
from gateway.cli.waiting import outcome, rules_of, sentence
from gateway.domain.lifecycle import ReservationState
from gateway.holding import held_up_at
from gateway.house import utc_now
from gateway.store import reservations, stations
from gateway.store.prepared import Row
from ocpi.commands import CommandResultType
from ocpi.tokens import TokenType
from ocpi.types import DateTime

app = typer.Typer(help="Reservations at charging stations.", no_args_is_help=True)

Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, max=2**31 - 1, help="The integer by which its station knows it.")
]
Group = Annotated[str | None, typer.Option("--group", metavar="UID", help="The group that the token is of.")]
ConnectorType = Annotated[
    str | None,
    typer.Option("--connector-type", metavar="T", help="OCPP 2.x ConnectorEnumType, e.g. cCCS2."),
]

#: Whose a reservation is that no partner asked for.
THE_CPO = "the CPO"
_DATE_TIME: TypeAdapter[datetime] = TypeAdapter(DateTime)
_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)


@app.command("list")
def list_(
    station: Annotated[str | None, typer.Option("--station", metavar="S", help="Only those at this station.")] = None,
    state: Annotated[
        ReservationState | None, typer.Option("--state", case_sensitive=False, help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest first.")] = 100,
    data: Data = None,
    json: Json = False,
) -> None:
    """List reservations, the newest first, and the EVSEs that they hold up."""
    with reading(data) as house:
        found = reservations.listed(house.db, station=station, state=state, most=limit + 1)
        listed = shown.reservations(house.db, found[:limit], utc_now())
    if json:
        tell_json(listed)
    else:
        columns = ("Number", "Of", "Id", "Place", "Station", "Holds up", "Token", "Expires", "State")
        tell_table(columns, map(_row, listed), "None.")
    if len(found) > limit:
        remark(f"There are more: these are the newest {limit}; see --limit.")


@app.command()
def show(number: Number, data: Data = None, json: Json = False) -> None:
    """Show a reservation, at each station that knows its number."""
    with reading(data) as house:
        found = reservations.listed(house.db, number=number)
        if not found:
            raise Refused(f"There is no reservation {number}.")
        whole = shown.whole_reservations(house.db, found, utc_now())
    if json:
        tell_json(whole)
        return
    for one in whole:
        tell_title(f"Reservation {number} at {one['station']}")
        tell_facts(_facts(one))


@app.command()
def cancel(
    number: Number,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Its owner is told: compelling ones only.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Cancel a reservation at its station; its eMSP is told CANCELED_RESERVATION, whatever the station says."""
    with writing(data) as house:
        try:
            errand = reserving.cancel(house.db, number, reason, rules_of(house), utc_now())
        except reserving.Impossible as problem:
            raise Refused(str(problem)) from None
    row, held = _settled(data, errand)
    if json:
        tell_json(shown.outcome(row) | {"number": number, "state": held["state"]})
    else:
        say(f"{sentence(row)} Reservation {number} is {held['state']}{_MEANT.get(held['state'], '')}.")
    if held["state"] == ReservationState.USED:
        leave(f"Reservation {number} was used meanwhile; nobody was told of a cancellation.")


_MEANT = {ReservationState.UNKNOWN: ": the station is asked again until it is certain that it is not held there"}


@app.command()
def make(
    location: Annotated[str, typer.Option("--location", metavar="L", help="The OCPI Location's id.")],
    token: Annotated[str, typer.Option("--token", metavar="UID", help="The driver's token.")],
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="When it ends: an OCPI DateTime, or e.g. PT45M from now.")
    ],
    evse: Annotated[str | None, typer.Option("--evse", metavar="E", help="The EVSE's uid.")] = None,
    connector_type: ConnectorType = None,
    token_type: Annotated[
        TokenType, typer.Option("--token-type", case_sensitive=False, help="What kind of token it is.")
    ] = TokenType.APP_USER,
    group: Group = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Reserve for the CPO's own driver: an EVSE, any with a type of connector, or any of the station."""
    now = utc_now()
    with writing(data) as house:
        wanted = reserving.Wanted(
            location_id=location,
            token=token,
            until=_moment(until, now),
            token_type=token_type,
            group=group,
            evse_uid=evse,
            connector_type=connector_type,
        )
        try:
            errand = reserving.make(house.db, wanted, rules_of(house), stations.online(house.db), now)
        except reserving.Impossible as problem:
            raise Refused(str(problem)) from None
    row, held = _settled(data, errand)
    if json:
        tell_json(shown.outcome(row) | {"number": held["number"], "state": held["state"]})
    else:
        say(f"{sentence(row)} Reservation {held['number']} is {held['state']}.")
    if row["result"] != CommandResultType.ACCEPTED:
        raise typer.Exit(1)


@app.command()
def check(
    station: Annotated[str, typer.Argument(metavar="STATION", help="The station's identity.")],
    evse: Annotated[
        int | None, typer.Option("--evse", min=1, metavar="N", help="Its evseId; on OCPP 1.6 its connectorId.")
    ] = None,
    connector_type: ConnectorType = None,
    token: Annotated[str, typer.Option("--token", metavar="UID", help="The token as the station knows it.")] = "",
    group: Group = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say whether an EVSE, a type of connector or the station is reserved now, and for whom."""
    with reading(data) as house:
        if stations.find(house.db, station) is None:
            raise Refused(f"There is no station {station!r}.")
        said = reserving.may_use(house.db, station, evse, connector_type, token, group, utc_now())
        held_up = sorted(held_up_at(house.db, station, utc_now()))
    if json:
        tell_json({"status": said, "held_up": held_up})
    else:
        say(said)


def _settled(data: Path | None, errand: int) -> tuple[Row, Row]:
    """(the order, concluded; the reservation as it is then)."""
    row = outcome(data, errand)
    with reading(data) as house:
        return row, reservations.by_id(house.db, row["reservation"])


def _moment(until: str, now: datetime) -> datetime:
    try:
        if until.upper().startswith("P"):
            return now + _DURATION.validate_python(until)
        return _DATE_TIME.validate_python(until)
    except (ValidationError, OverflowError):
        raise Refused("--until is a time as in 2026-01-31T12:00:00Z, or a duration as in PT45M.") from None


def _of(one: dict[str, Any]) -> str:
    return f"{one['partner']['name']} {one['partner']['party']}" if one["partner"] else THE_CPO


def _place(one: dict[str, Any]) -> str:
    return f"{one['location_id']}/{one['evse_uid'] or one['connector_type'] or 'any EVSE'}"


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    named = (one["number"], _of(one), one["reservation_id"], _place(one), one["station"])
    return (*named, _numbers(one), one["id_token"], one["expiry_date"], one["state"])


def _numbers(one: dict[str, Any]) -> str:
    return ", ".join(map(str, one["holds_up"]))


def _facts(one: dict[str, Any]) -> dict[str, object]:
    return {
        "Of": _of(one),
        "Id": one["reservation_id"],
        "Place": _place(one),
        "Station": one["station"],
        "Holds up": _numbers(one),
        "Token": f"{one['id_token']} ({one['id_token_type']})",
        "Group": one["group_id_token"],
        "Expires": moment(one["expiry_date"]),
        "State": one["state"],
        "Asked": one["created_at"],
        "Changed": one["updated_at"],
        "Confirmed": one["confirmed_at"],
        "Cancelled again": one["cleanup_at"] if one["state"] == ReservationState.UNKNOWN else None,
        "Command": one["command"],
    }
