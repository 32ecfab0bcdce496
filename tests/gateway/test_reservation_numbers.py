"""No eMSP can ever replace or cancel another's reservation, however they spell and time what they ask.

A state machine plays parties, also several behind one hub, and a station for each Location that does exactly what it is
told; beside the gateway stands a model that is a few dictionaries.
"""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gateway.asked import Asked, Said
from gateway.commands import receive
from gateway.domain.parties import Partner
from gateway.store import commands
from gateway.store.engine import open_engine
from gateway.store.store import Store
from ocpi.headers import Party
from ocpi.types import fold
from ocpp_bridge.orders import CancelReservation, ReserveNow
from tests.support.indoors import ACCEPTED, OCCUPIED, REJECTED, Indoors, token_body

INT32 = 2**31 - 1
#: The same two ids in several spellings.
IDS = ("r-1", "R-1", "R-2", "r-2")
LIVE = {"PENDING", "ACTIVE", "UNKNOWN"}


class Who(NamedTuple):
    """A party on a connection; on the hub's there are two, and one of those is also connected directly."""

    partner: Partner
    party: Party


class Key(NamedTuple):
    """What a reservation is known by."""

    connection: int
    party: str
    id: str


@dataclass
class Entry:
    """A reservation as the model knows it."""

    key: Key
    number: int
    location: str
    #: asked (nothing known yet), held, unsure (perhaps, being cleaned up), over
    state: str = "asked"
    #: The party was told ACCEPTED and nothing else since.
    believed: bool = False
    given_up: bool = False


@dataclass
class Box:
    """A station that tells the truth: what it holds, and the orders that it will get."""

    held: set[int] = field(default_factory=set)
    orders: deque[tuple[str, Entry]] = field(default_factory=deque)


class Machine(RuleBasedStateMachine):
    def __init__(self, indoors: Indoors, stores: list[Store]) -> None:
        super().__init__()
        self.indoors, self.stores = indoors, stores
        self.entries: list[Entry] = []
        self.owner: dict[int, Key] = {}
        self.boxes: dict[str, Box] = {}

    @initialize()
    def world(self) -> None:
        one, two, three = Party("DE", "ONE"), Party("de", "TWO"), Party("NL", "one")
        hub = self.indoors.partner(Party("XX", "HUB"), role="HUB")
        self.people = [
            Who(self.indoors.partner(one), one),
            Who(self.indoors.partner(three), three),
            Who(hub, one),
            Who(hub, two),
        ]
        self.places = [self.indoors.one_evse() for _ in range(2)]
        self.boxes = {station: Box() for _, station in self.places}

    # What eMSPs do

    @rule(who=st.integers(0, 3), id=st.sampled_from(IDS), at=st.integers(0, 1), minutes=st.integers(30, 120))
    def reserve(self, who: int, id: str, at: int, minutes: int) -> None:
        asked = self._reserving(who, id, at, minutes)
        self._reserved(who, id, at, self.indoors.run(receive, asked, self.indoors.rules, self.indoors.online))

    @rule(
        wishes=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(IDS)), min_size=2, max_size=6),
        at=st.integers(0, 1),
    )
    def reserve_at_once(self, wishes: list[tuple[int, str]], at: int) -> None:
        """From two processes, each of which gathers what comes at the same time into one commit."""
        asked = [self._reserving(who, id, at, 60) for who, id in wishes]

        async def ask(store: Store, mine: list[Asked]) -> list[Said]:
            each = (store.write(receive, one, self.indoors.rules, self.indoors.online) for one in mine)
            return list(await asyncio.gather(*each))

        with ThreadPoolExecutor(2) as pool:
            halves = [(self.stores[0], asked[::2]), (self.stores[1], asked[1::2])]
            told = list(pool.map(lambda half: asyncio.run(ask(*half)), halves))
        said = [told[place % 2][place // 2] for place in range(len(asked))]
        in_order = sorted(zip(wishes, said, strict=True), key=lambda pair: pair[1].dispatch[-1:])
        for (who, id), one in in_order:
            self._reserved(who, id, at, one)

    @rule(who=st.integers(0, 3), id=st.sampled_from(IDS))
    def cancel(self, who: int, id: str) -> None:
        one, key = self.people[who], self._key(who, id)
        said = self.indoors.cancel(one.partner, id, emsp=one.party)
        entry = self._live(key)
        if entry is not None:
            assert said.response == "ACCEPTED"
            self._station_of(entry).orders.append(("cancel", entry))
        else:
            assert (said.response, said.dispatch) == ("REJECTED", ())
            if all(entry.key != key for entry in self.entries):
                assert said == self._unknown()  # another's reservation looks as if there were none

    # What stations do

    @rule(at=st.integers(0, 1), accepts=st.booleans(), keeps=st.booleans())
    def the_station_answers(self, at: int, accepts: bool, keeps: bool) -> None:
        """One order; ``keeps``: whether it keeps what it has when it refuses to replace it."""
        self._answer(self.places[at][1], accepts, keeps)

    def teardown(self) -> None:
        """When everything is answered, the ledger, the stations and what the parties believe are one and the same."""
        for station in self.boxes:
            while self._answer(station, accepts=True, keeps=True):
                pass
        for station, box in self.boxes.items():
            active = {row["number"] for row in self._rows(station) if row["state"] == "ACTIVE"}
            assert active == box.held
            assert {row["number"] for row in self._rows(station) if row["state"] in LIVE} == active
            believed = [e.number for e in self.entries if e.believed and self._station_of(e) is box]
            assert sorted(believed) == sorted(box.held)

    # What is always so

    @invariant()
    def every_number_is_a_positive_int32_of_one_owner(self) -> None:
        for station in self.boxes:
            for row in self._rows(station):
                key = Key(row["partner"], row["party_key"], row["reservation_key"])
                assert 1 <= row["number"] <= INT32
                assert self.owner[row["number"]] == key

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        meant = {"asked": "PENDING", "held": "ACTIVE", "unsure": "UNKNOWN"}
        rows = {row["number"]: row["state"] for station in self.boxes for row in self._rows(station)}
        assert {n: s for n, s in rows.items() if s in LIVE} == {
            e.number: meant[e.state] for e in self.entries if e.state in meant
        }

    # The model

    def _reserving(self, who: int, id: str, at: int, minutes: int) -> Asked:
        one = self.people[who]
        body = self.indoors.reserve_body(
            one.partner, self.places[at][0], id=id, minutes=minutes, token=token_body(one.party)
        )
        return self.indoors.asked(one.partner, "RESERVE_NOW", body, emsp=one.party)

    def _reserved(self, who: int, id: str, at: int, said: Said) -> None:
        key, (location, _) = self._key(who, id), self.places[at]
        entry = self._live(key)
        if entry is not None and entry.location != location:
            assert (said.response, said.dispatch) == ("REJECTED", ())
            return
        assert said.response == "ACCEPTED"
        self.indoors.run(commands.dispatch, list(said.dispatch), self.indoors.now)
        number = self._ordered(said.dispatch[-1])
        box = self.boxes[self.places[at][1]]
        box.orders = deque(one for one in box.orders if not (one[0] == "clean" and one[1] is entry))
        if entry is not None and ("cancel", entry) not in box.orders:
            assert number == entry.number
        else:
            assert number not in self.owner
            if entry is not None:
                entry.given_up, entry.believed = True, False
            self.owner[number] = key
            entry = Entry(key, number, location)
            self.entries.append(entry)
        box.orders.append(("reserve", entry))

    def _answer(self, station: str, accepts: bool, keeps: bool) -> bool:
        box, claimed = self.boxes[station], self.indoors.claim(station)
        if claimed is None:
            assert not box.orders
            return False
        what, entry = box.orders.popleft()
        assert claimed.order.number == entry.number
        if isinstance(claimed.order, CancelReservation):
            assert what in {"cancel", "clean"}
            answer = ACCEPTED if entry.number in box.held else REJECTED
            box.held.discard(entry.number)
            entry.state, entry.believed = "over", False
        else:
            assert isinstance(claimed.order, ReserveNow)
            assert what == "reserve"
            answer = ACCEPTED if accepts else OCCUPIED
            self._reserve_at_station(box, entry, accepts, keeps)
        self.indoors.answer(station, claimed.id, answer)
        return True

    def _reserve_at_station(self, box: Box, entry: Entry, accepts: bool, keeps: bool) -> None:
        if accepts:
            box.held.add(entry.number)
            entry.state, entry.believed = "held", not entry.given_up
            return
        if not keeps:
            box.held.discard(entry.number)
        again = ("reserve", entry) in box.orders
        if entry.state == "asked":
            entry.state = "asked" if again else "over"
        else:
            entry.state = "unsure"
            if not again:
                entry.believed = False
                box.orders.append(("clean", entry))

    def _live(self, key: Key) -> Entry | None:
        mine = [e for e in self.entries if e.key == key and e.state != "over" and not e.given_up]
        assert len(mine) <= 1
        return mine[0] if mine else None

    def _key(self, who: int, id: str) -> Key:
        return Key(self.people[who].partner.id, self.people[who].party.key, fold(id))

    def _station_of(self, entry: Entry) -> Box:
        return self.boxes[dict(self.places)[entry.location]]

    def _unknown(self) -> Said:
        return self.indoors.cancel(self.people[0].partner, "never-heard-of")

    def _ordered(self, command_id: int) -> int:
        return int(self.indoors.rows("command", id=command_id)[0]["order"]["number"])

    def _rows(self, station: str) -> list[dict]:
        return self.indoors.rows("reservation", station=station)


def test_every_reservation_is_its_owners_alone(anywhere: Indoors) -> None:
    stores = [Store(open_engine(anywhere.rules.settings.database)) for _ in range(2)]
    try:
        run_state_machine_as_test(
            lambda: Machine(anywhere, stores),
            settings=settings(
                max_examples=30,
                stateful_step_count=25,
                deadline=None,
                # Without shrinking, which takes minutes on a real database; a seed repeats what was found.
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for store in stores:
            store.close()
