"""`commands`: the timeline is whole, drivers' tokens stay out of lists, and what was abandoned can be posted again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.domain.lifecycle import CallbackState
from gateway.house import utc_now
from gateway.store import callbacks, commands, stations
from gateway.store.callbacks import Attempt, Owed
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.orders import ORDER, IdToken, ReserveNow
from tests.cli.conftest import Operator, application

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://emsp.example/callback/1"
UID = "DRIVER-0815"
ORDERED = ReserveNow(number=5, expiry=NOON + timedelta(hours=1), id_token=IdToken(value=UID, type="ISO14443"), evse=1)
FAILED_ATTEMPT = Attempt(
    callback=1,
    at=NOON + timedelta(seconds=3),
    request_id="try-1",
    http_status=503,
    ocpi_status=None,
    error="Service Unavailable \x1b[2J",
    milliseconds=12,
    state=CallbackState.DUE,
    due_at=NOON + timedelta(seconds=4),
)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def written(partner: int | None, at: datetime = NOON, **changes: Any) -> dict[str, Any]:
    return {
        **commands.BLANK,
        "partner": partner,
        "type": "RESERVE_NOW",
        "version": "2.2.1",
        "from_country": "DE",
        "from_party": "EMS",
        "to_country": "NL",
        "to_party": "CPO",
        "request_id": "request-1",
        "correlation_id": "correlation-1",
        "body": {"token": {"uid": UID}, "reservation_id": "R-1"},
        "response_url": URL,
        "response": "ACCEPTED",
        "station": "CS-1",
        "order": ORDER.dump_python(ORDERED, mode="json"),
        "state": "RECEIVED",
        "received_at": at,
        "deadline": at + timedelta(seconds=20),
        "promised_until": at + timedelta(seconds=30),
    } | changes


def abandoned(db: Connection) -> None:
    """A command that went all the way, and a result that the eMSP would not take."""
    stations.put_station(db, "CS-1", 0, None)
    command = commands.write_down(db, written(1))
    commands.dispatch(db, [command], after(0.1))
    commands.claim(db, "CS-1", after(0.2))
    answer = Answer(ending=Ending.RESULT, status="Accepted", reason="NoError")
    commands.answered(db, command, "ocpp2.0.1", answer, after(1))
    [ripe] = commands.to_conclude(db, [command], after(2), timedelta(0))
    commands.conclude(db, ripe, "ACCEPTED", "Reserved.", after(2))
    owed = Owed(command=command, partner=1, url=URL, result="ACCEPTED", text="Reserved.", expires_at=after(30))
    callbacks.owe(db, [owed], after(2))
    last = replace(FAILED_ATTEMPT, at=after(5), request_id="try-2", state=CallbackState.ABANDONED)
    callbacks.record(db, [FAILED_ATTEMPT, last])


@pytest.fixture
def house(operator: Operator) -> Operator:
    operator.adds_partner("Emsp")
    operator.adds_partner("Other")
    operator.database(abandoned)
    return operator


def test_a_command_is_listed_without_its_drivers_token(house: Operator) -> None:
    [one] = house.sees("commands", "list")
    assert (one["id"], one["type"], one["state"], one["result"]) == (1, "RESERVE_NOW", "CONCLUDED", "ACCEPTED")
    assert one["partner"] == {"id": 1, "name": "Emsp"}
    assert one["from"] == {"country_code": "DE", "party_id": "EMS"}
    assert one["sent_at"] == "2026-03-01T12:00:00.200000Z"
    text = house.does("commands", "list")
    assert "RESERVE_NOW" in text
    assert "2026-03-01T12:00:00Z" in text
    assert UID not in text + house("commands", "list", "--json").stdout


def test_commands_are_listed_by_partner_and_state(house: Operator) -> None:
    house.database(lambda db: [commands.write_down(db, written(2, station=None, order=None)) for _ in range(3)])
    assert [one["id"] for one in house.sees("commands", "list")] == [4, 3, 2, 1]
    assert [one["id"] for one in house.sees("commands", "list", "--partner", "Emsp")] == [1]
    assert [one["id"] for one in house.sees("commands", "list", "--partner", "2", "--state", "received")] == [4, 3, 2]
    assert house.sees("commands", "list", "--partner", "1", "--state", "SENT") == []
    assert "no partner 'nobody'" in house.hears("commands", "list", "--partner", "nobody")
    assert house("commands", "list", "--state", "LOST").exit_code == 2
    short = house("commands", "list", "--limit", "2", "--json")
    assert short.stdout.count('"id"') == 2 + 2  # a command's and its partner's
    assert "the newest 2" in short.stderr


def test_a_command_is_shown_step_by_step(house: Operator) -> None:
    shown = house.sees("commands", "show", "1")
    assert [step["name"] for step in shown["timeline"]] == [
        "received",
        "dispatched",
        "sent",
        "answered",
        "concluded",
        "callback 1",
        "callback 2",
        "abandoned",
    ]
    assert shown["timeline"][0] == {
        "at": "2026-03-01T12:00:00Z",
        "name": "received",
        "what": "RESERVE_NOW of DE*EMS, answered ACCEPTED (1000)",
    }
    assert shown["order"]["number"] == 5
    assert shown["answer"] == {"ending": "RESULT", "status": "Accepted", "reason": "NoError", "detail": ""}
    assert shown["body"]["token"]["uid"] == UID
    assert shown["promised_until"] == "2026-03-01T12:00:30Z"
    [owed] = shown["callbacks"]
    assert (owed["state"], owed["attempts"], owed["url"]) == ("ABANDONED", 2, URL)
    assert [(one["request_id"], one["http_status"]) for one in owed["tries"]] == [("try-1", 503), ("try-2", 503)]
    assert "duplicate_key" not in shown


def test_a_commands_table_tells_what_was_asked_and_said(house: Operator) -> None:
    text = house.does("commands", "show", "1")
    for words in (
        f"CS-1 was asked: ReserveNow number=5 expiry=2026-03-01T13:00:00Z id_token={UID}:ISO14443 evse=1",
        "RESULT, Accepted NoError, ocpp2.0.1",
        "ACCEPTED, Reserved.",
        "+1.000 s",
        "2026-03-01T12:00:00.200Z",
        f"ACCEPTED to {URL}: HTTP 503, Service Unavailable \\x1b[2J, 12 ms",
        "request-1",
        UID,
    ):
        assert words in text
    assert "\x1b" not in text


def test_a_command_of_the_house_and_a_refused_one_are_told_apart(house: Operator) -> None:
    own = {"type": "CANCEL_RESERVATION", "response": "", "response_url": "", "body": {}}
    refused = {"response": "REJECTED", "response_code": 2003, "response_text": "Unknown location.", "station": None}
    at = utc_now()
    ids = house.database(
        lambda db: [
            commands.write_down(db, written(None, at, **own)),
            commands.write_down(db, written(1, at, **refused, order=None, state="CONCLUDED", concluded_at=at)),
        ]
    )
    assert "the house" in house.does("commands", "show", str(ids[0]))
    assert "None is owed." in house.does("commands", "show", str(ids[0]))
    assert house.sees("commands", "show", str(ids[0]))["partner"] is None
    assert "answered REJECTED (2003), Unknown location." in house.does("commands", "show", str(ids[1]))
    assert "REJECTED at once" in house.does("commands", "list")


@pytest.mark.parametrize("verb", ["show", "replay"])
def test_an_unknown_command_is_a_sentence(operator: Operator, verb: str) -> None:
    assert operator.hears("commands", verb, "77") == "There is no command 77.\n"
    assert operator("commands", verb, "one").exit_code == 2
    assert operator("commands", verb, "9" * 30).exit_code == 2


def test_an_abandoned_result_is_due_again_once(house: Operator) -> None:
    before = utc_now()
    assert "1 result of command 1 will be posted" in house.does("commands", "replay", "1")
    [owed] = house.sees("commands", "show", "1")["callbacks"]
    assert (owed["state"], owed["ended_at"], owed["attempts"]) == ("DUE", None, 2)
    assert datetime.fromisoformat(owed["expires_at"]) - before >= timedelta(seconds=30)
    assert before <= datetime.fromisoformat(owed["due_at"]) <= utc_now()
    assert house.hears("commands", "replay", "1") == "Command 1 has no abandoned result.\n"


def test_commands_on_either_database(database_url: str, tmp_path: Path) -> None:
    operator = Operator(url=database_url, data=tmp_path / "data", app=application())
    operator.adds_partner("Emsp")
    operator.database(abandoned)
    assert [one["id"] for one in operator.sees("commands", "list", "--partner", "Emsp")] == [1]
    assert "abandoned" in operator.does("commands", "show", "1")
    operator.does("commands", "replay", "1")
    assert operator.sees("commands", "show", "1")["callbacks"][0]["state"] == "DUE"
