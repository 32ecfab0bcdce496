"""Basic types: what is read, what is refused, what is written."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ocpi import business, cdrs, commands, envelope, locations, sessions, tariffs, tokens, v2_2, versions
from ocpi.types import (
    Boolean,
    CiString2,
    CiString3,
    CiString36,
    CiString48,
    DateTime,
    DisplayText,
    Integer,
    Model,
    Number,
    OneOrMore,
    Text2,
    Text64,
    Text255,
    Text512,
    Url,
    ZeroOrMore,
    fold,
    format_datetime,
    parse_datetime,
)
from tests.ocpi.vectors import specified

NOON = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=36)
MOMENTS = st.datetimes(timezones=st.just(UTC))


def accepts(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


class Everything(Model):
    needed: CiString36
    maybe: CiString36 | None = None
    many: ZeroOrMore[DisplayText] = ()
    some: OneOrMore[Integer] = (1,)
    at: DateTime = NOON
    amount: Number = 0.0


def everything(**fields: Any) -> Everything:
    return Everything.model_validate({"needed": "x"} | fields)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-01T12:00:00Z", NOON),
        ("2025-03-01T12:00:00", NOON),
        ("2025-03-01T12:00:00z", NOON),
        ("2025-03-01t12:00:00Z", NOON),
        ("2025-03-01T12:00:00+00:00", NOON),
        ("2025-03-01T12:00:00-00:00", NOON),
        ("2025-03-01T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2025-03-01T12:00:00.123", NOON.replace(microsecond=123_000)),
        ("2025-03-01T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_rule_71_a_datetime_is_utc_whether_it_says_so_or_not(text: str, moment: datetime) -> None:
    assert parse_datetime(text) == moment
    assert parse_datetime(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-03-01",
        "2025-03-01 12:00:00Z",
        "2025-03-01T12:00Z",
        "2025-03-01T12:00:00+01:00",
        "2025-03-01T12:00:00.Z",
        "2025-02-30T12:00:00Z",
        "2025-03-01T25:00:00Z",
        "2025-03-01T12:00:00Z\n",
        "٢٠٢٥-03-01T12:00:00Z",
    ],
)
def test_rule_71_another_zone_or_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"DateTime|day|hour|date"):
        parse_datetime(text)
    assert not accepts(DateTime, text)


@pytest.mark.parametrize("value", [1_740_830_400, 1.5, True, None, NOON.replace(tzinfo=None), b"2025-03-01T12:00:00Z"])
def test_only_text_and_datetimes_that_know_their_zone_are_a_datetime(value: Any) -> None:
    assert not accepts(DateTime, value)


def test_a_datetime_without_a_zone_is_never_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_datetime(NOON.replace(tzinfo=None))


def test_a_datetime_of_another_zone_is_kept_and_written_in_utc() -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=2)))
    assert everything(at=moment).at.tzinfo is UTC
    assert format_datetime(moment) == "2025-03-01T12:00:00Z"


@given(MOMENTS)
def test_rule_72_what_is_written_is_short_and_reads_back_to_the_second(moment: datetime) -> None:
    text = format_datetime(moment)
    assert len(text) == len("YYYY-MM-DDTHH:MM:SSZ")
    assert parse_datetime(text) == moment.replace(microsecond=0)


@given(MOMENTS, st.sampled_from(["", "Z", "+00:00"]))
def test_a_datetime_is_read_to_the_microsecond(moment: datetime, zone: str) -> None:
    assert parse_datetime(moment.replace(tzinfo=None).isoformat() + zone) == moment


@given(PRINTABLE)
def test_rule_73_a_cistring_keeps_its_spelling_and_has_one_key_in_any_case(text: str) -> None:
    assert TypeAdapter(CiString36).validate_python(text) == text
    assert fold(text.upper()) == fold(text.lower()) == fold(fold(text))


@given(st.text())
def test_folding_touches_nothing_but_ascii_letters(text: str) -> None:
    changed = {(before, after) for before, after in zip(text, fold(text), strict=True) if before != after}
    assert all(before.isascii() and after == before.lower() for before, after in changed)


def test_a_letter_that_only_unicode_calls_k_is_not_k() -> None:
    assert fold("\N{KELVIN SIGN}") != "k"


@pytest.mark.parametrize(("kind", "length"), [(CiString2, 2), (CiString3, 3), (CiString36, 36), (CiString48, 48)])
def test_rule_73_a_cistring_has_a_greatest_length_and_is_not_empty(kind: Any, length: int) -> None:
    assert accepts(kind, "x" * length)
    assert not accepts(kind, "x" * (length + 1))
    assert not accepts(kind, "")


@pytest.mark.parametrize("text", ["a\nb", "a\n", "\t", "\x7f", "é", "a\x00", "\ud800", 7, None, True])
def test_rule_73_a_cistring_is_printable_ascii(text: Any) -> None:
    assert not accepts(CiString36, text)


@pytest.mark.parametrize(("kind", "length"), [(Text2, 2), (Text64, 64), (Text255, 255), (Text512, 512)])
def test_rule_74_a_string_is_any_printable_text_of_its_length(kind: Any, length: int) -> None:
    assert accepts(kind, "é" * length)
    assert accepts(kind, "")
    assert not accepts(kind, "é" * (length + 1))
    assert not any(accepts(kind, text) for text in ("\n", "\x00", "\x85", "\ud800", 1))


def test_rule_75_a_url_has_255_characters_at_most_and_is_kept_letter_by_letter() -> None:
    url = "HTTPS://eMSP.example.net:443/a/../b?x=%7e#f"
    assert TypeAdapter(Url).validate_python(url) == url
    assert accepts(Url, url.ljust(255, "x"))
    assert not accepts(Url, url.ljust(256, "x"))
    assert not any(accepts(Url, text) for text in ("", "https://a b", "https://a\r\nHost: b"))


def test_rule_76_a_display_text_has_a_language_of_two_letters_and_512_characters_at_most() -> None:
    assert accepts(DisplayText, {"language": "nl", "text": "x" * 512})
    assert not accepts(DisplayText, {"language": "nld", "text": "x"})
    assert not accepts(DisplayText, {"language": "nl", "text": "x" * 513})
    assert not accepts(DisplayText, {"text": "x"})


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
def test_the_specifications_display_text_reads_and_writes_itself(version: str) -> None:
    example = specified(version, "type_displaytext_example")
    assert DisplayText.model_validate(example).wire() == example


@pytest.mark.parametrize("value", ["1", 1.0, True, None])
def test_nothing_but_an_integer_is_an_integer(value: Any) -> None:
    assert not accepts(Integer, value)


@pytest.mark.parametrize("value", ["true", 1, 0, None])
def test_nothing_but_true_and_false_is_a_boolean(value: Any) -> None:
    assert not accepts(Boolean, value)


@pytest.mark.parametrize("value", ["1.5", True, None, float("nan"), float("inf")])
def test_nothing_but_a_finite_number_is_a_number(value: Any) -> None:
    assert not accepts(Number, value)


@pytest.mark.parametrize("value", [10**400, Decimal("1e400"), Decimal("NaN")])
def test_what_json_could_not_write_as_a_number_is_none(value: Any) -> None:
    assert not accepts(Number, value)


@given(st.integers(-(10**9), 10**9))
def test_a_number_is_exact_within_the_house(ten_thousandths: int) -> None:
    written = ten_thousandths / 10_000
    number = TypeAdapter(Number).validate_python(written)
    assert number == Decimal(ten_thousandths) / 10_000
    assert TypeAdapter(Number).dump_python(number, mode="json") == written


def test_a_number_is_documented_as_what_it_is_in_json() -> None:
    for mode in ("validation", "serialization"):
        assert TypeAdapter(Number).json_schema(mode=mode) == {"type": "number"}


def test_a_number_is_written_with_four_decimals_at_most() -> None:
    assert everything(amount=1 / 3).wire()["amount"] == 0.3333
    assert everything(amount=7).wire()["amount"] == 7


def test_rule_77_null_and_absence_say_the_same_where_a_field_is_optional() -> None:
    assert everything(maybe=None) == everything()


def test_rule_77_null_an_empty_list_and_absence_say_the_same_where_any_number_is_allowed() -> None:
    assert everything(many=None) == everything(many=[]) == everything()
    assert everything().many == ()


@pytest.mark.parametrize("value", [None, []])
def test_rule_77_at_least_one_means_at_least_one(value: Any) -> None:
    with pytest.raises(ValidationError):
        everything(some=value)


def test_unknown_fields_are_not_heard() -> None:
    assert everything(future={"a": 1}) == everything()


def test_an_object_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        everything().needed = "y"  # type: ignore[misc]


def test_what_says_nothing_is_not_sent() -> None:
    assert everything(maybe=None, many=[]).wire() == {"needed": "x"}


def every_model(model: type[Model] = Model) -> list[type[Model]]:
    ours = [each for each in model.__subclasses__() if each.__module__.startswith("ocpi.")]
    return ours + [deeper for each in ours for deeper in every_model(each)]


def test_no_default_of_any_object_says_something() -> None:
    modules = {model.__module__ for model in every_model()}
    assert modules >= {
        part.__name__
        for part in (business, cdrs, commands, envelope, locations, sessions, tariffs, tokens, v2_2, versions)
    }
    for model in every_model():
        defaults = [field.default for field in model.model_fields.values() if not field.is_required()]
        assert all(default in (None, ()) for default in defaults), model


@pytest.mark.parametrize("model", every_model(), ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_every_object_can_be_documented(model: type[Model]) -> None:
    assert model.model_json_schema(mode="validation")["type"] == "object"
    assert model.model_json_schema(mode="serialization")["type"] == "object"


def test_a_datetime_is_documented_as_what_it_is_in_json() -> None:
    for mode in ("validation", "serialization"):
        assert TypeAdapter(DateTime).json_schema(mode=mode) == {"type": "string", "format": "date-time"}
