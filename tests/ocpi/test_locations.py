"""Locations: complete, and exact in what is written."""

from typing import Any

import pytest
from pydantic import ValidationError

from ocpi.locations import EVSE, Capability, ConnectorType, Hours, Location, Status

CONNECTOR: dict[str, Any] = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 32,
    "max_electric_power": 22080,
    "tariff_ids": ["T-1"],
    "terms_and_conditions": "https://cpo.example.org/terms",
    "last_updated": "2025-03-01T08:00:00Z",
}
PLACE: dict[str, Any] = {"latitude": "52.379189", "longitude": "-4.899431"}
IMAGE: dict[str, Any] = {"url": "https://cpo.example.org/1.png", "category": "CHARGER", "type": "png", "width": 800}
WORDS: list[dict[str, Any]] = [{"language": "en", "text": "Second floor"}]
EVSE_A1: dict[str, Any] = {
    "uid": "EVSE-A1",
    "evse_id": "NL*CPX*E1",
    "status": "AVAILABLE",
    "status_schedule": [{"period_begin": "2025-04-01T00:00:00Z", "status": "INOPERATIVE"}],
    "capabilities": ["RESERVABLE", "START_SESSION_CONNECTOR_REQUIRED"],
    "connectors": [CONNECTOR],
    "floor_level": "2",
    "coordinates": PLACE,
    "physical_reference": "12",
    "directions": WORDS,
    "parking_restrictions": ["EV_ONLY"],
    "images": [IMAGE],
    "last_updated": "2025-03-01T08:00:00Z",
}
FULL: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "CPX",
    "id": "LOC-A",
    "publish": False,
    "publish_allowed_to": [{"issuer": "Example Mobility Q", "type": "RFID"}],
    "name": "Station square",
    "address": "Square 1",
    "city": "Utrecht",
    "postal_code": "3511 CE",
    "state": "Utrecht",
    "country": "NLD",
    "coordinates": PLACE,
    "related_locations": [PLACE | {"name": {"language": "en", "text": "Entrance"}}],
    "parking_type": "PARKING_GARAGE",
    "evses": [EVSE_A1],
    "directions": WORDS,
    "operator": {"name": "CPX", "website": "https://cpo.example.org", "logo": IMAGE},
    "suboperator": {"name": "Sub"},
    "owner": {"name": "Owner"},
    "facilities": ["TRAIN_STATION", "WIFI"],
    "time_zone": "Europe/Amsterdam",
    "opening_times": {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
        "exceptional_openings": [{"period_begin": "2025-04-27T08:00:00Z", "period_end": "2025-04-27T12:00:00Z"}],
        "exceptional_closings": [{"period_begin": "2025-12-25T00:00:00Z", "period_end": "2025-12-26T00:00:00Z"}],
    },
    "charging_when_closed": True,
    "images": [IMAGE],
    "energy_mix": {
        "is_green_energy": True,
        "energy_sources": [{"source": "SOLAR", "percentage": 62.5}, {"source": "WIND", "percentage": 37.5}],
        "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": 0.0}],
        "supplier_name": "Sun",
        "energy_product_name": "Sun and wind",
    },
    "last_updated": "2025-03-01T08:00:00Z",
}
REQUIRED = {
    *("country_code", "party_id", "id", "publish", "address", "city", "country", "coordinates", "time_zone"),
    "last_updated",
}


def test_a_location_with_every_field_reads_and_writes_itself() -> None:
    assert set(FULL) == set(Location.model_fields)
    assert set(EVSE_A1) == set(EVSE.model_fields)
    assert Location.model_validate(FULL).wire() == FULL


def test_a_location_with_the_fewest_fields_reads_and_writes_itself() -> None:
    least = {name: FULL[name] for name in REQUIRED}
    assert Location.model_validate(least).wire() == least
    assert Location.model_validate(dict.fromkeys(FULL) | least).wire() == least


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_location_without_a_required_field_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Location.model_validate({field: value for field, value in FULL.items() if field != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("publish", "false"),
        ("coordinates", {"latitude": "52,379189", "longitude": "4.899431"}),
        ("coordinates", {"latitude": 52.379189, "longitude": 4.899431}),
        ("country", "Netherlands"),
        ("evses", [EVSE_A1 | {"connectors": []}]),
        ("evses", [EVSE_A1 | {"status": "FREE"}]),
        ("evses", [EVSE_A1 | {"connectors": [CONNECTOR | {"max_voltage": "230"}]}]),
        ("evses", [EVSE_A1 | {"connectors": [CONNECTOR | {"standard": "IEC_62196_T9"}]}]),
        ("images", [IMAGE | {"width": 100_000}]),
    ],
)
def test_a_location_with_an_impossible_field_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        Location.model_validate(FULL | {name: value})


@pytest.mark.parametrize("hour", ["24:00", "8:00", "08:60", "08:00\n"])
def test_an_hour_is_written_with_leading_zeros_and_below_24(hour: str) -> None:
    with pytest.raises(ValidationError, match="period_end"):
        Hours.model_validate(
            {"twentyfourseven": False, "regular_hours": [{"weekday": 1, "period_begin": "00:00", "period_end": hour}]}
        )


def test_rule_225_the_capabilities_that_commands_are_judged_by_have_words() -> None:
    assert {"RESERVABLE", "REMOTE_START_STOP_CAPABLE", "UNLOCK_CAPABLE"} < set(Capability)
    assert len(Capability) == 13


def test_rule_223_removed_and_reserved_are_states_of_an_evse() -> None:
    assert {"REMOVED", "RESERVED"} < set(Status)
    assert len(Status) == 9


def test_every_plug_has_its_specified_spelling() -> None:
    assert len(ConnectorType) == 40
    assert ConnectorType("IEC_60309_2_single_16") is ConnectorType.IEC_60309_2_SINGLE_16
