"""What the demonstration takes for the end of a reservation, and what it finds missing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.simulators.emsp import Callback, SimulatedEmsp
from gateway.simulators.receiver import Push
from workers.demo.fates import ENDINGS, EXPIRED, USED, WITHDRAWN, Ending, Fate, complaints, fate
from workers.demo.scenery import STANDS

STAND = STANDS[0]
#: Sessions are told by PUT once, and then by PATCH.
PUSHED = {"PUT": "RESERVATION", "PATCH": "COMPLETED"}


def told(
    ending: Ending, results: tuple[str, ...] = ("ACCEPTED",), pushed: dict[str, str] | None = None
) -> SimulatedEmsp:
    """An eMSP that was told this much of a reservation, and that it used no energy."""
    emsp, reference = SimulatedEmsp(), ending.reference(STAND)
    emsp.callbacks += [received(Callback, path=f"/callbacks/{reference}", json={"result": one}) for one in results]
    emsp.receiver.sessions["S1"] = {"id": "S1", "authorization_reference": reference, "kwh": 0}
    for method, status in (PUSHED if pushed is None else pushed).items():
        emsp.receiver.pushes.append(received(Push, path="/sessions/S1", json={"status": status}, method=method))
    return emsp


def received(kind: Any, **given: Any) -> Any:
    return kind(headers={}, body=json.dumps(given["json"]).encode(), at=datetime.now(UTC), **given)


def billed(emsp: SimulatedEmsp, ending: Ending, cost: float) -> SimulatedEmsp:
    cdr = {"id": "C1", "authorization_reference": ending.reference(STAND), "total_cost": {"excl_vat": cost}}
    emsp.receiver.cdrs.append(cdr)
    return emsp


def seen(emsp: SimulatedEmsp, ending: Ending) -> Fate:
    return fate(emsp, STAND, ending)


def test_an_expired_reservation_is_settled_when_its_cdr_has_come() -> None:
    emsp = told(EXPIRED)
    assert not seen(emsp, EXPIRED).is_settled
    assert seen(billed(emsp, EXPIRED, 2.0), EXPIRED).is_settled


def test_a_reservation_that_the_cpo_cancelled_costs_nothing_and_is_told_at_its_response_url() -> None:
    emsp = told(WITHDRAWN, ("ACCEPTED", "CANCELED_RESERVATION"))
    assert seen(emsp, WITHDRAWN).is_settled
    assert list(seen(billed(emsp, WITHDRAWN, 0.5), WITHDRAWN).problems()) == [
        f"OCPP {STAND.ocpp}, CPO cancelled: its CDR is about 0.5"
    ]
    assert not seen(told(WITHDRAWN), WITHDRAWN).is_settled


def test_a_charge_without_energy_is_not_as_expected() -> None:
    emsp = billed(told(USED, pushed={"PUT": "RESERVATION", "PATCH": "ACTIVE"}), USED, 0.5)
    emsp.receiver.pushes.append(received(Push, path="/sessions/S1", json={"status": "COMPLETED"}, method="PATCH"))
    assert list(seen(emsp, USED).problems()) == [f"OCPP {STAND.ocpp}, used: its Session has 0 kWh"]
    emsp.receiver.sessions["S1"]["kwh"] = 0.25
    assert seen(emsp, USED).is_settled


@pytest.mark.parametrize("pushed", [{}, {"PUT": "COMPLETED"}, {"PATCH": "RESERVATION", "PUT": "COMPLETED"}])
def test_a_session_is_put_first_with_every_status_that_it_had(pushed: dict[str, str]) -> None:
    assert list(seen(billed(told(EXPIRED, pushed=pushed), EXPIRED, 2.0), EXPIRED).problems())


def test_nothing_has_come_of_what_was_not_begun() -> None:
    assert not any(seen(SimulatedEmsp(), ending).is_settled for ending in ENDINGS)


def test_what_the_emsp_finds_wrong_is_told() -> None:
    emsp = told(EXPIRED)
    emsp.receiver.pushes.append(
        received(Push, path="/sessions/S1", json={}, method="PATCH", problems=("last_updated is missing",))
    )
    assert list(complaints(emsp)) == ["PATCH /sessions/S1: last_updated is missing"]
