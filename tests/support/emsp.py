"""An eMSP with a connection to the gateway under test: it sends commands and remembers what is posted to it."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from gateway.simulators.emsp import Callback, SimulatedEmsp
from gateway.simulators.receiver import Push
from ocpi.commands import CommandResponse
from ocpi.dialects import DIALECTS
from ocpi.envelope import Envelope
from ocpi.headers import Encoding, Party, authorization
from ocpi.locations import Location

VERSION = "2.2.1"
#: For an answer of the gateway, on a busy machine.
PATIENCE = aiohttp.ClientTimeout(total=45)


@dataclass
class Told:
    """What was answered at once."""

    http: int
    headers: CIMultiDictProxy[str]
    json: Any
    #: The name in the command's response_url.
    name: str = ""

    @property
    def code(self) -> int:
        return self.json["status_code"]

    @property
    def result(self) -> str | None:
        return self.json.get("data", {}).get("result")

    @property
    def text(self) -> str:
        return " ".join(one["text"] for one in self.json.get("data", {}).get("message", []))


class Emsp(SimulatedEmsp):
    """``async with`` it."""

    def __init__(
        self,
        api: str,
        partner_id: int,
        party: Party,
        token_in: str,
        token_out: str,
        on_listening: Callable[["Emsp"], None] = lambda emsp: None,
    ) -> None:
        super().__init__(token=token_out)
        self.api, self.partner_id, self.party, self.token_in = api, partner_id, party, token_in
        self._on_listening, self._cdrs_seen = on_listening, 0
        #: What the callbacks asked for, letter by letter.
        self.targets: list[str] = []

    async def start(self) -> None:
        await super().start()
        self._on_listening(self)

    def token_body(
        self, uid: str = "APP-USER-1", type: str = "APP_USER", party: Party | None = None, **changes
    ) -> dict:
        owner = party or self.party
        return {
            "country_code": owner.country_code,
            "party_id": owner.party_id,
            "uid": uid,
            "type": type,
            "contract_id": f"C-{uid}"[:36],
            "issuer": "An eMSP",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-01-01T00:00:00Z",
        } | changes

    async def send(
        self, command: str, body: Any, *, version: str = VERSION, routing: Party | None = None, **headers: str | None
    ) -> Told:
        """POST anything; a header of None is left out. ``routing``: the from-party (a hub names it)."""
        name = str(uuid.uuid4())
        if isinstance(body, dict):
            body = {"response_url": self.url_for(name)} | body
        sent = {
            "Authorization": authorization(self.token_in, Encoding.BASE64),
            "X-Request-ID": name,
            "X-Correlation-ID": str(uuid.uuid4()),
            "OCPI-from-country-code": (routing or self.party).country_code,
            "OCPI-from-party-id": (routing or self.party).party_id,
            "OCPI-to-country-code": "NL",
            "OCPI-to-party-id": "CPO",
        } | {key.replace("_", "-"): value for key, value in headers.items()}
        told = await self._exchange("POST", f"/ocpi/cpo/{version}/commands/{command}", sent, body)
        if told.json.get("data") is not None:  # field by field, and nothing else
            assert CommandResponse.model_validate(told.json["data"]).wire() == told.json["data"]
        told.name = name
        return told

    async def get(self, path: str, **headers: str | None) -> Told:
        return await self.ask("GET", path, **headers)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> Told:
        """Any request; a header of None is left out, and there are no routing headers unless they are given."""
        sent = {
            "Authorization": authorization(self.token_in, Encoding.BASE64),
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(uuid.uuid4()),
        } | {key.replace("_", "-"): value for key, value in headers.items()}
        return await self._exchange(method, path, sent, body)

    async def _exchange(self, method: str, path: str, headers: dict[str, str | None], body: Any) -> Told:
        kept = {name: value for name, value in headers.items() if value is not None}
        content = {"data": body} if isinstance(body, bytes | str) else {"json": body}
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as client,
            client.request(method, f"{self.api}{path}", headers=kept, allow_redirects=False, **content) as answer,
        ):
            told = Told(answer.status, answer.headers, await answer.json(content_type=None))
        must_be_an_answer(told, kept)
        return told

    async def reserve(
        self, location: str, evse: str | None = "E1", *, id: str = "R-1", minutes: float = 60, **more
    ) -> Told:
        body = {
            "token": more.pop("token", None) or self.token_body(),
            "expiry_date": moment(minutes=minutes),
            "reservation_id": id,
            "location_id": location,
        }
        return await self.send(
            "RESERVE_NOW", body | ({"evse_uid": evse} if evse else {}) | more.pop("body", {}), **more
        )

    async def cancel(self, id: str = "R-1", **more) -> Told:
        return await self.send("CANCEL_RESERVATION", {"reservation_id": id}, **more)

    async def start_session(self, location: str, evse: str | None = "E1", **more) -> Told:
        body = {"token": more.pop("token", None) or self.token_body(), "location_id": location}
        return await self.send(
            "START_SESSION", body | ({"evse_uid": evse} if evse else {}) | more.pop("body", {}), **more
        )

    async def stop_session(self, session_id: str, **more) -> Told:
        return await self.send("STOP_SESSION", {"session_id": session_id}, **more)

    async def unlock(self, location: str, evse: str = "E1", connector: str = "1", **more) -> Told:
        return await self.send(
            "UNLOCK_CONNECTOR", {"location_id": location, "evse_uid": evse, "connector_id": connector}, **more
        )

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        self.targets.append(request.raw_path)
        return await super()._receive(request)

    async def result(self, told: Told, timeout: float = 40) -> str:
        """The one result of an accepted command, checked for everything that a callback must be."""
        assert told.result == "ACCEPTED", told.json
        callback = await self.callback(told.name, timeout)
        assert callback.problems == ()
        return callback.json["result"]

    @property
    def requests(self) -> int:
        """How many requests of any kind it got, pushes left out."""
        assert self._serving is not None
        return self._serving.requests - len(self.pushes)

    def results(self, told: Told) -> list[str]:
        """Every result that was posted for a command so far."""
        return [one.json["result"] for one in self.callbacks if one.name == told.name]

    def callback_of(self, told: Told) -> Callback:
        return next(one for one in self.callbacks if one.name == told.name)

    async def sessions(self, version: str = VERSION) -> list[dict]:
        told = await self.get(f"/ocpi/cpo/{version}/sessions?date_from=2020-01-01T00:00:00Z")
        assert told.code == 1000, told.json
        for one in told.json["data"]:
            assert DIALECTS[version].session.model_validate(one).wire() == one
        return told.json["data"]

    async def locations(self, version: str = VERSION, **headers: str | None) -> list[dict]:
        """All that it sees, page by page."""
        path, found = f"/ocpi/cpo/{version}/locations", []
        while path:
            told = await self.get(path, **headers)
            assert told.code == 1000, told.json
            found += told.json["data"]
            path = told.headers["Link"].partition(">")[0].removeprefix(f"<{self.api}") if "Link" in told.headers else ""
        for one in found:
            assert Location.model_validate(one).wire() == one
            assert DIALECTS[version].render_location(Location.model_validate(one)) == one
        return found

    # What it is told of its Sessions and CDRs

    @property
    def pushes(self) -> list[Push]:
        """Every PUT, PATCH, POST and GET, in order."""
        return self.receiver.pushes

    @property
    def sessions_pushed(self) -> dict[str, dict[str, Any]]:
        """By id, as the pushes made them."""
        return self.receiver.sessions

    @property
    def places_pushed(self) -> dict[str, dict[str, Any]]:
        """Locations by id, as the pushes made them."""
        return self.receiver.places.kept

    @property
    def place_pushes(self) -> list[Push]:
        """What it was told, or asked, of Locations."""
        return [one for one in self.pushes if "/locations/" in one.path]

    async def evse_becomes(self, location: str, status: str, uid: str = "E1", timeout: float = 40) -> dict[str, Any]:
        """An EVSE when it was told with this status; nothing may be wrong with the pushes."""

        def found() -> list[dict[str, Any]]:
            evses = self.places_pushed.get(location, {}).get("evses", [])
            return [one for one in evses if (one["uid"], one["status"]) == (uid, status)]

        return (await self._told(found, timeout))[0]

    @property
    def cdrs(self) -> list[dict[str, Any]]:
        """Each once, however often it was sent."""
        return self.receiver.cdrs

    async def session_becomes(self, id: str | None, status: str, timeout: float = 40) -> dict[str, Any]:
        """The Session of this id, or any, when it was told with this status; nothing may be wrong with the pushes."""

        def found() -> list[dict[str, Any]]:
            known = self.sessions_pushed.values()
            return [one for one in known if id in (None, one["id"]) and one["status"] == status]

        return (await self._told(found, timeout))[0]

    async def next_cdr(self, timeout: float = 40) -> dict[str, Any]:
        """The first that was not asked for before; nothing may be wrong with the pushes."""
        found = (await self._told(lambda: self.cdrs[self._cdrs_seen :], timeout))[0]
        self._cdrs_seen += 1
        return found

    async def pushed(self, count: int, timeout: float = 40) -> list[Push]:
        """So many pushes, right or wrong."""
        async with asyncio.timeout(timeout):
            while len(self.pushes) < count:
                await self._next_push()
        return self.pushes

    async def _told(self, found: Callable[[], list[dict[str, Any]]], timeout: float) -> list[dict[str, Any]]:
        async with asyncio.timeout(timeout):
            while not (said := found()):
                await self._next_push()
        self.pushes_are_right()
        return said

    async def _next_push(self) -> None:
        self.receiver.news.clear()
        await self.receiver.news.wait()

    def pushes_are_right(self) -> None:
        wrong = [(one.method, one.path, one.problems, one.json) for one in self.pushes if one.problems]
        assert wrong == []

    def lose_session(self, id: str) -> None:
        """It has never heard of it."""
        del self.receiver.sessions[id]

    def fail_next(self, count: int, status: int = 500, status_code: int = 3000) -> None:
        """Pushes are answered like this and change nothing."""
        self.receiver.mood = replace(self.receiver.mood, failing=count, status=status, status_code=status_code)

    def stall(self, stalled: bool = True) -> None:
        """Pushes are taken and not answered, until ``stall(False)``."""
        self.receiver.mood.stalled = stalled

    def hide_location(self) -> None:
        """CDRs are kept, and it does not say where."""
        self.receiver.mood.hides_location = True

    def lose_answers(self, count: int = 1) -> None:
        """What is told is kept, and the socket is closed instead of answering."""
        self.receiver.mood.losing_answers = count


def must_be_an_answer(told: Told, sent: dict[str, str]) -> None:
    """What is true of every OCPI answer: an envelope, no null and nothing else in it, and the caller's ids."""
    assert told.headers["Content-Type"] == "application/json"
    assert Envelope[Any].model_validate(told.json).wire() == told.json
    for name in ("X-Request-ID", "X-Correlation-ID"):
        assert told.headers[name]
        assert told.headers[name] == sent.get(name, told.headers[name])


def moment(**from_now: float) -> str:
    return (datetime.now(UTC) + timedelta(**from_now)).strftime("%Y-%m-%dT%H:%M:%SZ")
