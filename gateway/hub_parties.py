"""Parties behind hubs, the story: what a hub tells us of them, and what follows from it (mod_hub_client_info)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Partner
from gateway.house import utc_now
from gateway.office import Office
from gateway.paged import MOST_PAGES, NotPulled, first_page, read_page
from gateway.store import client_infos, endpoints, partners, pushes
from ocpi.credentials import Role
from ocpi.headers import Party, Routing
from ocpi.hub_client_info import ClientInfo, ConnectionStatus
from ocpi.status import InvalidParameters
from ocpi.types import format_datetime
from ocpi.versions import InterfaceRole, ModuleID
from ocpi.wrong import told

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What a pull has brought."""

    taken: int
    skipped: int


def known(db: Connection, hub: Partner, party: Party) -> ClientInfo | None:
    """What the hub has told of a party; of several roles, of the eMSP."""
    rows = client_infos.of_party(db, hub.id, party)
    row = next((one for one in rows if one["role"] == Role.EMSP), rows[0] if rows else None)
    return None if row is None else ClientInfo.model_validate(dict(row))


def put(db: Connection, hub: Partner, party: Party, body: Any, now: datetime) -> bool:
    """What the hub tells of the party that the URL names; whether it was new to us. Raises InvalidParameters."""
    info = _read(body, now)
    if Party(info.country_code, info.party_id) != party:
        raise InvalidParameters("country_code, party_id: not those of the URL")
    is_new = all(row["role"] != info.role for row in client_infos.of_party(db, hub.id, party))
    _take(db, hub, info, now)
    return is_new


async def pull(office: Office, hub: Partner) -> Pulled:
    """Everything that the hub tells of its parties, page by page. Raises NotPulled."""
    url = await office.store.read(endpoints.find, hub.id, ModuleID.HUB_CLIENT_INFO, InterfaceRole.SENDER)
    if url is None:
        raise NotPulled(f"{hub.name} has no HubClientInfo module that could be asked.")
    page: str | None = first_page(hub, url)
    taken = skipped = 0
    for _ in range(MOST_PAGES):
        if page is None:
            break
        # A configuration module: its messages are not routed (transport_and_format §Message Routing).
        found, page = await read_page(office, hub, page, url, Routing())
        done = await office.store.write(_take_page, hub, found)
        taken, skipped = taken + done, skipped + len(found) - done
    return Pulled(taken=taken, skipped=skipped)


async def pull_all(office: Office) -> None:
    """As a system does at its start: from every hub that can be asked (mod_hub_client_info §Pull model)."""
    everyone = await office.store.read(partners.everyone)
    for hub in (one for one in everyone if one.is_hub and one.state == PartnerState.ACTIVE):
        if await office.store.read(endpoints.find, hub.id, ModuleID.HUB_CLIENT_INFO, InterfaceRole.SENDER) is None:
            continue
        try:
            pulled = await pull(office, hub)
            log.info("a hub told of its parties", partner=hub.name, taken=pulled.taken, skipped=pulled.skipped)
        except NotPulled as problem:
            log.warning("a hub's parties could not be pulled", partner=hub.name, problem=str(problem))


def _take_page(db: Connection, hub: Partner, found: list[Any]) -> int:
    """The valid ones of a page; of the others the log tells."""
    now, taken = utc_now(), 0
    for one in found:
        try:
            _take(db, hub, _read(one, now), now)
            taken += 1
        except InvalidParameters as wrong:
            log.warning("a ClientInfo is not valid", partner=hub.name, problem=str(wrong))
    return taken


def _read(body: Any, now: datetime) -> ClientInfo:
    """Without last_updated it is from this moment: the specification's own example has none."""
    if isinstance(body, dict) and body.get("last_updated") is None:
        body = body | {"last_updated": format_datetime(now)}
    try:
        return ClientInfo.model_validate(body)
    except ValidationError as wrong:
        raise InvalidParameters(told(wrong)) from None


def _take(db: Connection, hub: Partner, info: ClientInfo, now: datetime) -> None:
    """A party that is there again is told what it missed where its hub wants that; else it asks (§Scenarios)."""
    party = Party(info.country_code, info.party_id)
    was_away = client_infos.away(db, hub.id, party)
    if not client_infos.put(db, hub.id, info, now):
        return
    if was_away and info.status is ConnectionStatus.CONNECTED and hub.keep_pushing:
        pushes.resume(db, hub.id, party, now)
