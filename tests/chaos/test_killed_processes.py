"""Whatever is killed, at whichever step of a command: one result in time, and no station is asked twice (P1, P2)."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis

from gateway.simulators.emsp import SimulatedEmsp
from tests.journeys.test_hard_cases import ACCEPTED, a_station, spot
from tests.support.emsp import Emsp, Told
from tests.support.gateway import Gateway, eventually, running
from tests.support.station import Reply, ScriptedStation, number_in
from workers.valkey import embedded

PROCESSES = ("worker-1", "bridge", "api", "valkey")
#: Short, and long enough for a process to be started again on a busy machine.
TIMES = {
    "GATEWAY_COMMAND_TIMEOUT": "25",
    "GATEWAY_STATION_TIMEOUT": "12",
    "GATEWAY_CALLBACK_PAUSES": "0.3,0.6,1,2,2",
    "GATEWAY_CALLBACK_ATTEMPT_TIMEOUT": "4",
    "GATEWAY_CLEANUP_PAUSE": "1",
    "GATEWAY_SWEEP_INTERVAL": "0.3",
    "GATEWAY_RING_AGAIN": "1",
}

every_process = pytest.mark.parametrize("process", PROCESSES)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("battered"), **TIMES) as started:
        yield started


@asynccontextmanager
async def a_place(gateway: Gateway, reserve_now: Reply = ACCEPTED):
    """(eMSP, station, location) with one EVSE."""
    name = gateway.station_name()
    location = gateway.location(spot(name, "1.6"))
    script = {"ReserveNow": reserve_now}
    async with gateway.emsp() as emsp, a_station(gateway, name, "1.6", script) as station:
        yield emsp, station, location


@asynccontextmanager
async def frozen(gateway: Gateway, name: str):
    """It does nothing meanwhile; at the end it goes on, unless it was killed."""
    pid = gateway.pid(name)
    gateway.freeze(name)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def kill(gateway: Gateway, process: str, station: ScriptedStation) -> None:
    """Another one is there when this returns, and the station connected to it."""
    await gateway.replace(process)
    if process == "bridge":
        await station.reconnect()


async def one_result(emsp: Emsp, station: ScriptedStation, told: Told, expected: str = "ACCEPTED") -> None:
    assert await emsp.result(told) == expected
    await asyncio.sleep(0.7)  # more than two sweeps
    assert emsp.results(told) == [expected]
    assert len(station.all_asked("ReserveNow")) == 1


async def state_of(gateway: Gateway, told: Told, **wanted: str) -> None:
    await eventually(lambda: wanted.items() <= gateway.command_of(told).items())


@every_process
async def test_killed_after_accepted_before_dispatch(gateway: Gateway, process: str):
    async with a_place(gateway) as (emsp, station, location):
        async with frozen(gateway, "worker-1"):
            told = await emsp.reserve(location)
            assert told.result == "ACCEPTED"
            assert gateway.command_of(told)["state"] == "RECEIVED"
            await kill(gateway, process, station)
        await one_result(emsp, station, told)
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


@every_process
async def test_killed_after_dispatch_before_sent(gateway: Gateway, process: str):
    async with a_place(gateway) as (emsp, station, location):
        async with frozen(gateway, "bridge"):
            told = await emsp.reserve(location)
            await state_of(gateway, told, state="DISPATCHED")
            await kill(gateway, process, station)
        await one_result(emsp, station, told)
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


@every_process
async def test_killed_after_sent_before_the_answer(gateway: Gateway, process: str):
    answer = asyncio.Event()

    async def wait(station: ScriptedStation, order: dict) -> Reply:
        await answer.wait()
        return ACCEPTED

    async with a_place(gateway, wait) as (emsp, station, location):
        told = await emsp.reserve(location)
        await station.asked_for("RESERVE_NOW")
        await kill(gateway, process, station)
        answer.set()
        if process != "bridge":
            return await one_result(emsp, station, told)
        # Nobody knows the answer's question any more: the outcome is unknown, and cleaned up (P5).
        await one_result(emsp, station, told, "TIMEOUT")
        order = await station.asked_for("CANCEL_RESERVATION")
        assert number_in(order) == number_in(station.all_asked("ReserveNow")[0])
        await gateway.reservation_becomes(told, "CANCELLED")


@every_process
async def test_killed_after_the_answer_before_its_result_is_posted(gateway: Gateway, process: str):
    async def freeze_first(station: ScriptedStation, order: dict) -> Reply:
        gateway.freeze("worker-1")
        return ACCEPTED

    async with a_place(gateway, freeze_first) as (emsp, station, location):
        worker = gateway.pid("worker-1")
        try:
            told = await emsp.reserve(location)
            await state_of(gateway, told, state="CONCLUDED", ending="RESULT")
            assert gateway.rows("callback", command=gateway.command_of(told)["id"])[0]["attempts"] == 0
            await kill(gateway, process, station)
        finally:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        await one_result(emsp, station, told)
        assert gateway.reservation_of(told)["state"] == "ACTIVE"


@every_process
async def test_killed_while_the_result_is_posted(gateway: Gateway, process: str):
    async with a_place(gateway) as (emsp, station, location):
        emsp.faults = SimulatedEmsp(faults=["slow=1.5"]).faults
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        await kill(gateway, process, station)
        if process != "worker-1":
            await asyncio.sleep(1.5)
            return await one_result(emsp, station, told)
        # Its acknowledgement was not recorded: the same may be said again, and nothing else.
        await eventually(lambda: len(emsp.results(told)) == 2)
        await eventually(lambda: gateway.rows("callback", command=gateway.command_of(told)["id"])[0]["state"] != "DUE")
        await asyncio.sleep(0.7)
        first, second = [one for one in emsp.callbacks if one.name == told.name]
        assert first.body == second.body
        assert len(station.all_asked("ReserveNow")) == 1


def flush(gateway: Gateway) -> None:
    with Redis.from_url(embedded(gateway.settings).url) as valkey:
        valkey.flushall()


async def test_all_of_redis_is_lost_with_commands_at_every_step(gateway: Gateway):
    answer = asyncio.Event()

    async def wait(station: ScriptedStation, order: dict) -> Reply:
        await answer.wait()
        return ACCEPTED

    async with a_place(gateway) as received, a_place(gateway, wait) as sent:
        waiting = await sent[0].reserve(sent[2])
        await sent[1].asked_for("RESERVE_NOW")
        async with frozen(gateway, "worker-1"):
            undispatched = await received[0].reserve(received[2])
            flush(gateway)
        answer.set()
        await one_result(sent[0], sent[1], waiting)
        # Until its node has registered again, the station counts as offline: a certain no, or a late yes.
        emsp, station, location = received
        result = await emsp.result(undispatched)
        assert (result, len(station.all_asked("ReserveNow"))) in {("ACCEPTED", 1), ("FAILED", 0)}
        assert emsp.results(undispatched) == [result]
        async with asyncio.timeout(30):
            while (told := await emsp.reserve(location, id="afterwards")).result != "ACCEPTED":
                await asyncio.sleep(0.3)
        assert await emsp.result(told) == "ACCEPTED"


async def test_everything_is_killed_at_once_and_started_again(gateway: Gateway):
    """As when the machine loses its power; the disk keeps what was promised."""
    async with a_place(gateway) as (emsp, station, location):
        async with frozen(gateway, "worker-1"):
            told = await emsp.reserve(location)
            pids = [gateway.pid(one) for one in PROCESSES]
            gateway.process.kill()
            gateway.process.wait(30)
        await eventually(lambda: not any(map(_runs, pids)))
        await asyncio.to_thread(gateway.start)
        await station.reconnect()
        await one_result(emsp, station, told)


async def test_a_stop_that_is_asked_for_ends_in_time_and_loses_nothing(gateway: Gateway):
    answer = asyncio.Event()

    async def wait(station: ScriptedStation, order: dict) -> Reply:
        await answer.wait()
        return ACCEPTED

    async with a_place(gateway, wait) as (emsp, station, location):
        told = [await emsp.reserve(location, id=f"R-{number}") for number in range(3)]
        await station.asked_for("RESERVE_NOW")
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
        await eventually(lambda: not gateway.takes_stations)
        answer.set()
        assert await stopping == 0  # within the time that stop waits
        assert len(station.all_asked("ReserveNow")) == 1  # what runs may end, nothing else is begun
        await asyncio.to_thread(gateway.start)
        await station.reconnect()
        results = [await emsp.result(one) for one in told]
        # Those whose turn had not come are carried out now, or were found without their station: certainly not asked.
        assert results[0] == "ACCEPTED"
        assert set(results) <= {"ACCEPTED", "FAILED"}
        assert results.count("ACCEPTED") == len(station.all_asked("ReserveNow"))
        assert all(emsp.results(one) == [result] for one, result in zip(told, results, strict=True))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
