"""Decides on the runs of base and fix whether the fix is proved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_repro.model import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_USAGE
from pytest_repro.stats import Interval, chance_of_more_failures, failure_rate_interval
from pytest_repro.verify.certificate.base_bugs import BaseBug, Standing, Wanted, bugs_of_base
from pytest_repro.verify.certificate.trials import Side, Trial
from pytest_repro.verify.verdict import named, reasons_against

MOST_RUNS_NEEDED = 10_000
"""Where more runs than so many would be needed of each side, no number is said."""

_ROUNDING = 1e-9


class CertificateKind(str, Enum):
    """What a comparison of base and fix proves."""

    CERTIFIED = "certified"
    FIX_FAILS = "fix fails"
    NOT_REPRODUCED = "not reproduced"
    TOO_FEW = "too few runs"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Runs of one side that count, and those of them that failed as the base is to.

    Attributes:
        runs: Runs that count.
        failed: Those that failed.
        interval: Of the failure rate.
    """

    runs: int
    failed: int
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateVerdict:
    """What the runs of base and fix prove.

    Attributes:
        kind: The verdict.
        asked: Runs asked for, of each side.
        confidence: Asked for, from 0 to 1.
        base: Runs of the base; failed are those that reproduced.
        fix: Runs of the fix; failed are all that failed.
        chance: Of at least so many failures in the base if both sides fail alike (Fisher's exact test,
            one-sided).
        needed: Runs of each side after which it would be proved, if the base goes on to fail as often and the
            fix never; None where that cannot be said.
        bugs: Of the base, those that reproduced first.
        reasons: What is missing, or speaks against runs.
        exit_status: pytest's, or 6.
    """

    kind: CertificateKind
    asked: int
    confidence: float
    base: Count
    fix: Count
    chance: float
    needed: int | None
    bugs: tuple[BaseBug, ...]
    reasons: tuple[str, ...]
    exit_status: int


def judge_certificate(
    trials: Sequence[Trial],
    *,
    asked: int,
    confidence: float,
    wanted: Wanted | None,
    failed_builds: Sequence[str] = (),
    mistakes: Sequence[str] = (),
) -> CertificateVerdict:
    """Judges the runs of base and fix: certified only if the base failed, the fix never did, and all count.

    Args:
        trials: In order; fewer than asked if the comparison stopped early.
        asked: Runs of each side.
        confidence: From 0 to 1; Fisher's exact test must reach it.
        wanted: Which failures of the base count; None for all but those that come from the test itself.
        failed_builds: Sides that could not be built.
        mistakes: What is wrong with limits as they were given.
    """
    reasons = [*mistakes, *(f"the build of the {side} failed" for side in failed_builds)]
    reasons += [reason for trial in trials for reason in reasons_against_trial(trial, trials)]
    counted = [trial for trial in trials if not reasons_against_trial(trial, trials)]
    base = [trial for trial in counted if trial.side is Side.BASE]
    fix = [trial for trial in counted if trial.side is Side.FIX]
    bugs = bugs_of_base(base, wanted=wanted, in_fix=_executed(trials, Side.FIX))
    reproduced = {number for bug in bugs if bug.standing is Standing.REPRODUCED for number in bug.runs}
    fix_failed = sum(1 for trial in fix if trial.is_failing)
    if not fix_failed:
        reasons += [
            f"{asked - done} of {asked} runs of the {side.value} did not take place"
            for side in Side
            if (done := sum(1 for trial in trials if trial.side is side)) < asked
        ]
    base_count = _count(len(reproduced), len(base), confidence)
    fix_count = _count(fix_failed, len(fix), confidence)
    chance = chance_of_more_failures([(len(reproduced), len(base), fix_failed, len(fix))])
    kind = _kind(base_count, fix_count, reasons=reasons, is_proof=is_proof(chance, confidence))
    return CertificateVerdict(
        kind=kind,
        asked=asked,
        confidence=confidence,
        base=base_count,
        fix=fix_count,
        chance=chance,
        needed=runs_needed_of_each(len(reproduced), len(base), confidence=confidence),
        bugs=bugs,
        reasons=tuple(reasons),
        exit_status=EXIT_USAGE if mistakes and not fix_failed else _EXIT_STATUSES[kind],
    )


_EXIT_STATUSES = {
    CertificateKind.CERTIFIED: 0,
    CertificateKind.FIX_FAILS: 1,
    CertificateKind.NOT_REPRODUCED: EXIT_INCOMPLETE,
    CertificateKind.TOO_FEW: EXIT_INCOMPLETE,
    CertificateKind.INCOMPLETE: EXIT_INCOMPLETE,
}


def _kind(base: Count, fix: Count, *, reasons: Sequence[str], is_proof: bool) -> CertificateKind:
    if fix.failed:
        return CertificateKind.FIX_FAILS
    if reasons or not base.runs or not fix.runs:
        return CertificateKind.INCOMPLETE
    if not base.failed:
        return CertificateKind.NOT_REPRODUCED
    return CertificateKind.CERTIFIED if is_proof else CertificateKind.TOO_FEW


def reasons_against_trial(trial: Trial, trials: Sequence[Trial]) -> tuple[str, ...]:
    """Says why a run does not count; empty if it does.

    A run of the base may fail, and one of the fix does so in earnest; but it must have run the tests of its
    own worktree, all of those that the others ran unless it failed before.

    Args:
        trial: The run.
        trials: All runs of both sides.
    """
    run = trial.run
    reasons = [
        f"{trial.name} imported {module} instead of that of its own worktree" for module in trial.foreign
    ]
    reasons += [f"{trial.name} {what}" for what in trial.gaps]
    if trial.is_failing:
        if run.report is not None and run.report.collection_errors:
            reasons.append(f"{trial.name} could not collect {named(run.report.collection_errors)}")
        return tuple(reasons)
    against = reasons_against(run, [other.run for other in trials])
    return (*reasons, *(f"{trial.side.value} {reason}" for reason in against))


def must_stop(trial: Trial, trials: Sequence[Trial], *, keep_going: bool) -> bool:
    """Tells whether no further run is worth its time after this one; a failing base is what is wanted.

    Args:
        trial: The run that just ended.
        trials: All so far.
        keep_going: Whether runs that speak against the fix, or do not count, are to be counted.
    """
    run = trial.run
    if run.report is None and run.exit_status == EXIT_USAGE:
        return True
    if run.exit_status == EXIT_INTERRUPTED and not run.is_failing and run.report is None:
        return True
    speaks_against = trial.side is Side.FIX and run.is_failing
    # What the first run did not do shows when another one does it.
    suspects = (trials[0], trial)
    return not keep_going and (
        speaks_against or any(reasons_against_trial(suspect, trials) for suspect in suspects)
    )


def is_proof(chance: float, confidence: float) -> bool:
    """Tells whether what is so unlikely without a difference is proof of one at this confidence."""
    # 1/20 of three against three is 5 % itself, on whichever side of it the arithmetic ends.
    return chance <= (1.0 - confidence) * (1.0 + _ROUNDING) + _ROUNDING


def runs_needed_of_each(failed: int, runs: int, *, confidence: float) -> int | None:
    """Returns after how many runs of each side Fisher's exact test is passed, if they go on as they began.

    Args:
        failed: Runs of the base that reproduced.
        runs: Runs of the base that count.
        confidence: From 0 to 1.

    Returns:
        None if the base never failed, or no more than 10,000 runs would do.
    """
    if not failed:
        return None

    def would_do(each: int) -> bool:
        # Rounded down: what is hoped for is not counted.
        return is_proof(chance_of_more_failures([(failed * each // runs, each, 0, each)]), confidence)

    # The chance falls with each further failure and rises a little in between.
    steps = (max(1, -(-failures * runs // failed)) for failures in range(1, MOST_RUNS_NEEDED + 1))
    for each in steps:
        if each > MOST_RUNS_NEEDED:
            return None
        if would_do(each):
            return each
    return None


def fewest_runs(confidence: float) -> int:
    """Returns the number of runs of each side below which no outcome can pass Fisher's exact test."""
    return next(
        each
        for each in range(1, 1000)
        if is_proof(chance_of_more_failures([(each, each, 0, each)]), confidence)
    )


def _executed(trials: Iterable[Trial], side: Side) -> frozenset[str]:
    return frozenset().union(*(trial.run.executed for trial in trials if trial.side is side))


def _count(failed: int, runs: int, confidence: float) -> Count:
    return Count(
        runs=runs, failed=failed, interval=failure_rate_interval(failed, runs, confidence=confidence)
    )
