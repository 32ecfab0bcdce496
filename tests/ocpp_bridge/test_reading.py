"""Fields as stations send them, and what is read from them."""

from datetime import UTC, datetime

import pytest

from ocpp_bridge.reading import flag, moment, part, parts, text, truth, whole

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        ("2026-03-04T12:00:00Z", NOON),
        ("2026-03-04t12:00:00z", NOON),
        ("2026-03-04T12:00:00", NOON),
        (" 2026-03-04 12:00:00 ", NOON),
        ("2026-03-04T14:00:00+02:00", NOON),
        ("2026-03-04T06:30:00-05:30", NOON),
        ("2026-03-04T12:00:00.5Z", NOON.replace(microsecond=500000)),
        ("2026-03-04T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("2026-02-30T12:00:00Z", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("noon", None),
        ("", None),
        (None, None),
        (1772625600, None),
        (["2026-03-04T12:00:00Z"], None),
    ],
)
def test_a_time_is_read_in_utc_or_not_at_all(raw, at):
    assert moment({"at": raw}, "at") == at


@pytest.mark.parametrize(
    ("raw", "number"),
    [(1, 1), ("7", 7), (3.0, 3), (0, 0), (2**31 - 1, 2**31 - 1)]
    + [(raw, None) for raw in (-1, 2**31, 1.5, True, None, "", "x", "1e400", float("nan"), [1], {})],
)
def test_a_whole_number_is_read_within_32_bits(raw, number):
    assert whole({"id": raw}, "id") == number


def test_text_is_read_from_numbers_and_without_what_no_database_stores():
    assert text({"idTag": 1234}, "idTag") == "1234"
    assert text({"idTag": " A\0B "}, "idTag") == "AB"
    assert text({"idTag": True}, "idTag") == ""
    assert len(text({"idTag": "x" * 9999}, "idTag")) == 512


@pytest.mark.parametrize("payload", [None, [], "x", 1])
def test_of_what_is_no_object_nothing_is_read(payload):
    assert (part(payload, "a"), parts(payload, "a"), text(payload, "a"), flag(payload, "a")) == ({}, [], "", None)


def test_a_boolean_is_read_from_text_too():
    said = [(True, True), ("TRUE", True), (False, False), ("false", False), (1, None), (None, None)]
    assert [flag({"offline": raw}, "offline") for raw, _ in said] == [meant for _, meant in said]
    assert [truth(raw) for raw in ("true", " False ", "1", "", None)] == [True, False, None, None, None]
