"""Where a message goes: the endpoint, what is below it, and a slash where the partner wants one."""

import pytest

from gateway.calling import Line
from ocpi.headers import Encoding, Routing


def place(url: str, below: str, *, slash: bool = False) -> str:
    line = Line(url=url, token_out="", encoding=Encoding.BASE64, routing=Routing(), trailing_slash=slash)
    return line.place(below)


@pytest.mark.parametrize(
    ("url", "below", "plain", "with_slash"),
    [
        ("https://a/cdrs", "", "https://a/cdrs", "https://a/cdrs/"),
        ("https://a/cdrs/", "", "https://a/cdrs/", "https://a/cdrs/"),
        ("https://a/sessions", "/NL/CPO/1", "https://a/sessions/NL/CPO/1", "https://a/sessions/NL/CPO/1/"),
        ("https://a/sessions/", "/NL/CPO/1", "https://a/sessions/NL/CPO/1", "https://a/sessions/NL/CPO/1/"),
        ("https://a/tokens", "/1/authorize?type=RFID", "https://a/tokens/1/authorize?type=RFID",
         "https://a/tokens/1/authorize/?type=RFID"),
        ("https://a/tokens/", "?offset=0", "https://a/tokens/?offset=0", "https://a/tokens/?offset=0"),
    ],
)  # fmt: skip
def test_parts_have_one_slash_between_them_and_one_at_the_end_where_it_is_wanted(
    url: str, below: str, plain: str, with_slash: str
) -> None:
    assert place(url, below) == plain
    assert place(url, below, slash=True) == with_slash
