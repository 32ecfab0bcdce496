"""The puller: asks partners again, in hours and not all at once, for what they may not have pushed."""

import asyncio
import random

import structlog

from gateway.hub_parties import pull_all
from gateway.office import Office
from gateway.token_sync import sync_what_is_due

log = structlog.get_logger(__name__)

#: Seconds between two looks at whose turn it is.
LOOK = 60.0


async def pull_for_ever(office: Office, look: float = LOOK) -> None:
    """Several processes may: who is due is taken by one. Hubs are asked for their parties once, at the start."""
    work = pull_all
    while True:
        await asyncio.sleep(look * random.uniform(0.75, 1.25))
        try:
            await work(office)
            work = sync_what_is_due
        except Exception as problem:  # whatever it is, the next time may be better
            log.error("partners could not be asked", problem=repr(problem))
