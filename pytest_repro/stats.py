"""Rates, intervals, and what a number of clean runs proves."""

from __future__ import annotations

import math
from dataclasses import dataclass

DEFAULT_CONFIDENCE = 0.95
"""Used wherever no confidence was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided confidence interval of a rate; both ends from 0 to 1."""

    low: float
    high: float


def failure_rate_interval(
    failures: int, iterations: int, *, confidence: float = DEFAULT_CONFIDENCE
) -> Interval:
    """Returns the exact interval of Clopper and Pearson (1934) for `failures` of `iterations`.

    Exact means that it covers the true rate at least as often as `confidence` says, also for a handful of
    failures, where the usual approximations do not. Without any iteration nothing is known: 0 to 1.

    Raises:
        ValueError: The counts cannot be (more failures than iterations, or below 0).
    """
    if not 0 <= failures <= iterations:
        raise ValueError(f"{failures} failures of {iterations} iterations cannot be")
    if iterations == 0:
        return Interval(low=0.0, high=1.0)
    tail = (1.0 - confidence) / 2.0
    passes = iterations - failures
    # With one kind of outcome alone the beta function is a power: most sessions need no scipy.
    one_sided = -math.expm1(math.log(tail) / iterations)
    if failures == 0:
        return Interval(low=0.0, high=one_sided)
    if passes == 0:
        return Interval(low=1.0 - one_sided, high=1.0)
    from scipy.special import betaincinv

    low = float(betaincinv(failures, passes + 1, tail))
    high = float(betaincinv(failures + 1, passes, 1.0 - tail))
    return Interval(low=low, high=high)


def ruled_out_rate(clean_runs: int, *, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """Returns the failure rate (0 to 1) above which `clean_runs` passes in a row rule it out.

    A test with this rate or a higher one would have failed at least once with probability `confidence`:
    `1 - (1 - confidence) ** (1 / clean_runs)`. No run rules out nothing: 1.
    """
    if clean_runs <= 0:
        return 1.0
    return -math.expm1(math.log1p(-confidence) / clean_runs)


def chance_of_clean_runs(failure_rate: float, runs: int) -> float:
    """Returns the probability (0 to 1) that a test of this failure rate passes `runs` times in a row."""
    return float((1.0 - failure_rate) ** runs)


def runs_needed(failure_rate: float, *, confidence: float = DEFAULT_CONFIDENCE) -> int | None:
    """Returns how many clean runs rule out `failure_rate` (0 to 1), or None where no number does."""
    if failure_rate <= 0.0:
        return None
    if failure_rate >= 1.0:
        return 1
    return max(1, math.ceil(math.log1p(-confidence) / math.log1p(-failure_rate)))
