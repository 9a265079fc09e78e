"""Decides on the runs of base and fix whether the fix is proved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import Protocol

from pytest_repro.model import EXIT_INCOMPLETE, Signature
from pytest_repro.stats import Interval, chance_of_more_failures, failure_rate_interval
from pytest_repro.verify.gate import Run, reasons_against

MOST_RUNS_NEEDED = 10_000
"""Where more runs than so many would be needed of each side, no number is said."""

_ROUNDING = 1e-9
_NAMES = frozenset({"ImportError", "ModuleNotFoundError", "NameError", "SyntaxError"})
_CALLS = re.compile(
    r"unexpected keyword argument|takes .*positional arguments?|missing \d+ required|takes no arguments"
)


class Side(str, Enum):
    """The two that are compared."""

    BASE = "base"
    FIX = "fix"


class Standing(str, Enum):
    """What a failure of the base says about the fix."""

    REPRODUCED = "reproduced"
    OTHER = "another failure than the one looked for"
    LACKING = "the test uses what the base lacks"
    NOT_IN_FIX = "the fix does not run this test"


class CertificateKind(str, Enum):
    """What a comparison of base and fix proves."""

    CERTIFIED = "certified"
    FIX_FAILS = "fix fails"
    NOT_REPRODUCED = "not reproduced"
    TOO_FEW = "too few runs"
    INCOMPLETE = "incomplete"


class Wanted(Protocol):
    """Tells the failures that are looked for from all others."""

    @property
    def title(self) -> str:
        """What is looked for, for people."""

    def accepts(self, signature: Signature, message: str) -> bool:
        """Tells whether a failure is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One failing test of one run.

    Attributes:
        test: Node id.
        signature: What its failures have in common; None where the run does not tell.
        message: First line of its message as it was.
    """

    test: str
    signature: Signature | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of one side.

    Attributes:
        side: Which one.
        run: As it reported itself; its number counts within the side.
        failures: Its failing tests.
        foreign: Modules that it did not import from its own worktree, and from where.
    """

    side: Side
    run: Run
    failures: tuple[Seen, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How people are told of it."""
        return f"{self.side.value} run {self.run.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseBug:
    """All failures of one signature in the base.

    Attributes:
        signature: None where the runs do not tell.
        message: Of the first one.
        tests: Node ids.
        runs: Numbers of the runs in which it was seen.
        standing: What it says about the fix.
    """

    signature: Signature | None
    message: str
    tests: tuple[str, ...]
    runs: tuple[int, ...]
    standing: Standing


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
    trials: Sequence[Trial], *, asked: int, confidence: float, wanted: Wanted | None
) -> CertificateVerdict:
    """Judges the runs of base and fix: certified only if the base failed, the fix never did, and all count.

    Args:
        trials: In order; fewer than asked if the comparison stopped early.
        asked: Runs of each side.
        confidence: From 0 to 1; Fisher's exact test must reach it.
        wanted: Which failures of the base count; None for all but those that come from the test itself.
    """
    reasons = [reason for trial in trials for reason in reasons_against_trial(trial, trials)]
    counted = [trial for trial in trials if not reasons_against_trial(trial, trials)]
    base = [trial for trial in counted if trial.side is Side.BASE]
    fix = [trial for trial in counted if trial.side is Side.FIX]
    bugs = bugs_of_base(base, wanted=wanted, in_fix=_executed(trials, Side.FIX))
    reproduced = {number for bug in bugs if bug.standing is Standing.REPRODUCED for number in bug.runs}
    fix_failed = sum(1 for trial in fix if trial.run.is_failing)
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
        exit_status=_EXIT_STATUSES[kind],
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
    if run.is_failing:
        if run.collection_errors:
            reasons.append(f"{trial.name} could not collect {', '.join(run.collection_errors)}")
        return tuple(reasons)
    against = reasons_against(run, [other.run for other in trials])
    return (*reasons, *(f"{trial.side.value} {reason}" for reason in against))


def bugs_of_base(
    trials: Iterable[Trial], *, wanted: Wanted | None, in_fix: frozenset[str]
) -> tuple[BaseBug, ...]:
    """Groups the failures of the base by signature and by what they say about the fix.

    Args:
        trials: Runs of the base that count.
        wanted: Which failures count; None for all but those that come from the test itself.
        in_fix: Tests that the fix executed.
    """
    trials = list(trials)
    grouped: dict[tuple[str, Standing], list[tuple[int, Seen]]] = {}
    for trial in trials:
        for seen in _failures(trial):
            standing = _standing(seen, trials, wanted=wanted, in_fix=in_fix)
            key = "" if seen.signature is None else seen.signature.key
            grouped.setdefault((key, standing), []).append((trial.run.number, seen))
    bugs = [
        BaseBug(
            signature=found[0][1].signature,
            message=found[0][1].message,
            tests=tuple(dict.fromkeys(seen.test for _, seen in found)),
            runs=tuple(dict.fromkeys(number for number, _ in found)),
            standing=standing,
        )
        for (_, standing), found in grouped.items()
    ]
    return tuple(sorted(bugs, key=lambda bug: (bug.standing is not Standing.REPRODUCED, -len(bug.runs))))


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


def _standing(
    seen: Seen, trials: Sequence[Trial], *, wanted: Wanted | None, in_fix: frozenset[str]
) -> Standing:
    if seen.test not in in_fix:
        return Standing.NOT_IN_FIX
    if wanted is not None:
        is_wanted = seen.signature is not None and wanted.accepts(seen.signature, seen.message)
        return Standing.REPRODUCED if is_wanted else Standing.OTHER
    # What is not there is never there: one run that got past it says that it is.
    always = all(
        any(other.test == seen.test and looks_lacking(other) for other in _failures(trial))
        for trial in trials
    )
    return Standing.LACKING if always and looks_lacking(seen) else Standing.REPRODUCED


def looks_lacking(seen: Seen) -> bool:
    """Tells whether a failure comes of a test that names what is not there, not from what it tests."""
    signature = seen.signature
    if signature is None or signature.exception is None:
        return False
    exception = signature.exception.rpartition(".")[2]
    if exception == "FixtureLookupError":
        return True
    file = signature.file or ""
    is_of_test = file == seen.test.partition("::")[0] or PurePosixPath(file).name == "conftest.py"
    if not is_of_test:
        return False
    return (
        exception in _NAMES
        or (exception == "AttributeError" and not seen.message.startswith("'NoneType' object"))
        or (exception == "TypeError" and _CALLS.search(seen.message) is not None)
    )


def _failures(trial: Trial) -> list[Seen]:
    """Returns the failing tests of a run, also those of which nothing more is known."""
    told = {seen.test for seen in trial.failures}
    return [*trial.failures, *(Seen(test=test) for test in trial.run.failed if test not in told)]


def _executed(trials: Iterable[Trial], side: Side) -> frozenset[str]:
    return frozenset().union(*(trial.run.executed for trial in trials if trial.side is side))


def _count(failed: int, runs: int, confidence: float) -> Count:
    return Count(
        runs=runs, failed=failed, interval=failure_rate_interval(failed, runs, confidence=confidence)
    )


def median_ns(durations_ns: Sequence[int]) -> int | None:
    """Returns the median of durations, None of none."""
    ordered = sorted(durations_ns)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def median_durations(trials: Iterable[Trial]) -> Mapping[Side, int | None]:
    """Returns the median duration of the runs of each side (ns)."""
    of_side: dict[Side, list[int]] = {side: [] for side in Side}
    for trial in trials:
        of_side[trial.side].append(trial.run.duration_ns)
    return {side: median_ns(durations) for side, durations in of_side.items()}
