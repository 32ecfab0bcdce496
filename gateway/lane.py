"""A lane: a thread that takes whatever has gathered, does it in one go, and tells each asker on its own event loop."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Closed(RuntimeError):
    """The lane is closed; nothing was done."""


class Lane(Generic[T, R]):
    """``await lane(item)``: ``work`` gets all items that wait, in order, and returns what each asker is told."""

    def __init__(self, name: str, work: Callable[[Sequence[T]], Sequence[R | BaseException]], most: int = 256) -> None:
        self._work = work
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[R], asyncio.AbstractEventLoop]] = []
        self._gathered = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def __call__(self, item: T) -> R:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        with self._gathered:
            if self._closed:
                raise Closed(Closed.__doc__)
            self._waiting.append((item, future, loop))
            self._gathered.notify()
        return await future

    def close(self) -> None:
        """Do what was asked for before, then end the thread."""
        with self._gathered:
            self._closed = True
            self._gathered.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            try:
                results = self._work([item for item, _, _ in batch])
            except BaseException as problem:  # the asker decides; the lane goes on
                results = [problem] * len(batch)
            for loop in {loop for _, _, loop in batch}:
                told = [(f, r) for (_, f, home), r in zip(batch, results, strict=True) if home is loop]
                with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                    loop.call_soon_threadsafe(tell, told)

    def _take(self) -> list[tuple[T, asyncio.Future[R], asyncio.AbstractEventLoop]]:
        with self._gathered:
            while not self._waiting and not self._closed:
                self._gathered.wait()
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            return batch


def tell(told: Iterable[tuple[asyncio.Future[R], R | BaseException]]) -> None:
    """Each asker what became of what it asked for."""
    for future, result in told:
        if future.done():  # the asker was cancelled
            continue
        if isinstance(result, StopIteration):  # which no future takes
            result = RuntimeError(repr(result))
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
