"""Tariffs: which of those that a connector names is the price of a partner's session that begins now."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ocpi.sessions import NOT_AVAILABLE
from ocpi.tariffs import Tariff, TariffType
from ocpi.types import fold

#: AD_HOC_PAYMENT is for who pays at the station; a profile's price is for sessions with Charging Preferences, and those
#: we take none of (mod_tariffs §TariffType).
_FOR_PARTNERS = frozenset({None, TariffType.REGULAR})
_REMOVED = "REMOVED"

Body = Mapping[str, Any]


def named_at(location: Body, evse_uid: str, connector_id: str) -> list[str]:
    """The ``tariff_ids`` of a Location's connector, in its order.

    Where it is not known which connector it will be, those that all the possible ones have: what only some of them
    cost is nobody's price.
    """
    possible = [one.get("tariff_ids") or [] for one in _connectors(location, evse_uid, connector_id)]
    if not possible:
        return []
    everywhere = set.intersection(*({fold(one) for one in ids} for ids in possible))
    return [one for one in possible[0] if fold(one) in everywhere]


def named_in(location: Body) -> Iterator[str]:
    """Every tariff id of a Location."""
    for connector in _connectors(location, NOT_AVAILABLE, NOT_AVAILABLE):
        yield from connector.get("tariff_ids") or []


def in_force(offered: Iterable[Tariff], at: datetime) -> Tariff | None:
    """The first that is for a partner's token and valid at that moment (mod_tariffs §Tariff)."""
    return next((one for one in offered if one.type in _FOR_PARTNERS and _is_valid(one, at)), None)


def _connectors(location: Body, evse_uid: str, connector_id: str) -> list[Body]:
    return [
        connector
        for evse in location.get("evses") or []
        if evse["status"] != _REMOVED and _is(evse["uid"], evse_uid)
        for connector in evse["connectors"]
        if _is(connector["id"], connector_id)
    ]


def _is(id_: str, meant: str) -> bool:
    return meant == NOT_AVAILABLE or fold(id_) == fold(meant)


def _is_valid(tariff: Tariff, at: datetime) -> bool:
    begun = tariff.start_date_time is None or tariff.start_date_time <= at
    return begun and (tariff.end_date_time is None or at < tariff.end_date_time)
