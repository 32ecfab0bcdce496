"""Names: what the name service says, checked, and pinned to the socket that is opened."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.outgoing.addresses import forbidden_address
from gateway.outgoing.guard import UrlRefused, literal, plain_host

#: Seconds an answer is used.
ANSWERS_LAST = 10.0
#: Seconds a failure is used: short, because a result's next attempt is due in one.
FAILURES_LAST = 1.0


class SystemResolver(AbstractResolver):
    """The machine's own name service, in threads of its own: a mute name server of one partner holds up no other."""

    def __init__(self, threads: int = 32) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=of_family,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for of_family, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One question to the name service, shared by all who ask for the same name meanwhile and shortly after."""

    answer: asyncio.Task[list[ResolveResult]]
    began: float

    def usable(self, now: float) -> bool:
        if not self.answer.done():
            return True
        failed = self.answer.cancelled() or self.answer.exception() is not None
        return now - self.began < (FAILURES_LAST if failed else ANSWERS_LAST)


class CheckedResolver(AbstractResolver):
    """Answers only with addresses that may be called, and remembers them for a moment.

    The connector connects to exactly what is answered here, so a name cannot show one address to the check and another
    to the socket. One forbidden address refuses the whole name: an honest public name does not point inside as well,
    and a refusal that depended on which address came first would be a riddle to everybody.
    """

    def __init__(self, *, allow_private: bool, resolver: AbstractResolver | None = None) -> None:
        self._allow_private = allow_private
        self._resolver = resolver or SystemResolver()
        self._lookups: dict[str, _Lookup] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        # Shielded: one caller's deadline must not take the answer from the others.
        found = await asyncio.shield(self._lookup(host).answer)
        return [{**each, "port": port} for each in found if family in (socket.AF_UNSPEC, each["family"])]

    async def ask(self, host: str, limit: float) -> None:
        """Raise UrlRefused if the name service says within ``limit`` seconds of being asked that ``host`` is forbidden.

        No answer, or none yet, refuses nothing: the name is looked up again when it is called.
        """
        lookup = self._lookup(host)
        await asyncio.wait({lookup.answer}, timeout=max(0.0, lookup.began + limit - time.monotonic()))
        if lookup.answer.done() and not lookup.answer.cancelled():
            problem = lookup.answer.exception()
            if isinstance(problem, UrlRefused):
                raise UrlRefused(str(problem))

    async def close(self) -> None:
        answers = [lookup.answer for lookup in self._lookups.values()]
        self._lookups.clear()
        for answer in answers:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)
        await self._resolver.close()

    def _lookup(self, host: str) -> _Lookup:
        now = time.monotonic()
        known = self._lookups.get(host)
        if known is not None and known.usable(now):
            return known
        answer = asyncio.get_running_loop().create_task(self._checked(host))
        # A failure that nobody waits for any more is no news.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._lookups[host] = _Lookup(answer, now)
        return self._lookups[host]

    async def _checked(self, host: str) -> list[ResolveResult]:
        found = await self._resolver.resolve(host)
        if any(forbidden_address(each["host"], allow_private=self._allow_private) for each in found):
            raise UrlRefused(f"The name {host} leads to an address that partners may not name.")
        return found


async def check_resolved(url: str, resolver: CheckedResolver, *, limit: float = 1.0) -> None:
    """Raise UrlRefused if the host of ``url`` is a name that leads inside, as far as is known within ``limit`` seconds.

    Asked when a command comes in and after ``check_url``, so that the partner hears of it at once; the socket is
    guarded all the same.
    """
    host = plain_host(url)
    if not literal(host):
        await resolver.ask(host.lower(), limit)
