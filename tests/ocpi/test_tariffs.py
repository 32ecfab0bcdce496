"""Tariffs: complete, exact, and read as partners write them."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from ocpi.tariffs import DayOfWeek, ReservationRestrictionType, Tariff, TariffDimensionType, TariffType

RESTRICTIONS: dict[str, Any] = {
    "start_time": "22:00",
    "end_time": "06:00",
    "start_date": "2025-01-01",
    "end_date": "2026-01-01",
    "min_kwh": 1.5,
    "max_kwh": 50.0,
    "min_current": 6.0,
    "max_current": 32.0,
    "min_power": 3.7,
    "max_power": 22.0,
    "min_duration": 60,
    "max_duration": 7200,
    "day_of_week": ["SATURDAY", "SUNDAY"],
    "reservation": "RESERVATION_EXPIRES",
}
COMPONENT: dict[str, Any] = {"type": "TIME", "price": 1.1, "vat": 21.0, "step_size": 60}
SHORTEST: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "CPX",
    "id": "T-1",
    "currency": "EUR",
    "elements": [{"price_components": [COMPONENT]}],
    "last_updated": "2025-03-01T08:00:00Z",
}
FULL: dict[str, Any] = SHORTEST | {
    "type": "REGULAR",
    "tariff_alt_text": [{"language": "en", "text": "What it costs"}],
    "tariff_alt_url": "https://cpo.example.org/tariffs/1",
    "min_price": {"excl_vat": 0.5, "incl_vat": 0.605},
    "max_price": {"excl_vat": 50.0},
    "elements": [{"price_components": [COMPONENT], "restrictions": RESTRICTIONS}],
    "start_date_time": "2025-01-01T00:00:00Z",
    "end_date_time": "2025-12-31T23:00:00Z",
    "energy_mix": {"is_green_energy": True},
}


@pytest.mark.parametrize("tariff", [SHORTEST, FULL])
def test_a_tariff_reads_and_writes_itself(tariff: dict[str, Any]) -> None:
    assert Tariff.model_validate(tariff).wire() == tariff


@pytest.mark.parametrize("name", sorted(SHORTEST))
def test_a_tariff_without_a_required_field_cannot_be_made(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Tariff.model_validate({field: value for field, value in SHORTEST.items() if field != name})


def test_a_price_is_the_decimal_that_was_written() -> None:
    component = Tariff.model_validate(SHORTEST).elements[0].price_components[0]
    assert (component.price, component.vat) == (Decimal("1.1"), Decimal(21))


def test_no_vat_is_not_a_vat_of_nothing() -> None:
    for vat, read in ((None, None), (0, Decimal(0))):
        elements = [{"price_components": [COMPONENT | {"vat": vat}]}]
        assert Tariff.model_validate(SHORTEST | {"elements": elements}).elements[0].price_components[0].vat == read


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start_time", "9:00"),
        ("end_time", "24:00"),
        ("start_date", "2025-13-01"),
        ("end_date", "25-01-01"),
        ("day_of_week", ["Monday"]),
        ("reservation", "EXPIRES"),
        ("min_kwh", "1"),
        ("min_duration", 1.5),
    ],
)
def test_a_restriction_of_another_shape_is_refused(field: str, value: Any) -> None:
    elements = [{"price_components": [COMPONENT], "restrictions": {field: value}}]
    with pytest.raises(ValidationError, match=field):
        Tariff.model_validate(SHORTEST | {"elements": elements})


@pytest.mark.parametrize("elements", [[], [{"price_components": []}]])
def test_a_tariff_has_elements_and_an_element_has_prices(elements: list[Any]) -> None:
    with pytest.raises(ValidationError):
        Tariff.model_validate(SHORTEST | {"elements": elements})


def test_the_words_of_tariffs() -> None:
    assert [len(words) for words in (TariffType, TariffDimensionType, ReservationRestrictionType)] == [5, 4, 2]
    assert next(iter(DayOfWeek)) == "MONDAY"
    assert len(DayOfWeek) == 7
