"""Samples: the energy register in a station's meter values (1.6 SampledValue, 2.x SampledValueType)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ocpp_bridge.reading import finite, measure, moment, part, parts, text, whole

#: What a sample measures when it does not say so, in every version.
REGISTER = "Energy.Active.Import.Register"

_WATT_HOURS = {"": 1.0, "wh": 1.0, "kwh": 1000.0}
_PHASES = ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")
_NEVER = datetime.min.replace(tzinfo=UTC)


def register_wh(meter_values: Sequence[dict[str, Any]]) -> float | None:
    """The newest reading of the import register in Wh; None when there is none."""
    readings = [(moment(one, "timestamp") or _NEVER, _reading(one)) for one in meter_values]
    known = [(at, wh) for at, wh in readings if wh is not None]
    # Of two samples of one time the later in the list; ``max`` keeps the first it meets.
    return max(reversed(known), key=lambda reading: reading[0])[1] if known else None


def _reading(meter_value: dict[str, Any]) -> float | None:
    """One moment's register: the sample of all phases, else the phases' sum."""
    registers = [sample for sample in parts(meter_value, "sampledValue") if _is_register(sample)]
    # The inlet counts what the station itself uses, too.
    outlet = [sample for sample in registers if text(sample, "location") in ("", "Outlet")] or registers
    by_phase = {text(sample, "phase"): wh for sample in outlet if (wh := _watt_hours(sample)) is not None}
    if "" in by_phase:
        return by_phase[""]
    phases = [by_phase[phase] for phase in _PHASES if phase in by_phase]
    return finite(sum(phases)) if phases else None


def _is_register(sample: dict[str, Any]) -> bool:
    """The import register in the clear: signed data is no number that we can read."""
    return (text(sample, "measurand") or REGISTER) == REGISTER and text(sample, "format") != "SignedData"


def _watt_hours(sample: dict[str, Any]) -> float | None:
    """The value in Wh; 1.6 names a unit, 2.x a unit and a power of ten."""
    of_measure = part(sample, "unitOfMeasure")
    factor = _WATT_HOURS.get((text(sample, "unit") or text(of_measure, "unit")).casefold())
    value = measure(sample, "value")
    if factor is None or value is None:
        return None
    return finite(value * factor * 10.0 ** _multiplier(of_measure))


def _multiplier(of_measure: dict[str, Any]) -> int:
    multiplier = whole(of_measure, "multiplier", least=-12)
    return multiplier if multiplier is not None and multiplier <= 12 else 0
