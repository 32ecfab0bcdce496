"""The bridge process: the stations' WebSockets."""

import asyncio

from gateway.bell import Job
from gateway.office import Office
from gateway.settings import Settings
from gateway.store import commands
from ocpp_bridge.node import Node
from workers.desk import HouseDesk
from workers.process import claim, open_office, prepare, run


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop."""
    prepare(settings, "bridge")
    claim(host, port)
    run(lambda told: _serve(settings, host, port, told))


async def _serve(settings: Settings, host: str, port: int, told: asyncio.Event) -> None:
    async with open_office(settings) as office:

        async def undeliverable(station: str) -> None:
            """The station is not here any more: whoever holds it now is rung for."""
            await look_again(office, station)

        node = Node(HouseDesk(office), office.redis, host, port, undeliverable=undeliverable)
        await node.start()
        await told.wait()
        await node.stop()


async def look_again(office: Office, station: str) -> None:
    waiting = await office.store.read(commands.queued, [station])
    await office.ring(Job.DISPATCH, waiting.get(station, []))
