"""A token bucket: how long the next one has to wait so that a rate is kept."""

import time


class Bucket:
    """``rate`` a second on average, ``burst`` at once."""

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._since = burst, time.monotonic()

    def take(self) -> float:
        """Take one, also one that is not there yet; seconds until it is."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate) - 1
        self._since = now
        return max(0.0, -self._tokens / self._rate)

    def put_back(self) -> None:
        """The one just taken is not used after all."""
        self._tokens += 1
