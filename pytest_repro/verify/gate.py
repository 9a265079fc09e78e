"""Decides on the records of runs whether the tests are stable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_repro.model import EXIT_INCOMPLETE, Outcome

_EXIT_INTERRUPTED = 2
_EXIT_NOTHING_COLLECTED = 5


class VerdictKind(str, Enum):
    """What the gate says."""

    STABLE = "stable"
    UNSTABLE = "unstable"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole fresh pytest process, as it reported itself.

    Attributes:
        number: 1-based.
        exit_status: Of the process; negative for a signal.
        duration_ns: From its start to its end.
        outcomes: Last outcome of each test, by node id; None if the process left no report.
        rescued: Tests that failed and passed on a rerun.
        collection_errors: Files or folders that could not be collected.
        iterations: Iterations of a stress run inside, 0 without.
        output: File that holds its output.
        command: Shell command that repeats it.
    """

    number: int
    exit_status: int
    duration_ns: int
    outcomes: Mapping[str, Outcome] | None
    rescued: tuple[str, ...] = ()
    collection_errors: tuple[str, ...] = ()
    iterations: int = 0
    output: str = ""
    command: str = ""

    @property
    def executed(self) -> frozenset[str]:
        """Tests that really ran."""
        outcomes = self.outcomes or {}
        return frozenset(test for test, outcome in outcomes.items() if outcome.is_executed)

    @property
    def failed(self) -> tuple[str, ...]:
        """Tests that failed."""
        return tuple(test for test, outcome in (self.outcomes or {}).items() if outcome.is_failure)

    @property
    def is_failing(self) -> bool:
        """Whether it shows a failing test; a process that ended badly without one shows nothing."""
        return bool(self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the runs prove.

    Attributes:
        kind: The verdict.
        asked: Runs asked for.
        passed: Valid runs in which all tests passed.
        failed: Numbers of the runs with a failing test.
        reasons: Why it is incomplete, or what else speaks against the runs.
        exit_status: pytest's, or 6.
    """

    kind: VerdictKind
    asked: int
    passed: int
    failed: tuple[int, ...]
    reasons: tuple[str, ...]
    exit_status: int


def judge(runs: Sequence[Run], *, asked: int) -> Verdict:
    """Judges the runs of one gate: stable only if all that were asked for are valid and passed.

    Args:
        runs: In order; fewer than asked if the gate stopped early.
        asked: Number of runs asked for, at least 1.
    """
    failed = tuple(run.number for run in runs if run.is_failing)
    reasons = [reason for run in runs for reason in reasons_against(run, runs)]
    missing = asked - len(runs)
    if missing and not failed:
        reasons.append(f"{missing} of {asked} runs did not take place")
    invalid = {run.number for run in runs if reasons_against(run, runs)}
    kind = VerdictKind.UNSTABLE if failed else VerdictKind.INCOMPLETE if reasons else VerdictKind.STABLE
    return Verdict(
        kind=kind,
        asked=asked,
        passed=sum(1 for run in runs if not run.is_failing and run.number not in invalid),
        failed=failed,
        reasons=tuple(reasons),
        exit_status=_exit_status(kind, runs),
    )


def reasons_against(run: Run, runs: Sequence[Run]) -> tuple[str, ...]:
    """Says why a run without a failing test does not count; empty if it does, or if it failed."""
    if run.is_failing:
        return ()
    name = f"run {run.number}"
    if run.outcomes is None:
        return (f"{name} ended with exit status {run.exit_status} and left no report",)
    reasons = []
    if run.collection_errors:
        reasons.append(f"{name} could not collect {', '.join(run.collection_errors)}")
    if not run.executed:
        what = f"skipped all of its {len(run.outcomes)} tests" if run.outcomes else "collected no test"
        reasons.append(f"{name} {what}")
    if run.rescued:
        reasons.append(f"{name} passed only because of a rerun of {', '.join(run.rescued)}")
    reasons += _reasons_of_comparison(run, runs)
    if run.exit_status != 0 and not reasons:
        reasons.append(f"{name} shows no failing test but ended with exit status {run.exit_status}")
    return tuple(reasons)


def _reasons_of_comparison(run: Run, runs: Sequence[Run]) -> list[str]:
    """Names tests that other runs executed and this one did not."""
    everywhere = frozenset().union(*(other.executed for other in runs))
    lacking = sorted(everywhere - run.executed)
    if not lacking or not run.executed:
        return []
    outcomes = run.outcomes or {}
    skipped = [test for test in lacking if test in outcomes]
    absent = [test for test in lacking if test not in outcomes]
    reasons = []
    if skipped:
        reasons.append(f"run {run.number} skipped {', '.join(skipped)}, which other runs executed")
    if absent:
        reasons.append(f"run {run.number} lacks {', '.join(absent)}, which other runs executed")
    return reasons


def _exit_status(kind: VerdictKind, runs: Sequence[Run]) -> int:
    if kind is VerdictKind.STABLE:
        return 0
    if kind is VerdictKind.UNSTABLE:
        return 1
    statuses = {run.exit_status for run in runs}
    if runs and statuses == {_EXIT_NOTHING_COLLECTED}:
        return _EXIT_NOTHING_COLLECTED
    return EXIT_INCOMPLETE


def must_stop(run: Run, *, keep_going: bool) -> bool:
    """Tells whether no further run is worth its time after this one.

    Args:
        run: The run that just ended.
        keep_going: Whether failing runs are to be counted rather than to end the gate.
    """
    if run.exit_status == _EXIT_INTERRUPTED and not run.is_failing and not run.collection_errors:
        return True
    return not keep_going and (run.exit_status != 0 or not run.executed)
