"""How many clean runs it takes before a fix counts as proved, from the rates on record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from pytest_repro.stats import chance_if_unchanged, clean_iterations_needed
from pytest_repro.verify.history import RecordedRate, Unit
from pytest_repro.verify.runs import Run

FEWEST_RUNS = 5
"""So many runs at least, unless all failures are marked deterministic."""

FEWEST_DETERMINISTIC_RUNS = 2
"""So many where they are: the second shows that the first left nothing behind."""

LONGEST_NS = 3600 * 10**9
"""Runs that would take longer, all together, are out of reach."""

DETERMINISTIC = "deterministic"
"""Argument of the mark `repro_verify`: the failure came in each run, and so a pass tells at once."""


class Reason(str, Enum):
    """Why so many runs are asked for."""

    DETERMINISTIC = "deterministic"
    FEWEST = "fewest"
    RATE = "rate"
    TOO_LONG = "too_long"
    TOO_SHORT_RUNS = "too_short_runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What the recorded rate of one test asks of the runs.

    Attributes:
        rate: What is on record.
        iterations: How often one run executes the test, at least 1.
        confidence: From 0 to 1.
    """

    rate: RecordedRate
    iterations: int
    confidence: float

    @property
    def is_comparable(self) -> bool:
        """Whether a run executes the test often enough to fail as the processes on record did."""
        return self.iterations >= self.rate.iterations_each

    @property
    def clean(self) -> int:
        """Clean iterations, processes or runs, whatever the record counts, that it takes."""
        needed = clean_iterations_needed(self.rate.failures, self.rate.total, confidence=self.confidence)
        assert needed is not None  # a rate is on record because the test failed
        return needed

    @property
    def runs(self) -> int | None:
        """Clean runs that it takes; None where no number of such short runs does."""
        if not self.is_comparable:
            return None
        return -(-self.clean // self._units_of_a_run)

    def chance(self, runs: int) -> float | None:
        """Returns how likely so many clean runs are had nothing changed; None where that cannot be told."""
        if not self.is_comparable:
            return None
        clean = runs * self._units_of_a_run
        return chance_if_unchanged(self.rate.failures, self.rate.total, clean=clean)

    @property
    def _units_of_a_run(self) -> int:
        # A run is one process, and one run: only iterations that fail by themselves make it count for more.
        return self.iterations if self.rate.unit is Unit.ITERATION else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRequired:
    """How many runs `--verify-runs auto` comes to.

    Attributes:
        asked: Clean runs that the verdict takes.
        planned: Runs that take place: fewer than asked where that is out of reach.
        reason: Why.
        requirement: Of the test that asks for the most, None where no rate decides.
    """

    asked: int
    planned: int
    reason: Reason
    requirement: Requirement | None = None


def requirements(first: Run, rates: Mapping[str, RecordedRate], *, confidence: float) -> list[Requirement]:
    """Returns what the rates on record ask of the runs, that of the test that asks for the most first.

    Args:
        first: A run: it tells which tests are executed, and how often.
        rates: By node id.
        confidence: From 0 to 1.
    """
    found = [
        Requirement(rate=rates[test], iterations=max(1, first.tests[test].iterations), confidence=confidence)
        for test in sorted(first.executed)
        if test in rates
    ]
    return sorted(found, key=lambda each: (each.is_comparable, -(each.runs or 0)))


def runs_required(first: Run, rates: Mapping[str, RecordedRate], *, confidence: float) -> RunsRequired:
    """Decides, after the first run, how many `auto` comes to.

    A mark that says deterministic stands unless the record contradicts it.

    Args:
        first: The first run.
        rates: What is on record, by node id.
        confidence: From 0 to 1.
    """
    tests = [test for test in first.executed if not _is_deterministic(first, test, rates.get(test))]
    if first.executed and not tests:
        runs = FEWEST_DETERMINISTIC_RUNS
        return RunsRequired(asked=runs, planned=runs, reason=Reason.DETERMINISTIC)
    fewest = FEWEST_RUNS
    asking = [each for each in requirements(first, rates, confidence=confidence) if each.rate.test in tests]
    most = asking[0] if asking else None
    if most is None:
        return RunsRequired(asked=fewest, planned=fewest, reason=Reason.FEWEST)
    needed = most.runs
    if needed is None:
        return RunsRequired(asked=fewest, planned=fewest, reason=Reason.TOO_SHORT_RUNS, requirement=most)
    asked = max(fewest, needed)
    if asked > fewest and asked * first.duration_ns > LONGEST_NS:
        return RunsRequired(asked=asked, planned=fewest, reason=Reason.TOO_LONG, requirement=most)
    reason = Reason.RATE if needed >= fewest else Reason.FEWEST
    return RunsRequired(asked=asked, planned=asked, reason=reason, requirement=most)


def _is_deterministic(first: Run, test: str, rate: RecordedRate | None) -> bool:
    is_marked = first.tests[test].marks.get(DETERMINISTIC) is True
    return is_marked and (rate is None or rate.failed_iterations == rate.iterations)


_SHARE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(%?)")


def parse_confidence(text: str) -> float:
    """Reads `0.95` or `95%`; a bare 95 could be either, and is refused.

    Raises:
        ValueError: It is neither, or not from 50 % up to but without 100 %.
    """
    found = _SHARE.fullmatch(text.strip())
    share = Decimal(found[1]) / (100 if found[2] else 1) if found else Decimal(0)
    if not Decimal("0.5") <= share < 1 or float(share) == 1.0:
        raise ValueError("a share from 0.5 up to but without 1, such as 0.95, or 95%")
    return float(share)
