"""A gateway of real processes, and the partners, Locations and stations that a test adds to it."""

import asyncio
import fcntl
import itertools
import os
import random
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select

from gateway.domain.parties import Partner
from gateway.secrets import open_secrets
from gateway.settings import Settings
from gateway.store import endpoints, locations, partners, rows, stations, topology
from gateway.store.engine import open_engine
from ocpi.headers import Encoding, Party
from ocpi.locations import Location
from tests.support.emsp import Emsp, Told
from workers.valkey import embedded

CPO = Party("NL", "CPO")
ALL = ("RESERVABLE", "REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE")
START = 60.0  # seconds a busy machine may take to start everything

_numbers = itertools.count(1)


@dataclass
class Spot:
    """One EVSE of a Location and where it is; ``station`` None: it is bound to nothing."""

    station: str | None
    evse: int | None = 1
    connector: int | None = 1
    uid: str = "E1"
    connectors: tuple[str, ...] = ("1",)
    capabilities: tuple[str, ...] = ALL
    status: str = "AVAILABLE"


@dataclass
class Gateway:
    """Everything that ``up`` runs. Names are unique, so that many tests may share one."""

    data: Path
    api_port: int
    ocpp_port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        known = {name.removeprefix("GATEWAY_").lower(): value for name, value in self.environment.items()}
        self.settings = Settings(data_dir=self.data, **known)
        self._secrets = open_secrets(self.settings)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def ocpp(self) -> str:
        return f"ws://127.0.0.1:{self.ocpp_port}/ocpp"

    @property
    def takes_stations(self) -> bool:
        """Its door is open to new ones."""
        return _listens(self.ocpp_port)

    # Processes

    def start(self) -> None:
        words = ["up", "--data", str(self.data), "--api-port", str(self.api_port), "--ocpp-port", str(self.ocpp_port)]
        with (self.data / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers", *words],
                env=_clean_environment() | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        _until(lambda: _listens(self.api_port) and _listens(self.ocpp_port) and self._is_the_one(), self.last_words)

    def _is_the_one(self) -> bool:
        """Who listens is not one that was killed and is not gone yet."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"The gateway does not start:\n{self.last_words()}")
        return (self.data / "run" / "supervisor.pid").read_text().strip() == str(self.process.pid)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def last_words(self) -> str:
        log = self.data / "up.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def pid(self, name: str) -> int:
        """Of ``api``, ``bridge``, ``worker-1`` or ``valkey``."""
        return int((self.data / "run" / f"{name}.pid").read_text())

    def kill(self, name: str) -> None:
        """kill -9, as the kernel does when memory runs out."""
        os.kill(self.pid(name), signal.SIGKILL)

    async def replace(self, name: str) -> None:
        """kill -9 it, frozen or not, and wait until the supervisor has another one in its place."""
        old = self.pid(name)
        self.kill(name)
        await eventually(lambda: self._has_another(name, old), START)

    def _has_another(self, name: str, old: int) -> bool:
        try:
            new = self.pid(name)
        except (FileNotFoundError, ValueError):
            return False
        ready = {
            "api": lambda: _listens(self.api_port),
            "bridge": lambda: _listens(self.ocpp_port),
            "valkey": embedded(self.settings).ready,
        }
        return new != old and ready.get(name, lambda: True)()

    def freeze(self, name: str) -> None:
        """The process is alive and does nothing, until ``thaw`` or ``kill``; it keeps nobody from the database."""
        end = time.monotonic() + START
        while True:
            os.kill(self.pid(name), signal.SIGSTOP)
            if self._database_is_free():
                return
            os.kill(self.pid(name), signal.SIGCONT)
            assert time.monotonic() < end, f"{name} never lets go of the database"
            time.sleep(0.05)

    def _database_is_free(self) -> bool:
        """Nobody holds a writer's lock for longer than a write takes."""
        if not (self.data / "gateway.db").exists():  # a server's locks are its own business
            return True
        try:
            with closing(sqlite3.connect(self.data / "gateway.db", timeout=1)) as db:
                db.execute("BEGIN IMMEDIATE")
            with open(self.data / "gateway.db.turn", "w") as turn:
                return _locks(turn, 1.0)
        except sqlite3.OperationalError:
            return False

    def thaw(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """An operator's command on this gateway."""
        return subprocess.run(
            [sys.executable, "-m", "workers", *words],
            env=_clean_environment() | self.environment | {"GATEWAY_DATA_DIR": str(self.data)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    # What is known

    @contextmanager
    def database(self, reads_only: bool = False):
        engine = open_engine(self.settings.database)
        try:
            with engine.execution_options(reads_only=reads_only).begin() as db:
                yield db
        finally:
            engine.dispose()

    def cpo(self, party: Party = CPO) -> int:
        with self.database() as db:
            known = next((one.id for one in partners.cpos(db) if one.party == party), None)
            return known if known is not None else partners.add_cpo(db, party, "A CPO")

    def emsp(self, party: tuple[str, str] | None = None, *, pushed: bool = True, **changes) -> Emsp:
        """A new connection and its eMSP; use it with ``async with``. ``pushed``: it wants its Sessions and CDRs."""
        number = next(_numbers)
        token_in, token_out = secrets.token_urlsafe(20), secrets.token_urlsafe(20)
        given = {
            "id": 0,
            "name": f"partner-{os.getpid()}-{number}",
            "party": Party(*(party or ("DE", f"{number % 1000:03d}"))),
            "role": "EMSP",
            "version": "2.2.1",
            "token_out": self._secrets.seal(token_out),
            "encoding": Encoding.BASE64,
            "callback_hosts": ("127.0.0.1",),
            "allow_unlock": True,
            "lenient_token": False,
            "state": "ACTIVE",
            "open_parties": True,
        } | changes
        with self.database() as db:
            partner_id = partners.add(db, Partner(**given), self._secrets.token_hash(token_in), datetime.now(UTC))

        def register(emsp: Emsp) -> None:
            with self.database() as db:
                for module in ("sessions", "cdrs") if pushed else ():
                    endpoints.put(db, partner_id, module, "RECEIVER", emsp.endpoint(module, given["version"]))

        emsp = Emsp(self.api, partner_id, given["party"], token_in, token_out, register)
        emsp.receiver.party = None if given["role"] == "HUB" else given["party"]
        return emsp

    def shows(self, emsp: Emsp, *location_ids: str, version: str = "2.2.1") -> None:
        """The eMSP sees these Locations and no others, and wants to be told of them."""
        with self.database() as db:
            named = select(rows.location).where(rows.location.c.location_id.in_(location_ids))
            partners.change(db, emsp.partner_id, sees_all=False)
            locations.show_only(db, emsp.partner_id, [(row.cpo_id, row.id) for row in db.execute(named)])
            endpoints.put(db, emsp.partner_id, "locations", "RECEIVER", emsp.endpoint("locations", version))

    def location(self, *spots: Spot, cpo: Party = CPO, id: str = "") -> str:
        """A new Location with these EVSEs, its stations without passwords; its id."""
        cpo_id, location_id = self.cpo(cpo), id or f"LOC-{os.getpid()}-{next(_numbers)}"
        body = location_body(location_id, spots, cpo)
        with self.database() as db:
            location = topology.put_location(db, cpo_id, Location.model_validate(body), body)
            for spot in spots:
                if spot.station is not None:
                    stations.put_station(db, spot.station, 0, None)
                    evse = topology.evse_id(db, location, spot.uid)
                    topology.bind(db, evse, None, spot.station, (spot.evse, spot.connector))
        return location_id

    def station_name(self) -> str:
        return f"CS-{os.getpid()}-{next(_numbers)}"

    def rows(self, table: str, **where) -> list[dict]:
        """What the database says, for a look behind the scenes."""
        wanted = getattr(rows, table)
        with self.database(reads_only=True) as db:
            asked = select(wanted).where(*(wanted.c[name] == value for name, value in where.items()))
            return [dict(row) for row in db.execute(asked.order_by(*wanted.primary_key.columns)).mappings()]

    def command_of(self, told: Told) -> dict:
        """What is known of a command that was sent."""
        return self.rows("command", request_id=told.name)[0]

    def reservation_of(self, told: Told) -> dict:
        return self.rows("reservation", id=self.command_of(told)["reservation"])[0]

    async def reservation_becomes(self, told: Told, state: str, timeout: float = 30) -> dict:
        """Wait for it."""
        return await eventually(lambda: (held := self.reservation_of(told))["state"] == state and held, timeout)


async def eventually(true: Callable[[], Any], timeout: float = 30) -> Any:
    """Wait until it says so; what it says."""
    async with asyncio.timeout(timeout):
        while not (said := true()):
            await asyncio.sleep(0.05)
    return said


def location_body(location_id: str, spots: tuple[Spot, ...], cpo: Party = CPO) -> dict:
    updated = "2026-01-01T00:00:00Z"
    evses = [
        {
            "uid": spot.uid,
            "status": spot.status,
            "capabilities": list(spot.capabilities),
            "connectors": [
                {
                    "id": connector,
                    "standard": "IEC_62196_T2",
                    "format": "SOCKET",
                    "power_type": "AC_3_PHASE",
                    "max_voltage": 230,
                    "max_amperage": 32,
                    "last_updated": updated,
                }
                for connector in spot.connectors
            ],
            "last_updated": updated,
        }
        for spot in spots
    ]
    return {
        "country_code": cpo.country_code,
        "party_id": cpo.party_id,
        "id": location_id,
        "publish": True,
        "address": "Stationsplein 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.08950", "longitude": "5.11020"},
        "time_zone": "Europe/Amsterdam",
        "evses": evses,
        "last_updated": updated,
    }


@contextmanager
def running(data: Path, **environment: str):
    """A gateway of its own, on free ports; stopped at the end."""
    api_port, ocpp_port = free_ports(2)
    given = {"GATEWAY_ALLOW_PRIVATE_CALLBACKS": "true", "GATEWAY_LOG_LEVEL": "INFO"} | environment
    gateway = Gateway(data, api_port, ocpp_port, given)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


def free_ports(count: int) -> list[int]:
    """Below those that systems lend to clients: a gateway that is started again finds its own still free."""
    held: list[socket.socket] = []
    while len(held) < count:
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", random.randrange(12_000, 32_000)))
            held.append(one)
        except OSError:
            one.close()
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _locks(file: IO[str], patience: float) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
        time.sleep(0.01)


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not re.match("GATEWAY_", name)}


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _until(true, last_words) -> None:
    end = time.monotonic() + START
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"The gateway did not start:\n{last_words()}")
        time.sleep(0.05)
