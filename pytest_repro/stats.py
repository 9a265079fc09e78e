"""Rates, intervals, and what a number of clean runs proves."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

DEFAULT_CONFIDENCE = 0.95
"""Used wherever no confidence was asked for."""

_NO_CHANCE = 1e-25
"""What is less likely than this, beside the likeliest, is not looked at."""

_MOST_STEPS = 200_000
"""Steps of work up to which a chance is counted out rather than estimated."""

_MOST_DEALS = 9_999
"""Deals from which a chance is estimated; fewer where there are very many processes."""

_DEALT_AT_ONCE = 1_000_000
"""Numbers that are dealt, and held in memory, at a time."""

_MOST_PROCESSES = 10_000
"""More processes than that are put together, blindly, before failures are dealt out to them."""


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
    _refuse_impossible(failures, iterations)
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


def chance_if_unchanged(failures: int, iterations: int, *, clean: int) -> float:
    """Returns how likely `clean` passes in a row are after `failures` of `iterations`, had nothing changed.

    `C(iterations, failures) / C(iterations + clean, failures)`: Fisher's exact test, one-sided. The rate
    before is itself an estimate, so it is not taken for the rate: given so many failures in all, each order
    of them is as likely as another, and this is the share of the orders in which all of them come first. It
    holds just as well where the iterations were stopped at their last failure. Without a failure it is 1.

    Raises:
        ValueError: The counts cannot be (more failures than iterations, or below 0).
    """
    _refuse_impossible(failures, iterations)
    if clean < 0:
        raise ValueError(f"{clean} clean iterations cannot be")
    # Both products are the same quotient of factorials; the shorter one has at most as many terms as needed.
    terms = min(failures, clean)
    across = max(failures, clean)
    total = iterations + clean
    logarithm = math.fsum(math.log1p(-across / (total - term)) for term in range(terms))
    return math.exp(logarithm) if logarithm > -745.0 else 0.0


def clean_iterations_needed(
    failures: int, iterations: int, *, confidence: float = DEFAULT_CONFIDENCE
) -> int | None:
    """Returns how many passes in a row rule out, after `failures` of `iterations`, that nothing changed.

    The smallest number for which `chance_if_unchanged` is at most `1 - confidence`, where `confidence` is
    the decimal number as it is printed: counted in whole numbers, so never off by one. 10 failures in 100
    ask for 34, 1 in 100 for 1,900, 1 in 1 for 19.

    Returns:
        At least 1; None where no number does, since it never failed.

    Raises:
        ValueError: The counts cannot be, or the confidence is not between 0 and 1.
    """
    _refuse_impossible(failures, iterations)
    left = _left_over(confidence)
    if failures == 0:
        return None
    # Each of the factors of the chance lies between that of the first and that of the last failure.
    growth = math.expm1(-math.log(left) / failures)
    enough = max(1, math.ceil(iterations * growth * (1 + 1e-9)))
    short = max(0, math.floor((iterations - failures + 1) * growth * (1 - 1e-9)) - 1)
    while enough - short > 1:
        middle = (short + enough) // 2
        if _is_ruled_out(failures, iterations, clean=middle, left=left):
            enough = middle
        else:
            short = middle
    return enough


def _is_ruled_out(failures: int, iterations: int, *, clean: int, left: Fraction) -> bool:
    total = iterations + clean
    if failures < clean:
        chance = math.perm(iterations, failures), math.perm(total, failures)
    else:
        chance = math.perm(total - failures, clean), math.perm(total, clean)
    return chance[0] * left.denominator <= left.numerator * chance[1]


def _left_over(confidence: float) -> Fraction:
    """Returns 1 less the confidence, as the decimal number that a person wrote: 0.9 leaves one in ten."""
    left = 1 - Fraction(repr(float(confidence)))
    if not 0 < left < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    return left


def _refuse_impossible(failures: int, iterations: int) -> None:
    if not 0 <= failures <= iterations:
        raise ValueError(f"{failures} failures of {iterations} iterations cannot be")


def chance_of_clusters(processes: Sequence[tuple[int, int]]) -> float:
    """Returns how likely failures gather in some processes at least as much, if each came by itself (0 to 1).

    The test of Tarone (1979) against a failure rate that differs from process to process, conditional on the
    number of failures: they are dealt out blindly to all iterations, and what counts is the sum over the
    processes of the squared distance between failures dealt and failures expected. It sees processes that
    fail always or never, and those that only fail more often than others. Counted out where that is little
    work, else estimated from deals with a fixed seed, so that one record always gives one number.

    Args:
        processes: For each its failures and its iterations.

    Returns:
        The chance; 1 where no process failed twice, since then nothing gathers.

    Raises:
        ValueError: The counts cannot be (more failures than iterations, or below 0).
    """
    for failed, executed in processes:
        _refuse_impossible(failed, executed)
    ran = [(failed, executed) for failed, executed in processes if executed]
    failures, total = sum(failed for failed, _ in ran), sum(executed for _, executed in ran)
    if len(ran) < 2 or failures == total or max(failed for failed, _ in ran) < 2:
        return 1.0
    ran = _put_together(ran)
    sizes = sorted(executed for _, executed in ran)
    counted = _counted_chance(
        sizes,
        failures,
        observed=sum(_spread(failed, executed, failures=failures, total=total) for failed, executed in ran),
    )
    if counted is not None:
        return counted
    rate = failures / total
    squares = math.fsum((failed - executed * rate) ** 2 for failed, executed in ran)
    return _estimated_chance(sizes, failures, observed=squares)


def _put_together(ran: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Bounds the work: what gathers in a process gathers in the group that it is in.

    Who is put together is drawn with a fixed seed, since neighbours may take turns at failing.
    """
    size = -(-len(ran) // _MOST_PROCESSES)
    if size < 2:
        return ran
    drawn = random.Random(0).sample(sorted(ran), len(ran))
    groups = [drawn[first : first + size] for first in range(0, len(drawn), size)]
    return [(sum(failed for failed, _ in group), sum(executed for _, executed in group)) for group in groups]


def _spread(failed: int, executed: int, *, failures: int, total: int) -> int:
    """Returns the part of a process in the sum of squared distances, whole, and less what is always there."""
    return total * failed * failed - 2 * failures * executed * failed


def _counted_chance(sizes: Sequence[int], failures: int, *, observed: int) -> float | None:
    """Counts all deals whose spread is at least the observed one; None where there are too many kinds."""
    total = sum(sizes)
    ways = {(0, 0): 1}
    steps, later = 0, total
    for size in sizes:
        later -= size
        steps += len(ways) * (min(size, failures) + 1)
        if steps > _MOST_STEPS:
            return None
        dealt: dict[tuple[int, int], int] = {}
        choices = [
            (number, math.comb(size, number), _spread(number, size, failures=failures, total=total))
            for number in range(min(size, failures) + 1)
        ]
        for (before, spread), count in ways.items():
            for number, combinations, part in choices:
                if before + number <= failures <= before + number + later:
                    state = before + number, spread + part
                    dealt[state] = dealt.get(state, 0) + count * combinations
        ways = dealt
    as_much = sum(count for (_, spread), count in ways.items() if spread >= observed)
    return float(Fraction(as_much, math.comb(total, failures)))


def _estimated_chance(sizes: Sequence[int], failures: int, *, observed: float) -> float:
    """Estimates the same from random deals, the observed one among them: never 0, and hardly too low."""
    import numpy

    colours = numpy.asarray(sizes)
    expected = colours * (failures / sum(sizes))
    generator = numpy.random.default_rng(0)
    deals = min(_MOST_DEALS, max(999, 2 * _DEALT_AT_ONCE // len(sizes)))
    at_once = max(1, _DEALT_AT_ONCE // len(sizes))
    as_much = 0
    for done in range(0, deals, at_once):
        dealt = generator.multivariate_hypergeometric(
            colours, failures, size=min(at_once, deals - done), method="marginals"
        )
        spreads = ((dealt - expected) ** 2).sum(axis=1)
        as_much += int((spreads >= observed * (1 - 1e-9)).sum())
    return (as_much + 1) / (deals + 1)


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
