"""The journey: the five commands on one station, each followed from the POST to the callback."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession

from gateway.simulators.emsp import SimulatedEmsp
from gateway.simulators.station import SimulatedStation
from ocpi.dialects import NEWEST
from ocpi.headers import Encoding, authorization
from ocpi.types import format_datetime
from workers.demo.scenery import EMSP, LOCATION, TOKEN_IN, Spoiled, Stand

#: Seconds until a callback, a Session or a quiet connector is given up on.
PATIENCE = 35.0

#: What each command is called at the stations.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "RESERVE_NOW": ("ReserveNow",),
    "CANCEL_RESERVATION": ("CancelReservation",),
    "START_SESSION": ("RemoteStartTransaction", "RequestStartTransaction"),
    "STOP_SESSION": ("RemoteStopTransaction", "RequestStopTransaction"),
    "UNLOCK_CONNECTOR": ("UnlockConnector",),
}


@dataclass
class Step:
    """One command, and what was seen of it at both ends."""

    stand: Stand
    command: str
    #: The synchronous answer, what the station was asked and said, and what came to the response_url.
    answer: str = ""
    asked: str = ""
    said: str = ""
    callback: str = ""
    #: Milliseconds from the POST: to its answer, and to the callback.
    answered: float = 0.0
    called_back: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass
class Traveller:
    """An eMSP's side of the journey."""

    api: str
    emsp: SimulatedEmsp

    async def travel(self, stand: Stand, station: SimulatedStation, show: Callable[[Step], None]) -> None:
        """Reserve and use it; reserve again and cancel; release the plug."""
        place = {"location_id": LOCATION, "evse_uid": stand.evse_uid}
        token = _token(f"driver-of-{stand.ocpp}")
        reserve = place | {"token": token, "expiry_date": format_datetime(datetime.now(UTC) + timedelta(minutes=30))}

        async def step(command: str, body: Mapping[str, Any]) -> None:
            show(await self._command(stand, station, command, body))

        await step("RESERVE_NOW", reserve | {"reservation_id": f"{stand.ocpp}-A"})
        await step("START_SESSION", place | {"token": token})
        session = await self._until(self._running)
        await step("STOP_SESSION", {"session_id": session})
        await station.unplug(1)
        await station.wait_for(lambda one: not any(evse.plugged for evse in one.evses.values()), PATIENCE)
        await step("RESERVE_NOW", reserve | {"reservation_id": f"{stand.ocpp}-B"})
        await step("CANCEL_RESERVATION", {"reservation_id": f"{stand.ocpp}-B"})
        await step("UNLOCK_CONNECTOR", place | {"connector_id": "1"})

    async def _command(self, stand: Stand, station: SimulatedStation, command: str, body: Mapping[str, Any]) -> Step:
        step, name, seen = Step(stand, command), str(uuid4()), len(station.log)
        began = time.perf_counter()
        status, _, told = await self.emsp.post(
            self.api, command, {**body, "response_url": self.emsp.url_for(name)}, version=NEWEST.version, token=TOKEN_IN
        )
        step.answered = (time.perf_counter() - began) * 1000
        data = told.get("data") or {} if isinstance(told, dict) else {}
        step.answer = str(data.get("result") or f"HTTP {status}, {told}")
        if step.answer != "ACCEPTED":
            step.problems.append(f"{command} was answered {step.answer}")
            return step
        try:
            callback = await self.emsp.callback(name, PATIENCE)
        except TimeoutError:
            step.problems.append(f"no result of {command} came")
            return step
        step.called_back = (time.perf_counter() - began) * 1000
        step.callback = str((callback.json or {}).get("result"))
        step.problems.extend(callback.problems)
        step.asked, step.said = _at_station(station.log[seen:], ACTIONS[command])
        if step.callback != "ACCEPTED" or not step.asked:
            step.problems.append(f"{command} ended {step.callback}; the station was asked {step.asked or 'nothing'}")
        return step

    async def _running(self) -> str | None:
        url = f"{self.api}/ocpi/cpo/{NEWEST.version}/sessions?date_from=2020-01-01T00:00:00Z"
        headers = {"Authorization": authorization(TOKEN_IN, Encoding.BASE64)}
        async with ClientSession() as client, client.get(url, headers=headers) as answer:
            told = await answer.json()
        return next((one["id"] for one in reversed(told.get("data") or []) if one["status"] == "ACTIVE"), None)

    async def _until(self, look: Callable[[], Awaitable[str | None]]) -> str:
        end = time.monotonic() + PATIENCE
        while (found := await look()) is None:
            if time.monotonic() > end:
                raise Spoiled("No Session appeared after START_SESSION.")
            await asyncio.sleep(0.05)
        return found


def _at_station(log: list[tuple[str, Any]], actions: tuple[str, ...]) -> tuple[str, str]:
    """The CALL among the frames, and its answer."""
    calls = [frame for way, frame in log if way == "received" and frame[0] == 2 and frame[2] in actions]
    if not calls:
        return "", ""
    answers = [frame for way, frame in log if way == "sent" and frame[0] in (3, 4) and frame[1] == calls[0][1]]
    said = answers[0][2] if answers else {}
    return calls[0][2], said.get("status", "") if isinstance(said, dict) else str(said)


def _token(uid: str) -> dict[str, Any]:
    country, party = EMSP
    return {
        "country_code": country,
        "party_id": party,
        "uid": uid,
        "type": "APP_USER",
        "contract_id": f"DE-EMS-C-{uid}"[:36],
        "issuer": "Demo eMSP",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": "2026-01-01T00:00:00Z",
    }
