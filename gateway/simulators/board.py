"""The station's board: the EVSEs, the ledger of reservations, and what the CSMS was last told of them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from gateway.simulators.configuration import Configuration
from gateway.simulators.hardware import Evse, Shown, evses_of
from gateway.simulators.outbox import Outbox
from gateway.simulators.reservations import INOPERATIVE, Ended, Ledger
from gateway.simulators.words import Dialect, Message, Payload


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a station's mind is connected to."""

    identity: str
    dialect: Dialect
    outbox: Outbox
    ask: Callable[[str, Payload], Awaitable[Payload]]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    clock: Callable[[], datetime]
    configuration: Configuration
    #: Seconds that the station's driver and its relays take.
    pace: float = 0.3


class Board:
    """Whoever changes an EVSE or the ledger calls ``settle``; the rest follows."""

    def __init__(self, layout: tuple[tuple[str, ...], ...], around: Surroundings) -> None:
        self.around = around
        self.evses = evses_of(layout)
        #: Every reservation that ended, and how many of these ends the CSMS was told.
        self.ended: list[Ended] = []
        self._ends_said = 0
        self.ledger = Ledger({e.number: e.connectors for e in self.evses.values()}, self.ended.append)
        #: Rung when the ledger may have changed, for whoever waits for the next expiry.
        self.changed = asyncio.Event()
        self._told = {number: Shown.AVAILABLE for number in self.evses}

    def settle(self) -> None:
        """Let the ledger know the EVSEs, and the CSMS what changed on their connectors."""
        for evse in self.evses.values():
            if self.ledger.conditions[evse.number] is not evse.condition:
                self.ledger.set_condition(evse.number, evse.condition)
        held = self.ledger.held()
        for evse in self.evses.values():
            if self._told[evse.number] is not evse.shown(evse.number in held):
                self.announce([evse])
        self._say_ends()
        self.changed.set()

    def expire(self) -> None:
        """H04."""
        self.ledger.expire(self.around.clock())
        self.settle()

    def announce(self, evses: Collection[Evse], connector: int | None = None) -> None:
        """What every connector of these EVSEs shows, or only the one with this number within its EVSE."""
        held, now = self.ledger.held(), self.around.clock()
        for evse in evses:
            shown = self._told[evse.number] = evse.shown(evse.number in held)
            asked = evse.connector_numbers() if connector is None else (connector,)
            self._notify(self.around.dialect.status(evse, shown, now, asked))

    def announce_all(self) -> None:
        """The whole station, as after a boot or a reconnection."""
        words = {evse.shown(False) for evse in self.evses.values()}
        broken = words.pop() if len(words) == 1 and words <= {Shown(condition) for condition in INOPERATIVE} else None
        self._notify(self.around.dialect.station_status(broken or Shown.AVAILABLE, self.around.clock()))
        self.announce(self.evses.values())

    def update(self, number: int, word: str) -> None:
        """ReservationStatusUpdate, where the version has it and the word."""
        if word in self.around.dialect.updates:
            payload = {"reservationId": number, "reservationUpdateStatus": word}
            self.around.outbox.put(Message(action="ReservationStatusUpdate", build=partial(dict, payload), keep=True))

    def _say_ends(self) -> None:
        """2.x H01.FR.16, FR.17, H04.FR.01: after the statuses; a CSMS that cancelled knows it already (H02)."""
        for ended in self.ended[self._ends_said :]:
            if ended.number is not None and ended.update is not None:
                self.update(ended.number, ended.update)
        self._ends_said = len(self.ended)

    def _notify(self, payloads: Collection[Payload]) -> None:
        for payload in payloads:
            self.around.outbox.put(Message(action=self.around.dialect.status_action, build=partial(dict, payload)))
