"""A session cut into parts in which no price changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import pairwise

from gateway.domain.restrictions import Situation, applies, seconds, turning_points
from gateway.domain.usage import Activity, Stretch
from ocpi.tariffs import PriceComponent, TariffDimensionType, TariffElement

_TIME_PRICED = {
    Activity.RESERVATION: TariffDimensionType.TIME,
    Activity.CHARGING: TariffDimensionType.TIME,
    Activity.PARKING: TariffDimensionType.PARKING_TIME,
}
_HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a stretch, with the prices that apply in all of it."""

    activity: Activity
    start: datetime
    hours: Fraction
    #: kWh
    energy: Fraction
    time_price: PriceComponent | None
    energy_price: PriceComponent | None
    #: What became due when it began.
    fee: PriceComponent | None

    def goes_on_from(self, earlier: "Part") -> bool:
        """Whether nothing has changed between the two that has to do with money."""
        return self.fee is None and (self.activity, self.time_price, self.energy_price) == (
            earlier.activity,
            earlier.time_price,
            earlier.energy_price,
        )


def parts(elements: Sequence[TariffElement], stretches: Sequence[Stretch], zone: tzinfo) -> Iterator[Part]:
    """``elements`` applied to the stretches of a charge, or of its reservation; what came before does not count."""
    restrictions = [each.restrictions for each in elements if each.restrictions]
    energy, fee_is_due = Fraction(), True
    for stretch in stretches:
        began = stretches[0].start
        for share, next_share in pairwise(turning_points(restrictions, stretch, began, energy, zone)):
            # Nothing changes in between, so the middle speaks for all of it.
            now = _situation(stretch, (share + next_share) / 2, began, energy, zone)
            prices = _prices(elements, now)
            fee = prices.get(TariffDimensionType.FLAT) if fee_is_due else None
            fee_is_due = fee_is_due and fee is None
            yield _part(stretch, share, next_share, prices, fee)
        energy += Fraction(stretch.energy)


def _situation(stretch: Stretch, share: Fraction, began: datetime, energy: Fraction, zone: tzinfo) -> Situation:
    hours = _hours(stretch)
    idle = Fraction(0) if stretch.activity is not Activity.CHARGING else None
    derived = Fraction(stretch.energy) / hours if hours else idle
    return Situation(
        local=_moment(stretch, share).astimezone(zone),
        lasted=seconds(stretch.start - began) + share * hours * _HOUR,
        energy=energy + share * Fraction(stretch.energy),
        power=derived if stretch.power is None else Fraction(stretch.power),
        current=idle if stretch.current is None else Fraction(stretch.current),
    )


def _hours(stretch: Stretch) -> Fraction:
    return seconds(stretch.end - stretch.start) / _HOUR


def _moment(stretch: Stretch, share: Fraction) -> datetime:
    return stretch.start + timedelta(microseconds=int(share * seconds(stretch.end - stretch.start) * 1_000_000))


def _prices(elements: Iterable[TariffElement], now: Situation) -> dict[TariffDimensionType, PriceComponent]:
    """Of each dimension, the first component whose element applies (mod_tariffs §Tariff)."""
    prices: dict[TariffDimensionType, PriceComponent] = {}
    for element in elements:
        if applies(element.restrictions, now):
            for component in element.price_components:
                prices.setdefault(component.type, component)
    return prices


def _part(
    stretch: Stretch,
    share: Fraction,
    next_share: Fraction,
    prices: Mapping[TariffDimensionType, PriceComponent],
    fee: PriceComponent | None,
) -> Part:
    energy = (next_share - share) * Fraction(stretch.energy)
    flows = stretch.activity is Activity.CHARGING or energy
    return Part(
        activity=stretch.activity,
        start=_moment(stretch, share),
        hours=(next_share - share) * _hours(stretch),
        energy=energy,
        time_price=prices.get(_TIME_PRICED[stretch.activity]),
        energy_price=prices.get(TariffDimensionType.ENERGY) if flows else None,
        fee=fee,
    )
