"""The house's desk for the bridge: what stations tell is written down here, and orders are handed out."""

from collections.abc import Collection
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection

from gateway import authorization, charging, conclusions, reservations, stations
from gateway.bell import Job
from gateway.conclusions import Moved
from gateway.domain.results import TAKEN
from gateway.holding import taken
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.real_time import RealTime
from gateway.store import commands
from gateway.store.callbacks import hold
from gateway.store.commands import Sendable
from gateway.store.errands import give_back
from gateway.store.stations import heard
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.desk import Admission, Claimed
from ocpp_bridge.events import BootAnswer, Booted, StatusChanged, TokenStatus, TransactionAnswer, TransactionChanged
from ocpp_bridge.orders import IdToken, RequestStart

log = structlog.get_logger(__name__)


@dataclass
class Rings:
    """Commands that are to be moved on once a message is noted: concluded, and dispatched."""

    conclude: list[int] = field(default_factory=list)
    dispatch: list[int] = field(default_factory=list)


class HouseDesk:
    """Implements ``ocpp_bridge.desk.Desk`` on the gateway's stories."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._store = office.store
        self._rules: Rules = office.rules
        self._real_time = RealTime(office)

    async def admit(self, station: str, username: str | None, password: bytes | None) -> str:
        return await self._store.read(stations.admit, station, username, password)

    async def connected(self, station: str, subprotocol: str) -> Admission:
        admission, errands = await self._store.about(station).write(
            stations.connected, station, subprotocol, self._rules, utc_now()
        )
        await self._office.ring(Job.DISPATCH, errands)
        return admission

    async def disconnected(self, station: str) -> None:
        await self._store.about(station).note(stations.disconnected, station, self._rules, utc_now())

    async def claim(self, station: str) -> Claimed | None:
        if not await self._store.glance(commands.waits, station):  # after every answer, and nobody's turn to write
            return None
        found, rings = await self._store.about(station).write_briefly(_claim_one, station, self._rules)
        await self._ring(rings)
        return None if found is None else Claimed(id=found.id, order=found.order, deadline=found.deadline)

    async def answered(self, order_id: int, station: str, subprotocol: str, answer: Answer) -> None:
        try:
            moved = await self._store.about(station).write_briefly(
                _judge, order_id, station, subprotocol, answer, self._rules
            )
        except Exception as problem:  # what the station said is a fact all the same
            log.error("an answer cannot be judged now", command_id=order_id, problem=repr(problem))
            late = await self._store.note(conclusions.answered, order_id, subprotocol, answer, self._rules, utc_now())
            await self._office.ring(Job.CONCLUDE, [order_id])
            moved = late or Moved()
        await self._office.ring(Job.POST, moved.held)  # if nobody hears it, a sweep finds them when their hold is over
        await self._office.ring(Job.DISPATCH, moved.dispatch)

    async def abilities(self, station: str, subprotocol: str, answer: Answer) -> None:
        await self._store.note(stations.told_abilities, station, answer, utc_now())

    async def booted(self, station: str, event: Booted) -> BootAnswer:
        return await self._store.about(station).write(stations.booted, station, event, self._rules, utc_now())

    async def authorize(self, station: str, id_token: IdToken) -> TokenStatus:
        return await self._real_time.authorize(station, id_token)

    async def transaction(self, station: str, event: TransactionChanged) -> TransactionAnswer:
        token = await self._judge_token(station, event)
        transaction_id, rings = await self._store.write(_transaction, station, event, self._rules)
        await self._ring(rings)
        return TransactionAnswer(transaction_id=transaction_id, token=token)

    async def _judge_token(self, station: str, event: TransactionChanged) -> TokenStatus | None:
        """Before the message is noted, for that makes the charge its eMSP's; a refusal keeps nothing from being noted.

        Whether a charge may end is nobody's question any more.
        """
        if event.id_token is None:
            await self._judge_where(station, event)
            return None
        if authorization.ends_charge(event):
            return await self._store.read(authorization.may_end, station, event, utc_now())
        spot = await self._store.read(authorization.spot, station, event)
        return await self._real_time.authorize(station, event.id_token, spot)

    async def _judge_where(self, station: str, event: TransactionChanged) -> None:
        """2.x may tell token and EVSE apart, and an eMSP may have allowed the token at some EVSEs only."""
        if event.evse is None or event.seq is None:
            return
        token = await self._store.glance(charging.token_of_nobody_s, station, event)
        if token is not None:
            spot = await self._store.read(authorization.spot, station, event)
            await self._real_time.authorize(station, token, spot)

    async def status_changed(self, station: str, event: StatusChanged) -> None:
        await self._ring(await self._store.write(_status_changed, station, event, self._rules))

    async def reservation_ended(self, station: str, number: int, update: str) -> None:
        await self._ring(await self._store.write(_reservation_ended, station, number, update, self._rules))

    async def heard(self, stations: Collection[str]) -> None:
        await self._store.note(heard, stations, utc_now())

    async def _ring(self, rings: Rings) -> None:
        await self._office.ring(Job.CONCLUDE, rings.conclude)
        await self._office.ring(Job.DISPATCH, rings.dispatch)


def _judge(db: Connection, order_id: int, station: str, subprotocol: str, answer: Answer, rules: Rules) -> Moved:
    """How an order ended, and what follows; its callbacks are held for the worker that will be rung for."""
    now = utc_now()
    moved = conclusions.judge(db, order_id, station, subprotocol, answer, rules, now)
    held = hold(db, moved.callbacks, now, rules.settings.callback_attempt_timeout)
    return Moved(held=moved.held + held, dispatch=moved.dispatch)


def _claim_one(db: Connection, station: str, rules: Rules) -> tuple[Sendable | None, Rings]:
    """The next order; starts at an EVSE that is certainly somebody else's are not sent, but to be concluded."""
    rings = Rings()
    while (found := commands.claim(db, station, utc_now())) is not None:
        if not isinstance(found.order, RequestStart):
            break
        _judge_answers(db, station, rules, rings)
        if not (why := taken(db, station, found.id, found.order, utc_now())):
            break
        give_back(db, found.id, Answer(ending=Ending.NOT_SENT, status=TAKEN, detail=why), utc_now())
        rings.conclude.append(found.id)
    return found, rings


def _transaction(db: Connection, station: str, event: TransactionChanged, rules: Rules) -> tuple[str | None, Rings]:
    rings = _judge_answers(db, station, rules, Rings())
    noted = charging.transaction(db, station, event, rules, utc_now())
    rings.dispatch += noted.dispatch
    return noted.transaction_id, rings


def _reservation_ended(db: Connection, station: str, number: int, update: str, rules: Rules) -> Rings:
    rings = _judge_answers(db, station, rules, Rings())
    rings.conclude += reservations.ended(db, station, number, update, rules, utc_now())
    return rings


def _status_changed(db: Connection, station: str, event: StatusChanged, rules: Rules) -> Rings:
    rings = _judge_answers(db, station, rules, Rings())
    concluded, errands = stations.status_changed(db, station, event, rules, utc_now())
    rings.conclude += concluded
    rings.dispatch += errands
    return rings


def _judge_answers(db: Connection, station: str, rules: Rules, rings: Rings) -> Rings:
    """What the station answered before it tells us more is judged first: its reservation must be known as accepted."""
    if answered := commands.answered_at(db, station):
        rings.conclude += answered
        rings.dispatch += conclusions.conclude(db, answered, rules, utc_now()).dispatch
    return rings
