"""Location pushes: which messages make what a partner should have of what it has (mod_locations §PATCH)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Connection

from gateway.locations import told
from gateway.office import Office
from gateway.outgoing.heard import Heard
from gateway.store import locations, partners
from gateway.store.pushes import Attempt, Due
from gateway.telling import Told, Wire, judged, put_after_doubt, send
from ocpi.dialects import DIALECTS

#: Where more EVSEs than this have changed the whole Location is told.
MOST_EVSES = 5

#: What is remembered of a Location that was told: enough to see which part of it is new.
Digest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One message: of the whole Location, or of the EVSE that is named."""

    method: str
    body: Wire
    evse_uid: str | None = None
    #: What the partner has after it.
    has: Digest


async def tell_location(office: Office, due: Due) -> Attempt:
    """Its first message is the whole of it; then what has changed, EVSE by EVSE."""
    now = await office.store.read(_location, due)
    if now is None:  # it is not shown to this partner any more
        return Attempt(told=due.told)
    below = "".join(f"/{quote(part, safe='')}" for part in (*due.from_party, now["id"]))
    last: Told | None = None
    for step in steps(due.told, now):
        within = f"/{quote(step.evse_uid, safe='')}" if step.evse_uid is not None else ""
        last = Told(await send(office, due, step.method, step.body, f"{below}{within}"), has=step.has)
        if last.outcome is Heard.REFUSED and within:
            last = await _all_of_it(office, due, below, now)
            break
        if last.outcome is not Heard.TAKEN:
            break
    return Attempt(told=due.told) if last is None else judged(office, due, last)


async def _all_of_it(office: Office, due: Due, below: str, now: Wire) -> Told:
    """A broadcast is no question (transport_and_format §Broadcast Push): a hub is not asked what it has."""
    if due.is_hub:
        return Told(await send(office, due, "PUT", now, below), has=digest(now))
    return await put_after_doubt(office, due, below, now, has=digest(now))


def steps(has: Digest | None, now: Wire) -> Iterator[Step]:
    """The messages that make ``now`` of what the partner ``has``; none: nothing is new."""
    wanted = digest(now)
    if has is None or has["own"] != wanted["own"] or has["evses"].keys() - wanted["evses"].keys():
        yield Step(method="PUT", body=now, has=wanted)
        return
    changed = [each for each in now.get("evses", []) if has["evses"].get(each["uid"]) != wanted["evses"][each["uid"]]]
    if len(changed) > MOST_EVSES:
        yield Step(method="PUT", body=now, has=wanted)
        return
    for each in changed:
        uid = each["uid"]
        known, is_ = has["evses"].get(uid), wanted["evses"][uid]
        has = {"own": has["own"], "evses": has["evses"] | {uid: is_}}
        if known is not None and known[0] == is_[0]:
            status = {"status": each["status"], "last_updated": each["last_updated"]}
            yield Step(method="PATCH", body=status, evse_uid=uid, has=has)
        else:
            yield Step(method="PUT", body=each, evse_uid=uid, has=has)


def digest(location: Wire) -> Digest:
    """What a Location is but for its EVSEs, and of each EVSE what it is but for its status, and its status."""
    evses = {
        each["uid"]: [_print(each, without={"status", "last_updated"}), each["status"]]
        for each in location.get("evses", [])
    }
    return {"own": _print(location, without={"evses", "last_updated"}), "evses": evses}


def _print(what: Wire, without: set[str]) -> str:
    kept = {name: value for name, value in what.items() if name not in without}
    return hashlib.blake2b(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def _location(db: Connection, due: Due) -> Wire | None:
    partner = partners.by_id(db, due.partner)
    kept = locations.by_pk(db, partner, due.object)
    return None if kept is None else told(kept, partner, DIALECTS[due.version])
