"""Medians with their intervals, and failing iterations against passing ones."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.timing.contrast import chance_of_ranks, holm
from pytest_repro.timing.medians import median_of
from pytest_repro.timing.series import KEPT, Quantity, Sample, Series, SeriesTally, corrected
from pytest_repro.timing.series_lines import comparison_text, limit_text
from pytest_repro.verify.limits import LimitKind, parse_limit


def _counted_by_hand(group: Sequence[float], others: Sequence[float]) -> float:
    """All ways to choose who is in the group, with mean ranks."""
    values = [*group, *others]
    ranks = [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]
    mean = len(group) * (len(values) + 1) / 2
    distance = abs(sum(ranks[: len(group)]) - mean)
    deals = list(itertools.combinations(ranks, len(group)))
    return sum(abs(sum(deal) - mean) >= distance for deal in deals) / len(deals)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5), st.lists(st.integers(0, 5), min_size=1, max_size=6)
)
def test_small_groups_are_counted_exactly_also_with_equal_values(group: list[int], others: list[int]) -> None:
    """The chance is the share of all deals that differ at least so much."""
    assert chance_of_ranks(group, others) == pytest.approx(_counted_by_hand(group, others))


@pytest.mark.parametrize(("failing", "passing"), [(3, 7), (8, 40), (30, 60), (40, 41)])
def test_the_chance_is_that_of_scipy(failing: int, passing: int) -> None:
    """Where no values are equal, and where both groups are large."""
    stats = pytest.importorskip("scipy.stats")
    draw = random.Random(failing)
    group = [draw.gauss(0.4, 1) for _ in range(failing)]
    others = [draw.gauss(0, 1) for _ in range(passing)]
    method = "exact" if failing < 13 else "asymptotic"
    expected = stats.mannwhitneyu(group, others, method=method).pvalue
    assert chance_of_ranks(group, others) == pytest.approx(expected, rel=1e-6)


def test_nothing_can_be_said_of_no_values_or_of_equal_ones() -> None:
    """The chance is 1, in small groups and in large ones."""
    assert chance_of_ranks([], [1.0, 2.0]) == 1.0
    assert chance_of_ranks([1.0] * 3, [1.0] * 4) == 1.0
    assert chance_of_ranks([1.0] * 30, [1.0] * 40) == 1.0


def test_holm_corrects_the_smallest_chance_most() -> None:
    """And never turns the order round."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("size", "low", "high"), [(6, 0, 5), (10, 1, 8), (50, 17, 32), (100, 39, 60)])
def test_the_interval_is_that_of_the_tables(size: int, low: int, high: int) -> None:
    """The ranks for 95 % as books print them; the confidence reached is told."""
    median = median_of(range(size))
    assert (median.low, median.high) == (low, high)
    assert median.confidence is not None
    assert 0.95 <= median.confidence < 0.985 or size == 10


def test_five_values_have_a_median_and_no_interval() -> None:
    """No order statistics of so few hold the true median with 95 %."""
    median = median_of([5, 1, 4, 2, 3])
    assert (median.value, median.low, median.high, median.confidence) == (3, None, None, None)


@given(st.lists(st.integers(-5, 5), min_size=6, max_size=80))
def test_the_median_lies_in_its_interval(values: list[int]) -> None:
    """Whatever the values."""
    median = median_of(values)
    assert median.low is not None
    assert median.high is not None
    assert min(values) <= median.low <= statistics.median(values) <= median.high <= max(values)


def test_a_sample_is_fair_and_bounded() -> None:
    """Of a hundred thousand values in order, those kept lie evenly, and the count is of all."""
    sample = Sample(random.Random(0))
    for value in range(100_000):
        sample.add(value)
    assert (len(sample.values), sample.count) == (KEPT, 100_000)
    assert statistics.mean(sample.values) == pytest.approx(50_000, rel=0.1)


def _series(
    passing: Sequence[float],
    failing: Sequence[float],
    *,
    calls: tuple[int, int] = (1, 1),
    unfinished: int = 0,
) -> SeriesTally:
    tally = SeriesTally("to_device", Quantity.PHASE, limits=(), chance=random.Random(0))
    for value in passing:
        tally.add(value, is_failing=False, calls=calls[0])
    for value in failing:
        tally.add(value, is_failing=True, calls=calls[1])
    for _ in range(unfinished):
        tally.add_unfinished()
    return tally


def _judged(*tallies: SeriesTally) -> list[Series]:
    return corrected([tally.series() for tally in tallies])


PASSING = [1_000_000 + step for step in range(10)]


def test_a_slower_phase_of_failing_iterations_is_told_with_its_factor_and_chance() -> None:
    """The factor is that of the medians, which stand beside it."""
    (series,) = _judged(_series(PASSING, [3_100_000, 3_100_001, 3_100_002]))
    assert comparison_text(series) == (
        "to_device is 3.1 times slower in failing iterations, p = 0.007 (3.10 ms against 1.00 ms, medians of "
        "3 and 10)."
    )


def test_two_failing_iterations_are_compared_with_nothing() -> None:
    """However much they differ."""
    (series,) = _judged(_series(PASSING, [9e9, 9e9]))
    assert series.comparison is None
    assert comparison_text(series) is None


def test_with_many_phases_a_difference_has_to_be_clearer() -> None:
    """What is told of one phase alone is chance among twenty."""
    odd = _series(PASSING, [3_100_000, 3_100_001, 3_100_002])
    calm = [_series(PASSING, PASSING[3:6]) for _ in range(19)]
    series = _judged(odd, *calm)
    assert series[0].comparison is not None
    assert series[0].comparison.chance == pytest.approx(20 * 2 / 286)
    assert [comparison_text(one) for one in series] == [None] * 20


def test_a_difference_too_small_to_matter_is_not_told() -> None:
    """Certain, and worth nobody's time."""
    (series,) = _judged(_series(PASSING, [1_010_000 + step for step in range(10)]))
    assert series.comparison is not None
    assert series.comparison.chance < 0.05
    assert comparison_text(series) is None


def test_iterations_that_ended_early_are_not_called_faster() -> None:
    """They made fewer calls: their sum is smaller for that. Slower they may be called all the same."""
    (cut,) = _judged(_series([value * 10 for value in PASSING], PASSING, calls=(10, 1)))
    assert cut.comparison is not None
    assert cut.comparison.is_cut_short
    assert comparison_text(cut) is None
    (slow,) = _judged(_series(PASSING, [value * 10 for value in PASSING], calls=(10, 3)))
    assert comparison_text(slow) is not None
    (fast,) = _judged(_series([value * 10 for value in PASSING], PASSING))
    assert "10 times faster" in (comparison_text(fast) or "")


def test_cold_iterations_stand_apart_from_warm_ones() -> None:
    """Unless each iteration is cold, as in processes of their own."""
    tally = _series([5.0, 6.0, 7.0], [])
    tally.add(1000.0, is_failing=False, is_cold=True)
    (series,) = _judged(tally)
    assert series.cold is not None
    assert series.passing is not None
    assert (series.cold.value, series.passing.value, series.passing.count) == (1000.0, 6.0, 3)
    all_cold = SeriesTally("op", Quantity.PHASE, limits=(), chance=random.Random(0))
    for value in (1.0, 2.0, 3.0):
        all_cold.add(value, is_failing=False, is_cold=True)
        all_cold.add(value, is_failing=True, is_cold=True)
    (series,) = _judged(all_cold)
    assert series.passing == series.failing
    assert series.comparison is not None


def test_rare_failing_iterations_are_kept_beside_a_million_that_pass() -> None:
    """Each kind has room of its own."""
    tally = SeriesTally("op", Quantity.PHASE, limits=(), chance=random.Random(0))
    for value in range(20_000):
        tally.add(value % 100, is_failing=False)
        if value % 5000 == 0:
            tally.add(500, is_failing=True)
    (series,) = _judged(tally)
    assert series.failing is not None
    assert series.passing is not None
    assert (series.failing.count, series.failing.value, series.passing.count) == (4, 500, 20_000)
    assert comparison_text(series) is not None


@pytest.mark.parametrize(
    ("limit", "values", "text"),
    [
        ("samples_per_s>=19649", [19_645.07], "limit >= 19,649: missed by 0.02 %"),
        ("samples_per_s>=19649", [20_000.0], "limit >= 19,649: kept, by 1.8 %"),
        ("samples_per_s<2", [1.0, 1.5], "limit < 2: kept, the nearest of all, by 25 %"),
        ("samples_per_s<2", [1.0, 3.0, 2.0], "limit < 2: 2 of 3 values miss it, the worst by 50 %"),
        ("samples_per_s==0", [0.5], "limit == 0: missed by 0.5"),
    ],
)
def test_the_distance_to_a_limit_is_told(limit: str, values: list[float], text: str) -> None:
    """As a part of the limit; of several values that of the worst."""
    tally = SeriesTally(
        "samples_per_s",
        Quantity.METRIC,
        limits=[parse_limit(LimitKind.METRIC, limit)],
        chance=random.Random(0),
    )
    for value in values:
        tally.add(value, is_failing=False)
        tally.hold(value)
    (series,) = _judged(tally)
    assert [limit_text(distance) for distance in series.limits] == [text]
