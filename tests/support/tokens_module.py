"""An eMSP's Tokens module: it answers questions about tokens as it is told, and remembers them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from sqlalchemy import Connection, insert, update

from gateway.simulators.serving import Serving
from gateway.store import rows

WHEN = "2026-03-01T12:00:00Z"


@dataclass(frozen=True)
class Question:
    """One request, letter by letter."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: Any


@dataclass(frozen=True)
class Reply:
    """An answer; ``data`` None: an envelope without any."""

    data: Any = None
    code: int = 1000
    http: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0

    def response(self) -> web.Response:
        if self.body is not None:
            return web.Response(body=self.body, status=self.http, headers=dict(self.headers))
        envelope = {"status_code": self.code, "timestamp": WHEN} | ({} if self.data is None else {"data": self.data})
        return web.json_response(envelope, status=self.http, headers=dict(self.headers))


UNKNOWN = Reply(http=404, code=2004)
#: It takes the question and never says a word.
MUTE = Reply(after=3600)


def word(token: Mapping[str, Any] | None, allowed: str = "ALLOWED", **more: Any) -> Reply:
    """An AuthorizationInfo."""
    return Reply({"allowed": allowed} | ({"token": dict(token)} if token is not None else {}) | more)


class TokensModule:
    """``async with`` it; ``replies`` are given in turn, the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies or (UNKNOWN,))
        self.asked: list[Question] = []
        self._serving: Serving | None = None
        self._port = 0
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._serving = Serving(application)
        self._port = await self._serving.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._serving is not None
        await self._serving.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/ocpi/emsp/2.2.1/tokens"

    async def was_asked(self, count: int = 1, timeout: float = 30) -> Question:
        async with asyncio.timeout(timeout):
            while len(self.asked) < count:
                self._news.clear()
                await self._news.wait()
        return self.asked[count - 1]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        said = await request.json() if body else None
        self.asked.append(Question(request.method, request.raw_path, request.headers.copy(), said))
        self._news.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        await asyncio.sleep(reply.after)
        return reply.response()


def offer(db: Connection, partner: int, url: str | None, *, strangers: bool = False) -> None:
    """The partner's Tokens module is there, and it is asked about strangers' cards or not."""
    db.execute(update(rows.partner).where(rows.partner.c.id == partner).values(authorize_unknown=strangers))
    if url is not None:
        row = {"partner": partner, "identifier": "tokens", "role": "SENDER", "url": url}
        db.execute(insert(rows.partner_endpoint).values(**row))
