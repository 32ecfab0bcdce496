import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from gateway.simulators.emsp import SimulatedEmsp
from gateway.simulators.serving import Serving

TOKEN = "token-out-1234"
HEADERS = {
    "Authorization": "Token dG9rZW4tb3V0LTEyMzQ=",
    "X-Request-ID": "r-1",
    "X-Correlation-ID": "c-1",
    "OCPI-from-country-code": "NL",
    "OCPI-from-party-id": "CPO",
    "OCPI-to-country-code": "DE",
    "OCPI-to-party-id": "EMS",
}
GOOD = {"result": "ACCEPTED", "message": [{"language": "en", "text": "It is yours."}]}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def said(http, emsp, body=GOOD, headers=HEADERS, name="R-1"):
    async with http.post(emsp.url_for(name), json=body, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.json(content_type=None)


async def test_a_callback_is_answered_with_an_envelope_and_remembered(http):
    async with SimulatedEmsp(token=TOKEN) as emsp:
        status, headers, body = await said(http, emsp)
        assert (status, body["status_code"]) == (200, 1000)
        assert body.keys() == {"status_code", "timestamp"}
        assert (headers["X-Request-ID"], headers["X-Correlation-ID"]) == ("r-1", "c-1")
        assert (headers["OCPI-from-party-id"], headers["OCPI-to-party-id"]) == ("EMS", "CPO")
        callback = await emsp.callback("R-1")
        assert (callback.json, callback.problems, callback.path) == (GOOD, (), "/callbacks/R-1")


@pytest.mark.parametrize(
    "body",
    [
        {"status_code": 1000, "data": GOOD},
        {"result": "DONE"},
        {"result": "ACCEPTED", "timeout": 30},
        {"result": "ACCEPTED", "message": None},
        {"result": "ACCEPTED", "message": {"language": "en", "text": "x"}},
        {"result": "ACCEPTED", "message": [{"language": "eng", "text": "x"}]},
        {"result": "ACCEPTED", "message": [{"language": "en", "text": "x" * 513}]},
        {"result": "ACCEPTED", "message": [{"text": "x"}]},
        {"result": ["ACCEPTED"]},
        [],
        "ACCEPTED",
    ],
)
async def test_a_body_that_is_no_bare_command_result_is_held_against_the_sender(http, body):
    async with SimulatedEmsp() as emsp:
        await said(http, emsp, body)
        assert emsp.callbacks[0].problems


@pytest.mark.parametrize("missing", HEADERS)
async def test_every_missing_header_is_a_problem(http, missing):
    async with SimulatedEmsp() as emsp:
        await said(http, emsp, headers={name: value for name, value in HEADERS.items() if name != missing})
        assert emsp.callbacks[0].problems == (f"{missing} is missing",)


@pytest.mark.parametrize("token", ["Token wrong", "Bearer dG9rZW4tb3V0LTEyMzQ=", "Token dG9rZW4tb3V0LTEyMzQK"])
async def test_a_wrong_token_is_a_problem(http, token):
    async with SimulatedEmsp(token=TOKEN) as emsp:
        await said(http, emsp, headers=HEADERS | {"Authorization": token})
        assert len(emsp.callbacks[0].problems) == 1


async def test_a_raw_token_is_no_problem(http):
    async with SimulatedEmsp(token=TOKEN) as emsp:
        await said(http, emsp, headers=HEADERS | {"Authorization": f"Token {TOKEN}"})
        assert not emsp.callbacks[0].problems


async def test_a_body_that_is_no_json_is_kept_as_it_came(http):
    async with SimulatedEmsp() as emsp:
        async with http.post(emsp.url_for("x"), data=b"\xff{", headers=HEADERS):
            pass
        assert (emsp.callbacks[0].body, emsp.callbacks[0].json) == (b"\xff{", None)
        assert "the body is not a JSON object" in emsp.callbacks[0].problems


async def test_a_callback_can_be_waited_for_by_predicate(http):
    async with SimulatedEmsp() as emsp:
        waiting = asyncio.create_task(emsp.callback(lambda one: one.json["result"] == "TIMEOUT"))
        await said(http, emsp)
        await said(http, emsp, {"result": "TIMEOUT"}, name="R-2")
        assert (await waiting).name == "R-2"
        with pytest.raises(TimeoutError):
            await emsp.callback("R-3", timeout=0.05)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("500", 500, 3000),
        ("status=429", 429, 3000),
        ("ocpi=3001", 200, 3001),
        ("ocpi", 200, 3000),
        ("slow=0.05", 200, 1000),
    ],
)
async def test_faults_that_answer_with_an_envelope(http, fault, status, code):
    async with SimulatedEmsp(faults=[fault]) as emsp:
        answered, _, body = await said(http, emsp)
        assert (answered, body["status_code"]) == (status, code)


async def test_first_n_500_recovers(http):
    async with SimulatedEmsp(faults=["first-n-500=2"]) as emsp:
        assert [(await said(http, emsp))[0] for _ in range(3)] == [500, 500, 200]


async def test_wrong_envelope_is_json_without_a_status_code(http):
    async with SimulatedEmsp(faults=["wrong-envelope"]) as emsp:
        status, _, body = await said(http, emsp)
        assert status == 200
        assert "status_code" not in body


async def test_redirect_points_elsewhere(http):
    async with (
        SimulatedEmsp(faults=["redirect"]) as emsp,
        http.post(emsp.url_for("x"), json=GOOD, allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (302, emsp.url_for("elsewhere"))


async def test_close_gives_no_answer(http):
    async with SimulatedEmsp(faults=["close"]) as emsp:
        with pytest.raises(aiohttp.ClientConnectionError):
            await said(http, emsp)
        assert len(emsp.callbacks) == 1


async def test_never_keeps_the_caller_waiting(http):
    async with SimulatedEmsp(faults=["never"]) as emsp:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await said(http, emsp)
        assert len(emsp.callbacks) == 1


async def test_huge_does_not_end(http):
    async with SimulatedEmsp(faults=["huge"]) as emsp, http.post(emsp.url_for("x"), json=GOOD) as answer:
        assert len(await answer.content.readexactly(1_000_000)) == 1_000_000


async def test_it_sends_commands_as_a_partner_does(http):
    seen = []

    async def command(request: web.Request) -> web.Response:
        seen.append((request.path, dict(request.headers), await request.json()))
        return web.json_response({"status_code": 1000, "data": {"result": "ACCEPTED", "timeout": 30}})

    application = web.Application()
    application.router.add_post("/{rest:.*}", command)
    serving = Serving(application)
    base = f"http://127.0.0.1:{await serving.start()}"
    async with SimulatedEmsp() as emsp:
        status, _, body = await emsp.post(
            base,
            "RESERVE_NOW",
            {"response_url": emsp.url_for("R-1")},
            version="2.2.1",
            token="token-in",
            request_id="r-9",
            routing={"OCPI-from-party-id": "EMS"},
        )
    await serving.stop()
    assert (status, body["data"]["result"]) == (200, "ACCEPTED")
    path, headers, sent = seen[0]
    assert path == "/ocpi/cpo/2.2.1/commands/RESERVE_NOW"
    assert (headers["Authorization"], headers["X-Request-ID"]) == ("Token dG9rZW4taW4=", "r-9")
    assert headers["OCPI-from-party-id"] == "EMS"
    assert sent["response_url"].endswith("/callbacks/R-1")


async def test_who_calls_in_the_moment_in_which_it_ends_is_hung_up_on():
    """The socket that was accepted then would stay open until it is collected."""
    loop, (bell, ringing) = asyncio.get_running_loop(), socket.socketpair()
    bell.setblocking(False)
    with bell, ringing, socket.socket() as caller:
        async with SimulatedEmsp() as emsp:

            def both_at_once() -> None:
                ringing.send(b"!")
                caller.connect(("127.0.0.1", emsp.port))

            loop.call_soon(both_at_once)
            await loop.sock_recv(bell, 1)
        caller.setblocking(False)
        with suppress(ConnectionResetError):
            async with asyncio.timeout(10):
                assert await loop.sock_recv(caller, 1) == b""
