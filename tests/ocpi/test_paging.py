"""Pages: what the query asks for, and where the next page is."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpi.paging import Page, page_headers, read_page
from ocpi.status import InvalidParameters

URL = "https://gw.example.org/ocpi/cpo/2.2.1/sessions"
MARCH = datetime(2025, 3, 1, tzinfo=UTC)
APRIL = datetime(2025, 4, 1, tzinfo=UTC)


def following(headers: dict[str, str]) -> str:
    """The next page's URL."""
    link = headers["Link"]
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    return link[1:].split(">")[0]


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_rule_17_every_parameter_may_be_left_out() -> None:
    assert read_page({}, max_limit=50) == Page(None, None, 0, 50)
    assert read_page(dict.fromkeys(["date_from", "date_to", "offset", "limit"], ""), max_limit=50) == Page(
        None, None, 0, 50
    )


def test_rule_17_every_parameter_is_read() -> None:
    params = {"date_from": "2025-03-01T00:00:00Z", "date_to": "2025-04-01T00:00:00", "offset": "20", "limit": "10"}
    assert read_page(params, max_limit=50) == Page(MARCH, APRIL, 20, 10)


def test_a_plus_sign_that_the_query_turned_into_a_space_is_understood() -> None:
    assert read_page({"date_from": "2025-03-01T00:00:00 00:00"}, max_limit=50).date_from == MARCH


def test_rule_19_no_page_is_larger_than_ours() -> None:
    assert read_page({"limit": "1000000"}, max_limit=50).limit == 50


def test_rule_179_date_from_is_required_where_the_module_says_so() -> None:
    with pytest.raises(InvalidParameters, match="date_from"):
        read_page({"date_from": ""}, max_limit=50, date_from_required=True)
    assert read_page({"date_from": "2025-03-01T00:00:00Z"}, max_limit=50, date_from_required=True).date_from == MARCH


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date_from", "yesterday"),
        ("date_to", "2025-03-01T00:00:00+02:00"),
        ("offset", "-1"),
        ("offset", "1.5"),
        ("offset", "9" * 16),
        ("limit", "0"),
        ("limit", "many"),
        ("limit", "1_0"),
        ("limit", "٣"),
    ],
)
def test_nonsense_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(InvalidParameters, match=name):
        read_page({name: value}, max_limit=50)


def test_rule_21_the_next_page_keeps_the_filters() -> None:
    headers = page_headers(URL, Page(MARCH, APRIL, 20, 10), returned=10, total=45, max_limit=50)
    assert following(headers).startswith(f"{URL}?")
    assert query(following(headers)) == {
        "date_from": "2025-03-01T00:00:00Z",
        "date_to": "2025-04-01T00:00:00Z",
        "offset": "30",
        "limit": "10",
    }


def test_rule_21_a_filter_is_kept_as_the_caller_wrote_it() -> None:
    asked = f"{URL}?date_from=2025-03-01T00:00:00.123456789&type=RFID&offset=3"
    page = read_page(query(asked), max_limit=2)
    headers = page_headers(asked, page, returned=2, total=45, max_limit=2)
    assert query(following(headers)) == query(asked) | {"offset": "5", "limit": "2"}


@pytest.mark.parametrize(
    ("offset", "returned", "total"), [(0, 10, 10), (40, 5, 45), (0, 0, 0), (50, 0, 45), (10, 0, 45)]
)
def test_rule_21_the_last_page_leads_nowhere(offset: int, returned: int, total: int) -> None:
    assert "Link" not in page_headers(URL, Page(None, None, offset, 10), returned, total, max_limit=50)


def test_rule_22_and_rule_23_the_total_and_the_upper_limit_are_told() -> None:
    headers = page_headers(URL, Page(None, None, 40, 10), returned=5, total=45, max_limit=50)
    assert headers == {"X-Total-Count": "45", "X-Limit": "50"}


@given(total=st.integers(0, 60), limit=st.integers(1, 20), max_limit=st.integers(1, 20))
def test_following_the_links_shows_everything_once(total: int, limit: int, max_limit: int) -> None:
    everything, seen = list(range(total)), []
    asked: str | None = f"{URL}?limit={limit}"
    while asked:
        page = read_page(query(asked), max_limit=max_limit)
        shown = everything[page.offset : page.offset + page.limit]
        seen += shown
        headers = page_headers(asked, page, len(shown), total, max_limit)
        asked = following(headers) if "Link" in headers else None
    assert seen == everything
