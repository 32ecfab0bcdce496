"""A side that loses a process has no figures, and the first thing that is told is which process."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from workers.bench.databases import Databases
from workers.bench.scene import Scene
from workers.bench.sides import Side, environment, gateway, relay, side
from workers.bench.talk import Broken

STATIONS = 2


async def one_of(stack: AsyncExitStack, made, directory: Path) -> Side:
    server = await stack.enter_async_context(made(directory, Scene(STATIONS), Databases()))
    return await stack.enter_async_context(side(server, STATIONS))


async def killed_while_loaded(loaded: Side, process: str) -> Broken:
    running = asyncio.create_task(loaded.run(seconds=30, in_flight=STATIONS))
    await asyncio.sleep(0.5)
    assert not running.done()
    os.kill(loaded.server.pids()[process], signal.SIGKILL)
    with pytest.raises(Broken) as broken:
        await running
    return broken.value


async def test_a_relay_that_dies_is_told_and_not_its_load(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        loaded = await one_of(stack, relay, tmp_path / "relay")
        assert str(await killed_while_loaded(loaded, "relay")).startswith("the relay ended")


async def test_a_gateway_tells_what_it_took(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        loaded = await one_of(stack, gateway, tmp_path / "gateway")
        told = await loaded.run(seconds=0, in_flight=STATIONS, at_least=5)
        assert told.commands >= 5
        assert set(told.cpu) == {"supervisor", "api", "bridge", "worker-1", "valkey"}
        spent = told.cpu_ms()
        assert spent["cpu_ms"] == pytest.approx(sum(spent[f"cpu_{name}_ms"] for name in told.cpu))
        # The supervisor starts another one at once, and the load may not even notice.
        running = asyncio.create_task(loaded.run(seconds=2, in_flight=STATIONS))
        await asyncio.sleep(0.5)
        os.kill(loaded.server.pids()["worker-1"], signal.SIGKILL)
        with pytest.raises(Broken, match="lost a process"):
            await running


def test_nothing_of_our_own_environment_reaches_a_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_STATION_QUEUE", "1")
    argv = environment(database_url="postgresql://there")
    assert argv[argv.index("GATEWAY_STATION_QUEUE") - 1] == "-u"
    assert argv[-2:] == ["GATEWAY_ALLOW_PRIVATE_CALLBACKS=true", "GATEWAY_DATABASE_URL=postgresql://there"]
