"""The outbox: what the station has to tell, one message at a time and in order; some waits while it is offline."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.simulators.words import CallError, Message, Payload, Unreachable

#: How often a transaction message is tried when the CSMS answers it with an error.
ATTEMPTS = 3


class Outbox:
    """Sends through ``ask`` while the gate is open."""

    def __init__(self, ask: Callable[[str, Payload], Awaitable[Payload]], retry_pause: float = 1.0) -> None:
        self._ask, self._retry_pause = ask, retry_pause
        self._messages: deque[Message] = deque()
        self._filled = asyncio.Event()
        #: Open while the station is connected and accepted.
        self.gate = asyncio.Event()

    def put(self, message: Message) -> None:
        """Accept a message; what need not be kept is dropped while the gate is shut."""
        if message.keep or self.gate.is_set():
            self._messages.append(message)
            self._filled.set()

    def shut(self) -> None:
        self.gate.clear()
        self._messages = deque(message for message in self._messages if message.keep)

    def is_empty(self) -> bool:
        return not self._messages

    def pending(self) -> list[Message]:
        """What is kept until the CSMS has it."""
        return [message for message in self._messages if message.keep]

    async def run(self) -> None:
        while True:
            await self._filled.wait()
            await self.gate.wait()
            if not self._messages:
                self._filled.clear()
                continue
            message = self._messages[0]
            done = await self._deliver(message)
            if (done or not message.keep) and self._messages and self._messages[0] is message:
                self._messages.popleft()

    async def _deliver(self, message: Message) -> bool:
        """False when the connection, not the CSMS, was the obstacle: the message stays first."""
        for _ in range(ATTEMPTS):
            try:
                message.heard(await self._ask(message.action, message.build()))
            except Unreachable:
                await asyncio.sleep(0)
                return False
            except CallError:
                if not message.keep:
                    return True
                await asyncio.sleep(self._retry_pause)
            else:
                return True
        return True
