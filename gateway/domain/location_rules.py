"""What the specification asks of a Location beyond its fields' types, for those who are about to publish it."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from zoneinfo import available_timezones

from ocpi.locations import EnergyMix, GeoLocation, Hours, Location, PublishTokenType

#: The place of what is wrong, within the Location, and the sentence that says what.
Wrong = tuple[str, str]

_COUNTRY = re.compile(r"[A-Z]{3}")
_WHOLE = Decimal(100)
#: Shares that were rounded each for themselves.
_ROUNDING = Decimal("0.5")


def broken_rules(location: Location) -> Iterator[Wrong]:
    """mod_locations §Location and the classes that it is made of."""
    if not _COUNTRY.fullmatch(location.country):
        yield "country", "a country is three capital letters (ISO 3166-1 alpha-3)"
    if location.time_zone not in available_timezones():
        yield "time_zone", f'"{location.time_zone}" is no name of the IANA time zone database'
    if location.publish and location.publish_allowed_to:
        yield "publish_allowed_to", "only of a Location that is not published (publish false)"
    for number, token in enumerate(location.publish_allowed_to):
        yield from _within(f"publish_allowed_to[{number}]", _of_publish_token(token))
    if location.opening_times is not None:
        yield from _within("opening_times", _of_hours(location.opening_times))
    if location.energy_mix is not None:
        yield from _within("energy_mix", _of_energy(location.energy_mix))
    yield from _within("coordinates", _of_point(location.coordinates))
    for number, point in enumerate(location.related_locations):
        yield from _within(f"related_locations[{number}]", _of_point(point))
    for number, evse in enumerate(location.evses):
        if evse.coordinates is not None:
            yield from _within(f"evses[{number}].coordinates", _of_point(evse.coordinates))


def _within(place: str, wrong: Iterable[Wrong]) -> Iterator[Wrong]:
    for inner, reason in wrong:
        yield f"{place}.{inner}" if inner else place, reason


def _of_publish_token(token: PublishTokenType) -> Iterator[Wrong]:
    if token.uid is None and token.visual_number is None and token.group_id is None:
        yield "", "one of uid, visual_number and group_id is needed"
    if token.uid is not None and token.type is None:
        yield "type", "needed beside uid"
    if token.visual_number is not None and token.issuer is None:
        yield "issuer", "needed beside visual_number"


def _of_hours(hours: Hours) -> Iterator[Wrong]:
    if hours.twentyfourseven and hours.regular_hours:
        yield "regular_hours", "only where twentyfourseven is false"
    if not hours.twentyfourseven and not hours.regular_hours:
        yield "regular_hours", "needed where twentyfourseven is false"
    for number, one in enumerate(hours.regular_hours):
        if one.period_end <= one.period_begin:
            yield f"regular_hours[{number}].period_end", "must be later than period_begin"
    for name in ("exceptional_openings", "exceptional_closings"):
        for number, period in enumerate(getattr(hours, name)):
            if period.period_end <= period.period_begin:
                yield f"{name}[{number}].period_end", "must be later than period_begin"


def _of_energy(mix: EnergyMix) -> Iterator[Wrong]:
    total = sum((one.percentage for one in mix.energy_sources), Decimal(0))
    if mix.energy_sources and abs(total - _WHOLE) > _ROUNDING:
        yield "energy_sources", f"the percentages add up to {total} and not to 100"


def _of_point(point: GeoLocation) -> Iterator[Wrong]:
    if abs(Decimal(point.latitude)) > 90:
        yield "latitude", "a latitude is at most 90 degrees"
    if abs(Decimal(point.longitude)) > 180:
        yield "longitude", "a longitude is at most 180 degrees"
