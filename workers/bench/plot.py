"""Plots: what a benchmark tells, as bars with a dot for every round, and its targets as lines."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

_COLOURS, _LIMIT = ("#1f6f8b", "#b8b8b8", "#d9822b"), "#b00020"
#: Inches: a page, what a panel needs besides its bars, and a bar.
_WIDTH, _HEAD, _BAR = 9.0, 0.8, 0.24
_RATIO = "ratio"


class _Bar(NamedTuple):
    label: str
    column: int
    value: float
    rounds: Sequence[float]
    target: Mapping[str, Any] | None


_NONE = _Bar("", 0, 0.0, (), None)


def draw(figures: Mapping[str, Any], file: Path) -> None:
    """One panel for each unit: figures of different units share no axis."""
    panels = _panels(figures)
    heights = [_HEAD + _BAR * len(bars) for bars in panels.values()]
    page = Figure(figsize=(_WIDTH, sum(heights) + 0.4), layout="constrained")
    page.suptitle(figures["table"]["title"], fontsize=10)
    drawn = page.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (unit, bars) in zip(drawn, panels.items(), strict=True):
        _draw_panel(axes, unit, bars)
    _explain(page, figures["table"]["columns"])
    page.savefig(file, dpi=100, metadata={"Software": None})


def _panels(figures: Mapping[str, Any]) -> dict[str, list[_Bar]]:
    """A figure without a unit has a panel of its own."""
    judged, found = figures["table"]["judged"], dict[str, list[_Bar]]()
    for row in figures["table"]["rows"]:
        for column, name in enumerate(row["cells"]):
            if (value := figures.get(name)) is None:
                continue
            unit = _RATIO if judged and column == judged else row["unit"] or row["label"]
            target = row["target"] if column == judged else None
            bar = _Bar(row["label"], column, value, figures["each_round"].get(name, ()), target)
            found.setdefault(unit, []).append(bar)
    return found


def _draw_panel(axes: Axes, unit: str, bars: Sequence[_Bar]) -> None:
    for place, bar in enumerate(bars):
        axes.barh(place, bar.value, height=0.75, color=_COLOURS[bar.column])
        axes.plot(bar.rounds, [place] * len(bar.rounds), "o", color="black", markersize=2.5)
        limits = [(bar.target["must"], False), (bar.target["aim"], True)] if bar.target else []
        for at, dotted in limits:
            if at is not None:
                axes.vlines(at, place - 0.5, place + 0.5, colors=_LIMIT, linestyles=":" if dotted else "-")
    labels = ["" if bar.label == before.label else bar.label for before, bar in pairwise([_NONE, *bars])]
    axes.set_yticks(range(len(bars)), labels, fontsize=7)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(axis="x", labelsize=7)


def _explain(page: Figure, columns: Sequence[str]) -> None:
    named = [(Patch(color=colour), name) for colour, name in zip(_COLOURS, columns, strict=False)]
    lines = [(Line2D([], [], color=_LIMIT), "must"), (Line2D([], [], color=_LIMIT, linestyle=":"), "aim")]
    dot = Line2D([], [], color="black", marker="o", markersize=2.5, linestyle=""), "each round"
    handles, labels = zip(*named, dot, *lines, strict=True)
    page.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=7)
