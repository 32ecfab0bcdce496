"""The stations, all in one process: each boots, and accepts at once whatever it is asked."""

import asyncio
import sys
from typing import Any

import orjson
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_bridge import v16, v201
from workers.bench.scene import Spot, spots
from workers.bench.talk import asked, tell
from workers.process import settle_memory

BOOTS: dict[str, dict[str, Any]] = {
    v16.DIALECT.subprotocol: {"chargePointVendor": "Bench", "chargePointModel": "One"},
    v201.DIALECT.subprotocol: {
        "reason": "PowerUp",
        "chargingStation": {"vendorName": "Bench", "model": "One"},
    },
}
ANSWERS: dict[str, dict[str, Any]] = {
    "ReserveNow": {"status": "Accepted"},
    "CancelReservation": {"status": "Accepted"},
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "GetVariables": {
        "getVariableResult": [
            {"attributeStatus": "UnknownVariable", "component": {"name": "X"}, "variable": {"name": "Y"}}
        ]
    },
}


async def main(url: str, count: int) -> None:
    """Tells ``{"ready": n}`` when all have booted."""
    booted = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_station(url, spot, booted)) for spot in spots(count)]
        for _ in tasks:
            await booted.acquire()
        settle_memory()
        tell({"ready": count})
        async for _ in asked():
            pass
        for task in tasks:
            task.cancel()


async def _station(url: str, spot: Spot, booted: asyncio.Semaphore) -> None:
    async with connect(
        f"{url}/{spot.station}",
        subprotocols=[Subprotocol(spot.subprotocol)],
        compression=None,
        ping_interval=None,
        open_timeout=30,
    ) as socket:
        await socket.send(orjson.dumps([2, "boot", "BootNotification", BOOTS[spot.subprotocol]]), text=True)
        try:
            async for frame in socket:
                match orjson.loads(frame):
                    case [2, message_id, action, _]:
                        await socket.send(_answer(message_id, action), text=True)
                    case [3, "boot", {"status": "Accepted"}]:
                        booted.release()
        except ConnectionClosed:
            return


def _answer(message_id: str, action: str) -> bytes:
    if (answer := ANSWERS.get(action)) is None:
        return orjson.dumps([4, message_id, "NotImplemented", "", {}])
    return orjson.dumps([3, message_id, answer])


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
