"""Figures are judged as they are agreed: medians of rounds, beside what they must reach and what is aimed at."""

from collections import Counter

import pytest

from workers.bench import table
from workers.bench.figures import FAULTS, Rounds, Row, Table, Target, percentiles, report, verdict

RATES = Table(
    "Rates",
    ("gateway", "relay"),
    (
        Row("commands a second", ("rate", "ceiling_rate"), "a second", Target(must=720, aim=1200, at_least=True)),
        Row("wave", ("wave", ""), "s", Target(aim=10)),
        Row("never measured", ("nothing", "")),
    ),
)


def figures(rate=(1, 2, 900), wave=(3.0, 4.0, 5.0), faults=None):
    rounds = Rounds()
    for one, other in zip(rate, wave, strict=True):
        rounds.add(rate=one, wave=other)
    each_round = rounds.prefixed() | {"ceiling_rate": [1000.0, 3000.0, 2000.0]}
    return report(RATES, each_round, Counter(faults or {}), {"rounds": 3})


def test_a_figure_is_the_median_of_its_rounds():
    told = figures()
    assert (told["rate"], told["wave"], told["ceiling_rate"], told["rounds"]) == (2, 4, 2000, 3)
    assert told["each_round"]["rate"] == [1, 2, 900]


@pytest.mark.parametrize(
    ("target", "value", "reached"),
    [
        (Target(must=720, aim=1200, at_least=True), 1200, "aim"),
        (Target(must=720, aim=1200, at_least=True), 1199, "must"),
        (Target(must=720, aim=1200, at_least=True), 719, "missed"),
        (Target(must=5, aim=1.5), 1.5, "aim"),
        (Target(must=5, aim=1.5), 5, "must"),
        (Target(must=5, aim=1.5), 5.01, "missed"),
        (Target(aim=10), 10.1, "missed"),
        (Target(must=0, aim=0), 0.01, "missed"),
    ],
)
def test_what_is_reached(target, value, reached):
    assert target.reached(value) == reached


@pytest.mark.parametrize("fault", FAULTS)
def test_figures_with_a_fault_do_not_count(fault):
    assert verdict(figures()) is None
    said = verdict(figures(faults={fault: 3}))
    assert said is not None
    assert f"3 {fault}" in said


def test_percentiles_of_few():
    assert percentiles("x_", []) == {"x_p50_ms": 0.0, "x_p99_ms": 0.0}
    assert percentiles("x_", [7.0], (90,)) == {"x_p90_ms": 7.0}
    assert percentiles("", [float(one) for one in range(1, 102)]) == {"p50_ms": 51.0, "p99_ms": 100.0}


def test_a_page_shows_what_was_measured_and_no_more():
    assert table.markdown(figures()).splitlines() == [
        "|  | gateway | relay | must | aim |  |",
        "| --- | --- | --- | --- | --- | --- |",
        "| commands a second, a second | 2 | 2,000 | ≥ 720 | ≥ 1,200 | missed |",
        "| wave, s | 4 |  |  | ≤ 10 | aim reached |",
    ]


def test_what_is_missed_is_said_with_what_it_missed():
    assert list(table.missed(figures(rate=(720, 720, 720), wave=(11, 12, 13)))) == [
        "commands a second, a second: 720, where the aim is ≥ 1,200.",
        "wave, s: 12, where the aim is ≤ 10.",
    ]
    assert list(table.missed(figures(rate=(1, 1, 1)))) == ["commands a second, a second: 1, where the must is ≥ 720."]


def test_a_target_of_ratios_is_that_of_the_last_column():
    ratios = Table("T", ("without", "with", "ratio"), (Row("r", ("a", "b", "c"), "ms", Target(must=1.5, aim=1.1)),), 2)
    told = report(ratios, {"a": [10.0], "b": [14.0], "c": [1.4]}, Counter(), {})
    assert table.markdown(told).splitlines()[2] == "| r, ms | 10 | 14 | 1.4 | ≤ 1.5 | ≤ 1.1 | must reached |"


@pytest.mark.parametrize(
    ("value", "said"), [(None, ""), (0.0, "0"), (0.1234, "0.123"), (19.04, "19"), (138.4, "138"), (1607.2, "1,607")]
)
def test_three_digits_are_shown(value, said):
    assert table.shown(value) == said
