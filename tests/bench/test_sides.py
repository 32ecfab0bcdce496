"""A side is the gateway as it comes, and has no figures when it has lost a process."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from workers.bench.databases import Databases
from workers.bench.scene import EMSPS, Scene
from workers.bench.sides import environment, gateway, loaded, shared
from workers.bench.talk import Broken

STATIONS = 2
OURS = ("supervisor", "api", "bridge", "worker-1", "valkey")


async def test_a_gateway_tells_what_it_took_unless_it_lost_a_process(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(gateway(tmp_path / "gateway", Scene(STATIONS), Databases()))
        side = await stack.enter_async_context(loaded(server, STATIONS))
        told = await side.run(seconds=0, in_flight=STATIONS, at_least=5)
        assert told.commands >= 5
        assert set(told.cpu) == {*OURS, "load"}
        spent = told.cpu_ms()
        assert spent["cpu_ms"] == pytest.approx(sum(spent[f"cpu_{name}_ms"] for name in OURS))
        # The supervisor starts another one at once, and the load may not even notice.
        running = asyncio.create_task(side.run(seconds=5, in_flight=STATIONS))
        await asyncio.sleep(0.5)
        os.kill(side.server.pids()["worker-1"], signal.SIGKILL)
        with pytest.raises(Broken, match="lost a process"):
            await running


@pytest.mark.parametrize("stations", [1, 4, 33, 40, 41, 200])
def test_emsps_share_all_stations_and_none_twice(stations: int) -> None:
    shares = [range(one["first"], one["first"] + one["count"]) for one in shared(stations)]
    assert [number for share in shares for number in share] == list(range(1, stations + 1))
    assert len(shares) == min(EMSPS, stations)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_nothing_of_our_own_environment_reaches_a_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_STATION_QUEUE", "1")
    argv = environment(database_url="postgresql://there")
    assert argv[argv.index("GATEWAY_STATION_QUEUE") - 1] == "-u"
    assert argv[-2:] == ["GATEWAY_ALLOW_PRIVATE_CALLBACKS=true", "GATEWAY_DATABASE_URL=postgresql://there"]
