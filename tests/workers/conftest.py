"""A worker's office on a real database and a real Valkey, an eMSP that listens, and a node that only has a mailbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway import commands
from gateway.office import Office
from gateway.simulators.emsp import SimulatedEmsp
from ocpp_bridge.registry import Registry
from tests.support.indoors import Indoors, token_body
from workers.jobs import Here

SETTINGS = {"secret_key": "indoors", "allow_private_callbacks": True, "sweep_interval": 0.05}


@dataclass
class Work:
    """What a worker has at hand, and the world around it."""

    office: Office
    indoors: Indoors
    emsp: SimulatedEmsp
    redis: Redis

    def __post_init__(self) -> None:
        self.partner = self.indoors.partner()
        self.location, self.station = self.indoors.one_evse()

    async def hold(self, node: str = "node-1") -> None:
        """A node takes the station."""
        await Registry(self.redis, node).acquire(self.station, "ocpp1.6")

    async def letters(self, node: str = "node-1") -> int:
        return await self.redis.xlen(f"ocpp:mailbox:{node}")

    def start(self, name: str = "one", ago: float = 0) -> int:
        """A START_SESSION, written down ``ago`` seconds before now and not dispatched; its id."""
        self.indoors.now = datetime.now(UTC) - timedelta(seconds=ago)
        body = {
            "token": token_body(self.partner.party),
            "location_id": self.location,
            "evse_uid": "E1",
            "response_url": self.emsp.url_for(name),
        }
        asked = self.indoors.asked(self.partner, "START_SESSION", body)
        return self.indoors.run(commands.receive, asked, self.indoors.rules, self.indoors.online).dispatch[-1]

    def state(self, command_id: int) -> tuple[str, str | None]:
        row = self.indoors.rows("command", id=command_id)[0]
        return row["state"], row["result"]

    async def told(self, count: int = 1) -> list[str]:
        """The results the eMSP has got, once there are ``count``, and some time for more to come."""
        async with asyncio.timeout(20):
            while len(self.emsp.callbacks) < count:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return [one.json["result"] for one in self.emsp.callbacks]


@asynccontextmanager
async def working(database_url: str, redis_url: str) -> AsyncIterator[Work]:
    indoors = Indoors(database_url, **SETTINGS)
    office = Office.open(indoors.rules.settings, redis_url)
    async with SimulatedEmsp() as emsp, Redis.from_url(redis_url) as redis:
        Here.office = office
        yield Work(office, indoors, emsp, redis)
        while Here.posting:
            await asyncio.wait(list(Here.posting))
    await office.close()
    indoors.close()


@pytest.fixture
async def work(tmp_path: Path, redis_url: str) -> AsyncIterator[Work]:
    async with working(f"sqlite:///{tmp_path / 'work.sqlite'}", redis_url) as made:
        yield made


@pytest.fixture
async def anywhere(database_url: str, redis_url: str) -> AsyncIterator[Work]:
    """On both databases."""
    async with working(database_url, redis_url) as made:
        yield made


@pytest.fixture
async def cut_off(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Work]:
    """Redis is down."""
    async with working(f"sqlite:///{tmp_path / 'work.sqlite'}", f"redis://127.0.0.1:{unused_tcp_port}") as made:
        yield made
