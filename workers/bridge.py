"""The bridge process: the stations' WebSockets."""

import asyncio

from gateway.bell import Job
from gateway.office import Office
from gateway.settings import Settings
from gateway.store import queues
from ocpp_bridge.node import Node
from ocpp_bridge.rhythm import Rhythm
from workers.desk import HouseDesk
from workers.process import claim, open_office, prepare, run

#: Seconds that running calls may take to end before the sockets are closed; the supervisor kills after ten.
DRAIN = 7.0


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

        rhythm = Rhythm(drain=DRAIN)
        node = Node(HouseDesk(office), office.redis, host, port, undeliverable=undeliverable, rhythm=rhythm)
        await node.start()
        await told.wait()
        await node.stop()


async def look_again(office: Office, station: str) -> None:
    await office.ring(Job.DISPATCH, await office.store.read(queues.waiting_at, station))
