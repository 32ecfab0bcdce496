"""What we asked the stations and may still be answered, on this socket or on the station's next one."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import uuid4

from ocpp_bridge.dialect import Dialect
from ocpp_bridge.orders import Order
from ocpp_bridge.rpc import MessageId


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Asked:
    """One CALL of ours."""

    station: str
    #: The answer is read in the dialect that the order was said in, whatever the station speaks by then.
    dialect: Dialect
    order: Order
    #: None: nobody claimed it, AskAbilities is the bridge's own.
    order_id: int | None
    #: Monotonic seconds.
    deadline: float
    #: Unique over all sockets of the station, as 2.x demands.
    message_id: str = field(default_factory=lambda: str(uuid4()))
    #: Set when the house has been told the first ending: a late answer never overtakes it.
    told: asyncio.Event = field(default_factory=asyncio.Event)


class Memory:
    """The node's CALLs by message id, for ``grace`` seconds after their deadline and ``limit`` at most."""

    def __init__(self, limit: int = 20_000, grace: float = 300.0) -> None:
        self._limit, self._grace = limit, grace
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    def __len__(self) -> int:
        return len(self._asked)

    def keep(self, asked: Asked) -> None:
        self._asked[asked.message_id] = asked
        while self._asked and (len(self._asked) > self._limit or self._stale(next(iter(self._asked.values())))):
            self._asked.popitem(last=False)

    def take(self, station: str, message_id: MessageId) -> Asked | None:
        """The CALL that ``message_id`` answers, once; None for another station's, an old one and none of ours."""
        asked = self._asked.get(message_id) if isinstance(message_id, str) else None
        if asked is None or asked.station != station:
            return None
        del self._asked[asked.message_id]
        return None if self._stale(asked) else asked

    def _stale(self, asked: Asked) -> bool:
        return time.monotonic() > asked.deadline + self._grace
