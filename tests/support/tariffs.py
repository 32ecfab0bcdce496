"""OCPI Tariffs for tests."""

from typing import Any


def element(*components: tuple[str, float], **restrictions: Any) -> dict[str, Any]:
    """Prices by dimension, in single steps; with what they are restricted to."""
    made: dict[str, Any] = {
        "price_components": [{"type": type_, "price": price, "step_size": 1} for type_, price in components]
    }
    return made | {"restrictions": restrictions} if restrictions else made


def tariff(id_: str, *elements: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Without elements: 0.25 a kWh."""
    return {
        "country_code": "NL",
        "party_id": "CPO",
        "id": id_,
        "currency": "EUR",
        "elements": list(elements) or [element(("ENERGY", 0.25))],
        "last_updated": "2026-01-01T00:00:00Z",
    } | changes
