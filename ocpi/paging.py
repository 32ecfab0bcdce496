"""Pages: which part of a list is asked for, and the headers that lead to the next (transport_and_format §GET)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ocpi.status import InvalidParameters
from ocpi.types import format_datetime, parse_datetime


@dataclass(frozen=True)
class Page:
    """Objects with ``date_from <= last_updated < date_to``, oldest first, ``limit`` of them after ``offset``."""

    date_from: datetime | None
    date_to: datetime | None
    offset: int
    limit: int


def read_page(params: Mapping[str, str], *, max_limit: int, date_from_required: bool = False) -> Page:
    """The page that the query asks for, at most ``max_limit`` long; InvalidParameters names what makes no sense."""
    page = Page(
        date_from=_moment(params, "date_from"),
        date_to=_moment(params, "date_to"),
        offset=_count(params, "offset", default=0),
        limit=min(_count(params, "limit", default=max_limit), max_limit),
    )
    if date_from_required and page.date_from is None:
        raise InvalidParameters("Missing parameter: date_from")
    if page.limit < 1:
        raise InvalidParameters("Invalid parameter: limit")
    return page


def page_headers(url: str, page: Page, returned: int, total: int, max_limit: int) -> dict[str, str]:
    """The answer's headers; ``url`` is the list's public URL, with or without the query it was asked with."""
    headers = {"X-Total-Count": str(total), "X-Limit": str(max_limit)}
    following = page.offset + returned
    if returned and following < total:
        headers["Link"] = f'<{_with_query(url, page, following)}>; rel="next"'
    return headers


def _with_query(url: str, page: Page, offset: int) -> str:
    """What the caller wrote itself wins: a filter must not change by being read and written again."""
    parts = urlsplit(url)
    filters = {"date_from": page.date_from, "date_to": page.date_to}
    query = {name: format_datetime(moment) for name, moment in filters.items() if moment is not None}
    query |= dict(parse_qsl(parts.query)) | {"offset": str(offset), "limit": str(page.limit)}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _moment(params: Mapping[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if not text:
        return None
    try:
        return parse_datetime(text.replace(" ", "+"))  # in a query a plus sign that is not escaped reads as a space
    except ValueError:
        raise InvalidParameters(f"Invalid parameter: {name}") from None


def _count(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,15}", text):
        raise InvalidParameters(f"Invalid parameter: {name}")
    return int(text)
