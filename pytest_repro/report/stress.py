"""The summary of a stress run, as lines for a terminal and as a record for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_repro.model import Failure
from pytest_repro.report.devices import device_lines, device_record
from pytest_repro.report.words import counted, percent, percent_range, seconds
from pytest_repro.signature import signature_to_dict
from pytest_repro.stress.device_tally import DeviceReport
from pytest_repro.stress.patterns import Pattern, PatternKind
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.summary import Bug, TestSummary
from pytest_repro.stress.tally import durations_of

MOST_BUGS = 20
"""Bugs shown on the terminal; the records hold all."""

MOST_HASH_SEEDS = 5
"""Hash seeds named for one test; the records name more."""

MOST_TESTS_OF_A_BUG = 5
"""Tests named below one bug; the records name all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressReport:
    """All that a stress run learned.

    Attributes:
        plan: What was asked for.
        tests: One summary a test, in order of collection.
        bugs: Those that are looked for first, then in order of appearance.
        replays: Command that runs the first failure again, by signature key.
        replaced: Workers that died in an iteration and were replaced.
        died: Workers whose death is that of an iteration, replaced or not.
        folder: Where the records are.
        problem: Why they are incomplete, or None.
        devices: What is known of devices.
    """

    plan: StressPlan
    tests: tuple[TestSummary, ...]
    bugs: tuple[Bug, ...]
    replays: Mapping[str, str]
    folder: str
    problem: str | None
    replaced: int = 0
    died: tuple[str, ...] = ()
    devices: DeviceReport = field(default_factory=DeviceReport)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for ran, and anything ran at all."""
        ran_any = any(test.executed for test in self.tests)
        return ran_any and all(test.is_complete for test in self.tests)

    @property
    def reproduced(self) -> int | None:
        """Failures that are looked for; None where none in particular are."""
        return None if self.plan.match is None else sum(bug.matches for bug in self.bugs)

    @property
    def executed(self) -> int:
        """Iterations that really ran, of all tests."""
        return sum(test.executed for test in self.tests)

    @property
    def failures(self) -> int:
        """Failing iterations of all tests."""
        return sum(test.failures for test in self.tests)


def stress_lines(report: StressReport, *, verbose: int = 0) -> list[str]:
    """Returns the summary: tests that failed or did not run as asked, then the bugs.

    Args:
        report: What was learned.
        verbose: pytest's verbosity; above 0 every test is listed, below 0 only counts and bugs are.
    """
    listed = [test for test in report.tests if verbose > 0 or test.failures or not test.is_complete]
    lines = [_overview(report), *_reproduced_lines(report)]
    for test in listed:
        # What no replay of one iteration would show is told in few words too.
        if verbose >= 0 or test.pattern is not None:
            lines += _test_lines(test, is_isolated=report.plan.isolate)
    calm = len(report.tests) - len(listed)
    if calm and listed and verbose >= 0:
        lines.append(f"{counted(calm, 'other test')} ran as asked without a failure")
    lines += device_lines(report.devices, verbose=verbose)
    for number, bug in enumerate(report.bugs[:MOST_BUGS], 1):
        lines += _bug_lines(report, bug, number=number)
    if len(report.bugs) > MOST_BUGS:
        lines.append(f"and {counted(len(report.bugs) - MOST_BUGS, 'more bug')}: see failures.jsonl")
    if verbose > 0:
        lines += _lane_lines(report)
    if report.problem:
        lines.append(f"records are incomplete: {report.problem}")
    else:
        lines.append(f"records: {report.folder}")
    return lines


def _overview(report: StressReport) -> str:
    failed = sum(1 for test in report.tests if test.failures)
    missing = sum(test.missing for test in report.tests if not test.is_complete)
    planned = sum(test.planned or 0 for test in report.tests)
    has_ended_early = report.plan.budget_ns is not None and report.executed < planned
    executed = f"{report.executed:,} of {counted(planned, 'planned iteration')}" if has_ended_early else ""
    parts = [
        f"{executed or counted(report.executed, 'iteration')} of {counted(len(report.tests), 'test')} ran",
        f"{counted(report.failures, 'failure')} in {counted(failed, 'test')}" if failed else "no failure",
    ]
    if missing:
        parts.append(f"{counted(missing, 'iteration')} did not run")
    surplus = sum(test.surplus for test in report.tests)
    if surplus:
        parts.append(f"{counted(surplus, 'iteration')} under way when it stopped failed too")
    if report.replaced:
        parts.append(f"{counted(report.replaced, 'worker')} replaced")
    if report.plan.reseed:
        parts.append(f"seed {report.plan.base_seed}")
    return ", ".join(parts)


def _reproduced_lines(report: StressReport) -> list[str]:
    if report.plan.match is None:
        return []
    found = report.reproduced or 0
    other = sum(bug.failures for bug in report.bugs) - found
    others = f"{counted(other, 'failure')} of other bugs" if other else ""
    if found:
        verb = "matches" if found == 1 else "match"
        line = f"reproduced: {counted(found, 'failure')} {verb} {report.plan.match.title}"
        return [f"{line}; {others}" if others else line]
    reason = others or f"no failure in {counted(report.executed, 'iteration')}"
    return [f"not reproduced: {reason}; looked for {report.plan.match.title}"]


def _test_lines(test: TestSummary, *, is_isolated: bool) -> list[str]:
    return [test.test, *(f"  {line}" for line in _test_facts(test, is_isolated=is_isolated))]


def _test_facts(test: TestSummary, *, is_isolated: bool) -> list[str]:
    last = test.executed if test.planned is None else test.planned
    planned = "" if test.planned is None else f" of {test.planned:,}"
    counts = f"{test.executed:,}{planned} {'iteration' if last == 1 else 'iterations'} ran"
    if test.skipped:
        counts += f", {test.skipped:,} skipped"
    if test.missing:
        counts += f", {test.missing:,} did not run"
    if test.surplus:
        counts += f", {test.surplus:,} under way when it stopped failed too"
    rate = test.failure_rate
    if rate is not None:
        interval = f"95 % interval {percent_range(test.interval)}"
        counts += f", {test.failures:,} failed ({percent(rate)}, {interval})"
    facts = [counts]
    first = test.first_failure
    if first is not None:
        seed = "" if first.seed is None else f", its seed {first.seed}"
        after = seconds(first.elapsed_ns)
        facts.append(f"first failure: iteration {first.iteration:,} on {first.worker}, after {after}{seed}")
    if test.first_match is not None:
        verb = "matches" if test.matches == 1 else "match"
        match = f"iteration {test.first_match.iteration:,}, after {seconds(test.first_match.elapsed_ns)}"
        facts.append(f"reproduced: {counted(test.matches, 'failure')} {verb}, the first in {match}")
    if test.pattern is not None:
        facts += pattern_lines(test.pattern, is_isolated=is_isolated)
    return facts


def pattern_lines(pattern: Pattern, *, is_isolated: bool) -> list[str]:
    """Returns what kind of failure this is, if it is no chance, and what to do next.

    Args:
        pattern: What was found.
        is_isolated: Whether each iteration ran in a process of its own, where labels are hash seeds.
    """
    processes = counted(pattern.processes, "process", "processes")
    if pattern.kind is PatternKind.RUNNING_AGAIN:
        times = "the first time" if pattern.passes == 1 else f"the first {pattern.passes:,} times"
        where = "" if pattern.processes == 1 else f" in each of {processes}"
        chance = "no chance" if pattern.is_certain else "perhaps no chance"
        leaves = "leaves" if pattern.is_certain else "may leave"
        return [
            f"{chance}: passed {times}{where}, then failed always ({pattern.failures:,})",
            f"  an iteration {leaves} something behind; --repro-isolate gives each one a process of its own",
        ]
    always = f"no chance: failed always in {pattern.failing_processes:,} of {processes}, never in the others"
    if not is_isolated:
        return [
            always,
            "  a matter of the process: --repro-isolate tries many, with a hash seed each",
        ]
    shown = ", ".join(pattern.failing[:MOST_HASH_SEEDS])
    more = ", ..." if pattern.failing_processes > MOST_HASH_SEEDS else ""
    return [always, f"  a matter of the process: PYTHONHASHSEED {shown}{more}"]


def _bug_lines(report: StressReport, bug: Bug, *, number: int) -> list[str]:
    tests = counted(len(bug.tests), "test")
    failures = counted(bug.failures, "failure")
    mark = ", reproduced" if bug.is_match else ""
    share = f", {bug.matches:,} of them looked for" if 0 < bug.matches < bug.failures else ""
    lines = [
        f"bug {number} of {len(report.bugs)}{mark}: {_title(bug)}",
        f"  {failures} in {tests}{share}, signature {bug.signature.key}{_where(report, bug)}",
    ]
    if report.plan.match is not None and not bug.is_match:
        fields = report.plan.match.contradictions(bug.signature)
        lines += [f"  another bug: differs in {', '.join(fields)}"] if fields else []
    if len(bug.tests) > 1:
        shown = bug.tests[:MOST_TESTS_OF_A_BUG]
        lines += [f"    {test}" for test in shown]
        more = len(bug.tests) - len(shown)
        lines += [f"    and {counted(more, 'more test')}"] if more else []
    return [*lines, f"  replay: {report.replays[bug.signature.key]}"]


def _lane_lines(report: StressReport) -> list[str]:
    lanes: dict[tuple[str, str | None], int] = {}
    for test in report.tests:
        if test.lane:
            lanes[test.lane, test.lane_reason] = lanes.get((test.lane, test.lane_reason), 0) + 1
    return [
        f"lane: {lane} for {counted(number, 'test')}" + (f": {reason}" if reason else "")
        for (lane, reason), number in lanes.items()
    ]


def _title(bug: Bug) -> str:
    name = (bug.signature.exception or "").rpartition(".")[2]
    return ": ".join(part for part in (name, bug.first.message) if part) or "no message"


def _where(report: StressReport, bug: Bug) -> str:
    where = bug.signature.where
    if not where:
        return ""
    has_twin = any(other is not bug and other.signature.where == where for other in report.bugs)
    statement = bug.signature.statement if has_twin else None
    return f", {where}" + (f": {statement}" if statement else "")


def report_record(report: StressReport, *, exit_status: int) -> dict[str, Any]:
    """Returns the summary as plain builtins: durations in nanoseconds, rates from 0 to 1."""
    return {
        "kind": "stress",
        "exit_status": exit_status,
        "is_complete": report.is_complete,
        "iterations_planned": report.plan.iterations,
        "budget_ns": report.plan.budget_ns,
        "base_seed": report.plan.base_seed if report.plan.reseed else None,
        "iterations_executed": report.executed,
        "failures": report.failures,
        "workers_replaced": report.replaced,
        "match": None if report.plan.match is None else report.plan.match.title,
        "reproduced": report.reproduced,
        "tests": [_test_record(test, report.plan) for test in report.tests],
        "bugs": [
            {
                "signature": signature_to_dict(bug.signature),
                "failures": bug.failures,
                "is_match": None if report.plan.match is None else bug.is_match,
                "tests": list(bug.tests),
                "first": failure_record(bug.first),
                "replay": report.replays[bug.signature.key],
            }
            for bug in report.bugs
        ],
        "devices": device_record(report.devices),
        "records": report.folder,
        "problem": report.problem,
    }


def _test_record(test: TestSummary, plan: StressPlan) -> dict[str, Any]:
    interval = test.interval
    return {
        "test": test.test,
        "lane": test.lane,
        "lane_reason": test.lane_reason,
        "planned": test.planned,
        "executed": test.executed,
        "skipped": test.skipped,
        "missing": test.missing,
        "surplus": test.surplus,
        "failures": test.failures,
        "outcomes": {outcome.value: number for outcome, number in test.outcomes.items()},
        "failure_rate": test.failure_rate,
        "failure_rate_low": interval.low,
        "failure_rate_high": interval.high,
        "stages_ns": list(test.stages_ns),
        "fastest_ns": test.fastest_ns,
        "slowest_ns": test.slowest_ns,
        "pattern": _pattern_record(test.pattern),
        "first_failure": None if test.first_failure is None else failure_record(test.first_failure),
        "reproduced": None if plan.match is None else test.matches,
        "first_match": None if test.first_match is None else failure_record(test.first_match),
    }


def _pattern_record(pattern: Pattern | None) -> dict[str, Any] | None:
    if pattern is None:
        return None
    return {
        "kind": pattern.kind.value,
        "is_certain": pattern.is_certain,
        "passes": pattern.passes,
        "failures": pattern.failures,
        "failing": list(pattern.failing),
        "failing_processes": pattern.failing_processes,
        "processes": pattern.processes,
    }


def failure_record(failure: Failure) -> dict[str, Any]:
    """Returns one failing iteration as plain builtins."""
    return {
        "test": failure.test,
        "iteration": failure.iteration,
        "outcome": failure.outcome.value,
        "stage": failure.stage.value,
        "signature": signature_to_dict(failure.signature),
        "message": failure.message,
        "seed": failure.seed,
        "hash_seed": failure.hash_seed,
        "worker": failure.worker,
        "elapsed_ns": failure.elapsed_ns,
        "text": failure.text,
        "is_match": failure.is_match,
    }


def death_line(failure: Failure) -> str:
    """Returns one line about an iteration that ended with its process."""
    where = f"iteration {failure.iteration:,} of {failure.test} ({failure.stage.value})"
    return f"{failure.message} in {where}"


def batch_record(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the iterations of one batch as plain builtins."""
    kept = ("test", "worker", "first", "step", "started_ns", "outcomes", "hash_seeds")
    return {name: message[name] for name in kept} | {"durations_ns": durations_of(message).tolist()}
