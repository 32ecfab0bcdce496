"""What an attempt to deliver a result means: delivered, refused for good, or worth another try while there is time."""

from datetime import timedelta

import pytest

from gateway.callbacks import judge, told_as
from gateway.outgoing.client import Posted
from gateway.settings import Settings
from gateway.store.callbacks import Due
from tests.support.indoors import START

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8))
OK = b'{"status_code": 1000, "timestamp": "2026-03-01T12:00:00Z"}'


def due(attempts: int = 0, left: float = 30, text: str = "") -> Due:
    return Due(
        id=7, command=1, url="https://127.0.0.1/", result="ACCEPTED", text=text,
        expires_at=START + timedelta(seconds=left), until=START + timedelta(seconds=5),
        attempts=attempts, partner=1, token_out="", encoding="base64", callback_hosts=(), is_removed=False,
        from_party=("NL", "CPO"), to_party=("DE", "ONE"),
    )  # fmt: skip


def judged(http: int | None, body: bytes = b"", one: Due | None = None, pauses: tuple[timedelta, ...] = PAUSES):
    posted = Posted(http_status=http, body=body, error=None if http else "It hung up.", milliseconds=12)
    return judge(posted, one or due(), "request", START, START + timedelta(seconds=1), pauses)


def told(code: object) -> bytes:
    return b'{"status_code": %s}' % str(code).encode()


@pytest.mark.parametrize(
    ("http", "body", "state", "code"),
    [
        (200, OK, "DELIVERED", 1000),
        (201, told(1000), "DELIVERED", 1000),
        (200, told(1999), "DELIVERED", 1999),
        (200, told('"1000"'), "DELIVERED", 1000),
        (204, b"", "DELIVERED", None),
        (200, b"thank you", "DELIVERED", None),
        (200, b'{"status_code": true}', "DELIVERED", None),
        (200, b"[1000]", "DELIVERED", None),
        (200, b"\xff\xfe", "DELIVERED", None),
        (200, told(2000), "ABANDONED", 2000),
        (200, told(2001), "ABANDONED", 2001),
        (200, told(3000), "DUE", 3000),
        (200, told(3999), "DUE", 3999),
        (200, told(4001), "ABANDONED", 4001),
        (200, told(4002), "ABANDONED", 4002),
        (200, told(4003), "ABANDONED", 4003),
        (502, told(4003), "ABANDONED", 4003),
        (404, told(4000), "ABANDONED", 4000),
        (200, told(4999), "ABANDONED", 4999),
        (200, told(0), "ABANDONED", 0),
        (301, b"", "ABANDONED", None),
        (307, OK, "ABANDONED", 1000),
        (400, told(1000), "ABANDONED", 1000),
        (401, b"", "ABANDONED", None),
        (404, told(2003), "ABANDONED", 2003),
        (429, b"", "DUE", None),
        (500, told(1000), "DUE", 1000),
        (502, b"<html>", "DUE", None),
        (503, b"", "DUE", None),
        (None, b"", "DUE", None),
    ],
)
def test_what_an_answer_means(http: int | None, body: bytes, state: str, code: int | None) -> None:
    attempt = judged(http, body)
    assert (attempt.state, attempt.ocpi_status, attempt.http_status) == (state, code, http)
    assert (attempt.callback, attempt.request_id, attempt.at, attempt.milliseconds) == (7, "request", START, 12)
    by_hub = f"({code})" if code is not None and 4000 <= code < 5000 else ""
    assert attempt.error == ("" if http else "It hung up.") or by_hub in attempt.error
    assert (by_hub != "") == (http is not None and attempt.error != "")


@pytest.mark.parametrize("text", ["", "two\nlines", "Stra\udcdfe", "\x00"])
def test_a_text_that_cannot_be_said_keeps_no_result_back(text: str) -> None:
    assert told_as(due(text=text)).wire() == {"result": "ACCEPTED"}
    said = told_as(due(text="Straße " * 100)).wire()["message"]
    assert said == [{"language": "en", "text": ("Straße " * 100)[:512]}]


@pytest.mark.parametrize(("attempts", "pause"), [(0, 1), (1, 2), (2, 4), (3, 8)])
def test_each_pause_is_longer_than_the_one_before_it(attempts: int, pause: int) -> None:
    attempt = judged(500, one=due(attempts))
    assert (attempt.state, attempt.due_at) == ("DUE", START + timedelta(seconds=1 + pause))


def test_after_the_last_pause_there_is_one_attempt_and_no_more() -> None:
    assert judged(500, one=due(4)).state == "ABANDONED"
    assert judged(500, one=due(40)).state == "ABANDONED"
    assert judged(200, OK, one=due(40)).state == "DELIVERED"


@pytest.mark.parametrize(("left", "state"), [(2, "ABANDONED"), (2.01, "DUE"), (1, "ABANDONED"), (0, "ABANDONED")])
def test_no_attempt_is_planned_for_after_the_promise(left: float, state: str) -> None:
    assert judged(None, one=due(0, left)).state == state  # judged after 1 s, due again after another


def test_no_pauses_mean_one_attempt() -> None:
    assert judged(500, pauses=()).state == "ABANDONED"
    assert judged(204, pauses=()).state == "DELIVERED"


def test_with_the_settings_as_they_come_all_attempts_fit_into_the_promise() -> None:
    settings = Settings(database_url="", secret_key="x")
    asked_for, at = 0, START + settings.station_timeout
    expires = (START + settings.command_timeout - at).total_seconds()
    one, posted = due(0, expires), Posted(http_status=503, body=b"", error=None, milliseconds=0)
    now = START
    while True:
        attempt = judge(posted, one, "r", now, now, settings.callback_pauses)
        asked_for += 1
        if attempt.state != "DUE":
            break
        now, one = attempt.due_at, due(asked_for, expires)
        assert now < one.expires_at
    assert asked_for == 4  # at 0, 1, 3 and 7 of the 10 seconds that a mute station leaves
