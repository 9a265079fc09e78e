"""One try of a list of tests in a fresh process, and what many of them add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from pytest_repro.model import Signature


class TrialOutcome(str, Enum):
    """How the test in question ended in one trial."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not-run"
    """It was skipped, or the process ended before its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One fresh process that ran some tests, and the one in question last.

    Attributes:
        outcome: Of the test in question.
        signature: Of its failure, None where it did not fail.
        message: Of its failure, as it was; empty where it did not fail.
        reason: Why it did not run; empty where it did.
    """

    outcome: TrialOutcome
    signature: Signature | None = None
    message: str = ""
    reason: str = ""


class TrialRunner(Protocol):
    """Runs tests in a fresh process."""

    def run(self, before: Sequence[int]) -> Trial:
        """Runs the tests at these places of the order, then the one in question.

        Raises:
            BudgetSpentError: There is no time left.
        """


class BudgetSpentError(Exception):
    """The time for all trials is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What trials of the same tests came to.

    Attributes:
        trials: All trials.
        failed: Those in which the test in question failed as looked for.
        passed: Those in which it passed; in others it failed in another way, or did not run.
    """

    trials: int = 0
    failed: int = 0
    passed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            trials=self.trials + other.trials,
            failed=self.failed + other.failed,
            passed=self.passed + other.passed,
        )


NO_TRIALS = Counts()
"""Before the first one."""
