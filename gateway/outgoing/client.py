"""The client: httpx's requests on an aiohttp connector, which costs a tenth of httpx's own pool under load.

``httpx.AsyncClient`` would add redirects, cookies, proxies and credentials of the environment to them: nothing of that
is ever wanted here, and leaving it out is a third of what a request costs.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from gateway.outgoing.guard import UrlRefused, check_target
from gateway.outgoing.names import CheckedResolver

#: Sockets to one host and port: a partner that answers slowly fills its own share and nobody else's.
PER_HOST = 64
#: Sockets in all.
LIMIT = 2048
#: Seconds. Shorter than the five after which common servers hang up: a POST on a dying connection is lost.
KEEP_ALIVE = 4.0
#: Seconds for a TCP connection to one address.
CONNECT = 3.0
#: Characters of an error that are kept.
LONGEST_ERROR = 300

_ALWAYS = {
    "user-agent": "ocpi-commands-gateway",
    "accept": "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
}
#: The URL of the request under way: aiohttp spells it anew, a partner's is called letter by letter.
_written: ContextVar[str] = ContextVar("written")


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """What became of one request: an HTTP status if one came, and what went wrong if something did."""

    http_status: int | None
    #: As far as it came and at most ``max_body`` bytes, never decompressed.
    body: bytes
    #: One sentence, without headers; may stand beside a status when the body broke off.
    error: str | None
    milliseconds: int
    #: The answer's Location header.
    location: str | None = None
    #: Its Link header.
    link: str | None = None


class GuardedTransport(httpx.AsyncBaseTransport):
    """Refuses what never reaches a resolver, and sees that no answer is unpacked: a few bytes may hold gigabytes."""

    def __init__(self, network: httpx.AsyncBaseTransport, names: CheckedResolver, *, allow_private: bool) -> None:
        self._network = network
        self._names = names
        self._allow_private = allow_private

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        check_target(request.url.scheme, request.url.raw_host.decode(), allow_private=self._allow_private)
        _written.set(str(request.url))
        response = await self._network.handle_async_request(request)
        response.headers.pop("content-encoding", None)
        return response

    async def aclose(self) -> None:
        await self._network.aclose()
        await self._names.close()


def open_client(
    *,
    allow_private: bool,
    transport: httpx.AsyncBaseTransport | None = None,
    resolver: AbstractResolver | None = None,
) -> GuardedTransport:
    """The client that everything outgoing uses; close it with ``aclose``. Refused targets raise UrlRefused.

    ``transport`` takes the place of the network in tests; ``resolver`` that of the machine's name service, and is
    checked like it. The sockets belong to the event loop of the first request.
    """
    names = CheckedResolver(allow_private=allow_private, resolver=resolver)
    return GuardedTransport(transport or _network(names), names, allow_private=allow_private)


def _network(names: CheckedResolver) -> httpx.AsyncBaseTransport:
    certificates = httpx.create_ssl_context(trust_env=False)

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=names,
            use_dns_cache=False,
            ssl=certificates,
            limit=LIMIT,
            limit_per_host=PER_HOST,
            keepalive_timeout=KEEP_ALIVE,
        )
        opened = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), middlewares=(_as_written,)
        )
        # It would send a PUT or DELETE that was cut off again, and tell nobody: credentials may be exchanged only once.
        opened._retry_connection = False
        return opened

    return AiohttpTransport(verify=certificates, client=session)


async def _as_written(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """mod_commands §Sender: the response_url is the eMSP's, and may be signed as it stands."""
    request.url = URL(_written.get(), encoded=True)
    response = await handler(request)
    response.reason = None  # nobody reads it, and httpx stumbles over one that is not UTF-8
    return response


async def post_json(
    client: httpx.AsyncBaseTransport,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    timeout: float,
    max_body: int = 65536,
) -> Posted:
    """POST ``body``; never raises. The whole attempt, a body that drips included, takes at most ``timeout`` seconds."""
    return await send_json(client, "POST", url, headers, body, timeout, max_body)


async def send_json(
    client: httpx.AsyncBaseTransport,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
    max_body: int = 65536,
) -> Posted:
    """``post_json`` for any method; ``body`` None sends none."""
    began = time.monotonic()
    status, error, location, link, received = None, None, None, None, bytearray()
    try:
        async with asyncio.timeout(timeout):
            silence = {"connect": min(CONNECT, timeout), "read": timeout, "write": timeout, "pool": timeout}
            request = httpx.Request(
                method, url, headers={**_ALWAYS, **headers}, content=body, extensions={"timeout": silence}
            )
            async with aclosing(await client.handle_async_request(request)) as response:
                status = response.status_code
                location, link = response.headers.get("location"), response.headers.get("link")
                async for chunk in response.aiter_raw():
                    received += chunk
                    if len(received) >= max_body:
                        break
    except TimeoutError:
        error = f"No complete answer within {timeout:g} seconds."
    # Whatever a stranger's server or URL provokes is an outcome of this attempt, not a failure of ours.
    except Exception as problem:
        error = _sentence(problem)
    return Posted(
        http_status=status,
        body=bytes(received[:max_body]),
        error=error,
        milliseconds=round((time.monotonic() - began) * 1000),
        location=location,
        link=link,
    )


def _sentence(problem: Exception) -> str:
    if isinstance(problem, UrlRefused):
        return str(problem)
    return f"{type(problem).__name__}: {problem}".strip(": ")[:LONGEST_ERROR]
