"""Callers: who sends a request, by its credentials token, and between which parties it travels."""

from collections.abc import Sequence

from sqlalchemy import Connection
from starlette.requests import Request

from gateway.domain.parties import Cpo, Parties, Partner, resolve
from gateway.office import Office
from gateway.store import partners
from ocpi.headers import read_routing, token_candidates


class Unknown(Exception):
    """No valid credentials token (HTTP 401)."""


def office_of(request: Request) -> Office:
    found = request.app.state.office
    assert isinstance(found, Office)
    return found


async def caller(request: Request) -> tuple[Partner, Sequence[Cpo]]:
    """The connection that the token belongs to, and our own parties; raises Unknown."""
    office = office_of(request)
    candidates = token_candidates(request.headers.get("authorization"))
    if not candidates:
        raise Unknown
    hashes = [office.rules.secrets.token_hash(token) for token in candidates]
    partner, cpos = await office.store.glance(_look_up, hashes)
    if partner is None:
        raise Unknown
    return partner, cpos


async def parties(request: Request) -> tuple[Partner, Parties]:
    """The connection and the two ends of a functional module's request; raises Unknown, InvalidParameters."""
    partner, cpos = await caller(request)
    return partner, resolve(partner, cpos, read_routing(request.headers))


def _look_up(db: Connection, hashes: Sequence[str]) -> tuple[Partner | None, Sequence[Cpo]]:
    return partners.by_token(db, hashes), partners.cpos(db)
