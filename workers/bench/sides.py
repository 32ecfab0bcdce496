"""The sides: the gateway and the relay as processes, each with its stations and its load."""

import asyncio
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import orjson

from gateway.settings import Settings
from workers.bench.databases import Databases
from workers.bench.emsp import PATIENCE
from workers.bench.figures import Rounds
from workers.bench.furnish import furnish
from workers.bench.processes import cpu_seconds, family
from workers.bench.scene import EMSPS, HOST, Scene
from workers.bench.talk import START, Broken, Talker, started

T = TypeVar("T")

#: Seconds of the load that only warms up; and for a process that has ended to be known as ended.
WARM, ENDING = 1.0, 1.0
#: Seconds that a command may take on the average, where it is their number that ends a load.
EACH = 0.1
#: Ports below those that systems lend to clients, who try one of ours while nobody listens there yet.
PORTS = 12_000, 32_000
#: Not the gateway's, and yet at work for every command: a database's server, and the load with its stations.
POSTGRESQL, LOAD = "postgresql", "load"


@dataclass(frozen=True, kw_only=True)
class Server:
    """The relay or the gateway."""

    name: str
    talker: Talker
    api_port: int
    ocpp_port: int
    directory: Path
    #: URL of its own, and the server that it is in.
    database: str
    databases: Databases
    #: Of its processes, by name.
    pids: Callable[[], dict[str, int]]

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each process, and of the database's."""
        spent = {name: cpu_seconds(pid) for name, pid in self.pids().items()}
        database = self.databases.cpu_seconds()
        return spent | ({POSTGRESQL: database} if database else {})

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Raises Broken when a process was started again meanwhile: what it had spent is gone, and what it held."""
        pids = self.pids()
        yield
        if self.pids() != pids:
            raise Broken(self.talker.told("lost a process while it was measured"))

    async def while_alive(self, asked: Coroutine[Any, Any, T]) -> T:
        """What another process tells, unless this one ends first: then the other has nobody to talk to."""
        asking, ended = asyncio.ensure_future(asked), asyncio.ensure_future(self.talker.process.wait())
        try:
            await asyncio.wait({asking, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done() and asking.exception() is not None:
                await asyncio.wait({ended}, timeout=ENDING)
            if ended.done():
                raise Broken(self.talker.told("ended"))
            return await asking
        finally:
            for one in (asking, ended):
                one.cancel()
            await asyncio.gather(asking, ended, return_exceptions=True)


@dataclass(frozen=True)
class Told:
    """What a load came to, and the CPU seconds of each process meanwhile."""

    per_second: float
    commands: int
    acknowledged: int
    called_back_ms: list[float]
    acknowledged_ms: list[float]
    faults: Counter[str]
    cpu: dict[str, float]

    def cpu_ms(self) -> dict[str, float]:
        """CPU milliseconds a command, by process, and of all ours: ``{cpu_ms: …, cpu_api_ms: …}``."""
        each = {name: 1000 * seconds / max(1, self.commands) for name, seconds in self.cpu.items()}
        ours = sum(spent for name, spent in each.items() if name not in {POSTGRESQL, LOAD})
        return {"cpu_ms": ours} | {f"cpu_{name}_ms": spent for name, spent in each.items()}


@dataclass
class Side:
    """A server with its stations and its load."""

    server: Server
    load: Talker
    stations: Talker
    measured: Rounds = field(default_factory=Rounds)
    faults: Counter[str] = field(default_factory=Counter)

    async def run(self, **words: Any) -> Told:
        """Raises Broken, also when a process of the server was started again meanwhile."""
        patience = words["seconds"] + words.get("at_least", 0) * EACH + 2 * PATIENCE
        with self.server.whole():
            before = self._cpu()
            told = await self.server.while_alive(self.load.ask(words, patience))
            after = self._cpu()
        self.faults.update(told["faults"])
        spent = {name: seconds - before[name] for name, seconds in after.items()}
        return Told(**told | {"faults": Counter(told["faults"]), "cpu": spent})

    def _cpu(self) -> dict[str, float]:
        outside = (self.load.process.pid, self.stations.process.pid)
        return self.server.cpu() | {LOAD: sum(map(cpu_seconds, outside))}

    async def warm_up(self, in_flight: int, seconds: float) -> None:
        """For no longer than is measured."""
        told = await self.run(seconds=min(WARM, seconds), in_flight=in_flight)
        if told.commands == 0:
            raise Broken(f"{self.load.told('got no command through')} {self.server.talker.told('said')}")


@asynccontextmanager
async def relay(directory: Path, scene: Scene, databases: Databases) -> AsyncIterator[Server]:
    directory.mkdir()
    url = await databases.new()
    words = [sys.executable, "-m", "workers.bench.relay", str(directory), str(scene.stations)]
    argv = [*environment(database_url=url), *words]
    async with started("the relay", argv, directory / "relay.log") as talker:
        told = await talker.hear()
        yield Server(
            name="relay",
            talker=talker,
            api_port=told["api_port"],
            ocpp_port=told["ocpp_port"],
            directory=directory,
            database=url,
            databases=databases,
            pids=lambda: dict(zip(("relay", "valkey"), family(talker.process.pid), strict=False)),
        )


@asynccontextmanager
async def gateway(directory: Path, scene: Scene, databases: Databases) -> AsyncIterator[Server]:
    """Furnished and up."""
    url = await prepared(directory, scene, databases)
    async with up(directory, url, databases) as server:
        await until_listening(server)
        yield server


async def prepared(directory: Path, scene: Scene, databases: Databases) -> str:
    """The data directory and the database of a gateway that was never up; GATEWAY_DATABASE_URL."""
    directory.mkdir()
    url = await databases.new()
    await asyncio.to_thread(furnish, settings(directory, url), scene)
    return url


def settings(directory: Path, database_url: str) -> Settings:
    """Those of a gateway of ours, whatever our own environment says."""
    return Settings.model_construct(data_dir=directory, database_url=database_url)


@asynccontextmanager
async def up(directory: Path, database_url: str, databases: Databases) -> AsyncIterator[Server]:
    """The gateway, from the moment it is started."""
    api_port, ocpp_port = free_ports(2)
    words = ["up", "--data", str(directory), "--api-port", str(api_port), "--ocpp-port", str(ocpp_port)]
    argv = [*environment(database_url=database_url), sys.executable, "-m", "workers", *words]
    async with started("the gateway", argv, directory / "up.log", talks=False) as talker:
        yield Server(
            name="gateway",
            talker=talker,
            api_port=api_port,
            ocpp_port=ocpp_port,
            directory=directory,
            database=settings(directory, database_url).database,
            databases=databases,
            pids=lambda: _pids(directory / "run"),
        )


@asynccontextmanager
async def stations_of(server: Server, count: int, first: int = 1, mute: int = 0) -> AsyncIterator[Talker]:
    """All of them booted, the last ``mute`` of them mute."""
    words = [sys.executable, "-m", "workers.bench.stations", *map(str, (server.ocpp_port, first, count, mute))]
    log = server.directory / f"stations-{first}.log"
    async with started(f"the stations of the {server.name}", words, log) as talker:
        await server.while_alive(talker.hear(START + count / 50))
        yield talker


@asynccontextmanager
async def load_of(server: Server, name: str, emsps: Sequence[dict[str, Any]]) -> AsyncIterator[Talker]:
    words = [sys.executable, "-m", "workers.bench.load", str(server.api_port), orjson.dumps(list(emsps)).decode()]
    async with started(f"the {name} of the {server.name}", words, server.directory / f"{name}.log") as talker:
        yield talker


@asynccontextmanager
async def loaded(server: Server, stations: int) -> AsyncIterator[Side]:
    """All stations, and the eMSPs that share them."""
    async with stations_of(server, stations) as all_, load_of(server, "load", shared(stations)) as load:
        yield Side(server, load, all_)


def shared(stations: int) -> list[dict[str, Any]]:
    """What the load is told of each eMSP: none shares a station with another."""
    emsps = min(EMSPS, stations)
    ends = [stations * number // emsps for number in range(emsps + 1)]
    return [
        {"number": number, "first": first + 1, "count": end - first}
        for number, (first, end) in enumerate(pairwise(ends), start=1)
    ]


def environment(**given: str) -> list[str]:
    """Every setting at its default but ``given``, and that callbacks may go to this machine."""
    unset = [word for name in Settings.model_fields for word in ("-u", f"GATEWAY_{name.upper()}")]
    set_ = [f"GATEWAY_{name.upper()}={value}" for name, value in given.items() if value]
    return ["env", *unset, "GATEWAY_ALLOW_PRIVATE_CALLBACKS=true", *set_]


def _pids(run_directory: Path) -> dict[str, int]:
    """Of all processes of a gateway, by name; 0 where one is just being started."""
    found = {}
    for file in sorted(run_directory.glob("*.pid")):
        with suppress(FileNotFoundError):
            found[file.stem] = int(file.read_text() or 0)
    return found


def free_ports(count: int) -> list[int]:
    held: list[socket.socket] = []
    while len(held) < count:
        one = socket.socket()
        try:
            one.bind((HOST, random.randrange(*PORTS)))
            held.append(one)
        except OSError:
            one.close()
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


async def until_listening(server: Server, pause: float = 0.05) -> None:
    """Raises Broken."""
    until = time.monotonic() + START
    for port in (server.ocpp_port, server.api_port):
        while not await _listens(port):
            if not server.talker.alive or time.monotonic() > until:
                raise Broken(server.talker.told("did not start"))
            await asyncio.sleep(pause)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
