"""Many cases of one story at once, where each of them mostly waits; what fails is named."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Case = TypeVar("Case")


async def together(story: Callable[[Case], Awaitable[None]], cases: Iterable[Case]) -> None:
    """``story`` of every case; the first failure is raised when all have ended, and says of which case it is."""
    named = list(cases)
    ends = await asyncio.gather(*(story(case) for case in named), return_exceptions=True)
    failed = [(case, end) for case, end in zip(named, ends, strict=True) if end is not None]
    for case, end in failed:
        raise AssertionError(f"{len(failed)} of {len(named)} failed; {case}: {end!r}") from end
