"""The stations, all in one process: each boots, and accepts at once whatever it is asked; mute ones answer nothing."""

import asyncio
import sys
import time
from itertools import count
from typing import Any

import orjson
import uvloop

from ocpp_bridge import v16, v201
from workers.bench.scene import HOST, Spot, spots
from workers.bench.talk import answering, settle_memory, tell
from workers.bench.websocket import Socket, TurnedAway

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
#: Seconds after which a station tries again when nobody took its connection; and for an answer to one of its calls.
AGAIN, PATIENCE = 0.02, 60.0


class Station:
    """One station, from its first socket to its last."""

    def __init__(self, port: int, spot: Spot, mute: bool = False) -> None:
        self._port, self._spot, self._mute = port, spot, mute
        self._names = count(1)
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._socket: Socket | None = None
        #: How often it was told to come again.
        self.turned_away = 0

    async def connect(self) -> float:
        """Come in, however often that takes, and boot; the seconds that the BootNotification waited for its answer."""
        self._socket = await self._open()
        return await self.call("BootNotification", BOOTS[self._spot.subprotocol])

    async def call(self, action: str, payload: dict[str, Any]) -> float:
        """The seconds until it was answered; raises TimeoutError, and ConnectionError when the socket is gone."""
        assert self._socket is not None
        if self._socket.closed:
            raise ConnectionResetError(f"{self._spot.station} was disconnected")
        name = str(next(self._names))
        answer = self._answers[name] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._socket.send(orjson.dumps([2, name, action, payload]))
        await asyncio.wait_for(answer, PATIENCE)
        return time.perf_counter() - began

    def cut(self) -> None:
        self._answers.clear()
        if self._socket is not None:
            self._socket.abort()

    async def _open(self) -> Socket:
        path = f"/ocpp/{self._spot.station}"
        while True:
            try:
                return await Socket.open(HOST, self._port, path, self._spot.subprotocol, self._heard)
            except TurnedAway as told:
                self.turned_away += 1
                await asyncio.sleep(told.after)
            except OSError:
                await asyncio.sleep(AGAIN)

    def _heard(self, frame: bytes) -> None:
        match orjson.loads(frame):
            case [2, message_id, action, _] if not self._mute:
                assert self._socket is not None
                self._socket.send(_answer(message_id, action))
            case [3, name, _]:
                self._answers.pop(name).set_result(None)
            case [4, name, *error]:
                self._answers.pop(name).set_exception(ValueError(f"{self._spot.station} was told {error}"))


def _answer(message_id: str, action: str) -> bytes:
    if (answer := ANSWERS.get(action)) is None:
        return orjson.dumps([4, message_id, "NotImplemented", "", {}])
    return orjson.dumps([3, message_id, answer])


async def heartbeats(stations: list[Station], seconds: float, rate: float) -> dict[str, Any]:
    """``rate`` Heartbeats a second, the stations in turn."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(int(seconds * rate)):
            await asyncio.sleep(began + number / rate - time.perf_counter())
            tasks.append(group.create_task(stations[number % len(stations)].call("Heartbeat", {})))
        await asyncio.sleep(began + seconds - time.perf_counter())
    return {"heartbeats": len(tasks), "waits_ms": [1000 * task.result() for task in tasks]}


async def wave(stations: list[Station]) -> dict[str, Any]:
    """Cut them all, and let all come back at once."""
    before = sum(one.turned_away for one in stations)
    began = time.perf_counter()
    for one in stations:
        one.cut()
    waits = await asyncio.gather(*(one.connect() for one in stations))
    return {
        "all_booted_s": time.perf_counter() - began,
        "longest_answer_s": max(waits),
        "turned_away": sum(one.turned_away for one in stations) - before,
    }


async def main(port: int, first: int, many: int, mute: int) -> None:
    """Tells ``{"ready": n}`` when all have booted, the last ``mute`` of them mute; then does what it is asked."""
    stations = [Station(port, spot, number >= many - mute) for number, spot in enumerate(spots(many, first))]
    await asyncio.gather(*(one.connect() for one in stations))
    settle_memory()
    tell({"ready": many})

    async def do(**words: float) -> dict[str, Any]:
        return await (heartbeats(stations, **words) if words else wave(stations))

    await answering(do)


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:])))
