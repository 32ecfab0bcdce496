"""Figures: what the rounds of a benchmark have given, their medians, and what they are to reach."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

#: Each is a reason why nothing that was measured counts.
FAULTS = ("lost", "duplicate", "refused", "failed")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure must reach, and what it is to reach."""

    must: float | None = None
    aim: float
    #: More is better.
    at_least: bool = False

    def reached(self, value: float) -> str:
        """``aim``, ``must``, or ``missed``."""
        if self._holds(value, self.aim):
            return "aim"
        return "must" if self.must is not None and self._holds(value, self.must) else "missed"

    def _holds(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


@dataclass(frozen=True)
class Row:
    """A line of a benchmark's table: names of figures, one for each column; an empty one has none."""

    label: str
    cells: tuple[str, ...]
    unit: str = ""
    target: Target | None = None


@dataclass(frozen=True)
class Table:
    """How a benchmark is shown; the targets are those of the column ``judged``: a later one is a ratio."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    judged: int = 0


class Rounds:
    """Each figure, round by round."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, **figures: float) -> None:
        for name, value in figures.items():
            self._values.setdefault(name, []).append(value)

    def prefixed(self, prefix: str = "") -> dict[str, list[float]]:
        return {f"{prefix}{name}": [_rounded(one) for one in values] for name, values in self._values.items()}


def report(
    table: Table, each_round: Mapping[str, Sequence[float]], faults: Counter[str], told: Mapping[str, Any]
) -> dict[str, Any]:
    """What a benchmark tells: the medians by name, the faults, ``told`` of how it was measured, and its table."""
    medians = {name: _rounded(median(values)) for name, values in each_round.items()}
    shown = [row for row in table.rows if any(cell in medians for cell in row.cells)]
    return {
        **medians,
        **{name: faults[name] for name in FAULTS},
        **told,
        "each_round": dict(each_round),
        "table": {
            "title": table.title,
            "columns": list(table.columns),
            "judged": table.judged,
            "rows": [asdict(row) | {"cells": list(row.cells)} for row in shown],
        },
    }


def verdict(figures: Mapping[str, Any]) -> str | None:
    """Why the figures do not count, in one sentence; None when they do."""
    wrong = [f"{figures[name]} {name}" for name in FAULTS if figures[name]]
    return f"These figures do not count: of the commands or their callbacks {', '.join(wrong)}." if wrong else None


def percentiles(name: str, milliseconds: Sequence[float], which: Sequence[int] = (50, 99)) -> dict[str, float]:
    """``{name_p50_ms: …}``."""
    return {f"{name}p{one}_ms": percentile(milliseconds, one) for one in which}


def percentile(values: Sequence[float], which: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[which - 1]


def _rounded(value: float) -> float:
    """Four digits that count."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")
