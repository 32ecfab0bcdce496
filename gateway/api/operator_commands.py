"""Commands in the operator API: what partners asked, what stations answered, and what became of the result."""

from fastapi import APIRouter, HTTPException, Response
from sqlalchemy import Connection

from gateway import shown
from gateway.api.operator_edge import problems
from gateway.api.operator_history import Command, Replayed, WholeCommand
from gateway.api.operator_models import Page
from gateway.api.operator_orders import (
    PREFIX,
    After,
    CommandId,
    Limit,
    PartnerQuery,
    TheOffice,
    missing,
    names_of,
    next_after,
    partner_of,
)
from gateway.domain.lifecycle import CommandState
from gateway.house import Rules, utc_now
from gateway.store import callbacks, commands

router = APIRouter(prefix="/commands", tags=["commands"])


@router.get("")
async def list_commands(
    office: TheOffice,
    partner: PartnerQuery = None,
    state: CommandState | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Command]:
    """Partners' commands, and the house's own."""
    return await office.store.read(_page, partner, state, limit, after)


@router.get("/{command}", responses=problems(404))
async def show_command(office: TheOffice, command: CommandId) -> WholeCommand:
    """Its timeline, what was asked and answered, and every attempt to call back."""
    return await office.store.read(_whole, command)


@router.post("/{command}/replay", status_code=202, responses=problems(404, 409))
async def replay_command(office: TheOffice, response: Response, command: CommandId) -> Replayed:
    """Have its results that were abandoned posted after all."""
    response.headers["Location"] = f"{PREFIX}/commands/{command}"
    return await office.store.write(_replay, command, office.rules)


def _page(db: Connection, partner: str | None, state: str | None, limit: int, after: int | None) -> Page[Command]:
    found = commands.listed(db, partner=partner_of(db, partner), state=state, after=after, most=limit + 1)
    names = names_of(db)
    told = [shown.command(row, names) for row in found[:limit]]
    return Page[Command].model_validate({"items": told, "next": next_after(found, limit)})


def _whole(db: Connection, command: int) -> WholeCommand:
    row = commands.by_id(db, command)
    if row is None:
        raise missing(f"command {command}")
    owed = callbacks.told_of(db, command)
    return WholeCommand.model_validate(shown.whole_command(row, names_of(db), owed))


def _replay(db: Connection, command: int, rules: Rules) -> Replayed:
    if commands.by_id(db, command) is None:
        raise missing(f"command {command}")
    now = utc_now()
    until = now + rules.settings.command_timeout
    again = callbacks.replay(db, command, now, until)
    if not again:
        raise HTTPException(409, f"Command {command} has no abandoned result.")
    return Replayed(command=command, callbacks=again, until=until)
