"""Fixtures: a raw CSMS of one OCPP version with a station at it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from gateway.simulators.station import SimulatedStation
from tests.simulators.csms import RawCsms
from tests.simulators.tongue import SUBPROTOCOLS, Tongue

Meet = Callable[..., Awaitable[tuple[SimulatedStation, Tongue]]]


@pytest.fixture(params=SUBPROTOCOLS)
def ocpp(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["2.0.1", "2.1"])
def ocpp2(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def meet() -> AsyncIterator[Meet]:
    """``await meet("2.1", faults=…)``: the station, booted, and a tongue to command it with."""
    async with AsyncExitStack() as stack:

        async def bring(ocpp: str, *faults: str, prepare=lambda csms: None, ready: bool = True, **options):
            csms = await stack.enter_async_context(RawCsms(SUBPROTOCOLS[ocpp]))
            prepare(csms)
            options = {"pace": 0.01, "back_off": (0.02, 0.1)} | options
            station = SimulatedStation(csms.url, "CS 1", ocpp, faults=faults, **options)
            await stack.enter_async_context(station)
            if ready:
                await csms.until(lambda: csms.heard("StatusNotification") and station.outbox.is_empty())
            return station, Tongue(csms, ocpp)

        yield bring
