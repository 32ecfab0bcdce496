"""The floodgate: an eMSP's commands come in at a rate; a flood is slowed, then refused, and costs no other."""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Hashable
from itertools import takewhile

import structlog

from ocpp_bridge.bucket import Bucket

log = structlog.get_logger(__name__)

#: Seconds that a command may be kept waiting for its turn.
PATIENCE = 1.0
#: A burst comes in at so many times the rate, after so many at once, for all of it would be in everybody else's way;
#: and seconds that a command of a burst may be kept waiting.
PEAK, AT_ONCE, PATIENCE_IN_BURST = 2, 50, 10.0
#: Refusals that are kept waiting, so that who repeats what was refused does not do it at once; more are not. A refusal
#: costs the process something as well, and waits for about so many times as long as a command may.
KEPT_WAITING = 2_000
LONGER = 3
#: Seconds for which a sender that was refused is taken for the same eMSP, before it is looked up again.
KNOWN = 1.0
#: eMSPs whose pace is remembered; one that is forgotten begins anew with all that it may send at once.
REMEMBERED = 10_000


class _Pace:
    """Of one eMSP: a command has its turn when both buckets let it in, and is taken from both or from neither."""

    def __init__(self, rate: float, burst: int) -> None:
        self._buckets = Bucket(rate, burst), Bucket(PEAK * rate, AT_ONCE)

    def take(self, patience: float) -> float | None:
        """Seconds until a command's turn; None, and it has none, when that is too long."""
        average, peak = (bucket.take() for bucket in self._buckets)
        if average > patience or peak > PATIENCE_IN_BURST:
            self.put_back()
            return None
        return max(average, peak)

    def put_back(self) -> None:
        for bucket in self._buckets:
            bucket.put_back()


class Floodgate:
    """One for a process. ``rate`` a second on average and ``burst`` in a burst, for each eMSP of each connection."""

    def __init__(self, rate: float, burst: int, *, patience: float = PATIENCE, remembered: int = REMEMBERED) -> None:
        self._rate, self._burst = rate, burst
        self._patience, self._remembered = patience, remembered
        self._paces: OrderedDict[tuple[int, str], _Pace] = OrderedDict()
        self._flooding: set[tuple[int, str]] = set()
        #: By how they present themselves: who was refused, and until when that counts; the oldest come first.
        self._known: dict[Hashable, tuple[tuple[int, str], float]] = {}
        self._kept_waiting = 0

    async def turns_away(self, sender: Hashable) -> bool:
        """Whether who was refused a moment ago is too early again; so a flood is refused before it is looked up."""
        emsp, until = self._known.get(sender, (None, 0.0))
        pace = self._paces.get(emsp) if emsp is not None and time.monotonic() < until else None
        if pace is None:
            return False
        if pace.take(self._patience) is not None:
            pace.put_back()
            return False
        await self._keep_waiting()
        return True

    async def admit(self, partner: int, party: str, sender: Hashable = None) -> bool:
        """Wait for the turn of a command of this eMSP's; False when that would take too long.

        ``sender``: what every request that presents itself alike has in common, to be turned away by.
        """
        emsp = partner, party
        pace = self._paces.get(emsp)
        if pace is None:
            pace = self._paces[emsp] = _Pace(self._rate, self._burst)
            if len(self._paces) > self._remembered:
                self._flooding.discard(self._paces.popitem(last=False)[0])
        self._paces.move_to_end(emsp)
        pause = pace.take(self._patience)
        if pause is None:
            self._remember(sender, emsp)
            if emsp not in self._flooding:
                self._flooding.add(emsp)
                log.warning("an eMSP sends more commands than it may", partner=partner, party=party)
            await self._keep_waiting()
            return False
        if pause:
            await asyncio.sleep(pause)
        else:
            self._flooding.discard(emsp)
        return True

    def _remember(self, sender: Hashable, emsp: tuple[int, str]) -> None:
        if sender is None:
            return
        now = time.monotonic()
        self._known.pop(sender, None)
        self._known[sender] = emsp, now + KNOWN
        for old, _ in list(takewhile(lambda one: one[1][1] < now, self._known.items())):
            del self._known[old]

    async def _keep_waiting(self) -> None:
        if self._kept_waiting >= KEPT_WAITING:
            return
        self._kept_waiting += 1
        try:
            # Those that came together would come together again, and hold everybody else's up for as long as they take.
            await asyncio.sleep(LONGER * self._patience * random.uniform(0.5, 1.5))
        finally:
            self._kept_waiting -= 1
