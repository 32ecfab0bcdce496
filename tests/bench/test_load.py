"""The load counts exactly: a callback is waited for, and one too many is seen."""

import asyncio

import pytest
from aiohttp import ClientConnectionError, ClientSession, web

from gateway.simulators.serving import Serving
from workers.bench.emsp import Ears, Emsp
from workers.bench.http11 import Hearing
from workers.bench.load import Load
from workers.bench.scene import COMMANDS, HOST, spots


class Api:
    """Answers every POST alike, and posts results as often as it is told."""

    def __init__(self, answer="ACCEPTED", result="ACCEPTED", callbacks=1, patience=30):
        self.answer, self.result, self.callbacks, self.patience = answer, result, callbacks, patience
        self.asked, self.senders, self.problems, self._tasks = [], set(), [], set()

    async def __aenter__(self):
        self._client = ClientSession()
        application = web.Application()
        application.router.add_post(f"{COMMANDS}/{{type}}", self._receive)
        self._serving = Serving(application)
        self.port = await self._serving.start(HOST)
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*self._tasks)
        await self._client.close()
        await self._serving.stop()

    async def _receive(self, request):
        self.asked.append(request.match_info["type"])
        self.senders.add((request.headers["OCPI-from-party-id"], request.headers["Authorization"]))
        task = asyncio.create_task(self._post((await request.json())["response_url"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response({"data": {"result": self.answer, "timeout": 30}, "status_code": 1000})

    async def _post(self, url):
        for _ in range(self.callbacks):
            try:
                async with (
                    asyncio.timeout(self.patience),
                    self._client.post(url, json={"result": self.result}) as answer,
                ):
                    assert answer.status == 200
            except (TimeoutError, ClientConnectionError) as problem:
                self.problems.append(type(problem))


async def load(api, emsps=1, ears=Ears.WELL, **words):
    """What a short run of eMSPs with two stations each comes to."""
    async with api:
        them = [Emsp(api.port, number, spots(2, 2 * number - 1), ears) for number in range(1, emsps + 1)]
        for emsp in them:
            await emsp.start()
        try:
            return await Load(them).run(**({"seconds": 0.2, "in_flight": 2} | words))
        finally:
            for emsp in them:
                emsp.stop()


async def test_a_command_counts_when_its_callback_has_come():
    told = await load(api := Api())
    assert told["faults"] == {}
    assert 0 < told["commands"] == len(api.asked) == len(told["called_back_ms"]) == len(told["acknowledged_ms"])
    assert told["acknowledged"] == told["commands"]


async def test_reservations_and_cancellations_take_turns():
    await load(api := Api())
    assert 0 <= api.asked.count("RESERVE_NOW") - api.asked.count("CANCEL_RESERVATION") <= 2


async def test_an_open_loop_sends_as_many_as_are_due():
    assert (await load(Api(), in_flight=0, rate=50))["commands"] == 10


async def test_a_number_of_commands_may_end_a_closed_loop():
    assert (await load(Api(), seconds=0, at_least=7))["commands"] == 7


async def test_every_emsp_has_a_party_and_a_token_of_its_own():
    told = await load(api := Api(), emsps=3, in_flight=0, rate=50)
    assert told["commands"] == 10
    assert [len({one[part] for one in api.senders}) for part in (0, 1)] == [3, 3]


async def test_a_refused_command_is_a_fault_and_leaves_no_reservation():
    told = await load(api := Api(answer="REJECTED", callbacks=0))
    assert (told["commands"], told["acknowledged"]) == (0, 0)
    assert told["faults"] == {"refused": len(api.asked)}
    assert set(api.asked) == {"RESERVE_NOW"}


async def test_a_server_that_is_not_there_is_a_fault():
    async with Api() as api:
        port = api.port
    emsp = Emsp(port, 1, spots(2))
    await emsp.start()
    told = await Load([emsp]).run(seconds=0, in_flight=1, at_least=1)
    emsp.stop()
    assert told["faults"] == {"refused": 1}


async def test_a_second_callback_is_a_fault():
    told = await load(Api(callbacks=2), seconds=0, at_least=20)
    assert told["faults"]["duplicate"] > 0


async def test_a_result_that_is_not_accepted_is_a_fault():
    told = await load(Api(result="TIMEOUT"))
    assert told["faults"] == {"failed": told["commands"]}


async def test_a_callback_that_never_comes_is_lost(monkeypatch):
    monkeypatch.setattr("workers.bench.emsp.PATIENCE", 0.1)
    told = await load(Api(callbacks=0))
    assert told["commands"] == 0
    assert told["faults"]["lost"] > 0


async def test_a_tar_pit_takes_callbacks_and_never_answers():
    told = await load(api := Api(patience=0.3), ears=Ears.NEVER, seconds=0, at_least=2, waits=False)
    assert told["acknowledged"] == 2
    assert api.problems == [TimeoutError] * 2


async def test_at_a_dead_port_nothing_listens():
    told = await load(api := Api(), ears=Ears.CLOSED, seconds=0, at_least=2, waits=False)
    assert told["acknowledged"] == 2
    assert len(api.problems) == 2
    assert all(issubclass(one, ClientConnectionError) for one in api.problems)


@pytest.mark.parametrize("size", [9, 1000])
async def test_requests_that_come_in_pieces_are_heard_whole(size):
    heard = []
    server = await asyncio.get_running_loop().create_server(lambda: Hearing(lambda *told: heard.append(told)), HOST, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    request = b"POST /callbacks/17 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    for at in range(0, len(request), size):
        writer.write(request[at : at + size])
        await asyncio.sleep(0.01)
    writer.write(request)
    for _ in range(2):
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
    assert heard == [("/callbacks/17", b"body")] * 2
    writer.close()
    server.close()
