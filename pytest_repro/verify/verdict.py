"""Decides on the records of runs whether the tests are stable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_repro.model import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_NOTHING_COLLECTED, EXIT_USAGE, Outcome
from pytest_repro.verify.held import NO_FINDINGS, BrokenLimit, LimitFindings
from pytest_repro.verify.runs import Run, RunReport, RunTest
from pytest_repro.verify.steadiness import TimedRun, Unsteady, find_unsteady

_NAMED = 3
"""So many tests are named in a reason; the others are counted."""


class VerdictKind(str, Enum):
    """What the gate says."""

    STABLE = "stable"
    UNSTABLE = "unstable"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the runs prove.

    Attributes:
        kind: The verdict.
        asked: Runs asked for.
        passed: Valid runs in which all tests passed.
        failed: Numbers of the runs with a failing test or a broken limit.
        reasons: Why it is incomplete, or what else speaks against the runs.
        notes: What does not touch the verdict and limits what it proves.
        broken: Values that broke a limit.
        unsteady: What took unusually long or short in one of the runs; it does not touch the verdict.
        exit_status: pytest's, or 6.
    """

    kind: VerdictKind
    asked: int
    passed: int
    failed: tuple[int, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    broken: tuple[BrokenLimit, ...] = ()
    unsteady: tuple[Unsteady, ...] = ()
    exit_status: int


def judge(
    runs: Sequence[Run],
    *,
    asked: int,
    held: LimitFindings = NO_FINDINGS,
    broken_off: int | None = None,
    unproved: Sequence[str] = (),
) -> Verdict:
    """Judges the runs of one gate: stable only if all that were asked for are valid and passed.

    Args:
        runs: In order; fewer than asked if the gate stopped early.
        asked: Number of runs asked for, at least 1.
        held: What holding limits against all of these runs has shown.
        broken_off: Number of the run that an interrupt of the gate ended, None without one.
        unproved: What else such runs leave unproved of what was asked for.
    """
    failed = tuple(run.number for run in runs if run.is_failing or held.breaks(run.number))
    everywhere = _Everywhere.of(runs)
    against = [_reasons_against(run, everywhere, held) for run in runs]
    reasons = [reason for each in against for reason in each]
    mistakes = () if failed else held.mistakes
    reasons += mistakes
    missing = asked - len(runs)
    if broken_off is not None:
        reasons.append(f"run {broken_off} was broken off by an interrupt")
        missing -= 1
    if missing > 0 and not failed:
        reasons.append(f"{missing:,} of {asked:,} runs did not take place")
    reasons += unproved
    # What broke a limit is compared all the same: it may be what is unsteady.
    valid = [run for run, each in zip(runs, against, strict=True) if not run.is_failing and not each]
    kind = VerdictKind.UNSTABLE if failed else VerdictKind.INCOMPLETE if reasons else VerdictKind.STABLE
    return Verdict(
        kind=kind,
        asked=asked,
        passed=0 if mistakes else sum(1 for run in valid if run.number not in failed),
        failed=failed,
        reasons=tuple(reasons),
        notes=tuple(_notes(runs)),
        broken=held.broken,
        unsteady=find_unsteady([_timed(run) for run in valid]),
        exit_status=EXIT_USAGE if mistakes else _exit_status(kind, runs),
    )


def _timed(run: Run) -> TimedRun:
    proved = {test: told.measures for test, told in run.tests.items() if told.is_proof}
    return TimedRun(number=run.number, duration_ns=run.duration_ns, tests=proved)


def reasons_against(run: Run, runs: Sequence[Run], held: LimitFindings = NO_FINDINGS) -> tuple[str, ...]:
    """Says why a run without a failing test does not count; empty if it does, or if it failed.

    Args:
        run: The run.
        runs: All so far, this one among them: all must execute the same tests.
        held: What holding limits against them has shown.
    """
    return _reasons_against(run, _Everywhere.of(runs), held)


def _reasons_against(run: Run, everywhere: _Everywhere, held: LimitFindings) -> tuple[str, ...]:
    if run.is_failing or held.breaks(run.number):
        return ()
    name = f"run {run.number}"
    if run.report is None:
        return (f"{name} ended with {_ending(run.exit_status)} and left no report",)
    reasons = [f"{name} {what}" for what in _alone(run, run.report)]
    reasons += [f"{name} {what}" for what in _beside(run, run.report, everywhere)]
    reasons += held.reasons_against(run.number)
    if not reasons and run.exit_status != 0:
        reasons.append(f"{name} shows no failing test but ended with {_ending(run.exit_status)}")
    elif not reasons and run.report.exit_status != run.exit_status:
        told = run.report.exit_status
        reasons.append(f"{name} ended with {_ending(run.exit_status)}, its session with exit status {told}")
    return tuple(reasons)


def named(tests: Iterable[str]) -> str:
    """Returns the first tests by name and the number of the others: `a, b, c and 4 others`."""
    known = list(tests)
    shown, others = known[:_NAMED], len(known) - _NAMED
    if others > 0:
        return f"{', '.join(shown)} and {others} {'other' if others == 1 else 'others'}"
    return ", ".join(shown)


def _alone(run: Run, report: RunReport) -> Iterator[str]:
    """Yields what speaks against a run, whatever the others did."""
    if report.collection_errors:
        yield f"could not collect {named(report.collection_errors)}"
    if run.exit_status == EXIT_INTERRUPTED and not report.collection_errors:
        yield "was interrupted (exit status 2)"
    if report.lost_workers:
        yield f"lost {named(report.lost_workers)} of xdist's workers"
    if report.rescued:
        yield f"passed only because of a rerun of {named(report.rescued)}"
    if report.hidden:
        yield f"reports as passed what failed: {named(report.hidden)}"
    uncalled = [
        test
        for test, told in report.tests.items()
        if not told.is_executed and told.outcome in (Outcome.PASSED, Outcome.XPASSED)
    ]
    if uncalled:
        yield f"reports as passed without having called it: {named(uncalled)}"
    if report.not_run:
        yield f"collected and never ran {named(report.not_run)}"
    short = [test for test, told in report.tests.items() if told.is_executed and told.missing]
    if short:
        first = report.tests[short[0]]
        asked = first.iterations + first.missing
        yield f"executed {first.iterations} of {asked} iterations of {named(short)}"
    yield from _mixed(report)
    if not run.executed and not uncalled and not report.not_run and not report.collection_errors:
        yield f"skipped all of its {len(report.tests)} tests" if report.tests else "collected no test"
    elif run.executed and not any(told.is_proof for told in report.tests.values()):
        yield "has only tests that failed as expected (xfail): nothing passed"


def _mixed(report: RunReport) -> Iterator[str]:
    """Yields what a run did in some executions of a test, and not in others."""
    excused = [test for test, told in report.tests.items() if told.is_partly_excused]
    if excused:
        first = report.tests[excused[0]]
        unit = "iterations" if first.iterations else "executions"
        parts = f"{first.excused:,} of {first.executions:,} {unit}"
        yield f"excused {parts} of {named(excused)} (xfail), which passed in others"


def _beside(run: Run, report: RunReport, everywhere: _Everywhere) -> Iterator[str]:
    """Yields what another run did and this one did not."""
    if not run.executed:
        return
    lacking = sorted(everywhere.executed - run.executed)
    skipped = [test for test in lacking if test in report.tests]
    deselected = [test for test in lacking if test not in report.tests and test in report.deselected]
    absent = [test for test in lacking if test not in report.tests and test not in report.deselected]
    for verb, tests in (("skipped", skipped), ("deselected", deselected), ("lacks", absent)):
        if tests:
            yield f"{verb} {named(tests)}, which other runs executed"
    fewer = [test for test, most in everywhere.executions.items() if 0 < _executions(run, test) < most]
    if fewer:
        yield f"executed {named(sorted(fewer))} less often than other runs"
    expected = [
        test
        for test, told in report.tests.items()
        if told.outcome is Outcome.XFAILED and test in everywhere.proved
    ]
    if expected:
        yield f"excused {named(expected)} (xfail), which passed in other runs"
    yield from _parts_beside(run, report, everywhere)


def _parts_beside(run: Run, report: RunReport, everywhere: _Everywhere) -> Iterator[str]:
    """Yields the subtests that another run executed and this one did not."""
    for test in sorted(test for test in run.executed if report.tests[test].skipped_parts):
        all_skipped = everywhere.skipped_parts[test]
        more = [part for part in report.tests[test].skipped_parts if part not in all_skipped]
        if more:
            yield f"skipped parts of {test} that other runs executed: {named(more)}"
    for test in sorted(run.executed & everywhere.parts.keys()):
        told = report.tests[test]
        skipped = frozenset(told.skipped_parts)
        gone = [part for part in everywhere.parts[test].lacking(told) if part not in skipped]
        most = everywhere.parts[test].most
        if gone:
            yield f"lacks parts of {test} that other runs executed: {named(gone)}"
        elif told.parts_executed + len(skipped) < most:
            yield f"executed fewer parts of {test} than other runs: {told.parts_executed:,} of {most:,}"


class _Parts:
    """The subtests of one test that runs executed.

    Attributes:
        most: How many the run executed that executed the most.
    """

    def __init__(self) -> None:
        self.most = 0
        self._named: dict[frozenset[str], tuple[str, ...]] = {}

    def add(self, told: RunTest) -> None:
        """Adds those of one run."""
        self.most = max(self.most, told.parts_executed)
        self._named.setdefault(frozenset(told.parts), told.parts)

    def lacking(self, told: RunTest) -> list[str]:
        """Returns what a run lacks that executed nothing else in its place: names may differ by chance."""
        ours = frozenset(told.parts)
        more = [names for known, names in self._named.items() if ours < known]
        return [name for name in max(more, key=len, default=()) if name not in ours]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Everywhere:
    """What all runs together did.

    Attributes:
        executed: Tests that any run executed.
        proved: Tests that passed in any run.
        executions: How often a test was executed in the run that did so most often, where that was more than
            once: it may have several items of one name, or run on each worker.
        skipped_parts: Of a test that any run executed, the subtests that no run executed.
        parts: Of such a test, the subtests that runs executed, where there are any.
    """

    executed: frozenset[str]
    proved: frozenset[str]
    executions: Mapping[str, int]
    skipped_parts: Mapping[str, frozenset[str]]
    parts: Mapping[str, _Parts]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> _Everywhere:
        """Adds the runs up."""
        proved: set[str] = set()
        executions: dict[str, int] = {}
        skipped_parts: dict[str, frozenset[str]] = {}
        parts: dict[str, _Parts] = {}
        for run in runs:
            for test, told in run.tests.items():
                if told.is_proof:
                    proved.add(test)
                if _executions(run, test) > max(1, executions.get(test, 0)):
                    executions[test] = _executions(run, test)
                if told.is_executed:
                    skipped = frozenset(told.skipped_parts)
                    skipped_parts[test] = skipped_parts.get(test, skipped) & skipped
                if told.is_executed and told.parts_executed:
                    parts.setdefault(test, _Parts()).add(told)
        return cls(
            executed=frozenset(skipped_parts),
            proved=frozenset(proved),
            executions=executions,
            skipped_parts=skipped_parts,
            parts=parts,
        )


def _executions(run: Run, test: str) -> int:
    """Returns how often a run executed a test; iterations of a stress run, and reruns, are told otherwise."""
    told = run.tests.get(test)
    is_rerun = run.report is not None and test in run.report.rescued
    return 0 if told is None or told.iterations or is_rerun else told.executions


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    """Yields what the passed runs prove nothing of."""
    tests = {
        test: [run.tests[test] for run in runs if test in run.tests] for run in runs for test in run.tests
    }
    skipped = [test for test, told in tests.items() if all(each.outcome is Outcome.SKIPPED for each in told)]
    skipped = skipped if len(skipped) < len(tests) else []
    files = [run.report.skipped_files for run in runs if run.report is not None]
    if tests and files:
        skipped += [file for file in files[0] if all(file in others for others in files)]
    if skipped:
        yield f"nothing is proved of what every run skipped: {named(skipped)}"
    partly = [test for test, told in tests.items() if any(each.is_partly_skipped for each in told)]
    if partly:
        yield f"of what was both executed and skipped, only the former is proved: {named(partly)}"
    expected = [test for test, told in tests.items() if all(each.outcome is Outcome.XFAILED for each in told)]
    if expected and len(expected) < len(tests):
        yield f"nothing is proved of what every run excused (xfail): {named(expected)}"


def _ending(exit_status: int) -> str:
    return f"signal {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"


def _exit_status(kind: VerdictKind, runs: Sequence[Run]) -> int:
    if kind is VerdictKind.STABLE:
        return 0
    if kind is VerdictKind.UNSTABLE:
        return 1
    statuses = {run.exit_status for run in runs}
    for status in (EXIT_USAGE, EXIT_NOTHING_COLLECTED):
        if statuses == {status}:
            return status
    return EXIT_INCOMPLETE


def must_stop(run: Run, runs: Sequence[Run], *, keep_going: bool, held: LimitFindings = NO_FINDINGS) -> bool:
    """Tells whether no further run is worth its time after this one.

    Args:
        run: The run that just ended.
        runs: All so far.
        keep_going: Whether runs that fail or do not count are to be counted rather than to end the gate.
        held: What holding limits against them has shown.
    """
    if run.exit_status == EXIT_USAGE and run.report is None:
        return True
    if run.exit_status == EXIT_INTERRUPTED and not run.is_failing:
        return run.report is None or not run.report.collection_errors or not keep_going
    if held.bad_marks:
        return True
    is_good = not run.is_failing and not reasons_against(run, runs) and held.is_clean
    return not keep_going and not is_good
