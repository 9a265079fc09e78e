"""Rates, intervals, and what a number of clean runs proves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_CONFIDENCE = 0.95
"""Used wherever no confidence was asked for."""

_NO_CHANCE = 1e-25
"""What is less likely than this, beside the likeliest, is not looked at."""


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


def chance_of_more_failures(strata: Sequence[tuple[int, int, int, int]]) -> float:
    """Returns how likely one group has at least so many failures if it fails as often as the others (0 to 1).

    Fisher's exact test, one-sided; with several strata (tests whose failure rates may differ) its exact
    conditional counterpart: within each, failures are dealt out blindly to the group and the others.

    Args:
        strata: For each the group's failures and iterations, and those of the others.

    Raises:
        ValueError: More failures than iterations.
    """
    observed = least = 0
    chances = [1.0]
    for failures, iterations, other_failures, other_iterations in strata:
        if not (0 <= failures <= iterations and 0 <= other_failures <= other_iterations):
            raise ValueError(f"{failures} of {iterations}, {other_failures} of {other_iterations} cannot be")
        observed += failures
        dealt = failures + other_failures
        first, weights = _hypergeometric(dealt, iterations, other_iterations)
        least += first
        chances = _sum_of(chances, weights)
    return min(1.0, math.fsum(chances[max(0, observed - least) :]))


def _hypergeometric(dealt: int, iterations: int, other_iterations: int) -> tuple[int, list[float]]:
    """Returns the lowest number of failures that a group may well be dealt, and the chances from it on."""
    least, most = max(0, dealt - other_iterations), min(dealt, iterations)
    total = iterations + other_iterations
    mode = min(most, max(least, (dealt + 1) * (iterations + 1) // (total + 2)))
    # From its top both ways, by the ratio of neighbours: no factorial is so large that it has no number.
    above, below = [1.0], []
    for number in range(mode, most):
        ratio = (dealt - number) * (iterations - number)
        above.append(above[-1] * ratio / ((number + 1) * (other_iterations - dealt + number + 1)))
        if above[-1] < _NO_CHANCE:
            break
    weight = 1.0
    for number in range(mode, least, -1):
        weight *= (
            number * (other_iterations - dealt + number) / ((dealt - number + 1) * (iterations - number + 1))
        )
        below.append(weight)
        if weight < _NO_CHANCE:
            break
    weights = [*reversed(below), *above]
    whole = math.fsum(weights)
    return mode - len(below), [weight / whole for weight in weights]


def _sum_of(chances: Sequence[float], others: Sequence[float]) -> list[float]:
    """Returns the chances of the sum of two independent numbers that both count from 0."""
    if len(chances) == 1:
        return [chances[0] * other for other in others]
    import numpy

    return [float(chance) for chance in numpy.convolve(chances, others)]
