"""The station's mind: what it answers to commands and to people, whatever its OCPP version."""

import asyncio
from dataclasses import dataclass

from gateway.simulators.board import Board
from gateway.simulators.charging import Charging
from gateway.simulators.configuration import Meaning
from gateway.simulators.hardware import Evse, Grant, Token, Transaction
from gateway.simulators.reservations import Check, Condition, Reservation, Result
from gateway.simulators.words import CallError, Message, Unreachable, Verdict

ACCEPTED = Verdict(word="Accepted")


@dataclass(frozen=True, kw_only=True)
class Temper:
    """How this station behaves where the specification leaves it free."""

    #: Asks Authorize before it answers ReserveNow and remote starts.
    authorize_first: bool = False
    #: Nobody plugs in after a remote start.
    no_plug: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """The answer to "may this token charge?", with its group."""

    accepted: bool
    group: str | None = None


class Controller:
    """One station's decisions; see ``words.Deeds`` for what commands ask of it."""

    def __init__(self, board: Board, temper: Temper) -> None:
        self.board, self.charging = board, Charging(board)
        self.evses, self.configuration = board.evses, board.around.configuration
        #: BootNotification was accepted; outlives sockets.
        self.accepted = False
        self._temper, self._around = temper, board.around
        #: Tokens that the CSMS accepted before, and their group (2.x H03.FR.07: a cache).
        self._known: dict[str, str | None] = {}

    async def reserve(self, wish: Reservation, token: Token) -> Verdict:
        if refusal := self._cannot_reserve(wish):
            return refusal
        if self._temper.authorize_first and not (await self.authorize(token, always=True)).accepted:
            return _rejected("InvalidIdToken")
        result = self.board.ledger.place(wish, self._around.clock())
        self.board.settle()
        return _rejected("InvalidValue") if result is Result.REJECTED else Verdict(word=result)

    def cancel(self, number: int) -> Verdict:
        found = self.board.ledger.cancel(number)
        self.board.settle()
        return ACCEPTED if found else _rejected("NotFound")

    async def start(self, token: Token, group: str | None, evse: int | None, remote_start_id: int | None) -> Verdict:
        """Accepted means "I will try" (1.6 §5.11, 2.x F01)."""
        if not self.accepted:
            return _rejected("CSNotAccepted")
        if evse is not None and evse not in self.evses:
            return _rejected("UnknownEvse")
        ask = self.configuration.flag(Meaning.AUTHORIZE_REMOTE) and not self._temper.authorize_first
        if self._temper.authorize_first:
            permission = await self.authorize(token, always=True)
            if not permission.accepted:
                return _rejected("InvalidIdToken")
            group = group or permission.group
        group = group or self._known.get(token.value.lower())
        grant = Grant(token=token, group=group, remote_start_id=remote_start_id, remote=True)
        return self._start_at(self.evses[evse] if evse is not None else self._choose(grant), grant, ask)

    def stop(self, transaction_id: str) -> Verdict:
        """Only a transaction that runs can be stopped (F03.FR.07, FR.08), and only by who accepted us (B02.FR.05)."""
        if not self.accepted:
            return _rejected("CSNotAccepted")
        evse = self.charging.find(transaction_id)
        if evse is None or evse.transaction is None:
            return _rejected("UnknownTxId")
        self._around.spawn(self._stop_soon(evse.transaction))
        return ACCEPTED

    def unlock(self, evse: Evse) -> None:
        """The connector lets go, and the cable is taken out."""
        if evse.plugged:
            self.charging.unplug(evse)

    def queued(self, transaction_id: str | None) -> bool:
        """Does the outbox hold messages of this (or any) transaction?"""
        waiting = [message.build().get("transactionInfo") for message in self._around.outbox.pending()]
        return any(info and transaction_id in (None, info["transactionId"]) for info in waiting)

    def trigger(self, requested: str, evse: int | None, connector: int | None = None) -> str:
        """The answer to TriggerMessage; what was asked for follows it (F06.FR.04)."""
        chosen = [one for one in self.evses.values() if evse in (None, one.number)]
        running = [one.transaction for one in chosen if one.transaction is not None]
        match requested:
            case "StatusNotification":
                self.board.announce(chosen, connector) if evse is not None else self.board.announce_all()
            case "MeterValues":
                for one in chosen:
                    self.charging.measure(one)
            case "TransactionEvent":
                for told in running:
                    self.charging.report(told, "Trigger")
                return "Accepted" if running else "Rejected"
            case "Heartbeat":
                self._around.outbox.put(Message(action="Heartbeat", build=dict))
            case "BootNotification":
                payload = self._around.dialect.boot(self._around.identity, "Triggered")
                self._around.outbox.put(Message(action="BootNotification", build=lambda: payload))
            case _:
                return "NotImplemented"
        return "Accepted"

    async def present(self, evse: Evse, token: Token) -> bool:
        """A card at the reader: it stops its own transaction, or is granted leave to charge, or is refused."""
        running = evse.transaction
        if running is not None and running.grant is not None and _same(running.grant, token, None):
            self.charging.stop(evse, "Local", "StopAuthorized")
            return True
        permission = await self.authorize(token)
        grant = Grant(token=token, group=permission.group)
        if running is not None and running.grant is not None and _same(running.grant, token, permission.group):
            self.charging.stop(evse, "Local", "StopAuthorized")
            return True
        if not permission.accepted or self._cannot_start(evse, grant):
            return False
        self.charging.grant(evse, grant)
        return True

    async def authorize(self, token: Token, always: bool = False) -> Permission:
        """Ask the CSMS; what it is not asked about, or cannot be asked about, is decided here."""
        if token.type in self._around.dialect.trusted_types and not always:
            return Permission(True)
        try:
            answer = await self._around.ask("Authorize", self._around.dialect.authorize(token))
        except CallError:
            return Permission(False)
        except Unreachable:
            return self._offline_permission(token)
        said = self._around.dialect.judged(answer)
        if said.status == "Accepted":
            self._known[token.value.lower()] = said.group
        return Permission(said.status == "Accepted", said.group)

    def _offline_permission(self, token: Token) -> Permission:
        """Who is known or has a reservation may charge while the CSMS cannot be asked."""
        key = token.value.lower()
        reserved = any(reservation.is_for(token.value, None) for reservation in self.board.ledger.live.values())
        return Permission(key in self._known or reserved, self._known.get(key))

    def _cannot_reserve(self, wish: Reservation) -> Verdict | None:
        """H01.FR.01, FR.18, FR.19; 1.6 §5.13."""
        on = self.configuration.flag(Meaning.RESERVATION) or self.configuration.lists(
            Meaning.RESERVATION, "Reservation"
        )
        if not on:
            return _rejected("NotEnabled")
        if wish.evse is None and not self.configuration.flag(Meaning.NON_EVSE_SPECIFIC):
            return _rejected("UnsupportedRequest", "only reservations of one EVSE")
        if wish.evse is not None and wish.evse not in self.evses:
            return _rejected("UnknownEvse")
        types = {connector for evse in self.evses.values() for connector in evse.connectors}
        return None if wish.connector_type in {None, *types} else _rejected("UnknownConnectorType")

    def _cannot_start(self, evse: Evse, grant: Grant) -> Verdict | None:
        """F01.FR.21 to FR.24."""
        if evse.out_of_order is not None:
            return _rejected("Unspecified", f"the EVSE is {evse.out_of_order}")
        if evse.grant is not None or (evse.transaction is not None and evse.transaction.stopped):
            return _rejected("TxInProgress")
        check = self.board.ledger.check(evse.number, grant.token.value, grant.group)
        if check in (Check.NOT_RESERVED, Check.RESERVED_FOR_TOKEN):
            return None
        return _rejected("Unspecified", "reserved for another token")

    def _choose(self, grant: Grant) -> Evse | None:
        """The EVSE of the token's own reservation, else the first that it may use; none when all refuse."""
        able = [evse for evse in self.evses.values() if self._cannot_start(evse, grant) is None]
        ledger = self.board.ledger
        checks = {evse.number: ledger.check(evse.number, grant.token.value, grant.group) for evse in able}
        bound = {r.evse for r in ledger.live.values() if r.is_for(grant.token.value, grant.group)}
        return min(
            able, key=lambda evse: (evse.number not in bound, checks[evse.number] is Check.NOT_RESERVED), default=None
        )

    def _start_at(self, evse: Evse | None, grant: Grant, ask: bool) -> Verdict:
        refusal = (
            self._cannot_start(evse, grant) if evse else _rejected("Unspecified", "no EVSE is free for this token")
        )
        if evse is None or refusal is not None:
            return refusal or _rejected("Unspecified")
        unauthorised = evse.transaction
        if not ask:
            self.charging.grant(evse, grant)
        self._around.spawn(self._follow(evse, grant, ask))
        return Verdict(word="Accepted", transaction_id=unauthorised.id if unauthorised else None)

    async def _follow(self, evse: Evse, grant: Grant, ask: bool) -> None:
        """What comes after an accepted start: perhaps Authorize, then a driver with a cable."""
        if ask:
            permission = await self.authorize(grant.token)
            if not permission.accepted or self._cannot_start(evse, grant):
                return
            self.charging.grant(evse, grant)
        await asyncio.sleep(self._around.pace)
        if evse.grant is not None and not evse.plugged and not self._temper.no_plug:
            evse.driverless = True
            self.charging.plug_in(evse)

    async def _stop_soon(self, running: Transaction) -> None:
        await asyncio.sleep(self._around.pace)
        if running.evse.transaction is running:
            self.charging.stop(running.evse, "Remote", "RemoteStop")

    def set_order(self, evse: Evse, condition: Condition | None) -> None:
        self.charging.set_order(evse, condition)

    def reboot(self, forget: bool) -> None:
        """Reservations stay (B01.FR.13) unless this station forgets them."""
        if forget:
            self.board.ledger.forget()
        self._known.clear()
        self.charging.reboot()


def _rejected(reason: str, detail: str = "") -> Verdict:
    return Verdict(word="Rejected", reason=reason, detail=detail)


def _same(grant: Grant, token: Token, group: str | None) -> bool:
    same_token = grant.token.value.lower() == token.value.lower()
    return same_token or (group is not None and grant.group is not None and group.lower() == grant.group.lower())
