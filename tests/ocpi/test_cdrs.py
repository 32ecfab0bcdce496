"""CDRs: complete, billable, and only taken back by one of their own."""

from typing import Any

import pytest
from pydantic import ValidationError

from ocpi.cdrs import CDR, cdr_location
from ocpi.locations import Location
from ocpi.sessions import SESSION_ONLY
from tests.ocpi.test_locations import CONNECTOR, EVSE_A1, PLACE
from tests.ocpi.test_locations import FULL as LOCATION
from tests.ocpi.test_tariffs import SHORTEST as TARIFF

PERIOD: dict[str, Any] = {
    "start_date_time": "2025-03-01T09:00:00Z",
    "dimensions": [{"type": "ENERGY", "volume": 7.3451}, {"type": "TIME", "volume": 1.25}],
    "tariff_id": "T-1",
}
PLUGGED: dict[str, Any] = {
    "id": "LOC-A",
    "name": "Station square",
    "address": "Square 1",
    "city": "Utrecht",
    "postal_code": "3511 CE",
    "country": "NLD",
    "coordinates": PLACE,
    "evse_uid": "EVSE-A1",
    "evse_id": "NL*CPX*E1",
    "connector_id": "1",
    "connector_standard": "IEC_62196_T2",
    "connector_format": "SOCKET",
    "connector_power_type": "AC_3_PHASE",
}
SHORTEST: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "CPX",
    "id": "CDR-1",
    "start_date_time": "2025-03-01T09:00:00Z",
    "end_date_time": "2025-03-01T10:15:00Z",
    "cdr_token": {
        "country_code": "NL",
        "party_id": "EMQ",
        "uid": "04A1B2C3",
        "type": "RFID",
        "contract_id": "NL-EMQ-C1",
    },
    "auth_method": "COMMAND",
    "cdr_location": PLUGGED,
    "currency": "EUR",
    "charging_periods": [PERIOD],
    "total_cost": {"excl_vat": 3.3245, "incl_vat": 4.0226},
    "total_energy": 7.3451,
    "total_time": 1.25,
    "last_updated": "2025-03-01T10:16:00Z",
}
RECORD: dict[str, Any] = SHORTEST | {
    "session_id": "S-1",
    "authorization_reference": "A-1",
    "meter_id": "M-1",
    "tariffs": [TARIFF],
    "signed_data": {
        "encoding_method": "OCMF",
        "encoding_method_version": 1,
        "public_key": "a2V5",
        "signed_values": [{"nature": "Start", "plain_data": "1", "signed_data": "MQ=="}],
        "url": "https://cpo.example.org/signed/1",
    },
    "total_fixed_cost": {"excl_vat": 0.5},
    "total_energy_cost": {"excl_vat": 1.8363},
    "total_time_cost": {"excl_vat": 0.9882},
    "total_parking_time": 0.0,
    "total_parking_cost": {"excl_vat": 0.0, "incl_vat": 0.0},
    "total_reservation_cost": {"excl_vat": 0.0},
    "remark": "Stopped by the driver",
    "invoice_reference_id": "I-1",
}


@pytest.mark.parametrize("record", [SHORTEST, RECORD, RECORD | {"home_charging_compensation": False}])
def test_a_cdr_reads_and_writes_itself(record: dict[str, Any]) -> None:
    assert CDR.model_validate(record).wire() == record


@pytest.mark.parametrize("name", sorted(SHORTEST))
def test_a_cdr_without_a_required_field_cannot_be_made(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        CDR.model_validate({field: value for field, value in SHORTEST.items() if field != name})


@pytest.mark.parametrize("name", sorted(set(PLUGGED) - {"name", "postal_code"}))
def test_the_place_of_a_cdr_is_told_whole(name: str) -> None:
    place = {field: value for field, value in PLUGGED.items() if field != name}
    with pytest.raises(ValidationError, match=name):
        CDR.model_validate(SHORTEST | {"cdr_location": place})


@pytest.mark.parametrize("dimension", sorted(SESSION_ONLY))
def test_rule_220_what_is_for_sessions_only_is_never_in_a_cdr(dimension: str) -> None:
    period = PERIOD | {"dimensions": [*PERIOD["dimensions"], {"type": dimension, "volume": 1}]}
    with pytest.raises(ValidationError, match="sessions only"):
        CDR.model_validate(SHORTEST | {"charging_periods": [PERIOD, period]})


def test_a_cdr_has_a_charging_period() -> None:
    with pytest.raises(ValidationError, match="charging_periods"):
        CDR.model_validate(SHORTEST | {"charging_periods": []})


def test_rule_216_only_a_credit_cdr_has_an_id_of_more_than_36_characters() -> None:
    assert CDR.model_validate(SHORTEST | {"id": "x" * 36})
    with pytest.raises(ValidationError, match="36"):
        CDR.model_validate(SHORTEST | {"id": "x" * 37})
    assert CDR.model_validate(SHORTEST | {"id": "x" * 39, "credit": True, "credit_reference_id": "x" * 36})
    with pytest.raises(ValidationError, match="39"):
        CDR.model_validate(SHORTEST | {"id": "x" * 40, "credit": True, "credit_reference_id": "x" * 36})


def test_rule_217_a_credit_cdr_says_what_it_takes_back() -> None:
    credit = SHORTEST | {"id": "CDR-1-C", "credit": True, "total_cost": {"excl_vat": -3.3245}}
    with pytest.raises(ValidationError, match="credit_reference_id"):
        CDR.model_validate(credit)
    told = credit | {"credit_reference_id": "CDR-1"}
    assert CDR.model_validate(told).wire() == told


def test_the_place_is_told_as_it_is_now() -> None:
    location = Location.model_validate(LOCATION)
    [evse] = location.evses
    told = cdr_location(location, evse, evse.connectors[0])
    assert told.wire() == PLUGGED | {"state": "Utrecht"}


def test_rule_214_a_reservation_that_never_charged_has_no_evse() -> None:
    told = cdr_location(Location.model_validate(LOCATION)).wire()
    assert {told[name] for name in ("evse_uid", "evse_id", "connector_id")} == {"#NA"}


def test_a_long_address_and_state_are_cut_to_what_a_cdr_has_room_for() -> None:
    evse = {name: value for name, value in EVSE_A1.items() if name != "evse_id"} | {"connectors": [CONNECTOR]}
    long = LOCATION | {"address": "a" * 255, "state": "s" * 45, "evses": [evse]}
    location = Location.model_validate(long)
    told = cdr_location(location, location.evses[0], location.evses[0].connectors[0]).wire()
    assert (told["address"], told["state"], told["evse_id"]) == ("a" * 45, "s" * 20, "#NA")
