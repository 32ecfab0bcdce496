"""The api process: OCPI over HTTP."""

import asyncio

import uvicorn

from gateway.api.app import create_app
from gateway.public_url import keep_public_url
from gateway.settings import Settings
from workers.door import Door
from workers.footing import place
from workers.process import claim, open_office, prepare, run


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop."""
    if not settings.public_url:
        settings = settings.model_copy(update={"public_url": f"http://{place(host, port)}"})
    prepare(settings, "api")
    claim(host, port)
    keep_public_url(settings)
    run(lambda told: _serve(settings, host, port, told))


async def _serve(settings: Settings, host: str, port: int, told: asyncio.Event) -> None:
    async with open_office(settings) as office:
        config = uvicorn.Config(
            create_app(office),
            host=host,
            port=port,
            http=Door,
            lifespan="off",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            server_header=False,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        stopping = asyncio.create_task(told.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        stopping.cancel()


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the process has them."""

    def install_signal_handlers(self) -> None:
        return None
