"""Rhythm: the node's times."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Rhythm:
    """The node's times, in seconds."""

    lease: float = 45.0
    renewal: float = 15.0
    #: While Redis is away, or a station could not be registered.
    retry: float = 1.0
    #: A new station waits no longer for Redis before it is served.
    registration: float = 2.0
    #: A sign of life reaches the house at most so often for one station.
    heard: float = 10.0
    #: Running calls may end before the sockets are closed.
    drain: float = 30.0
    #: Two boxes that fight for one identity: a socket younger than ``flap`` is replaced only after ``flap_pause``.
    flap: float = 5.0
    flap_pause: float = 2.0
