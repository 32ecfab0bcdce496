"""An api process' application without the process: for the many variants of a request that no station hears of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from gateway.api.app import create_app
from gateway.bell import Bell
from gateway.office import Office
from gateway.settings import Settings
from gateway.store import schema
from gateway.store.engine import open_engine
from tests.support.gateway import Gateway


@asynccontextmanager
async def office(data: Path, redis_url: str, bell: str | None = None, **settings) -> AsyncIterator["Desk"]:
    """Its own database; ``bell``: another Redis for the workers' queue."""
    made = Settings(data_dir=data, public_url="http://gateway.example", **settings)
    engine = open_engine(made.database)
    schema.upgrade(engine)
    engine.dispose()
    opened = Office.open(made, redis_url)
    if bell is not None:
        await opened.bell.close()
        opened = replace(opened, bell=Bell(bell))
    transport = httpx.ASGITransport(create_app(opened))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as client:
            yield Desk(opened, client, Gateway(data, 0, 0))
    finally:
        await opened.close()


class Desk:
    """``post`` is what partners do; ``gateway`` adds partners and Locations, and looks into the database."""

    def __init__(self, office: Office, client: httpx.AsyncClient, gateway: Gateway) -> None:
        self.office, self.client, self.gateway = office, client, gateway

    async def post(self, command: str, body: dict, token: str, **headers: str) -> dict:
        sent = {"Authorization": f"Token {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.post(f"/ocpi/cpo/2.2.1/commands/{command}", json=body, headers=sent)
        assert answer.status_code == 200
        return answer.json()
