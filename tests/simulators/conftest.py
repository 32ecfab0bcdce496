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


@pytest.fixture(params=[*SUBPROTOCOLS, "2.0.1+events", "2.1+events"])
def telling(request: pytest.FixtureRequest) -> str:
    """A version, and on 2.x each of its two ways to tell statuses."""
    return request.param


@pytest.fixture(params=["2.0.1", "2.0.1+events", "2.1", "2.1+events"])
def telling2(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def meet() -> AsyncIterator[Meet]:
    """``await meet("2.1", fault, …)``: the station, booted, and a tongue to command it with.

    "2.1+events" is a station that tells its statuses by NotifyEvent.
    """
    async with AsyncExitStack() as stack:

        async def bring(ocpp: str, *faults: str, prepare=lambda csms: None, ready: bool = True, **options):
            ocpp, _, events = ocpp.partition("+")
            csms = await stack.enter_async_context(RawCsms(SUBPROTOCOLS[ocpp]))
            prepare(csms)
            tongue = Tongue(csms, ocpp)
            options = {"pace": 0.01, "back_off": (0.02, 0.1), "notify_event": bool(events)} | options
            station = SimulatedStation(csms.url, "CS 1", ocpp, faults=faults, **options)
            await stack.enter_async_context(station)
            if ready:
                await csms.until(lambda: tongue.told() and station.outbox.is_empty())
            return station, tongue

        yield bring
