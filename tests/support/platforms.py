"""Platforms that register with a gateway, or that it registers with: each does it as some known implementation does."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from gateway import registration, token_sync
from gateway.domain.parties import Partner
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.simulators.emsp import SimulatedEmsp
from gateway.simulators.platform import Platform, Refused
from gateway.simulators.quirks import Quirks
from gateway.simulators.verdicts import authorization
from gateway.store import partners
from ocpi.headers import Party
from tests.support.gateway import Gateway

_numbers = itertools.count(1)
SINCE = "?date_from=2020-01-01T00:00:00Z"


@dataclass
class Peer:
    """A platform, and what the gateway knows of it under ``name``."""

    gateway: Gateway
    office: Office
    emsp: SimulatedEmsp
    name: str

    @property
    def platform(self) -> Platform:
        return self.emsp.platform

    @property
    def versions_url(self) -> str:
        return f"{self.gateway.api}/ocpi/versions"

    def invite(self, *, again: bool = False) -> str:
        """Token A, as ``partner invite`` makes it."""
        rules = Rules(settings=self.office.rules.settings, secrets=self.office.rules.secrets)
        with self.gateway.database() as db:
            known = partners.by_name(db, self.name) if again else None
            return registration.invite(db, rules, self.name, known, utc_now())

    async def register(self, version: str = "2.2.1") -> None:
        """It registers with the gateway, by an invitation."""
        await self.platform.register(self.versions_url, self.invite(), version)

    @property
    def row(self) -> dict[str, Any]:
        """The newest partner of that name."""
        return self.gateway.rows("partner", name=self.name)[-1]

    @property
    def known(self) -> Partner:
        with self.gateway.database(reads_only=True) as db:
            return partners.by_id(db, self.row["id"])

    async def status(self, method: str = "GET", path: str = "/ocpi/versions", token: str | None = None, **more: Any):
        """(HTTP status, headers, body) of a request to the gateway."""
        headers = {"Authorization": authorization(token or str(self.platform.token))}
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"{self.gateway.api}{path}", headers=headers, **more) as answer,
        ):
            return answer.status, answer.headers, await answer.json(content_type=None)

    async def is_let_in(self, token: str | None = None) -> bool:
        """Whether it may use a functional module."""
        status, _, _ = await self.status("GET", f"/ocpi/cpo/2.2.1/sessions{SINCE}", token)
        assert status in (200, 401)
        return status == 200

    async def is_called(self) -> bool:
        """Whether we may use one of its: its tokens are pulled."""
        try:
            return await token_sync.sync(self.office, self.known, again=True) is not None
        except token_sync.NotPulled:
            return False

    async def both_talk(self) -> bool:
        return await self.is_let_in() and await self.is_called()

    async def refuses(self, version: str = "2.2.1", method: str = "POST", token: str | None = None) -> int:
        """The OCPI status code with which its credentials are refused."""
        try:
            if method == "POST":
                await self.platform.register(self.versions_url, token or self.invite(), version)
            else:
                await self.platform.exchange(method, version)
        except Refused as refused:
            return int(str(refused).partition("'status_code': ")[2][:4])
        raise AssertionError("it was not refused")


@asynccontextmanager
async def peer(gateway: Gateway, **quirks: Any) -> AsyncIterator[Peer]:
    number = next(_numbers)
    gateway.cpo()
    office = Office.open(gateway.settings.model_copy(update={"public_url": gateway.api}), "unix:///nowhere")
    name = f"platform-{os.getpid()}-{number}"
    async with SimulatedEmsp(party=Party("DE", f"P{number % 100:02d}")) as emsp:
        emsp.platform.quirks = Quirks(**quirks)
        yield Peer(gateway, office, emsp, name)
    await office.close()
