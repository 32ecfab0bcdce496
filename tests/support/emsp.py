"""An eMSP with a connection to the gateway under test: it sends commands and remembers what is posted to it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from gateway.simulators.emsp import Callback, SimulatedEmsp
from ocpi.commands import CommandResponse
from ocpi.dialects import DIALECTS
from ocpi.envelope import Envelope
from ocpi.headers import Encoding, Party, authorization

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

    def __init__(self, api: str, partner_id: int, party: Party, token_in: str, token_out: str) -> None:
        super().__init__(token=token_out)
        self.api, self.partner_id, self.party, self.token_in = api, partner_id, party, token_in
        #: What the callbacks asked for, letter by letter.
        self.targets: list[str] = []

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
        """How many requests of any kind it got."""
        assert self._runner is not None
        assert self._runner.server is not None
        return self._runner.server.requests_count

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


def must_be_an_answer(told: Told, sent: dict[str, str]) -> None:
    """What is true of every OCPI answer: an envelope, no null and nothing else in it, and the caller's ids."""
    assert told.headers["Content-Type"] == "application/json"
    assert Envelope[Any].model_validate(told.json).wire() == told.json
    for name in ("X-Request-ID", "X-Correlation-ID"):
        assert told.headers[name]
        assert told.headers[name] == sent.get(name, told.headers[name])


def moment(**from_now: float) -> str:
    return (datetime.now(UTC) + timedelta(**from_now)).strftime("%Y-%m-%dT%H:%M:%SZ")
