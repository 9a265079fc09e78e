"""The middle of a sample, and how far from it the true one may lie."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

from pytest_repro.stats import DEFAULT_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """A median with its interval, in the unit of the values.

    Attributes:
        count: Values that there were; the median is of a fair sample where these are many.
        value: The median.
        low: Lower end of the interval, None where there are too few values for one.
        high: Upper end, likewise.
        confidence: With which the interval holds the true median, at least what was asked; likewise.
    """

    count: int
    value: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None


def median_of(
    values: Sequence[float], *, count: int | None = None, confidence: float = DEFAULT_CONFIDENCE
) -> Median:
    """Returns the median and its interval by order statistics, free of any distribution.

    The true median lies below the j-th smallest of n independent values with the chance that fewer than j
    of n fair coins show heads, and likewise above (Conover, Practical Nonparametric Statistics, 3.2). The
    ends are the j-th value from below and from above, j the largest whose two chances leave the confidence;
    equal values only make it safer. 95 % take at least six values.

    Args:
        values: At least one.
        count: Values that these were drawn from, if they are a sample.
        confidence: That is asked for, from 0 to 1.

    Raises:
        statistics.StatisticsError: If there are none.
    """
    ordered = sorted(values)
    size = len(ordered)
    told = size if count is None else count
    middle = statistics.median(ordered)
    # Whole numbers as long as they are added: dividing them is exact enough, and never too large.
    whole, tail, rank = 2**size, 0, 0
    while rank < size // 2 and (tail + comb(size, rank)) / whole <= (1.0 - confidence) / 2.0:
        tail += comb(size, rank)
        rank += 1
    if rank == 0:
        return Median(count=told, value=middle)
    return Median(
        count=told,
        value=middle,
        low=ordered[rank - 1],
        high=ordered[size - rank],
        confidence=1.0 - 2 * tail / whole,
    )
