"""Samples: a station's meter values (1.6 MeterValue, 2.x MeterValueType), read as exact numbers in our units."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ocpp_bridge.events import Reading, Signed
from ocpp_bridge.reading import LARGEST, measure, moment, part, parts, spelled, text, whole

#: What a sample is when it does not say so, in every version.
REGISTER = "Energy.Active.Import.Register"
PERIODIC, BEGIN, END = "Sample.Periodic", "Transaction.Begin", "Transaction.End"
CONTEXTS = (
    PERIODIC,
    "Interruption.Begin",
    "Interruption.End",
    "Other",
    "Sample.Clock",
    BEGIN,
    END,
    "Trigger",
)

#: Longer than any signed value that a schema allows; half of one would be of no use.
LONGEST_SIGNED = 2**16

_ENERGY = {"": 1, "wh": 1, "kwh": 1000}
_LEGS = (("L1", "L1-N"), ("L2", "L2-N"), ("L3", "L3-N"))
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Sample = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Quantity:
    """One measurand: what its units are worth in ours, and between what it can be true."""

    measurand: str
    units: Mapping[str, int]
    least: Decimal = Decimal(0)
    most: Decimal = LARGEST


_QUANTITIES = {
    "register_wh": _Quantity(measurand=REGISTER, units=_ENERGY),
    "interval_wh": _Quantity(measurand="Energy.Active.Import.Interval", units=_ENERGY),
    # A car that gives back may be told as a negative import.
    "power_w": _Quantity(measurand="Power.Active.Import", units={"": 1, "w": 1, "kw": 1000}, least=-LARGEST),
    "current_a": _Quantity(measurand="Current.Import", units={"": 1, "a": 1}, least=-LARGEST),
    "soc": _Quantity(measurand="SoC", units={"": 1, "percent": 1, "%": 1}, most=Decimal(100)),
}


def readings(meter_values: Iterable[Sample]) -> tuple[Reading, ...]:
    """What was measured, in time order; moments of which nothing can be read are left out."""
    return in_order(*(reading for one in meter_values for reading in _moment(one)))


def in_order(*told: Reading) -> tuple[Reading, ...]:
    """Oldest first; of one time as they were told. What has no time is the oldest, or the end."""
    return tuple(sorted(told, key=lambda one: one.at or (_LATEST if one.context == END else _EARLIEST)))


def _moment(meter_value: Sample) -> Iterable[Reading]:
    """Some stations tell the beginning and the end of a transaction under one time: a reading for each context."""
    at = moment(meter_value, "timestamp")
    by_context: dict[str, list[Sample]] = {}
    for sample in parts(meter_value, "sampledValue"):
        by_context.setdefault(spelled(text(sample, "context") or PERIODIC, CONTEXTS), []).append(sample)
    for context, samples in by_context.items():
        measured = {name: _total(samples, quantity) for name, quantity in _QUANTITIES.items()}
        signed = _signed(samples)
        if signed is not None or any(value is not None for value in measured.values()):
            yield Reading(at=at, context=context, signed=signed, **measured)


def _total(samples: Sequence[Sample], quantity: _Quantity) -> Decimal | None:
    """The sample of all phases, else the phases' sum."""
    by_phase: dict[str, Decimal] = {}
    for sample in _of_one_place([sample for sample in samples if _is(sample, quantity)]):
        if (value := _value(sample, quantity)) is not None:
            by_phase[text(sample, "phase").upper()] = value
    if "" in by_phase:
        return by_phase[""]
    legs = [by_phase[phase] for leg in _LEGS if (phase := next((p for p in leg if p in by_phase), None))]
    return sum(legs, Decimal()) if legs else None


def _is(sample: Sample, quantity: _Quantity) -> bool:
    """It measures that, in the clear: signed data is no number that we can read."""
    return _measurand(sample) == quantity.measurand.casefold() and not _is_signed(sample)


def _measurand(sample: Sample) -> str:
    return (text(sample, "measurand") or REGISTER).casefold()


def _of_one_place(samples: Sequence[Sample]) -> list[Sample]:
    """Those of the outlet, where nothing else is said: the inlet counts what the station itself uses, too."""
    places = [text(sample, "location").casefold() or "outlet" for sample in samples]
    chosen = "outlet" if "outlet" in places else next(iter(places), "")
    return [sample for sample, place in zip(samples, places, strict=True) if place == chosen]


def _value(sample: Sample, quantity: _Quantity) -> Decimal | None:
    """The value in our unit; 1.6 names a unit, 2.x a unit and a power of ten."""
    of_measure = part(sample, "unitOfMeasure")
    worth = quantity.units.get((text(sample, "unit") or text(of_measure, "unit")).casefold())
    value, power = measure(sample, "value"), _power_of_ten(of_measure)
    if value is None or worth is None or power is None:
        return None
    value = value * worth * power
    return value if quantity.least <= value <= quantity.most else None


def _power_of_ten(of_measure: dict[str, Any]) -> Decimal | None:
    """None when it cannot be understood: then the value cannot, either."""
    if of_measure.get("multiplier") is None:
        return Decimal(1)
    multiplier = whole(of_measure, "multiplier", least=-12)
    return Decimal(10) ** multiplier if multiplier is not None and multiplier <= 12 else None


def _is_signed(sample: Sample) -> bool:
    return text(sample, "format").casefold() == "signeddata"


def _signed(samples: Sequence[Sample]) -> Signed | None:
    """The signed register, else whatever else was signed."""
    told = [(sample, signed) for sample in samples if (signed := _signed_value(sample)) is not None]
    of_register = (signed for sample, signed in told if _measurand(sample) == REGISTER.casefold())
    return next(of_register, told[0][1] if told else None)


def _signed_value(sample: Sample) -> Signed | None:
    """1.6 says the signed data instead of the value, 2.x beside it."""
    beside = part(sample, "signedMeterValue")
    data = _verbatim(sample, "value") if _is_signed(sample) else _verbatim(beside, "signedMeterData")
    if not data:
        return None
    return Signed(
        data=data,
        encoding=text(beside, "encodingMethod"),
        method=text(beside, "signingMethod"),
        public_key=_verbatim(beside, "publicKey"),
    )


def _verbatim(value: dict[str, Any], name: str) -> str:
    """Not a character changed; empty when a database could not keep it so."""
    found = value.get(name)
    return found if isinstance(found, str) and "\0" not in found and len(found) <= LONGEST_SIGNED else ""
