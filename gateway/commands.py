"""Commands, the story: judged and written down, or refused; taken back when nobody can carry them out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway import errands, judgement, reservations
from gateway.asked import Asked, Refusal, Said
from gateway.domain.lifecycle import CommandState
from gateway.house import Rules
from gateway.judgement import Bench, Taken
from gateway.store import commands
from gateway.whereabouts import Online
from ocpi.commands import CommandResponseType, CommandType
from ocpi.status import StatusCode
from ocpp_bridge.orders import ORDER


def receive(db: Connection, asked: Asked, rules: Rules, online: Online) -> Said:
    """Judge a command and write down what was decided: from the commit on, an accepted one is owed a result."""
    before = said_before(db, asked, rules)
    if before is not None:
        return before
    try:
        taken = judgement.judge(bench := Bench(db=db, asked=asked, rules=rules, online=online))
    except Refusal as refusal:
        return _refused(db, asked, refusal)
    given_up = [errands.cancel(db, rules, *one, asked.at) for one in taken.before]
    said = Said(response=CommandResponseType.ACCEPTED, timeout=int(rules.settings.command_timeout.total_seconds()))
    command_id = commands.write_down(db, _row(asked, said) | _way(taken, asked, rules))
    judgement.authorize(bench, taken, command_id)
    ring = (*given_up, command_id) if taken.order is not None else ()
    return Said(response=said.response, timeout=said.timeout, dispatch=ring)


def refuse(db: Connection, asked: Asked, rules: Rules, refusal: Refusal) -> Said:
    """Refuse a command for what can be seen without judging it."""
    return said_before(db, asked, rules) or _refused(db, asked, refusal)


def recall(db: Connection, ids: Sequence[int], now: datetime) -> Said | None:
    """The workers cannot be reached: take the command (the last of ``ids``) and the errands that go before it back,
    unless a station may have it already (then None)."""
    said = Said(
        response=CommandResponseType.REJECTED,
        status_code=StatusCode.SERVER_ERROR,
        text="The command cannot be carried out now.",
    )
    response = {"response": said.response, "response_code": said.status_code, "response_text": said.text}
    row = commands.by_id(db, ids[-1])
    if row is None or not commands.withdraw(db, ids[-1], response, now):
        return None
    if row["reservation"] is not None and row["type"] == CommandType.RESERVE_NOW:
        reservations.never_asked(db, row["reservation"], now)
    for errand in ids[:-1]:
        if commands.withdraw(db, errand, {}, now):
            reservations.never_moved(db, errand, now)
    return said


def _refused(db: Connection, asked: Asked, refusal: Refusal) -> Said:
    """Written down too: the same POST is answered from the record, and operators see what was asked."""
    row = _row(asked, refusal.said) | {
        "state": CommandState.CONCLUDED,
        "concluded_at": asked.at,
        "deadline": asked.at,
        "promised_until": asked.at,
    }
    commands.write_down(db, row)
    return refusal.said


def _row(asked: Asked, said: Said) -> dict[str, Any]:
    return {
        **commands.BLANK,
        "partner": asked.partner.id,
        "type": asked.type,
        "version": asked.version,
        "from_country": asked.parties.emsp.country_code,
        "from_party": asked.parties.emsp.party_id,
        "to_country": asked.parties.cpo.party.country_code,
        "to_party": asked.parties.cpo.party.party_id,
        "request_id": asked.ids.request_id,
        "correlation_id": asked.ids.correlation_id,
        "duplicate_key": asked.duplicate_key,
        "body": asked.body,
        "response_url": asked.command.response_url,
        "response": said.response,
        "response_code": int(said.status_code),
        "response_text": said.text,
        "received_at": asked.at,
    }


def _way(taken: Taken, asked: Asked, rules: Rules) -> dict[str, Any]:
    return {
        "state": CommandState.RECEIVED,
        "station": taken.station,
        "order": ORDER.dump_python(taken.order, mode="json") if taken.order is not None else None,
        "reservation": taken.reservation,
        "session": taken.session,
        "deadline": asked.at + rules.settings.station_timeout,
        "promised_until": asked.at + rules.settings.command_timeout,
    }


def said_before(db: Connection, asked: Asked, rules: Rules) -> Said | None:
    """What the same POST was answered."""
    key = asked.duplicate_key
    row = commands.duplicate(db, key, asked.at) if key is not None else None
    if row is None:
        return None
    accepted = row["response"] == CommandResponseType.ACCEPTED
    return Said(
        response=CommandResponseType(row["response"]),
        status_code=StatusCode(row["response_code"]),
        text=row["response_text"],
        timeout=int(rules.settings.command_timeout.total_seconds()) if accepted else 0,
    )
