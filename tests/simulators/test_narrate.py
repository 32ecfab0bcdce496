import asyncio
import contextlib

import aiohttp

from gateway.simulators.narrate import run_emsp, run_station
from tests.simulators.csms import RawCsms


async def until(lines: list[str], word: str) -> str:
    async with asyncio.timeout(10):
        while not (found := [line for line in lines if word in line]):
            await asyncio.sleep(0.01)
    return found[0]


@contextlib.asynccontextmanager
async def running(coroutine):
    task = asyncio.create_task(coroutine)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_station_tells_one_line_per_event():
    lines: list[str] = []
    async with RawCsms("ocpp2.1") as csms, running(run_station(lines.append, url=csms.url, id="CS-1", ocpp="2.1")):
        assert "-> BootNotification" in await until(lines, "BootNotification")
        assert "<- answer" in await until(lines, "Accepted")
        await csms.call("CancelReservation", {"reservationId": 4})
        assert '<- CancelReservation {"reservationId": 4}' in await until(lines, "CancelReservation")
    assert all("\n" not in line for line in lines)


async def test_an_emsp_tells_each_callback_and_what_is_wrong_with_it():
    lines: list[str] = []
    async with running(run_emsp(lines.append)):
        url = (await until(lines, "response_url")).rpartition(" ")[2]
        async with aiohttp.ClientSession() as http, http.post(url, json={"result": "ACCEPTED"}):
            pass
        told = await until(lines, "ACCEPTED")
    assert '{"result": "ACCEPTED"}' in told
    assert "violates: Authorization is missing" in told


async def test_an_emsp_tells_each_push_and_what_is_wrong_with_it():
    lines: list[str] = []
    session = {"id": "S-1", "status": "ACTIVE", "kwh": 1.5, "total_cost": {"excl_vat": 0.38}, "currency": "EUR"}
    async with running(run_emsp(lines.append)), aiohttp.ClientSession() as http:
        url = (await until(lines, "its sessions endpoint")).rpartition(" ")[2] + "/NL/CPO/S-1"
        async with http.put(url, json=session), http.patch(url, json={"total_cost": {"excl_vat": 1}}):
            pass
        async with http.get(url), http.put(url, json=["nonsense"]):
            pass
        assert "/sessions/NL/CPO/S-1 ACTIVE, 1.5 kWh, 0.38 EUR\n" in await until(lines, "PUT")
        assert "/sessions/NL/CPO/S-1 1 (cost)\n" in (patched := await until(lines, "PATCH"))
        assert "violates: last_updated is missing" in patched
        assert (await until(lines, "GET")).partition("\n")[0].endswith("/sessions/NL/CPO/S-1")
        url = (await until(lines, "its cdrs endpoint")).rpartition(" ")[2]
        async with http.post(url, json={"id": "CDR-1", "total_energy": 9, "currency": "EUR", "total_cost": None}):
            pass
        assert "/cdrs CDR-1, 9 kWh\n" in await until(lines, "POST")
