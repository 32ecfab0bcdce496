"""An HTTP server that ends together with every connection that it has accepted."""

import asyncio
import ssl
from typing import Any

from aiohttp import web

#: Seconds that the event loop needs at most to make a connection of a socket.
_ACCEPTING = 0.02


class Serving:
    """``start`` it once, and ``stop`` it."""

    def __init__(self, application: web.Application) -> None:
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """The port that it listens at: ``port``, or any where that is 0."""
        await self._runner.setup()
        made: Any = self._runner.server
        self._server = await asyncio.get_running_loop().create_server(made, host, port, ssl=tls)
        listening_at: int = self._server.sockets[0].getsockname()[1]
        return listening_at

    @property
    def requests(self) -> int:
        """How many have come, until it is stopped."""
        assert self._runner.server is not None, "it counts while it is started"
        return self._runner.server.requests_count

    async def stop(self) -> None:
        if self._server is not None:
            loop = asyncio.get_running_loop()
            # A server that is closed between accepting a socket and making a connection of it leaves the socket open
            # (asyncio's Server._attach fails). So it accepts no more first, and closes what it has accepted afterwards.
            for listener in self._server.sockets:
                loop.remove_reader(listener)
            await asyncio.sleep(_ACCEPTING)
            self._server.close()
        await self._runner.cleanup()
