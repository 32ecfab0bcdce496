"""The load counts exactly: a callback is waited for, and one too many is seen."""

import asyncio
from collections import Counter

import pytest
from aiohttp import ClientSession, web

from workers.bench.commands import Measured, Plan, report, verdict
from workers.bench.http11 import Hearing
from workers.bench.load import Emsp
from workers.bench.scene import COMMANDS, HOST


class Api:
    """Answers every POST alike, and posts results as often as it is told."""

    def __init__(self, answer="ACCEPTED", result="ACCEPTED", callbacks=1):
        self.answer, self.result, self.callbacks = answer, result, callbacks
        self.asked, self._tasks = [], set()

    async def __aenter__(self):
        self._client = ClientSession()
        application = web.Application()
        application.router.add_post(f"{COMMANDS}/{{type}}", self._receive)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*self._tasks)
        await self._client.close()
        await self._runner.cleanup()

    async def _receive(self, request):
        self.asked.append(request.match_info["type"])
        task = asyncio.create_task(self._post((await request.json())["response_url"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response({"data": {"result": self.answer, "timeout": 30}, "status_code": 1000})

    async def _post(self, url):
        for _ in range(self.callbacks):
            async with self._client.post(url, json={"result": self.result}) as answer:
                assert answer.status == 200


async def load(api, **words):
    """What a short run against ``api`` comes to."""
    async with api:
        emsp = Emsp(api.port, stations=2)
        await emsp.start()
        try:
            return await emsp.run(**({"seconds": 0.2, "in_flight": 2} | words))
        finally:
            emsp.stop()


async def test_a_command_counts_when_its_callback_has_come():
    told = await load(api := Api())
    assert told["faults"] == {}
    assert 0 < told["commands"] == len(api.asked) == len(told["called_back_ms"]) == len(told["acknowledged_ms"])


async def test_reservations_and_cancellations_take_turns():
    await load(api := Api())
    assert 0 <= api.asked.count("RESERVE_NOW") - api.asked.count("CANCEL_RESERVATION") <= 2


async def test_an_open_loop_sends_as_many_as_are_due():
    assert (await load(Api(), in_flight=0, rate=50))["commands"] == 10


async def test_a_refused_command_is_a_fault():
    told = await load(api := Api(answer="REJECTED", callbacks=0))
    assert told["commands"] == 0
    assert told["faults"] == {"refused": len(api.asked)}


async def test_a_second_callback_is_a_fault():
    told = await load(Api(callbacks=2))
    assert told["faults"]["duplicate"] > 0


async def test_a_result_that_is_not_accepted_is_a_fault():
    told = await load(Api(result="TIMEOUT"))
    assert told["faults"] == {"failed": told["commands"]}


async def test_a_callback_that_never_comes_is_lost(monkeypatch):
    monkeypatch.setattr("workers.bench.load.PATIENCE", 0.1)
    told = await load(Api(callbacks=0))
    assert told["commands"] == 0
    assert told["faults"]["lost"] > 0


@pytest.mark.parametrize("fault", ["lost", "duplicate", "refused", "failed"])
def test_figures_with_a_fault_on_either_side_do_not_count(fault):
    plan = Plan(seconds=1, rounds=1, stations=1, in_flight=1)
    well, ill = Measured(per_second=[1.0]), Measured(per_second=[1.0], faults=Counter({fault: 3}))
    assert verdict(report(plan, well, well)) is None
    for relay, gateway in ((well, ill), (ill, well)):
        assert f"3 {fault}" in verdict(report(plan, relay, gateway))


@pytest.mark.parametrize(
    "plan",
    [
        Plan(seconds=1, rounds=1, stations=4, in_flight=5),
        Plan(seconds=30, rounds=3, stations=50, in_flight=32),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(plan):
    assert plan.problem


async def test_requests_that_come_in_pieces_are_heard_whole():
    heard = []
    server = await asyncio.get_running_loop().create_server(lambda: Hearing(lambda *told: heard.append(told)), HOST, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    request = b"POST /callbacks/17 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    for at in range(0, len(request), 9):
        writer.write(request[at : at + 9])
        await asyncio.sleep(0.01)
    writer.write(request)
    for _ in range(2):
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
    assert heard == [("/callbacks/17", b"body")] * 2
    writer.close()
    server.close()
