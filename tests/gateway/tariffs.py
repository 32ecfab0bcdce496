"""Tariffs and sessions, written short."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.usage import Activity, Stretch
from ocpi.tariffs import Tariff


def component(kind: str, price: float | str, vat: float | None = None, step: int = 1) -> dict[str, Any]:
    return {"type": kind, "price": Decimal(str(price)), "vat": vat, "step_size": step}


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    return {"price_components": components, "restrictions": restrictions or None}


def tariff(*elements: dict[str, Any], **fields: Any) -> Tariff:
    return Tariff.model_validate(
        {
            "country_code": "NL",
            "party_id": "CPX",
            "id": "T-1",
            "currency": "EUR",
            "elements": elements,
            "last_updated": "2025-03-01T08:00:00Z",
        }
        | fields
    )


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


#: A Monday.
MONDAY = at("2025-03-03T09:30")


def session(start: datetime, *parts: tuple[Activity, float, Any] | tuple[Activity, float, Any, Any]) -> list[Stretch]:
    """Activities one after another: minutes, kWh, and, where it matters, power in kW."""
    stretches = []
    for activity, minutes, energy, *power in parts:
        end = start + timedelta(minutes=minutes)
        stretches.append(
            Stretch(
                start=start,
                end=end,
                activity=activity,
                energy=Decimal(str(energy)),
                power=Decimal(power[0]) if power else None,
            )
        )
        start = end
    return stretches
