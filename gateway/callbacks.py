"""Callbacks, the story: a result is posted inside the promised time, and every attempt is recorded."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.calling import Line, call, new_ids
from gateway.domain.lifecycle import CallbackState
from gateway.house import utc_now
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.outgoing.heard import Heard, heard, ocpi_status, why
from gateway.store import callbacks
from gateway.store.callbacks import Attempt, Due
from ocpi.commands import CommandResult, CommandResultType
from ocpi.headers import Encoding, MessageIds, Party, Routing
from ocpi.types import DisplayText

log = structlog.get_logger(__name__)

#: Milliseconds: who has not answered by then may be there, and slow.
SOON = 1000


async def deliver(office: Office, taken: Collection[Due] | None = None) -> None:
    """POST what was taken, else all that is due, each on its own; what fails is due again after its pause."""
    if taken is None:
        taken = await office.store.note(_take_all, office.rules.settings.callback_attempt_timeout)
    await asyncio.gather(*(_deliver_one(office, one) for one in taken))


async def held(office: Office, ids: Collection[int]) -> list[Due]:
    """Those of ``ids`` that were held for us when they became owed."""
    return await office.store.glance(callbacks.held, ids, utc_now(), office.rules.settings.callback_attempt_timeout)


def _take_all(db: Connection, attempt: timedelta) -> list[Due]:
    """Held from now on, however long the store was busy."""
    return callbacks.take_all(db, utc_now(), attempt)


async def _deliver_one(office: Office, due: Due) -> None:
    host = due.url.partition("://")[2].partition("/")[0]
    async with office.shares.of(due.partner, host):
        at, ids = utc_now(), new_ids()
        left = min(due.until, due.expires_at) - at
        if left <= timedelta(0):  # it was held up: it is due again soon, or the promised time is over
            return
        posted = _unsent(due)
        if posted is None:
            posted = await _post(office, due, ids, left)
            is_deserted = posted.http_status is None and posted.milliseconds < SOON
            await office.shares.told(due.partner, host, is_deserted=is_deserted)
        attempt = judge(posted, due, ids.request_id, at, utc_now(), office.rules.settings.callback_pauses)
    await office.store.about(f"callback {attempt.callback}").note_briefly(callbacks.record, [attempt])
    if attempt.state is CallbackState.ABANDONED:
        log.warning(
            "a result was given up", command_id=due.command, http_status=attempt.http_status, problem=attempt.error
        )


def _unsent(due: Due) -> Posted | None:
    """What is written down instead of an attempt where nobody is to be called: removed since, or away."""
    reason = "The partner was removed." if due.is_removed else due.away
    return Posted(http_status=None, body=b"", error=reason, milliseconds=0) if reason else None


async def _post(office: Office, due: Due, ids: MessageIds, limit: timedelta) -> Posted:
    """One POST of the bare CommandResult (mod_commands §Sender POST)."""
    line = Line(
        url=due.url,
        hosts=due.callback_hosts,
        token_out=due.token_out,
        encoding=Encoding(due.encoding),
        routing=Routing(to=Party(*due.to_party), from_=Party(*due.from_party)),
    )
    return await call(office, line, "POST", told_as(due).wire(), limit, ids=ids)


def told_as(due: Due) -> CommandResult:
    """A result in OCPI's words; a text that they have no room for keeps nobody from hearing it."""
    result = CommandResultType(due.result)
    if not due.text:
        return CommandResult(result=result)
    try:
        return CommandResult(result=result, message=(DisplayText(language="en", text=due.text[:512]),))
    except ValidationError:
        log.error("a result's text cannot be told", command_id=due.command)
        return CommandResult(result=result)


def judge(
    posted: Posted, due: Due, request_id: str, at: datetime, now: datetime, pauses: tuple[timedelta, ...]
) -> Attempt:
    """What an attempt means for its callback: delivered, refused for good, or worth another try while there is time."""
    code = ocpi_status(posted.body)
    nobody = due.is_removed or due.away
    state = CallbackState.ABANDONED if nobody else _STATE[heard(posted.http_status, code)]
    pause = pauses[min(due.attempts, len(pauses) - 1)] if pauses else None
    if state is CallbackState.DUE and (pause is None or due.attempts >= len(pauses) or now + pause >= due.expires_at):
        state = CallbackState.ABANDONED
    return Attempt(
        callback=due.id,
        at=at,
        request_id=request_id,
        http_status=posted.http_status,
        ocpi_status=code,
        error=posted.error or why(code),
        milliseconds=posted.milliseconds,
        state=state,
        due_at=now + (pause or timedelta(0)),
    )


_STATE = {
    Heard.TAKEN: CallbackState.DELIVERED,
    Heard.TRY_AGAIN: CallbackState.DUE,
    Heard.REFUSED: CallbackState.ABANDONED,
    Heard.NOT_ROUTED: CallbackState.ABANDONED,
}
