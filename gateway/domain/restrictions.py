"""When the elements of a tariff apply (mod_tariffs §TariffRestrictions), and where within a stretch that can change."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction

from gateway.domain.usage import Stretch
from ocpi.tariffs import DayOfWeek, TariffRestrictions

_DAY = timedelta(days=1)
_WEEK = tuple(DayOfWeek)


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What restrictions ask about, at one moment."""

    #: In the time zone of the Location.
    local: datetime
    #: Seconds since the session, or its reservation, began.
    lasted: Fraction
    #: kWh since then.
    energy: Fraction
    #: kW and ampere; what is not known is within no restriction.
    power: Fraction | None
    current: Fraction | None


def seconds(duration: timedelta) -> Fraction:
    return Fraction(duration // timedelta(microseconds=1), 1_000_000)


def applies(restrictions: TariffRestrictions | None, now: Situation) -> bool:
    """Whether all of them are met now; in a range over midnight the weekday is the new one from midnight on."""
    if restrictions is None:
        return True
    return (
        _between(now.energy, restrictions.min_kwh, restrictions.max_kwh)
        and _between(now.lasted, restrictions.min_duration, restrictions.max_duration)
        and _between(now.power, restrictions.min_power, restrictions.max_power)
        and _between(now.current, restrictions.min_current, restrictions.max_current)
        and _in_the_calendar(restrictions, now.local.date())
        and _on_the_clock(restrictions, now.local.time())
    )


def _between(amount: Fraction | None, least: Decimal | int | None, most: Decimal | int | None) -> bool:
    """Minimums are inclusive, maximums exclusive."""
    if amount is None:
        return least is None and most is None
    return (least is None or amount >= Fraction(least)) and (most is None or amount < Fraction(most))


def _in_the_calendar(restrictions: TariffRestrictions, today: date) -> bool:
    written = today.isoformat()
    return (
        (restrictions.start_date is None or written >= restrictions.start_date)
        and (restrictions.end_date is None or written < restrictions.end_date)
        and (not restrictions.day_of_week or _WEEK[today.weekday()] in restrictions.day_of_week)
    )


def _on_the_clock(restrictions: TariffRestrictions, now: time) -> bool:
    start, end = time.fromisoformat(restrictions.start_time or "00:00"), _end_of(restrictions)
    return start <= now < end if start < end else now >= start or now < end


def _end_of(restrictions: TariffRestrictions) -> time:
    """00:00 is the end of the day, as is no end."""
    return time.fromisoformat(restrictions.end_time or "00:00")


def turning_points(
    restrictions: Sequence[TariffRestrictions], stretch: Stretch, began: datetime, energy: Fraction, zone: tzinfo
) -> list[Fraction]:
    """Where in a stretch an answer of ``applies`` can change: 0, 1, and shares of it in between, in order.

    ``energy`` is what was taken before it. Within the stretch energy flows evenly.
    """
    within = {*_in_energy(restrictions, stretch, energy), *_in_time(restrictions, stretch, began, zone)}
    return [Fraction(0), *sorted(share for share in within if 0 < share < 1), Fraction(1)]


def _in_energy(restrictions: Sequence[TariffRestrictions], stretch: Stretch, energy: Fraction) -> Iterator[Fraction]:
    if stretch.energy:
        for each in restrictions:
            for threshold in (each.min_kwh, each.max_kwh):
                if threshold is not None:
                    yield (Fraction(threshold) - energy) / Fraction(stretch.energy)


def _in_time(
    restrictions: Sequence[TariffRestrictions], stretch: Stretch, began: datetime, zone: tzinfo
) -> Iterator[Fraction]:
    if stretch.end > stretch.start:
        lengths = {length for each in restrictions for length in (each.min_duration, each.max_duration)}
        passed = {length - seconds(stretch.start - began) for length in lengths if length is not None}
        moments = _clock_moments(restrictions, stretch.start, stretch.end, zone)
        for passing in passed.union(seconds(moment - stretch.start) for moment in moments):
            yield passing / seconds(stretch.end - stretch.start)


def asks_the_clock(restrictions: TariffRestrictions) -> bool:
    """Whether it matters what time or day it is at the Location."""
    return bool(
        restrictions.start_time
        or restrictions.end_time
        or restrictions.start_date
        or restrictions.end_date
        or restrictions.day_of_week
    )


def asks_the_current(restrictions: TariffRestrictions) -> bool:
    return restrictions.min_current is not None or restrictions.max_current is not None


def _clock_moments(
    restrictions: Iterable[TariffRestrictions], start: datetime, end: datetime, zone: tzinfo
) -> Iterator[datetime]:
    """When a local time of day that is written comes, when a day begins, and when the clocks are changed."""
    asking = [each for each in restrictions if asks_the_clock(each)]
    if asking:
        times = {time.min, *(time.fromisoformat(each.start_time or "00:00") for each in asking), *map(_end_of, asking)}
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        while day <= last:
            yield from (moment for each in times for moment in _moments_of(day, each, zone))
            day += _DAY
        yield from _changes_of_the_clocks(start, end, zone)


def _moments_of(day: date, clock: time, zone: tzinfo) -> Iterator[datetime]:
    """A local time comes twice in the night when the clocks go back."""
    for fold in (0, 1):
        yield datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC)


def _changes_of_the_clocks(start: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Searched for day by day, to the second."""
    while start < end:
        until = min(start + _DAY, end)
        offset = start.astimezone(zone).utcoffset()
        if until.astimezone(zone).utcoffset() != offset:
            yield _first_second(start, until, zone, offset)
        start = until


def _first_second(start: datetime, until: datetime, zone: tzinfo, offset: timedelta | None) -> datetime:
    def changed(second: int) -> bool:
        return (start + timedelta(seconds=second)).astimezone(zone).utcoffset() != offset

    return start + timedelta(seconds=bisect_left(range((until - start) // timedelta(seconds=1)), True, key=changed))
