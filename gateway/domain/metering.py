"""Metering: what a station's messages about one transaction say of energy and time, in whatever order they came."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from itertools import accumulate, pairwise
from typing import Self

from pydantic import TypeAdapter

from gateway.domain.usage import Activity, Stretch
from ocpi.sessions import CdrDimension, CdrDimensionType, ChargingPeriod
from ocpp_bridge.events import Phase, Reading

#: A Session's period is told when it is at least this long: enough for a driver to see it move (mod_sessions §Session).
PERIOD = timedelta(minutes=5)
#: 2.x ChargingStateEnumType; 1.6 has none.
_CHARGING = "Charging"
_PHASES = {phase: place for place, phase in enumerate((Phase.STARTED, Phase.UPDATED, Phase.ENDED))}
#: Wh: finer than any meter.
_FINEST = Decimal("0.001")
_HOUR = Decimal(3600)
_KILO = Decimal(1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message about a transaction."""

    #: UTC, of the station's clock.
    at: datetime
    phase: Phase
    #: 2.x seqNo.
    seq: int | None = None
    charging_state: str = ""
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Register:
    """Wh taken since the first reading, at one moment."""

    at: datetime
    wh: Decimal


def in_order(messages: Iterable[Message]) -> list[Message]:
    """As the station made them: 2.x counts its messages; 1.6 has a clock, which may have been set in between."""
    return sorted(messages, key=_place)


def _place(one: Message) -> tuple[int, datetime]:
    return _PHASES[one.phase] if one.seq is None else one.seq, one.at


def is_complete(messages: Sequence[Message]) -> bool:
    """All that the station has to tell is here: from Started to Ended with no number missing (2.x E01.FR.07)."""
    told = in_order(messages)
    numbers = [one.seq for one in told if one.seq is not None]
    if not numbers:
        return any(one.phase is Phase.ENDED for one in told)
    whole = numbers[-1] - numbers[0] == len(numbers) - 1
    return whole and told[0].phase is Phase.STARTED and told[-1].phase is Phase.ENDED


def energy(messages: Sequence[Message]) -> Decimal:
    """kWh taken so far."""
    return Tally.of(messages).kwh


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """The energy that messages have told of, to which the next one can be added without looking at them again."""

    #: How many they are, and which is the last in the station's order.
    count: int = 0
    place: tuple[int, datetime] | None = None
    #: Wh: the import register's first and highest reading, and the sum of the intervals.
    first: Decimal | None = None
    highest: Decimal | None = None
    #: How often the register was read.
    read: int = 0
    summed: Decimal = Decimal(0)
    #: The end was told.
    over: bool = False

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Self:
        tally, told = cls(), in_order(messages)
        ceiling = _ceiling(told)
        for one in told:
            tally = tally._with(one, ceiling)
        return tally

    def after(self, message: Message) -> Self | None:
        """With one more; None when all must be looked at: it was made before others, or is the end."""
        if self.over or message.phase is Phase.ENDED or (self.place is not None and _place(message) < self.place):
            return None
        return self._with(message, None)

    @property
    def kwh(self) -> Decimal:
        """By the register, if it was read twice; readings of a meter that runs backwards are left out."""
        if self.first is None or self.highest is None or self.read < 2:
            return self.summed / _KILO
        return (self.highest - self.first) / _KILO

    def _with(self, message: Message, ceiling: Decimal | None) -> Self:
        first, highest, summed, read = self.first, self.highest, self.summed, self.read
        for reading in message.readings:
            wh = reading.register_wh
            if wh is not None and not _is_above(wh, ceiling):
                first = wh if first is None else first
                highest = wh if highest is None else max(highest, wh)
                read += 1
            if reading.interval_wh is not None:
                summed += max(Decimal(0), reading.interval_wh)
        return replace(
            self,
            count=self.count + 1,
            place=_place(message),
            first=first,
            highest=highest,
            read=read,
            summed=summed,
            over=self.over or message.phase is Phase.ENDED,
        )


#: How it is written down.
TALLY: TypeAdapter[Tally] = TypeAdapter(Tally)


def stretches(messages: Sequence[Message], start: datetime, end: datetime) -> list[Stretch]:
    """What was done from ``start`` to ``end`` (UTC): charging or parking, with the energy of each stretch.

    A station that tells no chargingState is taken to charge, except between two readings that are the same.
    """
    told = in_order(messages)
    registers = [_clamped(one, start, end) for one in _registers(told)]
    states = [(min(max(one.at, start), end), one.charging_state) for one in told if one.charging_state]
    times = sorted({start, end, *(one.at for one in registers), *(at for at, _ in states)})
    since = [at for at, _ in states]
    blank = [_Blank(a, b, _state_at(states, bisect_right(since, a))) for a, b in pairwise(times)]
    return _with_currents(_filled(blank, registers), told, start, end)


def periods(done: Sequence[Stretch], finished: bool) -> tuple[ChargingPeriod, ...]:
    """A Session's periods: one never changes once it was told, so the last is told when the Session is finished."""
    groups: list[list[Stretch]] = []
    for stretch in done:
        if groups and groups[-1][0].activity is stretch.activity and stretch.start - groups[-1][0].start < PERIOD:
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    if groups and not finished:
        groups.pop()
    return tuple(_period(group) for group in groups)


def hours(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta(microseconds=1)) / 1_000_000 / _HOUR


_TIME_OF = {
    Activity.CHARGING: CdrDimensionType.TIME,
    Activity.PARKING: CdrDimensionType.PARKING_TIME,
    Activity.RESERVATION: CdrDimensionType.RESERVATION_TIME,
}


def _period(group: Sequence[Stretch]) -> ChargingPeriod:
    taken = sum((stretch.energy for stretch in group), Decimal(0))
    time = CdrDimension(type=_TIME_OF[group[0].activity], volume=hours(group[-1].end - group[0].start))
    energy_ = [CdrDimension(type=CdrDimensionType.ENERGY, volume=taken)] if taken else []
    return ChargingPeriod(start_date_time=group[0].start, dimensions=(*energy_, time))


def _registers(told: Sequence[Message]) -> list[_Register]:
    """The readings of the import register, those of a meter that runs backwards left out; else the intervals' sum."""
    readings, ceiling = [(reading.at or one.at, reading) for one in told for reading in one.readings], _ceiling(told)
    registers = ((at, reading.register_wh) for at, reading in readings if reading.register_wh is not None)
    known = [(at, wh) for at, wh in registers if not _is_above(wh, ceiling)]
    if len(known) > 1:
        return _onward(_rising(known))
    summed = Decimal(0)
    found: list[_Register] = []
    for at, reading in readings:
        if reading.interval_wh is not None:
            # The first one tells of time before it too: what it brought is counted from the beginning.
            found = found or [_Register(at=told[0].at, wh=Decimal(0))]
            summed += max(Decimal(0), reading.interval_wh)
            found.append(_Register(at=at, wh=summed))
    return found


def _ceiling(told: Sequence[Message]) -> Decimal | None:
    """What the register says at the end: a reading above it was none, unless the meter was changed in between."""
    known = [(one, reading.register_wh) for one in told for reading in one.readings if reading.register_wh is not None]
    last = next((wh for one, wh in reversed(known) if one.phase is Phase.ENDED), None)
    return last if last is not None and last >= known[0][1] else None


def _is_above(wh: Decimal, ceiling: Decimal | None) -> bool:
    return ceiling is not None and wh > ceiling


def _rising(known: Sequence[tuple[datetime, Decimal]]) -> list[_Register]:
    first, highest = known[0][1], known[0][1]
    found = []
    for at, wh in known:
        if wh >= highest:
            highest = wh
            found.append(_Register(at=at, wh=wh - first))
    return found


def _onward(registers: Sequence[_Register]) -> list[_Register]:
    """Each at the time of the one before, at the earliest: nothing is measured twice."""
    times = accumulate((one.at for one in registers), max)
    return [_Register(at=at, wh=one.wh) for at, one in zip(times, registers, strict=True)]


def _clamped(register: _Register, start: datetime, end: datetime) -> _Register:
    return _Register(at=min(max(register.at, start), end), wh=register.wh)


@dataclass(frozen=True, slots=True)
class _Blank:
    """A stretch of which the energy is not known yet; ``charging`` None: nobody said."""

    start: datetime
    end: datetime
    charging: bool | None

    @property
    def lasts(self) -> Decimal:
        return hours(self.end - self.start)


def _state_at(states: Sequence[tuple[datetime, str]], known: int) -> bool | None:
    return states[known - 1][1] == _CHARGING if known else None


def _filled(blank: Sequence[_Blank], registers: Sequence[_Register]) -> list[Stretch]:
    """Between two readings the energy goes where charging was told, evenly; where nothing was told, over all of it."""
    taken: dict[_Blank, Decimal] = {}
    starts = [one.start for one in blank]
    for before, after in pairwise(registers) if blank else ():
        last = bisect_left(starts, after.at)
        # Two readings of one moment: what was told of the time before it stays true.
        between = blank[bisect_left(starts, before.at) : last] or blank[last : last + 1] or blank[-1:]
        eager = [one for one in between if one.charging] or [one for one in between if one.charging is None] or between
        shares = _shared(after.wh - before.wh, [one.lasts for one in eager])
        taken |= {one: taken.get(one, Decimal(0)) for one in between}
        for one, share in zip(eager, shares, strict=True):
            taken[one] += share
    return [
        Stretch(start=one.start, end=one.end, activity=_activity(one, taken), energy=taken.get(one, Decimal(0)) / _KILO)
        for one in blank
    ]


def _with_currents(filled: Sequence[Stretch], told: Sequence[Message], start: datetime, end: datetime) -> list[Stretch]:
    """While charging flows the current that was told last before, or else the one that was told next.

    Where energy flowed there was one, whatever a reading of the moment before the first or after the last ampere says.
    """
    measured = [(reading.at or one.at, reading.current_a) for one in told for reading in one.readings]
    known = sorted((min(max(at, start), end), amps) for at, amps in measured if amps is not None)
    times = [at for at, _ in known]

    def at(moment: datetime) -> Decimal | None:
        after = bisect_right(times, moment)
        return next((amps for _, amps in known[max(after - 1, 0) : after + 1] if amps > 0), None)

    return [replace(one, current=at(one.start)) if one.activity is Activity.CHARGING else one for one in filled]


def _activity(one: _Blank, taken: dict[_Blank, Decimal]) -> Activity:
    charging = taken.get(one) != 0 if one.charging is None else one.charging
    return Activity.CHARGING if charging else Activity.PARKING


def _shared(whole: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """``whole`` in parts as large as ``weights`` say; the last takes what rounding leaves, so that the sum is exact."""
    total = sum(weights, Decimal(0))
    parts = [(whole * weight / total).quantize(_FINEST, ROUND_DOWN) for weight in weights[:-1]]
    return [*parts, whole - sum(parts, Decimal(0))]
