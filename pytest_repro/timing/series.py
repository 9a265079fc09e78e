"""A phase or a metric over the iterations of a stress run: medians, and failing against passing ones."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from pytest_repro.timing.contrast import chance_of_ranks, holm
from pytest_repro.timing.medians import median_of
from pytest_repro.verify.limits import Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.timing.medians import Median
    from pytest_repro.verify.limits import Limit

KEPT = 1000
"""Values of a series that are kept, of each kind of iteration; a fair sample if there are more."""

LEAST = 3
"""Iterations of each kind below which failing and passing ones are not compared."""

LEAST_RATIO = 1.05
"""Medians that differ by less than this are not worth telling, however certain."""

LEVEL = 0.05
"""Chance above which a difference is not told."""


class Quantity(str, Enum):
    """What a series is made of."""

    PHASE = "phase"
    METRIC = "metric"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Failing iterations against passing ones.

    Attributes:
        chance: How likely such a difference is without a reason (0 to 1): Mann-Whitney, corrected by Holm for
            all comparisons of the session.
        is_told: Whether it is certain and large enough to be told.
        is_cut_short: Whether it is not told because failing iterations made fewer calls: they ended early.
    """

    chance: float
    is_told: bool
    is_cut_short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDistance:
    """How near the values of the passing iterations came to a limit of the gate, or how far they missed it.

    Attributes:
        limit: The limit.
        checked: Values that were held against it.
        missed: How many of them break it.
        worst: The value that is nearest to breaking it, or breaks it most.
    """

    limit: Limit
    checked: int
    missed: int
    worst: float

    @property
    def distance(self) -> float | None:
        """How far the worst value is from the limit, as a part of the limit; None for a limit of zero."""
        return abs(self.worst - self.limit.bound) / abs(self.limit.bound) if self.limit.bound else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One phase or metric over the iterations of a test.

    Times are nanoseconds, the sum over all calls of the phase in an iteration.

    Attributes:
        name: Of the phase, with its stage, or of the metric.
        quantity: Which of the two.
        cold: Of iterations in which a call was the first of its operation in its process; None without any.
        is_all_cold: Whether all of them were, as in a process for each.
        passing: Of the other iterations that passed; of the cold ones where all were.
        failing: Of those that failed, likewise.
        unfinished: Failing iterations that ended inside the phase: their times are left out.
        comparison: Failing against passing, None where there are too few of either.
        limits: How far it is from the gate's limits.
    """

    name: str
    quantity: Quantity
    cold: Median | None = None
    is_all_cold: bool = False
    passing: Median | None = None
    failing: Median | None = None
    unfinished: int = 0
    comparison: Comparison | None = None
    limits: tuple[LimitDistance, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Median of failing iterations by that of passing ones; None where one is missing or not above 0."""
        if self.passing is None or self.failing is None:
            return None
        if self.passing.value <= 0 or self.failing.value <= 0:
            return None
        return self.failing.value / self.passing.value


class Sample:
    """Values of which a bounded number is kept, each as likely as any other (Vitter, 1985, algorithm R).

    Args:
        chance: Says which are kept.
    """

    __slots__ = ("_chance", "count", "values")

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.values = array("d")
        self.count = 0

    def add(self, value: float) -> None:
        """Adds one."""
        self.count += 1
        if len(self.values) < KEPT:
            self.values.append(value)
            return
        place = self._chance.randrange(self.count)
        if place < KEPT:
            self.values[place] = value

    def median(self) -> Median | None:
        """Returns its middle, None if nothing was added."""
        return median_of(self.values, count=self.count) if self.count else None


class SeriesTally:
    """The growing counterpart of `Series`.

    Failing and passing iterations are kept apart, so that a million that pass push out no failing one.

    Args:
        name: Of the phase or metric.
        quantity: Which of the two.
        limits: Of the gate, on this series.
        chance: Says which values are kept.
    """

    __slots__ = (
        "_calls", "_chance", "_distances", "_limits", "_name", "_quantity", "_samples", "_unfinished",
    )  # fmt: skip

    def __init__(
        self, name: str, quantity: Quantity, *, limits: Sequence[Limit], chance: random.Random
    ) -> None:
        self._name = name
        self._quantity = quantity
        self._limits = limits
        self._chance = chance
        # By whether the iterations failed, and whether they were cold.
        self._samples: dict[tuple[bool, bool], Sample] = {}
        self._calls: dict[bool, tuple[int, int]] = {}
        self._unfinished = 0
        self._distances: dict[Limit, LimitDistance] = {}

    def add(self, value: float, *, is_failing: bool, is_cold: bool = False, calls: int = 1) -> None:
        """Adds the value of one iteration.

        Args:
            value: Nanoseconds, or that of a metric.
            is_failing: Whether the iteration failed.
            is_cold: Whether a call was the first of its operation in its process.
            calls: Calls of the phase in the iteration.
        """
        sample = self._samples.get((is_failing, is_cold))
        if sample is None:
            sample = self._samples[is_failing, is_cold] = Sample(self._chance)
        sample.add(value)
        fewest, most = self._calls.get(is_failing, (calls, calls))
        self._calls[is_failing] = min(fewest, calls), max(most, calls)

    def hold(self, value: float) -> None:
        """Holds a value of a passing iteration against the limits; metrics may have several in one."""
        for limit in self._limits:
            self._hold(limit, value)

    def add_unfinished(self) -> None:
        """Adds a failing iteration that ended inside the phase."""
        self._unfinished += 1

    def series(self) -> tuple[Series, float | None]:
        """Returns what is known, and the chance of the comparison before it is corrected, if there is one."""
        is_all_cold = not any(not is_cold for _, is_cold in self._samples)
        passing = self._samples.get((False, is_all_cold))
        failing = self._samples.get((True, is_all_cold))
        series = Series(
            name=self._name,
            quantity=self._quantity,
            cold=self._cold().median(),
            is_all_cold=bool(self._samples) and is_all_cold,
            passing=None if passing is None else passing.median(),
            failing=None if failing is None else failing.median(),
            unfinished=self._unfinished,
            limits=tuple(self._distances.values()),
        )
        if passing is None or failing is None or min(passing.count, failing.count) < LEAST:
            return series, None
        chance = chance_of_ranks(failing.values, passing.values)
        is_cut_short = self._is_cut_short(series)
        return replace(
            series, comparison=Comparison(chance=chance, is_told=False, is_cut_short=is_cut_short)
        ), chance

    def _cold(self) -> Sample:
        both = Sample(self._chance)
        for (_, is_cold), sample in self._samples.items():
            if is_cold:
                for value in sample.values:
                    both.add(value)
                both.count += sample.count - len(sample.values)
        return both

    def _is_cut_short(self, series: Series) -> bool:
        """Tells whether failing iterations may be faster only because they ended early."""
        assert series.failing is not None
        assert series.passing is not None
        if self._quantity is Quantity.METRIC or series.failing.value >= series.passing.value:
            return False
        failing, passing = self._calls[True], self._calls[False]
        return not failing[0] == failing[1] == passing[0] == passing[1]

    def _hold(self, limit: Limit, value: float) -> None:
        known = self._distances.get(limit)
        is_missed = not limit.relation.holds(value, limit.bound)
        if known is None:
            self._distances[limit] = LimitDistance(limit=limit, checked=1, missed=int(is_missed), worst=value)
            return
        self._distances[limit] = LimitDistance(
            limit=limit,
            checked=known.checked + 1,
            missed=known.missed + is_missed,
            worst=_worse(limit, known.worst, value),
        )


def corrected(series: Sequence[tuple[Series, float | None]]) -> list[Series]:
    """Returns series with their comparisons corrected for the number of all comparisons made."""
    chances = [chance for _, chance in series if chance is not None]
    among = iter(holm(chances))
    return [one if chance is None else _judged(one, next(among)) for one, chance in series]


def _judged(series: Series, chance: float) -> Series:
    comparison = series.comparison
    assert comparison is not None
    assert series.failing is not None
    assert series.passing is not None
    ratio = series.ratio
    if ratio is None:
        is_large = series.failing.value != series.passing.value
    else:
        is_large = max(ratio, 1 / ratio) >= LEAST_RATIO
    is_told = chance < LEVEL and is_large and not comparison.is_cut_short
    return replace(series, comparison=replace(comparison, chance=chance, is_told=is_told))


def _worse(limit: Limit, known: float, value: float) -> float:
    """Returns which of two values is nearer to breaking a limit, or breaks it more."""
    if limit.relation is Relation.EQUAL:
        return max(known, value, key=lambda one: abs(one - limit.bound))
    is_low = limit.relation in {Relation.AT_LEAST, Relation.ABOVE}
    return min(known, value) if is_low else max(known, value)
