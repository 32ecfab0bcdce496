"""Callbacks: every query about results on their way to a response_url."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.domain.lifecycle import CALLBACK, CallbackState, PartnerState, before
from gateway.store import client_infos
from gateway.store.prepared import Prepared, Row, among
from gateway.store.rows import callback, callback_attempt, command, partner
from ocpi.headers import Party


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A result that is owed to a response_url."""

    command: int
    partner: int
    url: str
    result: str
    text: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Due:
    """A callback to be posted now, and everything that the POST needs."""

    id: int
    command: int
    url: str
    result: str
    text: str
    expires_at: datetime
    #: When the attempt is to be over: later another process may think that it never ended.
    until: datetime
    attempts: int
    #: The connection it goes to.
    partner: int
    #: Sealed.
    token_out: str
    encoding: str
    callback_hosts: tuple[str, ...]
    #: It is not to be called any more.
    is_removed: bool
    is_hub: bool = False
    #: Why the party behind the hub cannot be told; empty: it can.
    away: str = ""
    #: (country, party): our own, and the eMSP's.
    from_party: tuple[str, str]
    to_party: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How one POST ended, and what becomes of its callback."""

    callback: int
    at: datetime
    request_id: str
    http_status: int | None
    ocpi_status: int | None
    error: str
    milliseconds: int
    state: CallbackState
    #: When it is due again, if it stays DUE.
    due_at: datetime


#: Between the end of an attempt and the moment another process may think that it never ended.
_MARGIN = timedelta(seconds=1)


def owe(db: Connection, owed: Sequence[Owed], now: datetime) -> list[int]:
    """Results to be posted; their ids."""
    return [int(_OWE.scalar(db, _row(one, now, now))) for one in owed]


def owe_held(db: Connection, first: Owed, now: datetime, attempt: timedelta) -> int:
    """``owe`` a command's first result, and ``hold`` it; there is time left to post it should nobody hear of it."""
    held_for = min(attempt + _MARGIN, (first.expires_at - now) / 2)
    return int(_OWE.scalar(db, _row(first, now, now + held_for)))


def _row(one: Owed, now: datetime, due_at: datetime) -> dict[str, Any]:
    return {
        "command": one.command,
        "partner": one.partner,
        "url": one.url,
        "result": one.result,
        "result_text": one.text,
        "due_at": due_at,
        "expires_at": one.expires_at,
        "created_at": now,
        "state": CallbackState.DUE,
        "attempts": 0,
    }


def take(db: Connection, ids: Collection[int], now: datetime, attempt: timedelta) -> list[Due]:
    """Those that are due, held so that nobody else posts them while an ``attempt`` may last."""
    mine = hold(db, ids, now, attempt)
    return [_told(db, row) for row in _DUE.all(db, {"ids": mine})] if mine else []


def take_all(db: Connection, now: datetime, attempt: timedelta, most: int = 500) -> list[Due]:
    """``take`` whatever is due."""
    expire(db, now)
    return take(db, _RIPE.scalars(db, {"now": now, "most": most}), now, attempt)


def hold(db: Connection, ids: Collection[int], now: datetime, attempt: timedelta) -> list[int]:
    """``take`` for somebody who finds them by ``held``; the ids."""
    return _HOLD.scalars(db, {"ids": list(ids), "now": now, "until": now + attempt + _MARGIN}) if ids else []


def held(db: Connection, ids: Collection[int], now: datetime, attempt: timedelta) -> list[Due]:
    """Those that are held since they are owed: nobody has taken them since, who would hold them for longer."""
    rows = _DUE.all(db, {"ids": list(ids)})
    return [
        _told(db, row)
        for row in rows
        if row["state"] == CallbackState.DUE
        and row["attempts"] == 0
        and now < row["due_at"] <= row["created_at"] + attempt + _MARGIN
    ]


def _told(db: Connection, row: Row) -> Due:
    due = _due(row)
    return _looked_for(db, due) if due.is_hub else due


def _looked_for(db: Connection, due: Due) -> Due:
    """Nothing is sent to a party that its hub says is away (mod_hub_client_info §Scenarios)."""
    return replace(due, away=client_infos.away(db, due.partner, Party(*due.to_party)))


def expire(db: Connection, now: datetime) -> int:
    """The promised time is over: abandoned, for an operator to replay. One in flight is left to its attempt."""
    return _EXPIRE.run(db, {"now": now})


def abandon(db: Connection, partner_id: int, now: datetime) -> int:
    """A partner is not to be called any more: how many results it will not hear."""
    owed = update(callback).where(callback.c.partner == partner_id, callback.c.state == CallbackState.DUE)
    return db.execute(owed.values(state=CallbackState.ABANDONED, ended_at=now)).rowcount


def record(db: Connection, attempts: Sequence[Attempt]) -> None:
    """Write down how attempts ended; each moves its callback on."""
    for one in attempts:
        values = {
            "callback": one.callback,
            "at": one.at,
            "request_id": one.request_id,
            "http_status": one.http_status,
            "ocpi_status": one.ocpi_status,
            "error": one.error[:500].replace("\x00", ""),
            "milliseconds": one.milliseconds,
        }
        _TRIED.send(db, values)
        ended = one.at if one.state is not CallbackState.DUE else None
        moved = {"id_": one.callback, "state_": one.state, "due": one.due_at, "ended": ended}
        _MOVE_ON.send(db, moved)


def of_commands(db: Connection, command_ids: Collection[int]) -> list[int]:
    """The callbacks of these commands that are still owed."""
    if not command_ids:
        return []
    return _OF_COMMANDS.scalars(db, {"commands": list(command_ids)})


def told_of(db: Connection, command_id: int) -> Sequence[tuple[Row, Sequence[Row]]]:
    """A command's callbacks, each with its attempts."""
    owed = db.execute(select(callback).where(callback.c.command == command_id).order_by(callback.c.id)).mappings().all()
    tried = select(callback_attempt).order_by(callback_attempt.c.id)
    return [(one, db.execute(tried.where(callback_attempt.c.callback == one["id"])).mappings().all()) for one in owed]


def replay(db: Connection, command_id: int, now: datetime, until: datetime) -> list[int]:
    """An operator wants the abandoned results of a command posted after all, as often as new ones; the ids."""
    again = (
        update(callback)
        .where(callback.c.command == command_id, callback.c.state == CallbackState.ABANDONED)
        .values(state=CallbackState.DUE, due_at=now, expires_at=until, ended_at=None, attempts=0)
        .returning(callback.c.id)
    )
    return list(db.execute(again).scalars())


_DUE = Prepared(
    select(
        callback,
        partner.c.token_out,
        partner.c.token_out_encoding,
        partner.c.callback_hosts,
        partner.c.state.label("partner_state"),
        partner.c.role,
        command.c.from_country,
        command.c.from_party,
        command.c.to_country,
        command.c.to_party,
    )
    .join(command, command.c.id == callback.c.command)
    .join(partner, partner.c.id == callback.c.partner)
    .where(among(callback.c.id, "ids"))
    .order_by(callback.c.id)
)
_OWE = Prepared(insert(callback).returning(callback.c.id))
_OF_COMMANDS = Prepared(
    select(callback.c.id).where(among(callback.c.command, "commands"), callback.c.state == CallbackState.DUE)
)
_IS_DUE = (callback.c.state == CallbackState.DUE) & (callback.c.due_at <= bindparam("now"))
# A command's results are told in the order in which they became true: the later one waits for the earlier one's end.
_before = callback.alias("before")
_ITS_TURN = ~(
    select(_before.c.id)
    .where(_before.c.command == callback.c.command, _before.c.id < callback.c.id)
    .where(_before.c.state == CallbackState.DUE)
).exists()
_RIPE = Prepared(select(callback.c.id).where(_IS_DUE, _ITS_TURN).limit(bindparam("most")))
_HOLD = Prepared(
    update(callback)
    .where(among(callback.c.id, "ids"), _IS_DUE, _ITS_TURN, callback.c.expires_at > bindparam("now"))
    .values(due_at=bindparam("until"))
    .returning(callback.c.id)
)
_EXPIRE = Prepared(
    update(callback)
    # Spelt out beside the lifecycle's own condition, or the database does not see that the index serves.
    .where(_IS_DUE, callback.c.state.in_(before(CALLBACK, CallbackState.ABANDONED)))
    .where(callback.c.expires_at <= bindparam("now"))
    .values(state=CallbackState.ABANDONED, ended_at=bindparam("now"))
)
_TRIED = Prepared(insert(callback_attempt))
_MOVE_ON = Prepared(
    update(callback)
    .where(callback.c.id == bindparam("id_"), callback.c.state == CallbackState.DUE)
    .values(
        state=bindparam("state_"),
        due_at=bindparam("due"),
        ended_at=bindparam("ended"),
        attempts=callback.c.attempts + 1,
    )
)


def _due(seen: Row) -> Due:
    return Due(
        id=seen["id"],
        command=seen["command"],
        url=seen["url"],
        result=seen["result"],
        text=seen["result_text"],
        expires_at=seen["expires_at"],
        until=seen["due_at"] - _MARGIN,
        attempts=seen["attempts"],
        partner=seen["partner"],
        token_out=seen["token_out"],
        encoding=seen["token_out_encoding"],
        callback_hosts=tuple(seen["callback_hosts"]),
        is_removed=seen["partner_state"] == PartnerState.REMOVED,
        is_hub=seen["role"] == "HUB",
        from_party=(seen["to_country"], seen["to_party"]),
        to_party=(seen["from_country"], seen["from_party"]),
    )
