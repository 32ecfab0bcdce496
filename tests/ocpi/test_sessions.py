"""Sessions: every field that is required is there, and nothing that says nothing."""

from typing import Any

import pytest
from pydantic import ValidationError

from ocpi.dialects import DIALECTS, NEWEST
from ocpi.sessions import NOT_AVAILABLE, SESSION_ONLY, AuthMethod, CdrDimensionType, Session, SessionStatus
from tests.ocpi.vectors import names, ours, specified

ACTIVE: dict[str, Any] = ours("sessions/2.2.1.put.active_after_reservation.json")


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
@pytest.mark.parametrize("name", ["session_example_1_simple_start", "session_example_2_short_finished"])
def test_the_specifications_sessions_read_and_write_themselves(version: str, name: str) -> None:
    example = specified(version, name)
    assert DIALECTS[version].session.model_validate(example).wire() == example


@pytest.mark.parametrize("name", names("sessions/*.put.*.json"))
def test_rule_193_our_sessions_read_and_write_themselves_in_their_version(name: str) -> None:
    version = name.split("/")[-1].split(".put.")[0]
    assert DIALECTS[version].session.model_validate(ours(name)).wire() == ours(name)


@pytest.mark.parametrize("name", sorted(set(ACTIVE) - {"authorization_reference"}))
def test_rule_180_a_session_without_a_required_field_cannot_be_made(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Session.model_validate({field: value for field, value in ACTIVE.items() if field != name})


def test_rule_172_the_word_for_a_reserved_session_is_reservation() -> None:
    assert Session.model_validate(ACTIVE | {"status": "RESERVATION"}).status is SessionStatus.RESERVATION
    with pytest.raises(ValidationError, match="status"):
        Session.model_validate(ACTIVE | {"status": "RESERVED"})


def test_rule_192_a_reservation_may_have_no_evse_yet() -> None:
    session = Session.model_validate(ACTIVE | {"evse_uid": NOT_AVAILABLE, "connector_id": NOT_AVAILABLE})
    assert (session.wire()["evse_uid"], session.wire()["connector_id"]) == ("#NA", "#NA")


def test_rule_191_a_command_is_a_way_to_be_authorised() -> None:
    assert set(AuthMethod) == {"AUTH_REQUEST", "COMMAND", "WHITELIST"}


def test_a_charging_period_measures_something() -> None:
    period = {"start_date_time": "2025-03-01T09:00:00Z", "dimensions": []}
    with pytest.raises(ValidationError, match="dimensions"):
        Session.model_validate(ACTIVE | {"charging_periods": [period]})


def test_a_session_without_periods_or_cost_does_not_mention_them() -> None:
    session = Session.model_validate(ACTIVE | {"charging_periods": [], "total_cost": None, "end_date_time": None})
    assert session.wire() == ACTIVE


def test_costs_have_four_decimals_at_most() -> None:
    session = Session.model_validate(ACTIVE | {"total_cost": {"excl_vat": 0.1 + 0.2, "incl_vat": 0.363636}})
    assert session.wire()["total_cost"] == {"excl_vat": 0.3, "incl_vat": 0.3636}


def test_rule_220_five_dimensions_are_for_sessions_only() -> None:
    assert len(SESSION_ONLY) == 5
    assert CdrDimensionType.RESERVATION_TIME not in SESSION_ONLY
    assert len(CdrDimensionType) == 13


def test_the_newest_dialect_writes_a_session_as_it_is() -> None:
    session = Session.model_validate(ACTIVE)
    assert NEWEST.render_session(session) == session.wire() == ACTIVE
