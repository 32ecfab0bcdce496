"""Which message makes what a partner should have of what it has (mod_sessions §PATCH)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pushes import message

PERIODS = [
    {"start_date_time": f"2026-03-01T12:0{n}:00Z", "dimensions": [{"type": "TIME", "volume": n}]} for n in range(5)
]


def session(**changes: Any) -> dict[str, Any]:
    return {"id": "S", "status": "ACTIVE", "kwh": 1.0, "last_updated": "2026-03-01T12:00:00Z"} | changes


def patched(has: dict[str, Any] | None, method: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the receiver makes of it: periods are appended, other fields replaced, and nothing is taken away."""
    if body is None or has is None or method == "PUT":
        return has if body is None else body
    periods = has.get("charging_periods", []) + body.get("charging_periods", [])
    return has | body | ({"charging_periods": periods} if periods else {})


def test_what_was_never_told_is_put() -> None:
    assert message(None, session()) == ("PUT", session())


def test_only_what_changed_is_patched_and_always_when() -> None:
    later = session(kwh=2.0, last_updated="2026-03-01T12:01:00Z")
    assert message(session(), later) == ("PATCH", {"kwh": 2.0, "last_updated": "2026-03-01T12:01:00Z"})


def test_only_new_periods_are_patched() -> None:
    told, now = session(charging_periods=PERIODS[:2]), session(charging_periods=PERIODS[:4], kwh=2.0)
    method, body = message(told, now)
    assert body is not None
    assert (method, body["charging_periods"]) == ("PATCH", PERIODS[2:4])


@pytest.mark.parametrize("now", [PERIODS[:1], PERIODS[1:3], []])
def test_periods_that_changed_or_vanished_need_all_of_it(now: list[Any]) -> None:
    after = session(charging_periods=now) if now else session()
    assert message(session(charging_periods=PERIODS[:2]), after) == ("PUT", after)


def test_a_field_that_vanished_needs_all_of_it() -> None:
    assert message(session(total_cost={"excl_vat": 1}), session()) == ("PUT", session())


@pytest.mark.parametrize("last_updated", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"])
def test_nothing_new_is_not_told(last_updated: str) -> None:
    assert message(session(), session(last_updated=last_updated))[1] is None


states = st.fixed_dictionaries(
    {"status": st.sampled_from(["PENDING", "ACTIVE"]), "kwh": st.integers(0, 3), "last_updated": st.integers(0, 9)},
    optional={"total_cost": st.integers(0, 2), "charging_periods": st.integers(1, 5).map(lambda n: PERIODS[:n])},
)


@given(st.lists(states, min_size=1, max_size=8))
def test_whoever_takes_every_message_has_all_of_it(life: list[dict[str, Any]]) -> None:
    has = None
    for now in life:
        has = patched(has, *message(has, now))
        assert has is not None
        assert has | {"last_updated": 0} == now | {"last_updated": 0}
