"""What a session costs: a tariff applied to what was done (mod_tariffs, mod_cdrs §step_size).

Amounts are exact fractions until they are told. Partial costs and volumes are then rounded to four decimals, as OCPI
numbers are, halves away from zero (the specification's own examples round 5.125 to 5.13), and the total cost is the
sum of the rounded partial costs. OCPI leaves it to law and contract how money is rounded further.

Where the texts leave it open or contradict each other:

- ``step_size`` counts once for energy, once for charging and parking together, where only what came last is rounded
  up, and once for the reservation. (mod_tariffs of the older text adds charging and parking up first; its own
  mod_cdrs, and both chapters of the newer text, do not.)
- Moments are told to the second, so it is whole seconds that are priced.
- A FLAT component is billed once, when the first one applies: once for the session, and once for the reservation.
- Of an expired reservation, RESERVATION_EXPIRES elements come before RESERVATION elements, for each dimension alone.
- ``min_price`` is asked for a charge, not for a reservation that nobody came for; ``max_price`` limits both.
- A price without VAT makes the cost including VAT unknown, unless it is a price of nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.domain.cutting import Part, parts
from gateway.domain.restrictions import asks_the_clock, asks_the_current
from gateway.domain.usage import Activity, Stretch
from ocpi.sessions import CdrDimension, CdrDimensionType, ChargingPeriod, Price
from ocpi.tariffs import PriceComponent, ReservationRestrictionType, Tariff, TariffElement

_TIME_TOLD = {
    Activity.RESERVATION: CdrDimensionType.RESERVATION_TIME,
    Activity.CHARGING: CdrDimensionType.TIME,
    Activity.PARKING: CdrDimensionType.PARKING_TIME,
}
#: What a step is counted in, in the unit of the price (mod_tariffs §TariffDimensionType).
_WATT_HOUR = Fraction(1, 1000)
_SECOND = Fraction(1, 3600)

#: Prices, with how much is asked at each, in order.
Charges = list[tuple[PriceComponent, Fraction]]


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The part of a CDR that is calculated: ``vars`` of it are CDR fields. A cost that no price was set for is None."""

    charging_periods: tuple[ChargingPeriod, ...]
    total_cost: Price
    total_fixed_cost: Price | None
    total_energy: Decimal
    total_energy_cost: Price | None
    total_time: Decimal
    total_time_cost: Price | None
    total_parking_time: Decimal | None
    total_parking_cost: Price | None
    total_reservation_cost: Price | None


def bill(tariff: Tariff | None, stretches: Sequence[Stretch], time_zone: str, expired: bool = False) -> Bill:
    """Price what was done; without a tariff it is only told, and costs 0.

    ``time_zone`` is the Location's (ZoneInfoNotFoundError if the tariff asks for local time and there is no such
    zone). ``expired``: the reservation ran out, instead of being used or cancelled.
    """
    elements = tariff.elements if tariff else ()
    zone = _zone(elements, time_zone)
    whole = [_in_whole_seconds(stretch) for stretch in stretches]
    reserved = [each for each in whole if each.activity is Activity.RESERVATION]
    used = [each for each in whole if each.activity is not Activity.RESERVATION]
    reservation = list(parts(_for_reservations(elements, expired), reserved, zone))
    charge = list(parts(_for_charges(elements), used, zone))
    told = _bill(reservation, charge, tariff.id if tariff else None)
    return replace(told, total_cost=_limited(told.total_cost, tariff, bool(charge))) if tariff else told


def misses_current(tariff: Tariff, stretches: Iterable[Stretch]) -> bool:
    """Some of its prices depend on a current that is not known, and were not asked."""
    asked = any(each.restrictions and asks_the_current(each.restrictions) for each in tariff.elements)
    return asked and any(each.activity is Activity.CHARGING and each.current is None for each in stretches)


def _zone(elements: Iterable[TariffElement], time_zone: str) -> tzinfo:
    asked = any(each.restrictions and asks_the_clock(each.restrictions) for each in elements)
    return _zone_named(time_zone) if asked else UTC


def _zone_named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError) as problem:  # a path, or a continent: no zone either
        raise ZoneInfoNotFoundError(name) from problem


def _in_whole_seconds(stretch: Stretch) -> Stretch:
    if stretch.end < stretch.start:
        raise ValueError("a stretch that ends before it starts")
    return replace(stretch, start=stretch.start.replace(microsecond=0), end=stretch.end.replace(microsecond=0))


def _for_charges(elements: Iterable[TariffElement]) -> list[TariffElement]:
    return [each for each in elements if each.restrictions is None or each.restrictions.reservation is None]


def _for_reservations(elements: Sequence[TariffElement], expired: bool) -> list[TariffElement]:
    kinds = [ReservationRestrictionType.RESERVATION]
    if expired:
        kinds.insert(0, ReservationRestrictionType.RESERVATION_EXPIRES)
    return [each for kind in kinds for each in elements if each.restrictions and each.restrictions.reservation is kind]


def _bill(reservation: Sequence[Part], charge: Sequence[Part], tariff_id: str | None) -> Bill:
    charging = [each for each in charge if each.activity is Activity.CHARGING]
    parking = [each for each in charge if each.activity is Activity.PARKING]
    last = next((each.activity for each in reversed(charge) if each.time_price and each.hours), None)
    fixed = _price(_fees(charge))
    energy = _price(_in_steps(_energy(charge), _WATT_HOUR))
    time = _price(_in_steps(_time(charging), _SECOND) if last is Activity.CHARGING else _time(charging))
    parked = _price(_in_steps(_time(parking), _SECOND) if last is Activity.PARKING else _time(parking))
    reserved = _price(_fees(reservation) + _in_steps(_time(reservation), _SECOND))
    hours_charging, hours_parking = _rounded(_hours(charging)), _rounded(_hours(parking))
    return Bill(
        charging_periods=_periods(sorted([*reservation, *charge], key=lambda each: each.start), tariff_id),
        total_cost=_sum([fixed, energy, time, parked, reserved]),
        total_fixed_cost=fixed,
        total_energy=_rounded(sum((each.energy for each in charge), Fraction())),
        total_energy_cost=energy,
        total_time=hours_charging + hours_parking,
        total_time_cost=time,
        total_parking_time=hours_parking if parking else None,
        total_parking_cost=parked,
        total_reservation_cost=reserved,
    )


def _fees(charged: Iterable[Part]) -> Charges:
    return [(each.fee, Fraction(1)) for each in charged if each.fee]


def _energy(charged: Iterable[Part]) -> Charges:
    return [(each.energy_price, each.energy) for each in charged if each.energy_price and each.energy]


def _time(charged: Iterable[Part]) -> Charges:
    return [(each.time_price, each.hours) for each in charged if each.time_price and each.hours]


def _hours(charged: Iterable[Part]) -> Fraction:
    return sum((each.hours for each in charged), Fraction())


def _in_steps(charges: Charges, unit: Fraction) -> Charges:
    """With their total rounded up to steps of the last price, at which the rest is asked (mod_cdrs §step_size)."""
    if not charges or charges[-1][0].step_size <= 0:
        return charges
    last, _ = charges[-1]
    missing = -sum((amount for _, amount in charges), Fraction()) % (last.step_size * unit)
    return [*charges, (last, missing)]


def _price(charges: Charges) -> Price | None:
    if not charges:
        return None
    costs = [(Fraction(component.price) * amount, component.vat) for component, amount in charges]
    known = all(vat is not None or not cost for cost, vat in costs)
    return Price(
        excl_vat=_rounded(sum((cost for cost, _ in costs), Fraction())),
        incl_vat=_rounded(sum((cost * (100 + Fraction(vat or 0)) / 100 for cost, vat in costs), Fraction()))
        if known
        else None,
    )


def _rounded(exact: Fraction) -> Decimal:
    """Four decimals, halves away from zero."""
    ten_thousandths = int(abs(exact) * 10_000 + Fraction(1, 2))
    return Decimal(ten_thousandths if exact >= 0 else -ten_thousandths).scaleb(-4)


def _sum(prices: Iterable[Price | None]) -> Price:
    """0 where there are none; including VAT as far as that is known of all."""
    known = [each for each in prices if each]
    with_vat = [each.incl_vat for each in known if each.incl_vat is not None]
    return Price(
        excl_vat=sum((each.excl_vat for each in known), Decimal(0)),
        incl_vat=sum(with_vat, Decimal(0)) if len(with_vat) == len(known) else None,
    )


def _limited(cost: Price, tariff: Tariff, charged: bool) -> Price:
    """Not less than ``min_price``, nor more than ``max_price``, each with and without VAT (mod_tariffs §Tariff)."""
    if tariff.min_price and charged:
        cost = _bounded(cost, tariff.min_price, max)
    return _bounded(cost, tariff.max_price, min) if tariff.max_price else cost


def _bounded(cost: Price, bound: Price, nearer: Callable[[Decimal, Decimal], Decimal]) -> Price:
    excl_vat = nearer(cost.excl_vat, bound.excl_vat)
    incl_vat = cost.incl_vat
    if incl_vat is not None and bound.incl_vat is not None:
        incl_vat = nearer(incl_vat, bound.incl_vat)
    elif excl_vat != cost.excl_vat:
        # The cost is the limit now, and so is what is known of its VAT.
        incl_vat = bound.incl_vat
    return Price(excl_vat=excl_vat, incl_vat=incl_vat)


def _periods(used: Iterable[Part], tariff_id: str | None) -> tuple[ChargingPeriod, ...]:
    """A new one whenever what is done changes, or what it costs (mod_cdrs §CDR, ChargingPeriod)."""
    groups: list[list[Part]] = []
    for part in used:
        if groups and part.goes_on_from(groups[-1][-1]):
            groups[-1].append(part)
        else:
            groups.append([part])
    volumes = _Volumes()
    return tuple(
        ChargingPeriod(start_date_time=group[0].start, dimensions=volumes.of(group), tariff_id=tariff_id)
        for group in groups
    )


class _Volumes:
    """Rounds so that the volumes of all periods together are the rounded total."""

    def __init__(self) -> None:
        self._before: dict[CdrDimensionType, Fraction] = defaultdict(Fraction)

    def of(self, group: Sequence[Part]) -> tuple[CdrDimension, ...]:
        energy = sum((each.energy for each in group), Fraction())
        time = self._dimension(_TIME_TOLD[group[0].activity], _hours(group))
        return (self._dimension(CdrDimensionType.ENERGY, energy), time) if energy else (time,)

    def _dimension(self, kind: CdrDimensionType, amount: Fraction) -> CdrDimension:
        before = self._before[kind]
        self._before[kind] += amount
        return CdrDimension(type=kind, volume=_rounded(before + amount) - _rounded(before))
