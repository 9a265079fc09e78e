"""Two groups of numbers against each other: whether one is higher by more than chance explains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_EXACT = 12
"""Values of the smaller group up to which all ways to deal the ranks are counted."""

_MOST_STEPS = 20_000_000
"""Steps of work up to which they are; each takes about a nanosecond."""


def chance_of_ranks(group: Sequence[float], others: Sequence[float]) -> float:
    """Returns how likely two groups of one and the same distribution differ at least so much (0 to 1).

    The test of Mann and Whitney (1947), two-sided: what counts is how far the sum of the group's ranks is
    from what blind dealing gives on average. Equal values share the mean of their ranks, and all deals of
    these ranks are counted, so it is exact with them too. Where both groups are large it is the normal
    approximation with corrections for equal values and continuity. It supposes that values are independent.

    Args:
        group: Values of one group.
        others: Those of the other.

    Returns:
        The chance; 1 where a group is empty.
    """
    small, large = sorted((group, others), key=len)
    if not small:
        return 1.0
    ranks = _doubled_ranks([*small, *large])
    size, total = len(small), len(ranks)
    # Twice the sum of ranks, less its mean: whole numbers.
    distance = abs(sum(ranks[:size]) - size * (total + 1))
    top = sum(sorted(ranks)[-size:])
    if size <= _MOST_EXACT and total * size * top <= _MOST_STEPS:
        return _counted_chance(ranks, size, distance=distance, top=top)
    return _normal_chance(ranks, size, distance=distance)


def holm(chances: Sequence[float]) -> list[float]:
    """Returns chances corrected for their number by the method of Holm (1979), in the same order.

    However many comparisons are made, and however they hang together: where none has a reason, any corrected
    chance is below 5 % in at most 5 % of the cases.
    """
    corrected = [0.0] * len(chances)
    reached = 0.0
    for place, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        reached = max(reached, min(1.0, (len(chances) - place) * chances[index]))
        corrected[index] = reached
    return corrected


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Returns twice the rank of each value; equal ones share their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for index in order[begin:end]:
            ranks[index] = begin + 1 + end
        begin = end
    return ranks


def _counted_chance(ranks: Sequence[int], size: int, *, distance: int, top: int) -> float:
    """Counts the deals by their sum of ranks: `ways[k][s]` deals of k values have the sum s."""
    import numpy

    ways = numpy.zeros((size + 1, top + 1))
    ways[0, 0] = 1.0
    for number, rank in enumerate(ranks):
        for dealt in range(min(size, number + 1), 0, -1):
            ways[dealt, rank:] += ways[dealt - 1, : top + 1 - rank]
    sums = numpy.arange(top + 1)
    as_far = numpy.abs(sums - size * (len(ranks) + 1)) >= distance
    return min(1.0, float(ways[size][as_far].sum() / ways[size].sum()))


def _normal_chance(ranks: Sequence[int], size: int, *, distance: int) -> float:
    total = len(ranks)
    mean = total + 1
    # Drawing without putting back: the variance of the sum, of doubled ranks.
    spread = math.fsum((rank - mean) ** 2 for rank in ranks) / total
    variance = spread * size * (total - size) / (total - 1)
    if variance == 0:
        return 1.0
    # Doubled ranks: half a rank is 1.
    return math.erfc(max(0, distance - 1) / math.sqrt(2 * variance))
