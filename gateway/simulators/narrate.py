"""The simulators on the command line: one readable line per event until they are cancelled."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.simulators.emsp import Callback, SimulatedEmsp
from gateway.simulators.exchanges import Received
from gateway.simulators.platform import Platform
from gateway.simulators.receiver import Push
from gateway.simulators.station import SimulatedStation

Say = Callable[[str], None]
SIGNS = {"sent": "->", "received": "<-", "garbage": "~>", "lost": "!!"}
KINDS = {3: "answer", 4: "error"}


async def run_station(say: Say = print, **options: Any) -> None:
    """Run a ``SimulatedStation`` with these options until cancelled."""
    station = SimulatedStation(on_event=lambda direction, frame: say(_line(direction, frame)), **options)
    say(f"station {station.id} speaks {station.dialect.subprotocol}")
    async with station:
        await asyncio.Event().wait()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a simulated eMSP does first: it registers, and pushes its tokens."""

    versions_url: str
    token_a: str
    #: The uids of RFID cards.
    cards: Sequence[str] = ()
    #: Where the headers are written with which others may call in its name, a header a line as for curl -H @FILE.
    headers: Path | None = None


async def run_emsp(say: Say = print, plan: Plan | None = None, **options: Any) -> None:
    """Run a ``SimulatedEmsp`` with these options until cancelled."""
    async with SimulatedEmsp(
        on_callback=lambda callback: say(_told(callback)), on_push=lambda push: say(_pushed(push)), **options
    ) as emsp:
        say(f"eMSP listens; response_url: {emsp.url_for('NAME')}")
        for module in ("sessions", "cdrs"):
            say(f"its {module} endpoint: {emsp.endpoint(module)}")
        if plan is not None:
            await _begin(say, emsp.platform, plan)
        await asyncio.Event().wait()


async def _begin(say: Say, platform: Platform, plan: Plan) -> None:
    await platform.register(plan.versions_url, plan.token_a)
    whom = ", ".join(f"{one['country_code']}*{one['party_id']} {one['role']}" for one in platform.their_roles)
    say(f"registered as {platform.party} with {whom}, by OCPI {platform.version}")
    for uid in plan.cards:
        card = platform.card(uid)
        platform.tokens.append(card)
        await platform.push_token(card)
        say(f"pushed the token {uid}")
    if plan.headers is not None:
        plan.headers.write_text("".join(f"{name}: {value}\n" for name, value in platform.headers().items()))
        say(f"its headers are in {plan.headers}")
    say(f"send commands to {platform.endpoints['commands', 'RECEIVER']}")


def _line(direction: str, frame: Any) -> str:
    match frame:
        case [2, _, action, payload]:
            text = f"{action} {_compact(payload)}"
        case [3 | 4 as kind, _, *rest]:
            text = f"{KINDS[kind]} {_compact(rest[0] if len(rest) == 1 else rest)}"
        case _:
            text = str(frame)
    return f"{_now()} {SIGNS.get(direction, direction)} {text}"


def _told(callback: Callback) -> str:
    body = _compact(callback.json) if callback.json is not None else repr(callback.body[:200])
    return f"{_now()} {callback.path} {body}{_wrong(callback)}"


def _pushed(push: Push) -> str:
    """What it tells of the status, the energy and the cost; a PATCH tells only what has changed."""
    said = push.json if isinstance(push.json, dict) else {}
    told = [said[name] for name in ("id", "status") if name in said and str(said[name]) not in push.path]
    told += [f"{said[name]} kWh" for name in ("kwh", "total_energy") if name in said]
    if isinstance(cost := said.get("total_cost"), dict):
        told.append(f"{cost.get('excl_vat')} {said.get('currency', '(cost)')}")
    return f"{_now()} {push.method} {push.path} {', '.join(map(str, told))}".rstrip() + _wrong(push)


def _wrong(received: Received) -> str:
    return "".join(f"\n    violates: {problem}" for problem in received.problems)


def _compact(payload: Any) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(", ", ": "))


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
