"""A house in memory, a station that does what its script says, and a door between them."""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ocpp_bridge.answers import Answer
from ocpp_bridge.desk import Admission, Claimed, Refused
from ocpp_bridge.dialect import Dialect
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.events import (
    BootAnswer,
    Booted,
    Registration,
    StatusChanged,
    TokenStatus,
    TransactionAnswer,
    TransactionChanged,
)
from ocpp_bridge.line import Pace, Surroundings
from ocpp_bridge.listener import Limits, Listener
from ocpp_bridge.orders import CancelReservation, IdToken, Order, ReserveNow
from ocpp_bridge.station import Session
from ocpp_bridge.wire import Wire

PATIENCE = 20.0  # seconds; generous, because machines are slow at times


async def until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What ``condition`` says once it says something."""
    async with asyncio.timeout(patience):
        while not (answer := condition()):
            await asyncio.sleep(0.005)
    return answer


def reserve(number: int = 7) -> ReserveNow:
    expiry = datetime.now(UTC) + timedelta(hours=1)
    return ReserveNow(number=number, expiry=expiry, id_token=IdToken(value="TAG1"), evse=1, connector=1)


@dataclass
class House:
    """A Desk that keeps everything in memory."""

    registrations: dict[str, Registration | None] = field(default_factory=dict)
    passwords: dict[str, bytes] = field(default_factory=dict)
    boot_status: Registration = Registration.ACCEPTED
    ask_abilities: bool = False
    stumbles: int = 0
    slow: float = 0.0
    waiting: defaultdict[str, deque[Claimed]] = field(default_factory=lambda: defaultdict(deque))
    answers: list[tuple[int, str, str, Answer]] = field(default_factory=list)
    told_abilities: list[tuple[str, str, Answer]] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[StatusChanged] = field(default_factory=list)
    numbers: int = 0

    def know(self, station: str, registration: Registration | None = Registration.ACCEPTED) -> None:
        self.registrations[station] = registration

    def order(self, station: str, order: Order | None = None, seconds: float = 30.0) -> int:
        self.numbers += 1
        deadline = datetime.now(UTC) + timedelta(seconds=seconds)
        self.waiting[station].append(
            Claimed(id=self.numbers, order=order or CancelReservation(number=self.numbers), deadline=deadline)
        )
        return self.numbers

    def endings(self, order_id: int) -> list[Answer]:
        return [answer for number, _, _, answer in self.answers if number == order_id]

    async def ending(self, order_id: int) -> Answer:
        return (await until(lambda: self.endings(order_id)))[0]

    async def admit(self, station: str, username: str | None, password: bytes | None) -> str:
        if station not in self.registrations:
            raise Refused(404)
        if station in self.passwords and self.passwords[station] != password:
            raise Refused(401)
        return station

    async def connected(self, station: str, subprotocol: str) -> Admission:
        self.log.append(("connected", station))
        return Admission(
            registration=self.registrations.get(station),
            waiting=bool(self.waiting[station]),
            ask_abilities=self.ask_abilities,
        )

    async def disconnected(self, station: str) -> None:
        self.log.append(("disconnected", station))

    async def claim(self, station: str) -> Claimed | None:
        self.log.append(("claim", station))
        return self.waiting[station].popleft() if self.waiting[station] else None

    async def answered(self, order_id: int, station: str, subprotocol: str, answer: Answer) -> None:
        if self.stumbles:
            self.stumbles -= 1
            raise OSError("the database is away")
        self.answers.append((order_id, station, subprotocol, answer))

    async def abilities(self, station: str, subprotocol: str, answer: Answer) -> None:
        self.told_abilities.append((station, subprotocol, answer))

    async def booted(self, station: str, event: Booted) -> BootAnswer:
        self.log.append(("booted", station))
        return BootAnswer(status=self.boot_status)

    async def authorize(self, station: str, id_token: IdToken) -> TokenStatus:
        if id_token.value == "BOOM":
            raise RuntimeError("a bug in the house")
        await asyncio.sleep(self.slow)
        return TokenStatus(status="Accepted")

    async def transaction(self, station: str, event: TransactionChanged) -> TransactionAnswer:
        return TransactionAnswer(transaction_id="1")

    async def status_changed(self, station: str, event: StatusChanged) -> None:
        await asyncio.sleep(self.slow)
        self.statuses.append(event)

    async def reservation_ended(self, station: str, number: int, update: str) -> None:
        self.log.append(("reservation ended", station))

    async def heard(self, stations: Collection[str]) -> None:
        self.log += [("heard", station) for station in stations]


class Station:
    """A raw WebSocket that says and hears JSON arrays."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def hear(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return orjson.loads(await self.socket.recv())

    async def say(self, *message: Any) -> None:
        await self.socket.send(orjson.dumps(list(message)), text=True)

    async def ask(self, message_id: Any, action: str, payload: Any) -> Any:
        await self.say(2, message_id, action, payload)
        return await self.hear()

    async def boot(self) -> Any:
        payload = {"chargePointVendor": "V", "chargePointModel": "M"}
        if self.socket.subprotocol != "ocpp1.6":
            payload = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
        return await self.ask("boot", "BootNotification", payload)

    async def gone(self) -> int | None:
        """The close code, once the socket is closed."""
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.socket.recv()
        return self.socket.close_code


@contextlib.asynccontextmanager
async def station(port: int, identity: str = "CS-1", *subprotocols: str, **options: Any) -> AsyncIterator[Station]:
    url = f"ws://127.0.0.1:{port}/ocpp/{identity}"
    options = {"ping_interval": None, "close_timeout": 1, "proxy": None, **options}
    async with connect(url, subprotocols=list(subprotocols or ("ocpp1.6",)), **options) as socket:
        yield Station(socket)


class Door:
    """A listener with sessions behind it and no Redis: every station is ours until ``ours`` says otherwise."""

    def __init__(self, house: House, pace: Pace | None = None, limits: Limits | None = None) -> None:
        self.house = house
        self.around = Surroundings(desk=house, pace=pace or Pace())
        self.listener = Listener(DIALECTS, house.admit, self._attend, limits or Limits())
        self.sessions: dict[str, Session] = {}
        self.ours = True
        self.ended = 0

    async def _attend(self, identity: str, dialect: Dialect, wire: Wire) -> None:
        admission = await self.house.connected(identity, dialect.subprotocol)
        wire.settled()
        session = Session(identity, dialect, wire, admission.registration, lambda: self.ours, self.around)
        self.sessions[identity] = session
        if admission.ask_abilities and session.line.accepted:
            session.line.ring(abilities=True)
        await session.run()
        self.ended += 1

    async def __aenter__(self) -> Self:
        await self.listener.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.listener.stop()

    @contextlib.asynccontextmanager
    async def station(self, identity: str = "CS-1", *subprotocols: str, **options: Any) -> AsyncIterator[Station]:
        """A station whose session has begun."""
        before = self.sessions.get(identity)
        async with station(self.listener.port, identity, *subprotocols, **options) as one:
            await until(lambda: self.sessions.get(identity) is not before)
            yield one

    def ring(self, identity: str = "CS-1") -> None:
        self.sessions[identity].line.ring()
