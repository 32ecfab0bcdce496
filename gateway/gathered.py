"""Gathered: what is asked for at the same time on one event loop is asked for together, one time after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathered(Generic[T, R]):
    """``await gathered(item)``: ``work`` gets all items that wait, in order, and returns what each asker is told."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int = 256) -> None:
        self._work = work
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Raises what ``work`` raises, as it does for all that were asked for together."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if self._working is None:
            self._working = loop.create_task(self._run())
            self._working.add_done_callback(self._over)
        return await future

    async def settled(self) -> None:
        """Nothing waits, and nothing is worked on."""
        while self._working is not None:
            await asyncio.wait({self._working})
            await asyncio.sleep(0)

    def _over(self, task: asyncio.Task[None]) -> None:
        """One that was cancelled, perhaps before it began, has left others waiting."""
        if self._working is task:
            self._working = None
            left, self._waiting = self._waiting, []
            for _, future in left:
                future.cancel()

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                results = await self._work([item for item, _ in batch])
            except BaseException as problem:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(problem)
                if not isinstance(problem, Exception):  # we are to end
                    raise
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # the asker was cancelled
                    future.set_result(result)
        self._working = None
