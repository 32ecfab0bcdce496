"""What became of a reservation, as its eMSP was told: at its response_url, in its Sessions and in its CDRs."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from gateway.simulators.emsp import SimulatedEmsp
from gateway.simulators.receiver import Push
from workers.demo.scenery import Stand

#: An OCPI object as it came in JSON.
Wire = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One way in which a reservation ends, and what its eMSP is to be told of it."""

    name: str
    #: At the RESERVE_NOW's response_url.
    results: tuple[str, ...] = ("ACCEPTED",)
    statuses: tuple[str, ...] = ("RESERVATION", "COMPLETED")
    billed: bool = True

    def reference(self, stand: Stand) -> str:
        """The eMSP's name for the reservation there, and its authorization_reference in Session and CDR."""
        return f"{stand.ocpp}-{self.name.replace(' ', '-')}"


USED = Ending(name="used", statuses=("RESERVATION", "ACTIVE", "COMPLETED"))
CANCELLED = Ending(name="eMSP cancelled")
#: mod_commands §Flow; what the driver did not cause costs nothing.
WITHDRAWN = Ending(name="CPO cancelled", results=("ACCEPTED", "CANCELED_RESERVATION"), billed=False)
EXPIRED = Ending(name="expired")

ENDINGS = (USED, CANCELLED, WITHDRAWN, EXPIRED)


@dataclass(frozen=True, kw_only=True)
class Fate:
    """A reservation, and what its eMSP has been told so far."""

    stand: Stand
    ending: Ending
    results: tuple[str, ...]
    #: The Session as it was pushed: the methods one by one, its statuses as they changed.
    methods: tuple[str, ...]
    statuses: tuple[str, ...]
    session: Wire
    cdr: Wire

    @property
    def kwh(self) -> Decimal:
        return _exact(self.session.get("kwh", 0))

    @property
    def cost(self) -> Decimal | None:
        """Without VAT; None: there is no CDR."""
        return _exact(self.cdr["total_cost"]["excl_vat"]) if self.cdr else None

    @property
    def is_settled(self) -> bool:
        """Everything came; nothing more is waited for."""
        return not list(self.problems())

    def problems(self) -> Iterator[str]:
        """What differs from what was to be told."""
        wanted, what = self.ending, f"OCPP {self.stand.ocpp}, {self.ending.name}"
        if self.results != wanted.results:
            yield f"{what}: its response_url was told {_listed(self.results)}"
        if self.statuses != wanted.statuses:
            yield f"{what}: its Session was told as {_listed(self.statuses)}"
        if self.methods != ("PUT", *("PATCH" for _ in self.methods[1:])):
            yield f"{what}: its Session came by {_listed(self.methods)}"
        if (self.kwh > 0) is not ("ACTIVE" in wanted.statuses):
            yield f"{what}: its Session has {self.kwh} kWh"
        if (self.cost is not None) is not wanted.billed or self.cost == 0:
            yield f"{what}: its CDR is about {self.cost or 'nothing'}"


def fate(emsp: SimulatedEmsp, stand: Stand, ending: Ending) -> Fate:
    """What the eMSP has been told until now."""
    reference = ending.reference(stand)
    session = _referring(reference, emsp.receiver.sessions.values())
    pushes = [one for one in emsp.receiver.pushes if session and one.path.endswith(f"/{session['id']}")]
    return Fate(
        stand=stand,
        ending=ending,
        results=tuple(str((one.json or {}).get("result")) for one in emsp.callbacks if one.name == reference),
        methods=tuple(one.method for one in pushes),
        statuses=tuple(status for status, _ in groupby(_statuses(pushes))),
        session=session,
        cdr=_referring(reference, emsp.receiver.cdrs),
    )


def complaints(emsp: SimulatedEmsp) -> Iterator[str]:
    """What the eMSP holds against the pushes that it got."""
    for push in emsp.receiver.pushes:
        yield from (f"{push.method} {push.path}: {problem}" for problem in push.problems)


def _referring(reference: str, objects: Any) -> Wire:
    return next((one for one in objects if one.get("authorization_reference") == reference), {})


def _statuses(pushes: list[Push]) -> Iterator[str]:
    return (push.json["status"] for push in pushes if isinstance(push.json, dict) and "status" in push.json)


def _exact(number: Any) -> Decimal:
    return Decimal(str(number))


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "nothing"
