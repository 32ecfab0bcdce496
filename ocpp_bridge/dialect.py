"""Dialect: one OCPP version as a value, with how orders are said and read in it and what a station may say."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.desk import Desk
from ocpp_bridge.meanings import NOT_UNDERSTOOD, Happened, Meaning, unanswered
from ocpp_bridge.orders import Order
from ocpp_bridge.reading import part, spelled, text
from ocpp_bridge.saying import Unsayable
from ocpp_bridge.schemas import Schemas

__all__ = ["Dialect", "Ear", "Happened", "Malformed", "Meaning", "Unsayable", "Verb"]

#: Answers one action of a station: (desk, station id, payload) -> payload of the answer; raises Malformed.
Ear = Callable[[Desk, str, dict[str, Any]], Awaitable[dict[str, Any]]]

#: Answers one question about a station from what it said of its abilities; None: it did not say, or says nonsense.
Told = Callable[[Mapping[str, str]], bool | None]

#: Longer than any driver is given to plug in; what a station tells beyond it is not believed.
LONGEST_CONNECTION_TIMEOUT = 24 * 60 * 60  # seconds
#: More than any station has: 1.6 billion were told of once.
MOST_CONNECTORS = 100


class Malformed(Exception):
    """A station's call that cannot be answered; ``code`` is the CALLERROR's."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def read_status(payload: dict[str, Any]) -> Answer | None:
    """``status`` and, in 2.x, ``statusInfo``; None without a status."""
    info = part(payload, "statusInfo")
    status = text(payload, "status")
    if not status:
        return None
    reason, detail = text(info, "reasonCode"), text(info, "additionalInfo")
    return Answer(ending=Ending.RESULT, status=status, reason=reason, detail=detail)


def read_abilities(abilities: Mapping[str, str], asked: tuple[str, ...]) -> Answer:
    """Those of ``abilities`` that were asked for, in our spelling."""
    told = {spelled(name, asked): raw for name, raw in abilities.items()}
    return Answer(
        ending=Ending.RESULT, status="Accepted", abilities={name: told[name] for name in asked if name in told}
    )


@dataclass(frozen=True, kw_only=True)
class Verb:
    """How one kind of order is said, how its answer is read, and what each word of the answer means."""

    action: str
    #: The order's payload.
    say: Callable[[Any], dict[str, Any]]
    meanings: Mapping[str, Meaning]
    #: 2.x: where a reasonCode says more than the status does.
    reasons: Mapping[tuple[str, str], Meaning] = field(default_factory=dict)
    #: What a CALLRESULT says beyond its status; None when it cannot be understood.
    read: Callable[[dict[str, Any]], Answer | None] = read_status

    def answer(self, payload: Any) -> Answer:
        """The CALLRESULT's payload, its words in the schema's spelling."""
        read = self.read(payload) if isinstance(payload, dict) else None
        if read is None:
            return Answer(ending=Ending.BAD_RESULT, detail="The answer has no status.")
        return replace(
            read,
            status=spelled(read.status, self.meanings),
            reason=spelled(read.reason, (reason for _, reason in self.reasons)),
        )

    def meaning(self, answer: Answer) -> Meaning:
        """A station may be newer than we are: an unknown word means that we do not know."""
        by_status = self.meanings.get(answer.status, NOT_UNDERSTOOD)
        return self.reasons.get((answer.status, answer.reason), by_status)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One OCPP version."""

    subprotocol: str
    schemas: Schemas
    #: How each order is said; an order that the version has no message for is missing.
    verbs: Mapping[type[Order], Verb]
    #: Every action that a station may send as a CALL.
    ears: Mapping[str, Ear]
    #: Every action that a station may send as a SEND, which is never answered.
    sends: Mapping[str, Ear] = field(default_factory=dict)
    #: The names of what AskAbilities asks for.
    abilities: tuple[str, ...]
    #: Does the station take reservations at all?
    reserves: Told
    #: Does the station take reservations that name no EVSE?
    whole_station: Told
    #: Does the station ask whether a token may charge that we ordered it to start for?
    authorizes_remote_starts: Told
    #: Characters that an idToken (1.6: idTag) may have.
    longest_id_token: int
    #: The ability that tells how long a driver has to plug in.
    timeout_ability: str
    #: The ability that tells how many connectors there are; None: the version has none.
    connectors_ability: str | None = None
    #: A start names one connector, and no EVSE of several.
    starts_connectors: bool = False
    #: CALLERROR codes whose spelling differs between versions.
    format_violation: str
    occurrence_violation: str
    #: The message id of a CALLERROR that answers what has no readable id; None: no answer.
    unreadable_id: str | None
    #: The CALLERROR code that answers an unknown message type; None: no answer.
    type_not_supported: str | None

    @property
    def known(self) -> frozenset[str]:
        """Every action of the version, in either direction: NotSupported, where it has no ear."""
        return self.schemas.actions

    @cached_property
    def connector_types(self) -> frozenset[str] | None:
        """What ReserveNow can say as a type of connector: nothing in 1.6; None: any text of the schema's length."""
        return self.schemas.words("ReserveNow", "connectorType")

    def say(self, order: Order) -> tuple[str, dict[str, Any]]:
        """The action and the payload of ``order``, checked against the official schema; raises Unsayable."""
        verb = self.verbs.get(type(order))
        if verb is None:
            raise Unsayable(f"{self.subprotocol} has no message for {order.kind}.")
        payload = verb.say(order)
        if fault := self.schemas.fault(verb.action, payload):
            raise Unsayable(f"{verb.action} cannot be said in {self.subprotocol}: {fault}.")
        return verb.action, payload

    def read(self, order: Order, payload: Any) -> Answer:
        """What the CALLRESULT ``payload`` says: a RESULT, or a BAD_RESULT when it cannot be understood."""
        return self.verbs[type(order)].answer(payload)

    def meaning(self, order: Order, answer: Answer) -> Meaning:
        """What ``answer`` means, as far as it tells by itself."""
        if answer.ending is Ending.RESULT:
            return self.verbs[type(order)].meaning(answer)
        return unanswered(order, answer)

    def connection_timeout(self, abilities: Mapping[str, str]) -> int | None:
        """Seconds a driver has to plug in after a start; None when the station did not say, or says nonsense."""
        return _counted(abilities.get(self.timeout_ability), LONGEST_CONNECTION_TIMEOUT)

    def connectors(self, abilities: Mapping[str, str]) -> int | None:
        """How many connectors the station has; None when it did not say, or says nonsense."""
        return _counted(abilities.get(self.connectors_ability or ""), MOST_CONNECTORS)


def _counted(raw: str | None, most: int) -> int | None:
    raw = (raw or "").strip()
    number = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else 0
    return number if 0 < number <= most else None
