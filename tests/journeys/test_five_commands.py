"""Every command, in every OCPI version, to a station of every OCPP version: from the POST to the callback."""

import asyncio

import pytest

from gateway.simulators.station import SimulatedStation
from tests.support.gateway import Gateway, Spot

OCPI = ("2.2", "2.2.1")
OCPP = ("1.6", "2.0.1", "2.1")


@pytest.fixture(params=OCPP)
async def place(request, gateway: Gateway):
    """(location, station) with one EVSE, connected and booted."""
    name = gateway.station_name()
    evse = None if request.param == "1.6" else 1
    location = gateway.location(Spot(name, evse, 1))
    async with SimulatedStation(gateway.ocpp, name, request.param, evses=(("cCCS2",),), pace=0.05) as station:
        await station.wait_for(lambda one: one.ready, 20)
        yield location, station


@pytest.mark.parametrize("version", OCPI)
async def test_reserve_start_stop_and_unlock(gateway: Gateway, place, version):
    location, _ = place
    async with gateway.emsp() as emsp:
        assert await emsp.result(await emsp.reserve(location, version=version)) == "ACCEPTED"
        assert await emsp.result(await emsp.start_session(location, version=version)) == "ACCEPTED"
        async with asyncio.timeout(20):
            while (sessions := await emsp.sessions(version))[0]["status"] != "ACTIVE":
                await asyncio.sleep(0.05)
        assert len(sessions) == 1  # the reservation's
        assert await emsp.result(await emsp.stop_session(sessions[0]["id"], version=version)) == "ACCEPTED"
        async with asyncio.timeout(20):
            while (await emsp.sessions(version))[0]["status"] != "COMPLETED":
                await asyncio.sleep(0.05)
        assert await emsp.result(await emsp.unlock(location, version=version)) == "ACCEPTED"


@pytest.mark.parametrize("version", OCPI)
async def test_reserve_and_cancel(gateway: Gateway, place, version):
    location, _ = place
    async with gateway.emsp() as emsp:
        assert await emsp.result(await emsp.reserve(location, id="Ab-1", version=version)) == "ACCEPTED"
        assert await emsp.result(await emsp.cancel("aB-1", version=version)) == "ACCEPTED"
        assert (await emsp.cancel("Ab-1", version=version)).result == "REJECTED"
