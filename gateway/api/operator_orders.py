"""What the operator API's routes have in common: their parameters, their pages, and orders that are followed."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Query, Response
from sqlalchemy import Connection

from gateway.api.callers import office_of
from gateway.api.operator_asked import Name
from gateway.bell import Job
from gateway.domain.lifecycle import CommandState
from gateway.house import utc_now
from gateway.office import Office
from gateway.store import commands, partners
from gateway.store.prepared import Row

#: Where everything here is.
PREFIX = "/operator/v1"

TheOffice = Annotated[Office, Depends(office_of)]
Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.")]
After = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="The `next` of the page before.")]
Wait = Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for the station's answer.")]
PartnerQuery = Annotated[Name | None, Query(description="Only this partner's: its name or id.")]
CommandId = Annotated[int, Path(ge=1, le=2**63 - 1)]

#: Seconds between two looks.
_PAUSE = 0.1
#: What is overdue is concluded within this time.
_PATIENCE = timedelta(seconds=3)


def missing(what: str) -> HTTPException:
    return HTTPException(404, f"There is no {what}.")


def next_after(found: Sequence[Row], limit: int) -> str | None:
    """``found`` is one longer than the page if another one follows."""
    return str(found[limit - 1]["id"]) if len(found) > limit else None


def names_of(db: Connection) -> dict[int, str]:
    return {one.id: one.name for one in partners.everyone(db)}


def partner_of(db: Connection, which: str | None) -> int | None:
    """The partner that a list is limited to."""
    if which is None:
        return None
    found = partners.called(db, which)
    if found is None:
        raise HTTPException(400, f"partner: There is no partner {which!r}.")
    return found.id


async def followed(office: Office, response: Response, command_id: int, wait: float) -> Row:
    """Ring for an order that is written down, and follow it for ``wait`` seconds: 200 if it is concluded, else 202."""
    await office.ring(Job.DISPATCH, [command_id])
    row = await _row(office, command_id)
    end, overdue = time.monotonic() + wait, row["deadline"] + _PATIENCE
    while row["state"] != CommandState.CONCLUDED and (left := end - time.monotonic()) > 0 and utc_now() < overdue:
        await asyncio.sleep(min(_PAUSE, left))
        row = await _row(office, command_id)
    response.status_code = 200 if row["state"] == CommandState.CONCLUDED else 202
    response.headers["Location"] = f"{PREFIX}/commands/{command_id}"
    return row


async def _row(office: Office, command_id: int) -> Row:
    row = await office.store.read(commands.by_id, command_id)
    assert row is not None
    return row
