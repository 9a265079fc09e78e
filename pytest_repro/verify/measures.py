"""What tests took and told of themselves in one run: small summaries of however many executions."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KEPT_VALUES = 1024
"""Values of one series that its median is made from; lowest, highest and count are of all."""

NAMES_OF_A_TEST = 1000
"""Phases of one test that are told apart, and metrics likewise; further names are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One quantity of one test in one run: integer nanoseconds for times, any number for metrics.

    Attributes:
        count: How often it was measured.
        low: The lowest value, NaN if any value is.
        median: A value in the middle; about the middle of more than `KEPT_VALUES`.
        high: The highest value, NaN if any value is.
    """

    count: int
    low: float
    median: float
    high: float

    def to_payload(self) -> dict[str, Any]:
        """Returns it as plain builtins."""
        return {"count": self.count, "low": self.low, "median": self.median, "high": self.high}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Measure:
        """Returns the measure that `to_payload` made a payload of."""
        return cls(count=payload["count"], low=payload["low"], median=payload["median"], high=payload["high"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMeasures:
    """All that was measured of one test in one run.

    Attributes:
        duration_ns: Of each execution, setup to teardown; None if none came to its end.
        phases_ns: By name: all phases of this name in one execution together, device work waited for.
        metrics: By name, as the test gave them.
    """

    __test__ = False

    duration_ns: Measure | None = None
    phases_ns: Mapping[str, Measure] = field(default_factory=dict)
    metrics: Mapping[str, Measure] = field(default_factory=dict)

    def to_payload(self) -> dict[str, Any]:
        """Returns them as plain builtins."""
        return {
            "duration_ns": None if self.duration_ns is None else self.duration_ns.to_payload(),
            "phases_ns": {name: measure.to_payload() for name, measure in self.phases_ns.items()},
            "metrics": {name: measure.to_payload() for name, measure in self.metrics.items()},
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> TestMeasures:
        """Returns the measures that `to_payload` made a payload of."""
        duration = payload["duration_ns"]
        return cls(
            duration_ns=None if duration is None else Measure.from_payload(duration),
            phases_ns={name: Measure.from_payload(one) for name, one in payload["phases_ns"].items()},
            metrics={name: Measure.from_payload(one) for name, one in payload["metrics"].items()},
        )


class MeasureTally:
    """The growing counterpart of `Measure`; its memory does not grow with the values.

    The median is made from a fair sample: the series is cut into stretches of equal length, one value of
    each is kept, and where there are too many, neighbours become one stretch. A rhythm in the series
    cannot hide in it, as which value of a stretch is kept is left to chance.

    Args:
        chance: Says which values are kept.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._kept: list[float] = []
        self._stretch = 1
        self._next = 0
        self._count = 0
        self._low = math.inf
        self._high = -math.inf
        self._has_nan = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return self._count == 0

    def add(self, values: Sequence[float]) -> None:
        """Adds values, in the order in which they were measured."""
        if not values:
            return
        self._has_nan = self._has_nan or any(value != value for value in values)  # noqa: PLR0124 - NaN
        low, high = min(values), max(values)
        self._low, self._high = min(self._low, low), max(self._high, high)
        end = self._count + len(values)
        while self._next < end:
            self._keep(values[self._next - self._count])
        self._count = end

    def measure(self) -> Measure:
        """Returns the summary.

        Raises:
            ValueError: Nothing was added.
        """
        if self.is_empty:
            raise ValueError("nothing was measured")
        if self._has_nan:
            return Measure(count=self._count, low=math.nan, median=math.nan, high=math.nan)
        median = sorted(self._kept)[(len(self._kept) - 1) // 2]
        return Measure(count=self._count, low=self._low, median=median, high=self._high)

    def _keep(self, value: float) -> None:
        self._kept.append(value)
        begin = len(self._kept) * self._stretch
        if len(self._kept) == KEPT_VALUES:
            pairs = zip(self._kept[::2], self._kept[1::2], strict=True)
            self._kept = [self._chance.choice(pair) for pair in pairs]
            self._stretch *= 2
        self._next = begin + self._chance.randrange(self._stretch)


class RunTally:
    """Collects what is measured in one run, test by test."""

    def __init__(self) -> None:
        # Its own, and always the same: the tests' random numbers are none of its business.
        self._chance = random.Random(0)
        self._tests: dict[str, _TestTally] = {}

    def add_durations(self, test: str, durations_ns: Sequence[int]) -> None:
        """Adds the durations of executions of one test."""
        self._of(test).duration.add(durations_ns)

    def add_batch(self, message: Mapping[str, Any]) -> None:
        """Adds the durations of a batch of iterations; those that were skipped were not executed."""
        durations = array("q")
        durations.frombytes(message["durations_ns"])
        begin = 0
        for outcome, number in message["outcomes"]:
            if outcome != "skipped":
                self.add_durations(message["test"], durations[begin : begin + number])
            begin += number

    def add_named(
        self, test: str, *, phases_ns: Mapping[str, int], metrics: Iterable[tuple[str, float]]
    ) -> None:
        """Adds what one execution told by name: the total of each phase, and every metric."""
        tally = self._of(test)
        for name, duration_ns in phases_ns.items():
            self._add(tally.phases, name, duration_ns)
        for name, value in metrics:
            self._add(tally.metrics, name, value)

    def measures(self, test: str) -> TestMeasures:
        """Returns the summary of one test, empty if nothing was measured."""
        tally = self._tests.get(test)
        if tally is None:
            return TestMeasures()
        return TestMeasures(
            duration_ns=None if tally.duration.is_empty else tally.duration.measure(),
            phases_ns={name: phase.measure() for name, phase in tally.phases.items()},
            metrics={name: metric.measure() for name, metric in tally.metrics.items()},
        )

    def _of(self, test: str) -> _TestTally:
        tally = self._tests.get(test)
        if tally is None:
            tally = self._tests[test] = _TestTally(duration=MeasureTally(self._chance))
        return tally

    def _add(self, series: dict[str, MeasureTally], name: str, value: float) -> None:
        known = series.get(name)
        if known is None:
            if len(series) >= NAMES_OF_A_TEST:
                return
            known = series[name] = MeasureTally(self._chance)
        known.add((value,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestTally:
    """The growing counterpart of `TestMeasures`."""

    duration: MeasureTally
    phases: dict[str, MeasureTally] = field(default_factory=dict)
    metrics: dict[str, MeasureTally] = field(default_factory=dict)
