"""Tables: what a benchmark tells, line by line, with the targets beside it, for a terminal or for a page."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table as Drawn

from workers.bench.figures import Target

_REACHED = {"aim": "aim reached", "must": "must reached", "missed": "missed"}


def head(figures: Mapping[str, Any]) -> list[str]:
    columns = ["", *figures["table"]["columns"]]
    return columns + (["must", "aim", ""] if _judges(figures) else [])


def body(figures: Mapping[str, Any]) -> Iterator[list[str]]:
    """Line by line, each as many cells as the head has."""
    for row in figures["table"]["rows"]:
        cells = [_labelled(row), *(shown(figures.get(name)) for name in row["cells"])]
        yield cells + (_judged(figures, row) if _judges(figures) else [])


def missed(figures: Mapping[str, Any]) -> Iterator[str]:
    """What does not reach its target, in a sentence each."""
    for row in figures["table"]["rows"]:
        value, reached = _reached(figures, row)
        if row["target"] is None or value is None or reached == "aim":
            continue
        which = "must" if reached == "missed" and row["target"]["must"] is not None else "aim"
        limit = _limit(row["target"], which)
        yield f"{_labelled(row)}: {shown(value)}, where the {which} is {limit}."


def drawn(figures: Mapping[str, Any]) -> Drawn:
    table = Drawn(*head(figures), title=figures["table"]["title"], title_justify="left")
    for cells in body(figures):
        table.add_row(*cells)
    return table


def markdown(figures: Mapping[str, Any]) -> str:
    lines = [head(figures), ["---"] * len(head(figures)), *body(figures)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(value: float | None) -> str:
    """Three digits that count, or all before the point."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _labelled(row: Mapping[str, Any]) -> str:
    return f"{row['label']}, {row['unit']}" if row["unit"] else str(row["label"])


def _judges(figures: Mapping[str, Any]) -> bool:
    return any(row["target"] for row in figures["table"]["rows"])


def _judged(figures: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    if row["target"] is None:
        return ["", "", ""]
    _, reached = _reached(figures, row)
    return [_limit(row["target"], "must"), _limit(row["target"], "aim"), _REACHED.get(reached, "")]


def _reached(figures: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[float | None, str]:
    value = figures.get(row["cells"][figures["table"]["judged"]])
    return value, "" if value is None or row["target"] is None else Target(**row["target"]).reached(value)


def _limit(target: Mapping[str, Any], which: str) -> str:
    value = target[which]
    return "" if value is None else f"{'≥' if target['at_least'] else '≤'} {shown(value)}"
