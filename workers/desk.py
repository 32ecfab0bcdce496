"""The house's desk for the bridge: what stations tell is written down here, and orders are handed out."""

from sqlalchemy import Connection

from gateway import authorization, charging, conclusions, reservations, stations, stopping
from gateway.bell import Job
from gateway.domain.results import TAKEN
from gateway.holding import taken
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.real_time import RealTime
from gateway.store import commands
from gateway.store.commands import Sendable
from gateway.store.errands import give_back
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.desk import Admission, Claimed
from ocpp_bridge.events import BootAnswer, Booted, StatusChanged, TokenStatus, TransactionAnswer, TransactionChanged
from ocpp_bridge.orders import IdToken, RequestStart

AVAILABLE = "Available"


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
        admission, errands = await self._store.write(stations.connected, station, subprotocol, self._rules, utc_now())
        await self._office.ring(Job.DISPATCH, errands)
        return admission

    async def disconnected(self, station: str) -> None:
        await self._store.note(stations.disconnected, station, utc_now())

    async def claim(self, station: str) -> Claimed | None:
        found, concluded = await self._store.write(_claim_one, station, self._rules)
        await self._office.ring(Job.CONCLUDE, concluded)
        return None if found is None else Claimed(id=found.id, order=found.order, deadline=found.deadline)

    async def answered(self, order_id: int, station: str, subprotocol: str, answer: Answer) -> None:
        late = await self._store.note(conclusions.answered, order_id, subprotocol, answer, self._rules, utc_now())
        if late is None:
            await self._office.ring(Job.CONCLUDE, [order_id])
        else:
            await self._office.ring(Job.DISPATCH, late.dispatch)

    async def abilities(self, station: str, subprotocol: str, answer: Answer) -> None:
        await self._store.note(stations.told_abilities, station, answer)

    async def booted(self, station: str, event: Booted) -> BootAnswer:
        return await self._store.write(stations.booted, station, event, self._rules, utc_now())

    async def authorize(self, station: str, id_token: IdToken) -> TokenStatus:
        return await self._real_time.authorize(station, id_token)

    async def transaction(self, station: str, event: TransactionChanged) -> TransactionAnswer:
        token = await self._judge_token(station, event)
        noted, concluded = await self._store.write(_transaction, station, event, self._rules)
        await self._office.ring(Job.CONCLUDE, concluded)
        await self._office.ring(Job.DISPATCH, noted.dispatch)
        return TransactionAnswer(transaction_id=noted.transaction_id, token=token)

    async def _judge_token(self, station: str, event: TransactionChanged) -> TokenStatus | None:
        """Before the message is noted, for that makes the charge its eMSP's; a refusal keeps nothing from being noted.

        Whether a charge may end is nobody's question any more.
        """
        if event.id_token is None:
            return None
        if authorization.ends_charge(event):
            return await self._store.read(authorization.may_end, station, event, utc_now())
        spot = await self._store.read(authorization.spot, station, event)
        return await self._real_time.authorize(station, event.id_token, spot)

    async def status_changed(self, station: str, event: StatusChanged) -> None:
        concluded, errands = await self._store.write(_status_changed, station, event, self._rules)
        await self._office.ring(Job.CONCLUDE, concluded)
        await self._office.ring(Job.DISPATCH, errands)

    async def reservation_ended(self, station: str, number: int, update: str) -> None:
        concluded = await self._store.write(_reservation_ended, station, number, update, self._rules)
        await self._office.ring(Job.CONCLUDE, concluded)

    async def heard(self, station: str) -> None:
        await self._store.note(stations.heard, station, utc_now())


def _claim_one(db: Connection, station: str, rules: Rules) -> tuple[Sendable | None, list[int]]:
    """The next order, and commands to conclude: starts at an EVSE that is certainly somebody else's are not sent."""
    concluded: list[int] = []
    while (found := commands.claim(db, [station], utc_now()).get(station)) is not None:
        if not isinstance(found.order, RequestStart):
            break
        concluded += _judged(db, station, rules)
        if not (why := taken(db, station, found.id, found.order, utc_now())):
            break
        give_back(db, found.id, Answer(ending=Ending.NOT_SENT, status=TAKEN, detail=why), utc_now())
        concluded.append(found.id)
    return found, concluded


def _transaction(
    db: Connection, station: str, event: TransactionChanged, rules: Rules
) -> tuple[charging.Noted, list[int]]:
    answered = _judged(db, station, rules)
    return charging.transaction(db, station, event, rules, utc_now()), answered


def _reservation_ended(db: Connection, station: str, number: int, update: str, rules: Rules) -> list[int]:
    answered = _judged(db, station, rules)
    return answered + reservations.ended(db, station, number, update, rules, utc_now())


def _status_changed(db: Connection, station: str, event: StatusChanged, rules: Rules) -> tuple[list[int], list[int]]:
    answered = _judged(db, station, rules)
    if event.status == AVAILABLE:
        stopping.seen_free(db, station, event.evse, event.connector, rules, utc_now())
    removed, errands = stations.status_changed(db, station, event, rules, utc_now())
    return answered + removed, errands


def _judged(db: Connection, station: str, rules: Rules) -> list[int]:
    """What the station answered before it tells us more is judged first: its reservation must be known as accepted."""
    answered = commands.answered_at(db, station)
    if answered:
        conclusions.conclude(db, answered, rules, utc_now())
    return answered
