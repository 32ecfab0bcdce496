"""A standing connection to Redis, for what is asked of it at every command.

It is redis-py's own connection. What its client does around every call would cost as much again (decision 24).
It is opened when something is asked and none stands.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as Silent

Word = str | bytes | int | float

_LOST = "The connection to Redis was lost"


class Standing:
    """To the server of ``redis``; ``patience``: seconds that an answer may take, before the connection is given up.

    Raises Redis errors. What was asked over a connection that is lost may have been done: it is not asked again.
    """

    def __init__(self, redis: Redis, patience: float) -> None:
        self._pool, self._patience = redis.connection_pool, patience
        self._line: _Line | None = None
        self._opening: asyncio.Task[_Line] | None = None

    async def ask(self, *words: Word) -> Any:
        """What Redis answers to a command, as it comes: in bytes. Several may be asked at once."""
        (answer,) = await self.ask_all([words])
        return answer

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The answers to ``commands``, which are sent together."""
        line = self._line if self._line is not None and self._line.stands else None
        try:
            async with asyncio.timeout(self._patience):
                return await (line or await self._opened()).ask(commands)
        except TimeoutError as silence:
            if line is not None:  # one that was opened meanwhile has not had all that time
                line.give_up()
            raise Silent("Redis is silent") from silence

    async def run(self, script: "Script", keys: Sequence[str], words: Sequence[Word]) -> Any:
        """What a script returns; Redis is told its text when it does not know it."""
        try:
            return await self.ask("EVALSHA", script.name, len(keys), *keys, *words)
        except NoScriptError:
            return await self.ask("EVAL", script.text, len(keys), *keys, *words)

    async def close(self) -> None:
        """Whoever waits for an answer is told that the connection is lost; the next one who asks opens another."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening})
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def _opened(self) -> "_Line":
        """The one that is being opened for all who ask: each of them may give up before it stands."""
        while True:
            opening, is_ours = self._opening, False
            if opening is None or opening.done():
                opening, is_ours = asyncio.create_task(self._open()), True
                opening.add_done_callback(_retrieve)
                self._opening = opening
            try:
                return await asyncio.shield(opening)
            except asyncio.CancelledError:
                asker = asyncio.current_task()
                if opening.cancelled() and not (asker is not None and asker.cancelling()):
                    raise Lost(_LOST) from None
                raise
            except TimeoutError:  # the time of another who began it, perhaps, and ours is not over
                if is_ours:
                    raise

    async def _open(self) -> "_Line":
        # An idle one is not a silent one: how long an answer may take is ours to say.
        made = self._pool.connection_class(**{**self._pool.connection_kwargs, "socket_timeout": None})
        try:
            async with asyncio.timeout(self._patience):
                await made.connect()  # type: ignore[no-untyped-call]  # redis-py's own
        except BaseException:
            await made.disconnect(nowait=True)
            raise
        self._line = line = _Line(made)
        await asyncio.sleep(0)  # one that has not begun to read would close nothing when it is to end
        return line


def _retrieve(opening: "asyncio.Task[_Line]") -> None:
    """What went wrong is told to those who still wait for it, if anybody does."""
    if not opening.cancelled():
        opening.exception()


def _lost(why: Exception | None) -> Lost:
    lost = Lost(f"{_LOST}: {why}" if why is not None else _LOST)
    lost.__cause__ = why
    return lost


class Script:
    """A Lua script."""

    def __init__(self, text: str) -> None:
        self.text, self.name = text, sha1(text.encode(), usedforsecurity=False).hexdigest()


class _Line:
    """One connection: Redis answers in the order in which it was asked."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._asked: deque[asyncio.Future[Any]] = deque()
        self.stands = True
        self._reading = asyncio.create_task(self._read())

    async def ask(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        if not self.stands:  # redis-py would open another one under our hands
            raise Lost(_LOST)
        packed, loop = self._connection.pack_commands(commands), asyncio.get_running_loop()
        answers: list[asyncio.Future[Any]] = [loop.create_future() for _ in commands]
        self._asked.extend(answers)
        try:
            await self._send(packed)
            return [await answer for answer in answers]
        finally:
            for answer in answers:
                answer.cancel()

    async def _send(self, packed: list[bytes]) -> None:
        try:
            await self._connection.send_packed_command(packed, check_health=False)
        except BaseException:
            self.give_up()  # half a command may be sent; redis-py has closed it
            raise

    def give_up(self) -> None:
        self.stands = False
        self._reading.cancel()

    async def close(self) -> None:
        self.give_up()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        """Also while nothing is asked: a connection that is lost is not asked anything."""
        loss: Exception | None = None
        try:
            while True:
                try:
                    self._answer(await self._connection.read_response())
                except ResponseError as refusal:
                    self._answer(refusal)
        except (RedisError, OSError) as problem:
            loss = problem
        finally:
            self.stands = False
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(_lost(loss))
            await self._connection.disconnect(nowait=True)

    def _answer(self, told: Any) -> None:
        answer = self._asked.popleft()
        if answer.done():  # whoever asked was cancelled
            return
        if isinstance(told, ResponseError):
            answer.set_exception(told)
        else:
            answer.set_result(told)
