"""Talk between the bench and its processes: a line of JSON each way; the end of its input ends a process."""

import asyncio
import gc
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from workers.lifeline import tied

#: Bytes of the longest line: some hundred thousand latencies.
LONGEST = 2**24
#: Seconds to get ready; and to end, after which a process is killed.
START, STOP = 60.0, 20.0


class Broken(Exception):
    """A process of the bench did not do its part; the message says which and why."""


class Talker:
    """A process that the bench has started."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name, self.process = name, process
        self._log = log

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def hear(self, patience: float = START) -> Any:
        """The next thing it tells; raises Broken."""
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), patience)
        except TimeoutError:
            raise Broken(self.told(f"told nothing for {patience:g} s")) from None
        if not line:
            raise Broken(self.told("ended"))
        return orjson.loads(line)

    async def ask(self, words: Any, patience: float = START) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps(words) + b"\n")
        return await self.hear(patience)

    def told(self, what: str) -> str:
        """``what`` it did, and the end of its log."""
        words = self._log.read_text(errors="replace").strip() if self._log.exists() else ""
        return f"{self.name} {what}: {words[-2000:]}" if words else f"{self.name} {what}."


@asynccontextmanager
async def started(name: str, argv: Sequence[str], log: Path, *, talks: bool = True) -> AsyncIterator[Talker]:
    """``argv`` for as long as the block lasts; what it writes to stderr (all it writes, unless it talks) is in ``log``.

    A session of its own: the terminal's Ctrl-C reaches the bench alone, which then ends everything in order.
    """
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *tied(argv),
            stdin=PIPE if talks else DEVNULL,
            stdout=PIPE if talks else file,
            stderr=file,
            limit=LONGEST,
            start_new_session=True,
        )
    try:
        yield Talker(name, process, log)
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    else:
        process.terminate()
    try:
        with suppress(TimeoutError):  # why it is ended is what is to be told
            await asyncio.wait_for(process.wait(), STOP)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# The process's own end


def settle_memory() -> None:
    """As in the gateway's processes; importing theirs would cost a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)


def tell(words: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(words) + b"\n")
    sys.stdout.buffer.flush()


async def asked() -> AsyncIterator[Any]:
    """What the bench asks, until it wants us to end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield orjson.loads(line)


async def answering(answer: Callable[..., Awaitable[Any]]) -> None:
    """Tell what ``answer`` says to each question, until the bench wants us to end: then at once."""
    questions = asked()
    words = await anext(questions, None)
    while words is not None:
        working = asyncio.ensure_future(answer(**words))
        following = asyncio.ensure_future(anext(questions, None))
        await asyncio.wait({working, following}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():  # nobody asks before we have answered: this is the end
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            return
        tell(working.result())
        words = await following
