"""A gateway for what takes time: it looks often for what is due, and has reservations and starts of seconds."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway, running


@pytest.fixture(scope="session")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "GATEWAY_SWEEP_INTERVAL": "0.2",
        "GATEWAY_RING_AGAIN": "0.2",
        "GATEWAY_RESERVATION_MIN": "1",
        "GATEWAY_RESERVATION_GRACE": "1",
        "GATEWAY_CONNECTION_MARGIN": "0",
    }
    with running(tmp_path_factory.mktemp("brisk"), **settings) as started:
        yield started
