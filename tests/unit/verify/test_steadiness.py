"""Steadiness: slow runs are found, ordinary noise is not named."""

from __future__ import annotations

import math
import random

import pytest

from pytest_repro.verify.measures import Measure, TestMeasures
from pytest_repro.verify.steadiness import TimedRun, Unsteady, find_unsteady

SECOND = 10**9


def _measures(time_ns: float, **phases_s: float) -> TestMeasures:
    def measure(value_ns: float) -> Measure:
        return Measure(count=1, low=round(value_ns), median=round(value_ns), high=round(value_ns))

    phases = {name: measure(value * SECOND) for name, value in phases_s.items()}
    return TestMeasures(duration_ns=measure(time_ns), phases_ns=phases)


def _runs(times_s: list[float], *, whole_s: list[float] | None = None) -> list[TimedRun]:
    whole_s = whole_s or [1.0] * len(times_s)
    return [
        TimedRun(number=number, duration_ns=round(whole * SECOND), tests={"t": _measures(time * SECOND)})
        for number, (time, whole) in enumerate(zip(times_s, whole_s, strict=True), 1)
    ]


def _is_named(times_s: list[float]) -> bool:
    return bool(find_unsteady(_runs(times_s)))


def test_a_slow_run_is_named_with_range_and_median() -> None:
    """Which test, how long, and in which run."""
    assert find_unsteady(_runs([0.9, 0.95, 0.92, 3.1, 0.9])) == (
        Unsteady(
            test="t",
            phase=None,
            low_ns=900_000_000,
            median_ns=920_000_000,
            high_ns=3_100_000_000,
            run=4,
            is_longest=True,
        ),
    )


@pytest.mark.parametrize(
    ("times_s", "run"),
    [
        ([1.0, 1.0, 2.0], 3),
        ([1.0, 1.0, 1.0, 1.0, 1.6], 5),
        ([1.0, 3.0, 1.0, 3.0, 1.0, 3.0], 2),
        ([3.0, 1.0, 3.0, 3.0], 2),
        ([10.0, 40.0, 11.0, 20.0, 12.0], 2),
    ],
    ids=["twice", "between the ratios", "half of them slow", "one quick", "wide"],
)
def test_what_differs_much_is_named(times_s: list[float], run: int) -> None:
    """The run that differs most."""
    (unsteady,) = find_unsteady(_runs(times_s))
    assert unsteady.run == run


@pytest.mark.parametrize(
    "times_s",
    [
        [1.0, 1.0, 1.0],
        [1.0, 1.49, 1.0],
        [0.001, 0.15, 0.001],
        [1.0, 1.2, 1.55, 1.3, 0.9],
        [1.0, 9.0],
        [0.0, 0.0, 0.0],
    ],
    ids=["equal", "below the ratio", "short", "noise of its own", "two runs", "nothing"],
)
def test_what_differs_little_is_not_named(times_s: list[float]) -> None:
    """Noise, short tests, and too few runs to tell."""
    assert not _is_named(times_s)


def test_a_fast_run_is_called_the_shortest() -> None:
    """A test that did less than usual is unsteady too."""
    (unsteady,) = find_unsteady(_runs([3.0, 3.0, 0.5]))
    assert (unsteady.run, unsteady.is_longest) == (3, False)


def test_whole_runs_are_compared_with_more_patience() -> None:
    """A process starts, imports, and collects: what takes half a second more is nothing."""
    assert not find_unsteady(_runs([1.0] * 3, whole_s=[0.9, 0.9, 1.8]))
    (unsteady,) = find_unsteady(_runs([1.0] * 3, whole_s=[0.9, 0.9, 2.8]))
    assert (unsteady.test, unsteady.run) == (None, 3)


def test_phases_are_compared_by_name_and_the_most_unsteady_comes_first() -> None:
    """The phase explains the test."""
    runs = [
        TimedRun(
            number=number,
            duration_ns=SECOND,
            tests={"t": _measures(1.5 * SECOND + slow * SECOND, op=1.0, to_torch=0.1 + slow)},
        )
        for number, slow in enumerate((0.0, 0.0, 4.0), 1)
    ]
    assert [(one.test, one.phase) for one in find_unsteady(runs)] == [("t", "to_torch"), ("t", None)]


def test_runs_without_the_test_are_left_out() -> None:
    """Three runs that have it are needed."""
    runs = _runs([1.0, 1.0, 5.0])
    without = TimedRun(number=4, duration_ns=SECOND, tests={})
    assert len(find_unsteady([*runs, without])) == 1
    assert not find_unsteady([*runs[1:], without])


@pytest.mark.parametrize(
    ("sigma", "runs", "most_alarms", "least_found"),
    [(0.05, 3, 0.0005, 0.9), (0.05, 5, 0.0005, 0.99), (0.1, 5, 0.003, 0.85), (0.1, 10, 0.003, 0.95)],
)
def test_false_alarms_are_rare_and_a_run_of_twice_the_time_is_found(
    sigma: float, runs: int, most_alarms: float, least_found: float
) -> None:
    """Lognormal noise of 5 and of 10 per cent, 4,000 tests each, from a fixed seed."""
    chance = random.Random(7)

    def times() -> list[float]:
        return [math.exp(chance.gauss(0, sigma)) for _ in range(runs)]

    alarms = sum(_is_named(times()) for _ in range(4000)) / 4000
    found = 0.0
    for _ in range(4000):
        *rest, slow = times()
        found += _is_named([*rest, 2 * slow]) / 4000
    assert alarms <= most_alarms
    assert found >= least_found
