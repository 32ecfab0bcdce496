"""The journey at one station: the commands, each followed from the POST to the callback, and how reservations end."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiohttp import ClientError, ClientSession

from gateway.simulators.emsp import SimulatedEmsp
from gateway.simulators.station import SimulatedStation
from ocpi.dialects import NEWEST
from ocpi.types import format_datetime
from workers.demo.fates import CANCELLED, ENDINGS, EXPIRED, USED, WITHDRAWN, Ending, Fate, fate
from workers.demo.scenery import EMSP, LOCATION, OPERATOR_TOKEN, TOKEN_IN, Spoiled, Stand

#: Seconds until a callback, a push or a quiet connector is given up on.
PATIENCE = 35.0
#: How long a reservation is held: one that is to be used, and one that nobody comes for.
LONG, SHORT = timedelta(minutes=30), timedelta(seconds=6)

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
class Journey:
    """An eMSP's driver at one station."""

    api: str
    emsp: SimulatedEmsp
    stand: Stand
    station: SimulatedStation
    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def take(self) -> None:
        """All of it, or as far as it goes: ``problems`` says why it did not go on."""
        try:
            await self._charge()
            await self._cancel()
            await self._withdraw()
            await self._step("UNLOCK_CONNECTOR", self._place | {"connector_id": "1"})
            await self._expire()
        except Spoiled as problem:
            self.problems.append(str(problem))
        except (ClientError, TimeoutError) as problem:
            self.problems.append(f"OCPP {self.stand.ocpp}: the gateway could not be asked: {problem!r}")

    def fates(self) -> list[Fate]:
        return [self._fate(ending) for ending in ENDINGS]

    async def _charge(self) -> None:
        """Reserve, use it with the same token, and stop when some energy has been told."""
        await self._reserve(USED, LONG)
        await self._step("START_SESSION", self._place | {"token": self._token})
        await self._until("energy", lambda: self._fate(USED).kwh > 0)
        await self._step("STOP_SESSION", {"session_id": self._fate(USED).session["id"]})
        await self.station.unplug(1)
        await self._settled(USED)

    async def _cancel(self) -> None:
        await self._reserve(CANCELLED, LONG)
        await self._step("CANCEL_RESERVATION", {"reservation_id": CANCELLED.reference(self.stand)})
        await self._settled(CANCELLED)

    async def _withdraw(self) -> None:
        """The CPO cancels it with the operator API."""
        await self._reserve(WITHDRAWN, LONG)
        listed = await self._as_operator("GET", f"reservations?station={self.stand.station}")
        known = {one["reservation_id"]: one["number"] for one in listed["items"]}
        number = known[WITHDRAWN.reference(self.stand)]
        await self._as_operator("POST", f"reservations/{number}/cancel", {"reason": "Works on the grid."})
        await self._settled(WITHDRAWN)

    async def _expire(self) -> None:
        await self._reserve(EXPIRED, SHORT)
        await self._settled(EXPIRED)

    async def _reserve(self, ending: Ending, lasts: timedelta) -> None:
        """Reserve, and wait until the eMSP was told of the Session."""
        reference = ending.reference(self.stand)
        wanted = self._place | {
            "token": self._token,
            "expiry_date": format_datetime(datetime.now(UTC) + lasts),
            "reservation_id": reference,
            "authorization_reference": reference,
        }
        await self._step("RESERVE_NOW", wanted, reference)
        await self._until("Session", lambda: bool(self._fate(ending).session))

    async def _settled(self, ending: Ending) -> None:
        await self._until("end", lambda: self._fate(ending).is_settled)

    async def _as_operator(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        headers, url = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}, f"{self.api}/operator/v1/{path}"
        async with ClientSession(headers=headers) as client, client.request(method, url, json=body) as answer:
            if answer.status >= 400:
                raise Spoiled(f"The operator API refuses {method} {path}: {await answer.text()}")
            return await answer.json()

    def _fate(self, ending: Ending) -> Fate:
        return fate(self.emsp, self.stand, ending)

    async def _step(self, command: str, body: Mapping[str, Any], name: str = "") -> None:
        step = Step(self.stand, command)
        self.steps.append(step)
        await self._command(step, body, name or str(uuid4()))
        if step.problems:
            raise Spoiled(f"OCPP {self.stand.ocpp}: {'; '.join(step.problems)}.")

    async def _command(self, step: Step, body: Mapping[str, Any], name: str) -> None:
        """POST it, and fill in what is seen of it; ``name`` is that of its response_url."""
        seen, began = len(self.station.log), time.perf_counter()
        whole = {**body, "response_url": self.emsp.url_for(name)}
        status, _, told = await self.emsp.post(self.api, step.command, whole, version=NEWEST.version, token=TOKEN_IN)
        step.answered = (time.perf_counter() - began) * 1000
        data = told.get("data") or {} if isinstance(told, dict) else {}
        step.answer = str(data.get("result") or f"HTTP {status}, {told}")
        if step.answer != "ACCEPTED":
            step.problems.append(f"{step.command} was answered {step.answer}")
            return
        try:
            callback = await self.emsp.callback(name, PATIENCE)
        except TimeoutError:
            step.problems.append(f"no result of {step.command} came")
            return
        step.called_back = (time.perf_counter() - began) * 1000
        step.callback = str((callback.json or {}).get("result"))
        step.problems.extend(callback.problems)
        step.asked, step.said = _at_station(self.station.log[seen:], ACTIONS[step.command])
        if step.callback != "ACCEPTED" or not step.asked:
            asked = step.asked or "nothing"
            step.problems.append(f"{step.command} ended {step.callback}; the station was asked {asked}")

    async def _until(self, what: str, look: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not look():
            if time.monotonic() > end:
                raise Spoiled(f"OCPP {self.stand.ocpp}: the eMSP was not told of the {what} after {self._last}.")
            await asyncio.sleep(0.05)

    @property
    def _last(self) -> str:
        return self.steps[-1].command

    @property
    def _place(self) -> dict[str, Any]:
        return {"location_id": LOCATION, "evse_uid": self.stand.evse_uid}

    @property
    def _token(self) -> dict[str, Any]:
        return token(f"driver-of-{self.stand.ocpp}")


def token(uid: str) -> dict[str, Any]:
    """An app user of the eMSP's."""
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


def _at_station(log: list[tuple[str, Any]], actions: tuple[str, ...]) -> tuple[str, str]:
    """The CALL among the frames, and its answer."""
    calls = [frame for way, frame in log if way == "received" and frame[0] == 2 and frame[2] in actions]
    if not calls:
        return "", ""
    answers = [frame for way, frame in log if way == "sent" and frame[0] in (3, 4) and frame[1] == calls[0][1]]
    said = answers[0][2] if answers else {}
    return calls[0][2], said.get("status", "") if isinstance(said, dict) else str(said)
