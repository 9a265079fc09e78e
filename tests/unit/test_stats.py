"""Statistics, checked against scipy's own tests and against simulation-free identities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.stats import (
    chance_of_clean_runs,
    chance_of_more_failures,
    failure_rate_interval,
    ruled_out_rate,
    runs_needed,
)


@pytest.mark.parametrize("iterations", [1, 2, 5, 20, 1000, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_the_interval_is_scipys_exact_one(iterations: int, share: float, confidence: float) -> None:
    """Clopper and Pearson, over a grid with its edges."""
    from scipy.stats import binomtest

    failures = round(iterations * share)
    expected = binomtest(failures, iterations).proportion_ci(confidence_level=confidence, method="exact")
    interval = failure_rate_interval(failures, iterations, confidence=confidence)
    assert interval.low == pytest.approx(expected.low, abs=1e-9)
    assert interval.high == pytest.approx(expected.high, abs=1e-9)


def test_without_iterations_nothing_is_known() -> None:
    """No iteration, no claim."""
    interval = failure_rate_interval(0, 0)
    assert (interval.low, interval.high) == (0.0, 1.0)
    assert ruled_out_rate(0) == 1.0


@pytest.mark.parametrize(("failures", "iterations"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(failures: int, iterations: int) -> None:
    """A rate is never made of counts that cannot be."""
    with pytest.raises(ValueError, match=f"{failures} failures of {iterations} iterations"):
        failure_rate_interval(failures, iterations)


@pytest.mark.parametrize(("runs", "expected"), [(1, 0.95), (5, 0.4507), (59, 0.0495), (100_000, 2.9957e-5)])
def test_clean_runs_rule_out_a_rate(runs: int, expected: float) -> None:
    """Five clean runs rule out 45 %, not more."""
    assert ruled_out_rate(runs) == pytest.approx(expected, rel=1e-3)


@given(st.integers(1, 10_000), st.floats(0.5, 0.999))
def test_a_rate_ruled_out_would_have_shown_itself(runs: int, confidence: float) -> None:
    """At the rate that is ruled out, so many clean runs have just the probability that is left."""
    rate = ruled_out_rate(runs, confidence=confidence)
    assert chance_of_clean_runs(rate, runs) == pytest.approx(1 - confidence, rel=1e-6)


@given(st.floats(1e-6, 0.999), st.floats(0.5, 0.999))
def test_the_runs_needed_are_enough_and_none_is_too_many(rate: float, confidence: float) -> None:
    """The number is the smallest that keeps the promise."""
    runs = runs_needed(rate, confidence=confidence)
    assert runs is not None
    assert chance_of_clean_runs(rate, runs) <= (1 - confidence) * (1 + 1e-9)
    if runs > 1:
        assert chance_of_clean_runs(rate, runs - 1) > (1 - confidence) * (1 - 1e-9)


def test_no_number_of_runs_rules_out_a_test_that_never_failed() -> None:
    """A rate of zero cannot be ruled out, a rate of one takes a single run."""
    assert runs_needed(0.0) is None
    assert runs_needed(1.0) == 1
    assert chance_of_clean_runs(0.2, 5) == pytest.approx(0.32768)


_COUNTS = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(_COUNTS, _COUNTS)
def test_the_chance_of_more_failures_is_scipys_fisher_test(
    group: tuple[int, int], others: tuple[int, int]
) -> None:
    """One-sided, for whatever counts."""
    from scipy.stats import fisher_exact

    (failures, iterations), (other_failures, other_iterations) = group, others
    table = [[failures, iterations - failures], [other_failures, other_iterations - other_failures]]
    expected = fisher_exact(table, alternative="greater")[1]
    chance = chance_of_more_failures([(failures, iterations, other_failures, other_iterations)])
    assert chance == pytest.approx(expected, rel=1e-6, abs=1e-13)


def test_the_chance_over_several_tests_adds_their_failures_up() -> None:
    """By hand: one failure each in 2 + 2 and in 1 + 3 iterations, both in the group: 1/2 * 1/4."""
    assert chance_of_more_failures([(1, 2, 0, 2), (1, 1, 0, 3)]) == pytest.approx(1 / 8)
    assert chance_of_more_failures([(1, 2, 0, 2), (0, 1, 1, 3)]) == pytest.approx(1 - 1 / 2 * 3 / 4)
    assert chance_of_more_failures([]) == 1.0


def test_the_chance_of_more_failures_is_there_for_a_million_iterations() -> None:
    """No factorial is in the way; what is hardly possible is 0."""
    assert chance_of_more_failures([(250_000, 500_000, 250_000, 500_000)]) == pytest.approx(0.5, abs=0.01)
    assert chance_of_more_failures([(300_000, 500_000, 200_000, 500_000)]) < 1e-20


def test_more_failures_than_iterations_are_refused() -> None:
    """A count that cannot be is a bug of the caller."""
    with pytest.raises(ValueError, match="3 of 2, 0 of 1 cannot be"):
        chance_of_more_failures([(3, 2, 0, 1)])
