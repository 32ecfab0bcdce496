"""One gateway of real processes for all journeys of a test process; each test adds its own partners and stations."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway, running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(
        tmp_path_factory.mktemp("gateway"), GATEWAY_COMMAND_TIMEOUT="30", GATEWAY_STATION_TIMEOUT="20"
    ) as started:
        yield started


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that gives stations little time, for what is about time."""
    with running(
        tmp_path_factory.mktemp("hasty"),
        GATEWAY_COMMAND_TIMEOUT="8",
        GATEWAY_STATION_TIMEOUT="3",
        GATEWAY_CALLBACK_PAUSES="0.3,0.6,1",
        GATEWAY_CALLBACK_ATTEMPT_TIMEOUT="2",
        GATEWAY_CLEANUP_PAUSE="1",
        GATEWAY_SWEEP_INTERVAL="0.3",
        GATEWAY_RING_AGAIN="1",
    ) as started:
        yield started
