"""Lists of partners, read page by page as the pages lead on (transport_and_format §Pagination)."""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin

from gateway.calling import Line, call
from gateway.domain.parties import Partner
from gateway.office import Office
from gateway.outgoing.client import Posted
from gateway.outgoing.guard import UrlRefused, plain_host
from ocpi.envelope import Received, read_envelope
from ocpi.headers import Routing
from ocpi.types import format_datetime

#: What we ask for at a time; a partner may give less.
PAGE = 100
#: A list that goes on for ever is not read for ever.
MOST_PAGES = 100_000
#: Bytes of one page.
LONGEST_PAGE = 8 * 1024 * 1024
#: For one page.
PATIENCE = timedelta(seconds=30)

_NEXT = re.compile(r'<([^<>]*)>\s*(?:;[^,<]*)?;\s*rel\s*=\s*"?next"?', re.IGNORECASE)


class NotPulled(Exception):
    """A partner's list could not be read to its end; the message is the sentence that says why."""

    def __init__(self, sentence: str, *, problem: str = "", keeps_page: bool = True) -> None:
        """``keeps_page``: the page that could not be read may be read later."""
        super().__init__(sentence)
        self.problem = problem
        self.keeps_page = keeps_page


def first_page(partner: Partner, url: str, since: datetime | None = None) -> str:
    """Where a list begins, or what changed of it ``since`` then."""
    changed = {} if since is None else {"date_from": format_datetime(since)}
    slash = "/" if partner.trailing_slash and not url.endswith("/") else ""
    return f"{url}{slash}?{urlencode(changed | {'offset': 0, 'limit': PAGE})}"


async def read_page(
    office: Office, partner: Partner, page: str, module_url: str, routing: Routing
) -> tuple[list[Any], str | None]:
    """The objects of a page, and where the next one is. Raises NotPulled."""
    place, mark, query = page.partition("?")
    line = Line(url=place, token_out=partner.token_out, encoding=partner.encoding, routing=routing)
    posted = await call(office, line, "GET", None, PATIENCE, below=f"{mark}{query}", longest=LONGEST_PAGE)
    told = _told(posted)
    if told is None:
        problem = posted.error or f"HTTP {posted.http_status}"
        # A page that is not there any more is not asked for again.
        keeps = posted.http_status is None or posted.http_status >= 500 or posted.http_status == 429
        raise NotPulled(f"{page} cannot be read: {problem}.", problem=problem, keeps_page=keeps)
    link = next_page(posted.link)
    following = _checked(urljoin(page, link), module_url) if link is not None else None
    return told, following if following != page else None


def next_page(link: str | None) -> str | None:
    """The URL in a Link header that leads on."""
    found = _NEXT.search(link or "")
    return found[1] if found is not None else None


def _told(posted: Posted) -> list[Any] | None:
    """The objects of a page; a peer with a single one may forget the list."""
    if posted.http_status is None or not 200 <= posted.http_status < 300 or posted.error is not None:
        return None
    try:
        told: Received = read_envelope(posted.body)
    except ValueError:
        return None
    if not told.succeeded:
        return None
    return told.data if isinstance(told.data, list) else [told.data] if isinstance(told.data, dict) else []


def _checked(following: str, url: str) -> str:
    """We follow a link to where the module is, and nowhere else: our token goes with it."""
    try:
        same = _origin(following) == _origin(url)
    except UrlRefused:
        same = False
    if not same:
        raise NotPulled(f"The next page is said to be at {following}, which is not where the module is.")
    return following


def _origin(url: str) -> tuple[str, str]:
    return url[: url.index(":")].lower(), plain_host(url).lower()
