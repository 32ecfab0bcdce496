"""Calling: every message of ours to a partner goes this way, past the guard and with the connection's credentials."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson

from gateway.office import Office
from gateway.outgoing.client import Posted, send_json
from gateway.outgoing.guard import check_url, plain_host
from gateway.store import partners
from ocpi.headers import Encoding, MessageIds, Routing, authorization

#: Bytes of an answer that are read.
LONGEST_ANSWER = 65_536


@dataclass(frozen=True, kw_only=True)
class Line:
    """Where a connection is called, and as whom."""

    #: A partner's response_url, or an endpoint of its to which ids are appended.
    url: str
    #: Hosts that it may be of; None: an operator or its version details registered the endpoint, whatever its host.
    hosts: Collection[str] | None = None
    #: Sealed.
    token_out: str
    encoding: Encoding
    routing: Routing
    #: It is called at URLs that end with a slash.
    trailing_slash: bool = False

    def place(self, below: str) -> str:
        """The URL with ``below`` behind it, a query perhaps, whatever the number of slashes that it ends with."""
        url = self.url.rstrip("/") if below.startswith("/") else self.url
        path, mark, query = f"{url}{below}".partition("?")
        return f"{path.rstrip('/')}/{mark}{query}" if self.trailing_slash else f"{path}{mark}{query}"


def new_ids() -> MessageIds:
    return MessageIds(str(uuid4()), str(uuid4()))


async def call(
    office: Office,
    line: Line,
    method: str,
    body: Mapping[str, Any] | None,
    limit: timedelta,
    *,
    below: str = "",
    ids: MessageIds | None = None,
    longest: int = LONGEST_ANSWER,
) -> Posted:
    """One request within ``limit``, ``below`` appended to the URL; no ``body`` for None. Raises WrongKey at most."""
    posted = await _call(office, line, method, body, limit, below, ids, longest)
    if posted.http_status != 401:
        return posted
    # They gave us a new token, and may not know that we have it: then the one before is still theirs.
    before = await office.store.read(partners.token_before, line.token_out)
    if before is None:
        return posted
    left = limit - timedelta(milliseconds=posted.milliseconds)
    return await _call(office, replace(line, token_out=before), method, body, left, below, ids, longest)


async def _call(
    office: Office,
    line: Line,
    method: str,
    body: Mapping[str, Any] | None,
    limit: timedelta,
    below: str,
    ids: MessageIds | None,
    longest: int,
) -> Posted:
    settings = office.rules.settings
    try:
        # Each time, and not only when it was registered: hosts are taken back, and a replay comes hours later.
        hosts = [plain_host(line.url)] if line.hosts is None else line.hosts
        check_url(line.url, hosts=hosts, allow_private=settings.allow_private_callbacks)
        credentials = authorization(office.rules.secrets.open(line.token_out), line.encoding)
    except ValueError as refused:
        return Posted(http_status=None, body=b"", error=str(refused), milliseconds=0)
    headers = {"Authorization": credentials, **(ids or new_ids()).headers(), **line.routing.headers()}
    content = None if body is None else orjson.dumps(body)
    url, seconds = line.place(below), limit.total_seconds()
    return await send_json(office.http, method, url, headers, content, seconds, longest)
