"""Ears: what is heard and answered alike in every OCPP version."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from ocpp_bridge.desk import Desk
from ocpp_bridge.dialect import Ear
from ocpp_bridge.events import BootAnswer
from ocpp_bridge.reading import INT32
from ocpp_bridge.saying import zulu


def always(**answer: Any) -> Ear:
    """An ear that knows its answer beforehand and tells nobody."""

    async def hear(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
        return deepcopy(answer)

    return hear


async def heartbeat(desk: Desk, station: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Sets the station's clock."""
    return {"currentTime": now()}


def boot_answer(answer: BootAnswer) -> dict[str, Any]:
    return {
        "status": str(answer.status),
        "currentTime": now(),
        "interval": min(max(answer.interval, 0), INT32),
    }


def now() -> str:
    """The present, with the three decimals that OCPP allows at most."""
    return zulu(datetime.now(UTC), "milliseconds")
