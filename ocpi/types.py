"""The words under all others: OCPI's basic types (types.asciidoc), and the model every OCPI object is built on."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict, WithJsonSchema

_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|[+-]00:00)?", re.ASCII)


def fold(text: str) -> str:
    """The key by which two CiStrings are compared; only ASCII letters have a case here."""
    return text.translate(_TO_LOWER)


def parse_datetime(text: str) -> datetime:
    """An OCPI DateTime, which is UTC with or without saying so; ValueError for any other zone.

    Zero offsets and long fractions are not among the specified patterns, but are sent.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an OCPI DateTime in UTC")
    date, time, fraction = match.groups(default="")
    return datetime.fromisoformat(f"{date}T{time}.{fraction[:6]:0<6}+00:00")


def format_datetime(moment: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ``: never more than the 25 characters a DateTime may have."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone could be any moment")
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _read_datetime(value: Any) -> datetime:
    if isinstance(value, str):
        return parse_datetime(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    raise ValueError("a DateTime is text, or a datetime that knows its time zone")


DateTime = Annotated[
    datetime,
    BeforeValidator(_read_datetime),
    PlainSerializer(format_datetime, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

# CiString(n): printable ASCII, compared by ``fold`` and kept as it was spelt.
CiString = Annotated[str, Field(min_length=1, pattern=r"^[ -~]+$")]
CiString2 = Annotated[CiString, Field(max_length=2)]
CiString3 = Annotated[CiString, Field(max_length=3)]
CiString4 = Annotated[CiString, Field(max_length=4)]
CiString32 = Annotated[CiString, Field(max_length=32)]
CiString36 = Annotated[CiString, Field(max_length=36)]
CiString39 = Annotated[CiString, Field(max_length=39)]
CiString48 = Annotated[CiString, Field(max_length=48)]

# string(n): case-sensitive, any alphabet, no control characters.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Text2 = Annotated[Text, Field(max_length=2)]
Text3 = Annotated[Text, Field(max_length=3)]
Text4 = Annotated[Text, Field(max_length=4)]
Text10 = Annotated[Text, Field(max_length=10)]
Text16 = Annotated[Text, Field(max_length=16)]
Text20 = Annotated[Text, Field(max_length=20)]
Text45 = Annotated[Text, Field(max_length=45)]
Text64 = Annotated[Text, Field(max_length=64)]
Text100 = Annotated[Text, Field(max_length=100)]
Text255 = Annotated[Text, Field(max_length=255)]
Text512 = Annotated[Text, Field(max_length=512)]
Text5000 = Annotated[Text, Field(max_length=5000)]

#: Kept letter by letter: a URL that a partner gave is called exactly as given.
Url = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x20\x7f-\xa0]+$")]

Integer = Annotated[int, Strict()]
Boolean = Annotated[bool, Strict()]


#: What JSON can still write as a number.
_MOST_DIGITS = 300


def _read_number(value: Any) -> Decimal:
    """The decimal that was written: 0.1 is a tenth, and not the binary fraction next to it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("a number is a number, and no text")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
        raise ValueError("a number is finite")
    return number


def _four_decimals(value: Decimal) -> float:
    return round(float(value), 4)


#: Exact within the house, a JSON number with four decimals at most outside (types §number).
Number = Annotated[
    Decimal,
    BeforeValidator(_read_number),
    PlainSerializer(_four_decimals, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]

T = TypeVar("T")


def _null_is_empty(value: Any) -> Any:
    return () if value is None else value


#: Cardinality ``*``: absent, null and [] say the same.
ZeroOrMore = Annotated[tuple[T, ...], BeforeValidator(_null_is_empty)]
#: Cardinality ``+``.
OneOrMore = Annotated[tuple[T, ...], Field(min_length=1)]


class Model(BaseModel):
    """An OCPI object: unknown fields are not heard; a field of cardinality ``?`` defaults to None, of ``*`` to ()."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    def wire(self) -> dict[str, Any]:
        """What goes into JSON. The only defaults are None and (), so nothing that says nothing is sent."""
        return self.model_dump(mode="json", exclude_defaults=True)


class DisplayText(Model):
    """A text for people, in one language (ISO 639-1)."""

    language: Text2
    text: Text512
