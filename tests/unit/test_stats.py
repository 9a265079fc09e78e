"""Statistics, checked against scipy's own tests and against simulation-free identities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.stats import (
    chance_of_clean_runs,
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
