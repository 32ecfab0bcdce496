"""A house to live in: four parties, three stations that remember what they hold, workers whose bells may be lost."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gateway import charging, commands, conclusions, evses, reservations, sessions, stations
from gateway.asked import Said
from gateway.domain.lifecycle import CallbackState
from gateway.domain.parties import Cpo, Partner
from gateway.domain.results import TAKEN
from gateway.holding import taken
from gateway.reservations import clean, expire
from gateway.store import callbacks, partners, queues, rows, tariffs, topology
from gateway.store import commands as command_store
from gateway.store import stations as station_store
from gateway.store.callbacks import Attempt
from gateway.store.commands import Sendable
from gateway.store.errands import give_back
from ocpi.headers import Party
from ocpi.locations import Location
from ocpi.tariffs import Tariff
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.dialects import DIALECTS
from ocpp_bridge.events import Booted, Phase, Reading, StatusChanged, TransactionChanged
from ocpp_bridge.orders import CancelReservation, IdToken, RequestStart, ReserveNow, Unlock
from ocpp_bridge.saying import Unsayable
from tests.support.gateway import CPO, Spot, location_body
from tests.support.indoors import START, Indoors
from tests.support.tariffs import tariff

MOST = 500
CARD = IdToken(value="04AABBCC", type="ISO14443")
FRIEND = IdToken(value="04112233", type="ISO14443")
#: What stations are there, and how many EVSEs each has (1.6: connectors).
STATIONS = {"old": ("ocpp1.6", 2), "mid": ("ocpp2.0.1", 1), "new": ("ocpp2.1", 2)}
#: (station, EVSE) of the EVSEs of each Location.
LOCATIONS = {
    "A": {"E1": ("old", 1), "E2": ("old", 2), "E3": ("mid", 1)},
    "B": {"E1": ("new", 1), "E2": ("new", 2)},
}
#: What they cost; one is free.
TARIFFS = {"A": {"E1": ["T-1"], "E2": ["T-2", "T-1"], "E3": ["T-1"]}, "B": {"E1": [], "E2": ["T-2"]}}
WHO = ("one", "two", "hub/one", "hub/three")


class Who(NamedTuple):
    """A party on a connection; on the hub's there are two, and one of those is also connected directly."""

    partner: Partner
    party: Party

    @property
    def key(self) -> tuple[int, str]:
        return self.partner.id, self.party.key


@dataclass
class Charge:
    """A transaction as its station knows it; what it has to tell of it is told in order, or not."""

    spot: int
    token: IdToken
    id: str | None
    seq: int = 0
    ended: bool = False
    outbox: list[TransactionChanged] = field(default_factory=list)
    #: 1.6: the same StartTransaction gets the same id.
    ids: set[str] = field(default_factory=set)


@dataclass
class Station:
    """What it holds, runs and has been asked."""

    name: str
    subprotocol: str
    spots: int
    online: bool = True
    held: dict[int, ReserveNow] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    #: Starts that it has accepted.
    starts: list[RequestStart] = field(default_factory=list)
    #: The one call that it has not answered, and what it will say; and those whose time is over.
    asked: Sendable | None = None
    says: Answer | None = None
    unanswered: list[tuple[Sendable, Answer]] = field(default_factory=list)
    tokens: list[IdToken] = field(default_factory=lambda: [CARD, FRIEND])
    meter: int = 1000

    @property
    def is_1(self) -> bool:
        return self.subprotocol == STATIONS["old"][0]

    def place(self, spot: int) -> dict[str, int]:
        return {"connector": spot} if self.is_1 else {"evse": spot, "connector": 1}

    def spot_of(self, order: ReserveNow | RequestStart) -> int | None:
        return order.connector if self.is_1 else order.evse

    def running(self, spot: int) -> Charge | None:
        return next((one for one in self.charges if one.spot == spot and not one.ended), None)

    def meant(self, spot: int, token: IdToken) -> int | None:
        """The number of what is held there for the token; what names the EVSE comes first."""
        mine = [
            (self.spot_of(one) is None, number)
            for number, one in self.held.items()
            if self.spot_of(one) in {None, spot} and token.value in {one.id_token.value, one.group and one.group.value}
        ]
        return min(mine)[1] if mine else None

    def expected(self) -> list[ReserveNow | RequestStart]:
        """Whoever may come."""
        return [*self.held.values(), *self.starts]

    def kept_from(self, spot: int, token: IdToken) -> bool:
        """Somebody else has it."""
        there = any(self.spot_of(one) == spot for one in self.held.values())
        return there and self.meant(spot, token) is None


class Posted(NamedTuple):
    """A result as an eMSP got it."""

    command: int
    result: str
    at: datetime


class House:
    """The gateway's processes as far as they make a difference: what is rung for, and the sweeper."""

    def __init__(self, indoors: Indoors) -> None:
        self.indoors = indoors
        indoors.now = START
        indoors.online.clear()
        self.run(empty)
        cpo = self.run(partners.add_cpo, CPO, "A CPO")
        indoors.cpo = Cpo(id=cpo, party=CPO, name="A CPO")
        one, two, three = Party("DE", "ONE"), Party("NL", "one"), Party("de", "THR")
        hub = indoors.partner(Party("XX", "HUB"), role="HUB")
        at = [(indoors.partner(one), one), (indoors.partner(two), two), (hub, one), (hub, three)]
        self.people = {name: Who(*who) for name, who in zip(WHO, at, strict=True)}
        self.stations = {name: Station(name, *what) for name, what in STATIONS.items()}
        self._furnish()
        #: awake: a bell is heard at once; asleep: later; lost: never; deaf: whoever rings is told so.
        self.workers = "awake"
        self.rung: list[tuple[str, list[int]]] = []
        self.posted: list[Posted] = []

    def _furnish(self) -> None:
        for station in self.stations.values():
            self.run(station_store.put_station, station.name, 0, None)
            self.run(station_store.change, station.name, subprotocol=station.subprotocol, connected_at=self.now)
            self.indoors.online[station.name] = station.subprotocol
        with self.indoors.db() as db:
            for prices in (PRICES, DEARER):
                tariffs.put(db, self.indoors.cpo.id, Tariff.model_validate(prices))
            for name, evses in LOCATIONS.items():
                body = location_body(name, tuple(Spot(station, uid=uid) for uid, (station, _) in evses.items()))
                for evse in body["evses"]:
                    evse["connectors"][0]["tariff_ids"] = TARIFFS[name][evse["uid"]]
                pk = topology.put_location(db, self.indoors.cpo.id, Location.model_validate(body), body)
                for uid, (station, spot) in evses.items():
                    place = self.stations[station].place(spot)
                    at = (place.get("evse"), place["connector"])
                    topology.bind(db, topology.evse_id(db, pk, uid), None, station, at)

    @property
    def now(self) -> datetime:
        return self.indoors.now

    def charges(self) -> list[tuple[Station, Charge]]:
        return [(station, charge) for station in self.stations.values() for charge in station.charges]

    def run(self, function: Any, *args: Any, **more: Any) -> Any:
        return self.indoors.run(function, *args, **more)

    # What eMSPs do

    def ask(self, who: Who, type_: str, body: dict[str, Any]) -> Said:
        asked = self.indoors.asked(who.partner, type_, body, emsp=who.party)
        said: Said = self.run(commands.receive, asked, self.indoors.rules, self.indoors.online)
        if not said.dispatch or self.ring("dispatch", said.dispatch):
            return said
        return self.run(commands.recall, said.dispatch, self.now) or said

    # What workers do

    def ring(self, job: str, ids: Collection[int]) -> bool:
        if ids and self.workers in {"awake", "asleep"}:
            self.rung.append((job, list(ids)))
        while self.rung and self.workers == "awake":
            self.wake()
        return self.workers != "deaf"

    def wake(self) -> None:
        """The oldest bell is heard."""
        job, ids = self.rung.pop(0)
        (self._dispatch if job == "dispatch" else self._conclude)(ids)

    def _dispatch(self, ids: list[int]) -> None:
        queue = self.run(queues.queue_of, ids)
        crowded = queues.crowded_out(queue, self.indoors.rules.settings.station_queue)
        self.run(command_store.dispatch, ids, self.now)
        waiting = [one for one in queue if one.id in ids and one.unsent]
        unsent = [one.id for one in waiting if one.station not in self.indoors.online or one.id in crowded]
        answers = {one: Answer(ending=Ending.NOT_SENT, detail="It is offline.") for one in unsent}
        if answers and (ended := self.run(command_store.never_sent, answers, self.now)):
            self._conclude(ended)

    def _conclude(self, ids: list[int]) -> None:
        moved = self.run(conclusions.conclude, ids, self.indoors.rules, self.now)
        self.deliver()
        self.ring("dispatch", moved.dispatch)

    def deliver(self) -> None:
        """Every eMSP is there and acknowledges."""
        for due in self.run(callbacks.take_all, self.now, timedelta(seconds=5)):
            self.posted.append(Posted(due.command, due.result, self.now))
            attempt = Attempt(
                callback=due.id,
                at=self.now,
                request_id="",
                http_status=200,
                ocpi_status=1000,
                error="",
                milliseconds=1,
                state=CallbackState.DELIVERED,
                due_at=self.now,
            )
            self.run(callbacks.record, [attempt])

    def sweep(self) -> None:
        """As the sweeper does it, which needs no bell."""
        rung_before = self.now - self.indoors.rules.settings.ring_again
        patience = self.indoors.rules.settings.node_patience
        ring, ripe = self.run(command_store.due, self.now, patience, rung_before, MOST)
        for one in ripe:
            self._conclude([one])
        self.deliver()
        orders = [*ring, *self.run(self._keep_house)]
        if orders:
            self._dispatch(orders)
            self.run(command_store.rung, ring, self.now)

    def _keep_house(self, db: Connection) -> list[int]:
        expire(db, self.indoors.rules, self.now)
        sessions.lapse(db, self.indoors.rules, self.now)
        charging.close(db, self.indoors.rules, self.now)
        evses.fade(db, self.indoors.rules, self.now)
        return clean(db, self.indoors.rules, self.now)

    def restart(self) -> None:
        """Every process was killed: what was rung for is forgotten, and so are the calls on lost sockets."""
        self.rung, self.workers = [], "awake"
        for station in self.stations.values():
            station.asked = station.says = None
            self.connect(station)

    # What the bridge does

    def connect(self, station: Station) -> None:
        station.online = True
        self.indoors.online[station.name] = station.subprotocol
        _, orders = self.run(stations.connected, station.name, station.subprotocol, self.indoors.rules, self.now)
        self.ring("dispatch", orders)

    def disconnect(self, station: Station) -> None:
        station.online = False
        self.indoors.online.pop(station.name, None)
        self.run(stations.disconnected, station.name, self.indoors.rules, self.now)
        if station.asked is not None:
            self.answer(station, Answer(ending=Ending.CONNECTION_LOST))

    def boot(self, station: Station) -> None:
        self.disconnect(station)
        self.connect(station)
        self.run(stations.booted, station.name, Booted(), self.indoors.rules, self.now)

    def claim(self, station: Station) -> Sendable | None:
        """The next order, when the station is there and has answered the one before, or its time is over."""
        if station.asked is not None and station.asked.deadline <= self.now:
            self.answer(station, Answer(ending=Ending.NO_ANSWER))
        if not station.online or station.asked is not None:
            return None
        found, concluded = self.run(self._claim, station.name)
        self.ring("conclude", concluded)
        station.asked = found
        if found is not None and (why := self._unfit(station, found)):
            self.answer(station, Answer(ending=Ending.NOT_SENT, detail=why))
            return self.claim(station)
        return found

    def _unfit(self, station: Station, asked: Sendable) -> str:
        try:
            DIALECTS[station.subprotocol].say(asked.order)
        except Unsayable as problem:
            return str(problem)
        return "the deadline passed" if asked.deadline <= self.now else ""

    def _claim(self, db: Connection, station: str) -> tuple[Sendable | None, list[int]]:
        concluded: list[int] = []
        while (found := command_store.claim(db, station, self.now)) is not None:
            if not isinstance(found.order, RequestStart):
                break
            concluded += self._judged(db, station)
            if not (why := taken(db, station, found.id, found.order, self.now)):
                break
            give_back(db, found.id, Answer(ending=Ending.NOT_SENT, status=TAKEN, detail=why), self.now)
            concluded.append(found.id)
        return found, concluded

    def answer(self, station: Station, answer: Answer) -> None:
        """How the call ended that the station was asked; where it was mute, it may still answer."""
        asked, says, station.asked, station.says = station.asked, station.says, None, None
        assert asked is not None
        if answer.ending in {Ending.NO_ANSWER, Ending.CONNECTION_LOST} and says is not None:
            station.unanswered.append((asked, says))
        self._answered(station, asked.id, answer)

    def answer_late(self, station: Station, asked: Sendable, answer: Answer) -> None:
        station.unanswered.remove((asked, answer))
        self._answered(station, asked.id, answer)

    def _answered(self, station: Station, order_id: int, answer: Answer) -> None:
        """Judged at once, or written down for a worker to judge it: what a node does that cannot judge it."""
        if order_id % 2:
            told = order_id, station.name, station.subprotocol, answer, self.indoors.rules, self.now
            self.ring("dispatch", self.run(conclusions.judge, *told).dispatch)
            return
        late = self.run(conclusions.answered, order_id, station.subprotocol, answer, self.indoors.rules, self.now)
        if late is None:
            self.ring("conclude", [order_id])
        else:
            self.ring("dispatch", late.dispatch)

    def tell(self, station: Station, charge: Charge, event: TransactionChanged, waited: int = 0) -> None:
        """``waited``: seconds that passed between a process's look at its clock and its turn to write."""
        read = self.now - timedelta(seconds=waited)
        if station.is_1 and event.phase is not Phase.STARTED:
            event = replaced(event, charge.id)
        with self.indoors.db() as db:
            answered = self._judged(db, station.name)
            noted = charging.transaction(db, station.name, event, self.indoors.rules, read)
        if noted.transaction_id is not None:
            charge.id = noted.transaction_id
            charge.ids.add(noted.transaction_id)
        self.ring("conclude", answered)
        self.ring("dispatch", noted.dispatch)

    def tell_status(self, station: Station, spot: int, status: str) -> None:
        place = station.place(spot) if spot else {"connector": 0}
        event = StatusChanged(evse=place.get("evse"), connector=place["connector"], status=status, at=self.now)
        with self.indoors.db() as db:
            answered = self._judged(db, station.name)
            told, orders = stations.status_changed(db, station.name, event, self.indoors.rules, self.now)
        self.ring("conclude", answered + told)
        self.ring("dispatch", orders)

    def tell_ended(self, station: Station, number: int, update: str) -> None:
        with self.indoors.db() as db:
            answered = self._judged(db, station.name)
            told = reservations.ended(db, station.name, number, update, self.indoors.rules, self.now)
        self.ring("conclude", answered + told)

    def _judged(self, db: Connection, station: str) -> list[int]:
        answered = command_store.answered_at(db, station)
        if answered:
            conclusions.conclude(db, answered, self.indoors.rules, self.now)
        return answered


def replaced(event: TransactionChanged, transaction_id: str | None) -> TransactionChanged:
    told = {name: getattr(event, name) for name in event.__slots__}
    return TransactionChanged(**told | {"transaction_id": transaction_id})


def reading(at: datetime, wh: int) -> tuple[Reading, ...]:
    return (Reading(at=at, register_wh=Decimal(wh)),)


def done(station: Station, order: Any) -> Answer:
    """What a station that tells the truth answers when it does what it can."""
    match order:
        case ReserveNow():
            station.held[order.number] = order
        case CancelReservation() if station.held.pop(order.number, None) is None:
            return Answer(ending=Ending.RESULT, status="Rejected")
        case RequestStart():
            station.starts.append(order)
        case Unlock():
            return Answer(ending=Ending.RESULT, status="Unlocked")
    return Answer(ending=Ending.RESULT, status="Accepted")


def _component(type_: str, price: float, step_size: int) -> dict[str, Any]:
    return {"type": type_, "price": price, "vat": 21, "step_size": step_size}


def _reservation(kind: str, price: float) -> dict[str, Any]:
    prices = [_component("FLAT", price, 1), _component("TIME", 3, 60)]
    return {"price_components": prices, "restrictions": {"reservation": kind}}


PRICES = tariff(
    "T-1",
    {
        "price_components": [
            _component("FLAT", 0.5, 1),
            _component("ENERGY", 0.33, 500),
            _component("TIME", 1.7, 300),
            _component("PARKING_TIME", 2.3, 900),
        ]
    },
    _reservation("RESERVATION", 0.75),
    _reservation("RESERVATION_EXPIRES", 4),
)

DEARER = tariff("T-2", {"price_components": [_component("ENERGY", 0.99, 1), _component("TIME", 3.1, 60)]})

# Watching the database

CHANGES = "state_change"


def watch(db: Connection) -> None:
    """Every change of a state is written down by the database itself."""
    sqlite = db.dialect.name == "sqlite"
    key = "INTEGER PRIMARY KEY" if sqlite else "BIGSERIAL PRIMARY KEY"
    db.exec_driver_sql(f"CREATE TABLE {CHANGES} (id {key}, what TEXT, of BIGINT, old TEXT, new TEXT)")
    if not sqlite:
        db.exec_driver_sql(
            "CREATE FUNCTION note_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"INSERT INTO {CHANGES} (what, of, old, new) VALUES (TG_TABLE_NAME, OLD.id, OLD.state, NEW.state); "
            "RETURN NULL; END $$"
        )
    for table in ("reservation", "session", "command", "callback"):
        when = f"CREATE TRIGGER watch_{table} AFTER UPDATE ON {table} FOR EACH ROW"
        if sqlite:
            note = f"INSERT INTO {CHANGES} (what, of, old, new) VALUES ('{table}', OLD.id, OLD.state, NEW.state)"
            db.exec_driver_sql(f"{when} WHEN OLD.state <> NEW.state BEGIN {note}; END")
        else:
            db.exec_driver_sql(f"{when} WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_state()")


def empty(db: Connection) -> None:
    """As if it were new."""
    names = [f'"{table.name}"' for table in rows.session.metadata.sorted_tables] + [CHANGES]
    if db.dialect.name != "sqlite":
        db.exec_driver_sql(f"TRUNCATE {', '.join(names)} RESTART IDENTITY CASCADE")
        return
    db.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for name in names:
        db.exec_driver_sql(f"DELETE FROM {name}")
