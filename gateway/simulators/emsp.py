"""A simulated eMSP: answers callbacks and pushes, judges and remembers them, and sends commands."""

import asyncio
import json
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from gateway.simulators.exchanges import Received, envelope, parsed
from gateway.simulators.faults import EMSP_FAULTS, Faults
from gateway.simulators.platform import Platform
from gateway.simulators.receiver import Push, Receiver
from gateway.simulators.serving import Serving
from gateway.simulators.verdicts import Tokens, authorization, problems
from ocpi.dialects import NEWEST
from ocpi.headers import Party

SUCCESS = 1000
#: Whose eMSP it is, when nobody says.
PARTY = Party("DE", "EMS")
GENERIC_SERVER_ERROR = 3000


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback(Received):
    """One result of a command."""

    @property
    def name(self) -> str:
        """What ``url_for`` was asked for."""
        return self.path.partition("/callbacks/")[2]


class SimulatedEmsp:
    """``async with`` it, or ``start`` and ``stop`` it; ``callbacks`` is everything it received, in order."""

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        token: str | None = None,
        faults: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
        on_callback: Callable[[Callback], None] = lambda callback: None,
        on_push: Callable[[Push], None] = lambda push: None,
        party: Party = PARTY,
    ) -> None:
        self.port, self.host = port, host
        #: The raw tokens that the gateway may send us.
        self.token: Tokens = token
        self.faults = Faults(faults, EMSP_FAULTS)
        self.callbacks: list[Callback] = []
        #: Its Sessions and CDRs modules.
        self.receiver = Receiver(token, on_push)
        #: Its versions, credentials and Tokens modules.
        self.platform = Platform("", party, self._client, on_tokens=self._takes)
        self._tls, self._on_callback, self._news = tls, on_callback, asyncio.Event()
        self._serving: Serving | None = None
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/callbacks/{name:.+}", self._receive)
        application.router.add_routes([*self.receiver.routes(), *self.platform.routes()])
        self._serving = Serving(application)
        self.port = await self._serving.start(self.host, self.port, self._tls)
        self.platform.root = self._root

    async def stop(self) -> None:
        if self._serving is not None:
            await self._serving.stop()
        if self._session is not None:
            await self._session.close()

    def _takes(self, tokens: list[str]) -> None:
        self.token = self.receiver.token = tuple(tokens)

    def url_for(self, name: str) -> str:
        """A ``response_url``; choose another name for every command."""
        return f"{self._root}/callbacks/{name}"

    def endpoint(self, module: str, version: str = NEWEST.version) -> str:
        """Where it is told of what it owns: the URL of its ``sessions`` or ``cdrs``."""
        return f"{self._root}/ocpi/emsp/{version}/{module}"

    @property
    def _root(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self.host}:{self.port}"

    async def callback(self, wanted: str | Callable[[Callback], bool], timeout: float = 10.0) -> Callback:
        """The first callback by its name (or path) or by a predicate; TimeoutError when none comes."""
        async with asyncio.timeout(timeout):
            while not (found := [one for one in self.callbacks if _is_wanted(one, wanted)]):
                self._news.clear()
                await self._news.wait()
        return found[0]

    async def post(
        self,
        api_base: str,
        command: str,
        body: Any,
        *,
        version: str,
        token: str,
        request_id: str | None = None,
        correlation_id: str | None = None,
        encoding: str = "base64",
        routing: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | bool = True,
    ) -> tuple[int, Mapping[str, str], Any]:
        """POST a command to the gateway at ``api_base`` (scheme and host): HTTP status, headers, JSON.

        ``routing`` maps OCPI-from-… and OCPI-to-… headers to values; a body of bytes is sent as it is.
        """
        headers = {
            "Authorization": authorization(token, encoding),
            "X-Request-ID": request_id or str(uuid4()),
            "X-Correlation-ID": correlation_id or str(uuid4()),
            "Content-Type": "application/json",
            **(routing or {}),
        }
        url = f"{api_base.rstrip('/')}/ocpi/cpo/{version}/commands/{command}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self._client().post(url, data=data, headers=headers, ssl=tls, allow_redirects=False) as answer:
            return answer.status, answer.headers.copy(), parsed(await answer.read())

    def _client(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=60))
        return self._session

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        said = parsed(body)
        found = tuple(problems(request.headers, said, self.token))
        callback = Callback(
            path=request.path,
            headers=request.headers.copy(),
            body=body,
            json=said,
            at=datetime.now(UTC),
            problems=found,
        )
        self.callbacks.append(callback)
        self._on_callback(callback)
        self._news.set()
        return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        faults = self.faults
        await asyncio.sleep(faults.number("slow"))
        if "never" in faults:
            await asyncio.Event().wait()
        if "close" in faults and request.transport is not None:
            request.transport.abort()
        if "redirect" in faults:
            return web.Response(status=302, headers={"Location": faults.text("redirect", self.url_for("elsewhere"))})
        if "huge" in faults:
            return await _endless(request)
        if "wrong-envelope" in faults:
            return web.json_response({"ok": True})
        if "500" in faults or len(self.callbacks) <= faults.number("first-n-500"):
            return envelope(request, GENERIC_SERVER_ERROR, status=500)
        if "status" in faults:
            return envelope(request, GENERIC_SERVER_ERROR, status=int(faults.number("status", 500)))
        return envelope(request, int(faults.number("ocpi", GENERIC_SERVER_ERROR)) or SUCCESS)


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


def _is_wanted(callback: Callback, wanted: str | Callable[[Callback], bool]) -> bool:
    return wanted(callback) if callable(wanted) else wanted in (callback.name, callback.path)
