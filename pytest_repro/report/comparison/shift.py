"""How far apart two samples are: the estimate of Hodges and Lehmann, and the test of Mann and Whitney."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_repro.stats import DEFAULT_CONFIDENCE

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How much higher the second sample lies, in the unit of the values.

    Attributes:
        estimate: Median of all differences of a value of the second and one of the first.
        low: Lower end of its interval, None where there are too few values for one.
        high: Upper end, likewise.
        chance: How likely the samples differ so much without a reason (0 to 1); 1 where there is no interval.
    """

    estimate: float
    low: float | None
    high: float | None
    chance: float


def shift_between(
    before: np.ndarray[Any, Any], after: np.ndarray[Any, Any], *, confidence: float = DEFAULT_CONFIDENCE
) -> Shift:
    """Compares two samples of independent values.

    The interval holds the differences that the test would not reject (Lehmann, 1963): from the k-th smallest
    difference of a pair to the k-th largest.

    Args:
        before: At least one value, and so few that all pairs can be looked at.
        after: Likewise.
        confidence: Of the interval, from 0 to 1.
    """
    import numpy as np

    differences = np.sort(np.subtract.outer(after, before).ravel())
    rank = _rank_of_end(len(before), len(after), confidence)
    # With so few values that no difference would be certain the test has nothing to say.
    chance = _chance(before, after) if rank else 1.0
    return Shift(
        estimate=float(np.median(differences)),
        low=float(differences[rank - 1]) if rank else None,
        high=float(differences[-rank]) if rank else None,
        chance=chance,
    )


def _chance(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> float:
    from scipy import stats

    chance = float(stats.mannwhitneyu(before, after, alternative="two-sided").pvalue)
    return 1.0 if math.isnan(chance) else chance


@lru_cache(maxsize=256)
def _rank_of_end(first: int, second: int, confidence: float) -> int:
    """Returns which difference from below is the interval's end; 0 where no interval holds so surely.

    It is the largest k for which U, of Mann and Whitney, is below k with at most half of what is left.
    """
    ways = _ways_to_u(first, second)
    allowed = (1.0 - confidence) / 2.0 * sum(ways)
    reached = 0
    for rank, number in enumerate(ways):
        reached += number
        if reached > allowed:
            return rank
    return len(ways)


def _ways_to_u(first: int, second: int) -> list[int]:
    """Returns in how many ways each value of U comes about for two samples of one distribution.

    Mann and Whitney (1947): the coefficients of the product of (1 - x^(second + i)) / (1 - x^i) for i from 1
    to `first`; in whole numbers, as those of the ends are small beside those of the middle.
    """
    ways = [1] + [0] * (first * second)
    for i in range(1, first + 1):
        for place in range(len(ways) - 1, second + i - 1, -1):
            ways[place] -= ways[place - second - i]
        for place in range(i, len(ways)):
            ways[place] += ways[place - i]
    return ways
