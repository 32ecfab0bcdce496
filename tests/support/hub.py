"""A roaming hub's connection: several eMSPs speak through it, and what is for one of them is told from its headers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from gateway.simulators.receiver import Push
from gateway.simulators.serving import Serving
from ocpi.headers import Party
from tests.support.emsp import VERSION, Emsp, Told
from tests.support.gateway import CPO


def headers(*, from_: Party | None = None, to: Party | None = None) -> dict[str, str | None]:
    """Routing headers as a test client is given them; None: left out."""
    ends = {"from": from_, "to": to}
    return {
        f"OCPI_{direction}_{name.replace('-', '_')}": getattr(party, name.replace("-", "_")) if party else None
        for direction, party in ends.items()
        for name in ("country-code", "party-id")
    }


def routed(received: Any) -> tuple[Party, Party]:
    """(from, to) of a message that came to the hub."""
    given = received.headers
    return tuple(  # type: ignore[return-value]
        Party(given[f"OCPI-{direction}-country-code"], given[f"OCPI-{direction}-party-id"])
        for direction in ("from", "to")
    )


@dataclass
class Behind:
    """An eMSP behind the hub, as it would use our Commands, and what the hub hands on to it."""

    hub: Emsp
    party: Party
    #: Whom of us it means, unless a call says otherwise; None: the headers are left out.
    cpo: Party | None = CPO

    def _fields(self, more: dict[str, Any]) -> dict[str, Any]:
        sent = {"routing": self.party} | more
        cpo = sent.pop("cpo", self.cpo)
        return {name: value for name, value in headers(to=cpo).items() if "_to_" in name} | sent

    def token(self, **changes: Any) -> dict[str, Any]:
        return self.hub.token_body(party=self.party, **changes)

    async def reserve(self, location: str, evse: str | None = "E1", **more: Any) -> Told:
        return await self.hub.reserve(location, evse, token=more.pop("token", self.token()), **self._fields(more))

    async def cancel(self, id: str = "R-1", **more: Any) -> Told:
        return await self.hub.cancel(id, **self._fields(more))

    async def start_session(self, location: str, evse: str | None = "E1", **more: Any) -> Told:
        return await self.hub.start_session(location, evse, token=more.pop("token", self.token()), **self._fields(more))

    async def stop_session(self, session_id: str, **more: Any) -> Told:
        return await self.hub.stop_session(session_id, **self._fields(more))

    async def unlock(self, location: str, evse: str = "E1", **more: Any) -> Told:
        return await self.hub.unlock(location, evse, **self._fields(more))

    async def result(self, told: Told) -> str:
        """Of an accepted command: the callback goes through the hub, from the party that was asked to this one."""
        result = await self.hub.result(told)
        answered = Party(told.headers["OCPI-from-country-code"], told.headers["OCPI-from-party-id"])
        assert routed(self.hub.callback_of(told)) == (answered, self.party)
        return result

    async def pull(self, module: str, cpo: Party | None = None, version: str = VERSION) -> list[dict[str, Any]]:
        """What it may see of Sessions, CDRs or Locations."""
        query = "?date_from=2020-01-01T00:00:00Z" if module == "sessions" else ""
        told = await self.hub.get(
            f"/ocpi/cpo/{version}/{module}{query}", **headers(from_=self.party, to=cpo or self.cpo)
        )
        assert told.code == 1000, told.json
        assert told.headers["X-Total-Count"] == str(len(told.json["data"]))
        return list(told.json["data"])

    @property
    def pushes(self) -> list[Push]:
        """What was pushed through the hub to it."""
        return [one for one in self.hub.pushes if routed(one)[1] == self.party]


@asynccontextmanager
async def a_list(objects: Sequence[Any], page: int) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """(the URL of a list that gives so many objects at a time, every request for it)."""
    asked: list[web.Request] = []

    async def give(request: web.Request) -> web.Response:
        asked.append(request)
        offset = int(request.query.get("offset", 0))
        body = {"data": list(objects[offset : offset + page]), "status_code": 1000}
        following = request.url.update_query(offset=offset + page)
        links = {"Link": f'<{following}>; rel="next"'} if offset + page < len(objects) else {}
        return web.json_response(body | {"timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}, headers=links)

    application = web.Application()
    application.router.add_get("/list", give)
    serving = Serving(application)
    try:
        yield f"http://127.0.0.1:{await serving.start()}/list", asked
    finally:
        await serving.stop()
