"""What a stress run has learned, as records: one for each test and one for each bug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_repro.model import Failure, Outcome, Signature
from pytest_repro.stats import Interval, failure_rate_interval
from pytest_repro.stress.patterns import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """All failures of one signature in one session.

    Attributes:
        signature: What they have in common.
        failures: How many there are.
        tests: Node ids of the tests that show it, in order of appearance.
        first: The first of them in time, with its text; of those that are looked for, if there are any.
        matches: How many of them are looked for.
    """

    signature: Signature
    failures: int
    tests: tuple[str, ...]
    first: Failure
    matches: int = 0

    @property
    def is_match(self) -> bool:
        """Whether any of them is looked for."""
        return self.matches > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSummary:
    """What a stress run learned about one test.

    Attributes:
        test: Node id.
        planned: Iterations asked for, or None for as many as fit into the budget.
        has_budget: Whether time could end the test before all its iterations ran.
        outcomes: Finished iterations by outcome.
        stages_ns: Total durations of setup, call and teardown.
        fastest_ns: Shortest iteration, None without any.
        slowest_ns: Longest iteration, None without any.
        first_failure: The first in time, or None.
        lane: How its iterations were run, `fast` or `full`; empty before the first.
        lane_reason: Why the full lane was taken, None if it was wanted, or for the fast one.
        pattern: What its failures have in common, None if they may be chance.
        matches: Failing iterations that are looked for.
        first_match: The first of these in time, or None.
        surplus: Failing iterations that were under way when a limit was reached; they count for nothing else.
    """

    __test__ = False  # keeps pytest from collecting a record whose name begins with Test

    test: str
    planned: int | None
    has_budget: bool
    outcomes: Mapping[Outcome, int]
    stages_ns: tuple[int, int, int]
    fastest_ns: int | None
    slowest_ns: int | None
    first_failure: Failure | None
    lane: str = ""
    lane_reason: str | None = None
    pattern: Pattern | None = None
    matches: int = 0
    first_match: Failure | None = None
    surplus: int = 0

    @property
    def finished(self) -> int:
        """Iterations that came to an end, skipped ones included."""
        return sum(self.outcomes.values())

    @property
    def executed(self) -> int:
        """Iterations that really ran the test."""
        return sum(number for outcome, number in self.outcomes.items() if outcome.is_executed)

    @property
    def skipped(self) -> int:
        """Iterations that pytest skipped."""
        return self.outcomes.get(Outcome.SKIPPED, 0)

    @property
    def failures(self) -> int:
        """Iterations that failed."""
        return sum(number for outcome, number in self.outcomes.items() if outcome.is_failure)

    @property
    def failure_rate(self) -> float | None:
        """Failures by executed iterations, from 0 to 1; None where none was executed."""
        return self.failures / self.executed if self.executed else None

    @property
    def interval(self) -> Interval:
        """95 % confidence interval of the failure rate."""
        return failure_rate_interval(self.failures, self.executed)

    @property
    def missing(self) -> int:
        """Iterations that were asked for and did not run; without a number, one was."""
        return max(0, (1 if self.planned is None else self.planned) - self.finished - self.surplus)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked of this test ran; a test that was always skipped counts as run.

        Where time may end the test first, one iteration is enough. A test that was skipped in some iterations
        and not in others has not run as often as asked.
        """
        has_ended = self.finished >= 1 if self.has_budget else self.missing == 0
        return has_ended and not self.surplus and self.skipped in (0, self.finished)
