"""Pages of a list, as every Sender interface of ours answers them (transport_and_format §Pagination)."""

from typing import Any

from fastapi import Request, Response

from gateway.api.answers import answer
from gateway.api.callers import office_of
from ocpi.paging import Page, page_headers, read_page

#: X-Limit.
LARGEST_PAGE = 100


def asked_page(request: Request, *, date_from_required: bool = False) -> Page:
    """Raises InvalidParameters."""
    return read_page(request.query_params, max_limit=LARGEST_PAGE, date_from_required=date_from_required)


def page_of(request: Request, page: Page, told: list[dict[str, Any]], total: int) -> Response:
    """The page, with the headers that lead on from it."""
    made = answer(told)
    url = f"{office_of(request).rules.settings.public_url.rstrip('/')}{request.url.path}?{request.url.query}"
    made.headers.update(page_headers(url, page, len(told), total, LARGEST_PAGE))
    return made
