"""The plan of a benchmark: how much is measured, and the stage on which it is."""

import asyncio
import os
import platform
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from workers.bench.databases import Database, Databases, databases
from workers.bench.machine import machine, open_as_many_files_as_allowed
from workers.bench.scene import Scene
from workers.bench.sides import Server, Side, gateway, loaded, relay

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all benchmarks are told."""

    #: Seconds after which a benchmark is ended whatever it does, and of them those for all that is not load.
    LIMIT: ClassVar[float] = 285.0
    OVERHEAD: ClassVar[float] = 60.0

    seconds: float = 5.0
    rounds: int = 5
    database: Database = Database.SQLITE
    database_url: str = ""
    quick: bool = False

    @property
    def load_seconds(self) -> float:
        """Of all load together."""
        raise NotImplementedError

    @property
    def problem(self) -> str | None:
        """Why it cannot be measured, in a sentence."""
        if self.load_seconds + self.OVERHEAD > self.LIMIT:
            return f"That would take more than {self.LIMIT / 60:.0f} minutes: fewer rounds, or fewer seconds."
        return None

    def named(self, benchmark: str) -> str:
        """As its figures are kept, beside those with another database."""
        return benchmark if self.database is Database.SQLITE else f"{benchmark}-{self.database}"

    def told(self) -> dict[str, Any]:
        """As the figures tell of it; the address of a database is nobody's business."""
        return {name: value for name, value in asdict(self).items() if name != "database_url"}


@dataclass(frozen=True)
class Stage:
    """Where a benchmark plays: its directory, its databases, and what is ended when it is over."""

    directory: Path
    databases: Databases
    say: Say
    machine: dict[str, Any]
    _stack: AsyncExitStack

    async def gateway(self, scene: Scene, name: str = "gateway") -> Server:
        return await self._stack.enter_async_context(gateway(self.directory / name, scene, self.databases))

    async def relay(self, scene: Scene) -> Server:
        return await self._stack.enter_async_context(relay(self.directory / "relay", scene, self.databases))

    async def sides(self, stations: int) -> tuple[Side, Side]:
        """The relay and the gateway, loaded alike."""
        scene = Scene(stations)
        both = await self.relay(scene), await self.gateway(scene)
        relay_, gateway_ = [await self._stack.enter_async_context(loaded(one, stations)) for one in both]
        return relay_, gateway_

    async def side(self, server: Server, stations: int) -> Side:
        return await self._stack.enter_async_context(loaded(server, stations))

    def told(self, plan: Plan) -> dict[str, Any]:
        """How and where it was measured."""
        versions = self.machine["versions"] | ({"postgresql": self.databases.version} if self.databases.version else {})
        known = {"python": platform.python_version(), "cpu_count": os.cpu_count() or 1}
        return plan.told() | known | {"machine": self.machine | {"versions": versions}}


@asynccontextmanager
async def stage(plan: Plan, say: Say) -> AsyncIterator[Stage]:
    """Raises TimeoutError when the plan's time is up."""
    before = await asyncio.to_thread(machine)
    open_as_many_files_as_allowed()
    with tempfile.TemporaryDirectory(prefix="ocpi-gateway-bench-") as directory:
        async with (
            asyncio.timeout(plan.LIMIT),
            databases(plan.database, plan.database_url) as made,
            AsyncExitStack() as stack,
        ):
            yield Stage(Path(directory), made, say, before, stack)
