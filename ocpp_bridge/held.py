"""Held: one station's present socket at this node, from its handshake on."""

import asyncio
import time
from dataclasses import dataclass, field

from websockets.frames import CloseCode

from ocpp_bridge.dialect import Dialect
from ocpp_bridge.station import Session
from ocpp_bridge.wire import Wire


@dataclass(slots=True, eq=False)
class Held:
    """What the node knows of the socket."""

    wire: Wire
    dialect: Dialect
    since: float = field(default_factory=time.monotonic)
    #: The fencing epoch; None until Redis knows the socket.
    epoch: int | None = None
    #: After the house has let it in.
    session: Session | None = None
    #: The newest sign of life that the house was told.
    told_heard_at: float = 0.0
    #: Another node has the station: this socket's end is not the station's end.
    lost: bool = False

    async def give_way(self) -> None:
        """End for a newer socket. Whoever waits for an answer is woken at once: half-open sockets are slow to close."""
        closing = self.wire.close(CloseCode.POLICY_VIOLATION, "a newer connection")
        await asyncio.gather(closing, *([self.session.line.close()] if self.session else []))
