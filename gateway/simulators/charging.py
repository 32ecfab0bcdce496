"""Charging: how a grant and a cable become a transaction, and how it ends.

Rule of this file: a token that is granted an EVSE consumes its reservation there and then, cable or not
(2.x H03.FR.09).
"""

import asyncio
from dataclasses import replace

from gateway.simulators.board import Board
from gateway.simulators.configuration import Meaning
from gateway.simulators.hardware import Evse, Grant, Transaction
from gateway.simulators.reservations import Condition
from gateway.simulators.words import Judgement, Occasion, Payload, Phase

#: TxStopPoints that are passed when the grant is taken away.
ENDS_WITH_GRANT = frozenset({"Authorized", "PowerPathClosed"})


class Charging:
    """The grants and transactions on one board."""

    def __init__(self, board: Board) -> None:
        self._board, self._around = board, board.around
        self._configuration = board.around.configuration

    def grant(self, evse: Evse, grant: Grant) -> None:
        used = self._board.ledger.use(evse.number, grant.token.value, grant.group)
        evse.grant = replace(grant, reservation=used.number if used else None)
        evse.finishing = False
        self.advance(evse, "RemoteStart" if grant.remote else "Authorized")
        self._around.spawn(self._lapse(evse, evse.grant))

    def plug_in(self, evse: Evse) -> None:
        evse.plugged = True
        trigger = "RemoteStart" if evse.grant and evse.grant.remote else "CablePluggedIn"
        self.advance(evse, trigger)

    def unplug(self, evse: Evse) -> None:
        evse.plugged = evse.finishing = evse.driverless = False
        if evse.transaction is not None:
            self.finish(evse, "EVDisconnected", "EVCommunicationLost")
        self._board.settle()

    def stop(self, evse: Evse, reason: str, trigger: str) -> None:
        """Take the grant away; with TxStopPoint EVConnected the transaction lasts as long as the cable (F03.FR.02)."""
        points, told = self._configuration.text(Meaning.STOP_POINT).split(","), evse.transaction
        if told is None or not evse.plugged or "EVConnected" not in points or ENDS_WITH_GRANT & {*points}:
            self.finish(evse, reason, trigger)
            return
        evse.end_charging(self._around.clock())
        evse.grant = told.grant = None
        told.charging, told.stopped = False, reason
        self._tell(told, Phase.UPDATED, trigger)
        self._dismiss(evse)

    def finish(self, evse: Evse, reason: str, trigger: str) -> None:
        """End the transaction and the grant."""
        if evse.transaction is not None:
            evse.end_charging(self._around.clock())
            self._tell(evse.transaction, Phase.ENDED, trigger, evse.transaction.stopped or reason)
        evse.transaction = evse.grant = None
        evse.finishing = evse.plugged
        self._dismiss(evse)

    def _dismiss(self, evse: Evse) -> None:
        """Nothing keeps the simulated driver."""
        if evse.driverless:
            self._around.spawn(self._leave(evse))
        self._board.settle()

    def set_order(self, evse: Evse, condition: Condition | None) -> None:
        """Put an EVSE out of order, or back."""
        evse.out_of_order = condition
        if condition is not None and (evse.transaction is not None or evse.grant is not None):
            self.finish(evse, "Other", "AbnormalCondition")
        self._board.settle()

    def reboot(self) -> None:
        """Transactions end, grants are gone, cables stay."""
        for evse in self._board.evses.values():
            if evse.transaction is not None:
                self.finish(evse, "Reboot", "AbnormalCondition")
            evse.grant = None
            evse.finishing = False
        self._board.settle()

    def advance(self, evse: Evse, trigger: str) -> None:
        """Open a transaction when its start point is reached, and charge when cable and grant are there."""
        told = evse.transaction
        if told is None and self._may_open(evse):
            told = evse.transaction = self._opened(evse)
            self._tell(told, Phase.STARTED, trigger)
            self._around.spawn(self._meter(told))
        elif told is not None and told.grant is not evse.grant:
            told.grant = evse.grant
            self._tell(told, Phase.UPDATED, trigger)
        if told is not None and self._path_closed(evse) and evse.charging_since is None:
            self._begin(told)
        self._board.settle()

    def report(self, told: Transaction, trigger: str) -> None:
        self._tell(told, Phase.UPDATED, trigger)

    def measure(self, evse: Evse) -> None:
        """Tell what the meter shows, as was asked (F06.FR.06)."""
        occasion = self._occasion(evse, Phase.UPDATED, "Trigger")
        self._around.outbox.put(self._around.dialect.meter_values(evse, occasion))

    def find(self, transaction_id: str) -> Evse | None:
        """The EVSE where this transaction runs."""
        running = (evse for evse in self._board.evses.values() if evse.transaction)
        return next((evse for evse in running if evse.transaction and evse.transaction.id == transaction_id), None)

    def _may_open(self, evse: Evse) -> bool:
        """TxStartPoint; a version without it starts when cable and grant are there."""
        points = self._configuration.text(Meaning.START_POINT).split(",")
        if evse.out_of_order is not None or evse.finishing:
            return False
        reached = ("EVConnected" in points and evse.plugged) or ("Authorized" in points and evse.grant is not None)
        return reached or self._path_closed(evse)

    def _path_closed(self, evse: Evse) -> bool:
        return evse.plugged and evse.grant is not None

    def _opened(self, evse: Evse) -> Transaction:
        now = self._around.clock()
        return Transaction(
            evse=evse,
            started=now,
            meter_start=evse.meter(now),
            id=self._around.dialect.new_transaction_id(),
            grant=evse.grant,
        )

    def _begin(self, told: Transaction) -> None:
        told.evse.charging_since = self._around.clock()
        if not told.charging:
            told.charging = True
            self._tell(told, Phase.UPDATED, "ChargingStateChanged")

    def _tell(self, told: Transaction, phase: Phase, trigger: str, stopped_reason: str = "") -> None:
        occasion = self._occasion(told.evse, phase, trigger, stopped_reason)
        message = self._around.dialect.transaction(told, occasion)
        if message is not None:
            self._around.outbox.put(replace(message, heard=lambda answer: self._heard(told, answer)))

    def _occasion(self, evse: Evse, phase: Phase, trigger: str, stopped_reason: str = "") -> Occasion:
        now = self._around.clock()
        return Occasion(
            phase=phase,
            trigger=trigger,
            at=now,
            meter_wh=evse.meter(now),
            power_w=evse.power(),
            offline=not self._around.outbox.gate.is_set(),
            stopped_reason=stopped_reason,
        )

    def _heard(self, told: Transaction, answer: Payload) -> None:
        """The CSMS's word on a transaction message: perhaps an id (1.6), perhaps a verdict on the token."""
        said: Judgement = self._around.dialect.judged(answer)
        told.id = told.id or said.transaction_id
        refused = said.status not in (None, "Accepted") and self._configuration.flag(Meaning.STOP_ON_INVALID)
        if refused and told.evse.transaction is told:
            self.finish(told.evse, "DeAuthorized", "Deauthorized")

    async def _meter(self, told: Transaction) -> None:
        while True:
            await asyncio.sleep(self._configuration.seconds(Meaning.METER_INTERVAL) or 60.0)
            if told.evse.transaction is not told:
                return
            self._tell(told, Phase.UPDATED, "MeterValuePeriodic")

    async def _lapse(self, evse: Evse, grant: Grant) -> None:
        """Nobody plugs in: silence on 1.6; on 2.x a transaction, if one was opened, times out (F02.FR.07)."""
        await asyncio.sleep(self._configuration.seconds(Meaning.CONNECTION_TIMEOUT))
        if evse.grant is not grant or evse.plugged:
            return
        without_transaction = evse.transaction is None
        self.finish(evse, "Timeout", "EVConnectTimeout")
        if grant.reservation is not None and without_transaction:
            self._board.update(grant.reservation, "NoTransaction")

    async def _leave(self, evse: Evse) -> None:
        await asyncio.sleep(self._around.pace)
        if evse.driverless and evse.grant is None:
            self.unplug(evse)
