"""What clean runs prove, held against the failure rates on record: in words, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pytest_repro.report.words import counted, percent, whole_seconds
from pytest_repro.stats import chance_of_clusters, ruled_out_rate
from pytest_repro.stress.patterns import CHANCE
from pytest_repro.verify.history import RecordedRate, Unit
from pytest_repro.verify.required import (
    HASH_SEED,
    Evidence,
    Reason,
    Requirement,
    RunsRequired,
    choices_alike,
)
from pytest_repro.verify.runs import Run
from pytest_repro.verify.verdict import Verdict, VerdictKind

_MOST_TESTS = 3
"""Tests that are named with what is not proved of them; the records name all."""


def required_lines(required: RunsRequired, first: Run) -> list[str]:
    """Returns how many runs `auto` comes to, why, and what to do where that proves too little."""
    runs = counted(required.planned, "run")
    most = required.requirement
    if required.reason is Reason.DETERMINISTIC:
        return [f"verify: {runs}: the failure is marked deterministic"]
    if most is None:
        return [f"verify: {runs}: no failure of these tests is on record"]
    before = f"{most.rate.test} {_before(most.rate)}"
    if required.reason is Reason.NOT_COMPARABLE:
        return [f"verify: {runs}, which cannot prove a fix: {before}", *_advice(most)]
    if required.reason is Reason.TOO_LONG:
        duration = whole_seconds(required.asked * first.duration_ns)
        out_of_reach = f"{required.asked:,} would take {duration}"
        return [f"verify: {runs}, where {out_of_reach}: {before}; {_enough(most)}", *_advice(most)]
    return [f"verify: {runs}: {before}; {_enough(most)}"]


def proof(runs: Sequence[Run], evidence: Evidence) -> str:
    """Returns what runs that all passed rule out, per run and, where each fails by itself, per iteration.

    Args:
        runs: All of them valid and passed.
        evidence: What they are held against.
    """
    confidence = evidence.confidence
    rate = percent(ruled_out_rate(len(runs), confidence=confidence))
    ruled_out = f"a failure rate above {rate} is ruled out at {percent(confidence)} confidence"
    if not any(told.unexcused for run in runs for told in run.tests.values()):
        return ruled_out
    distinct = _with_distinct_seeds(runs)
    iterations = sum(told.unexcused for run in distinct for told in run.tests.values())
    ran = f"{counted(iterations, 'iteration')} ran without a failure"
    if len(distinct) < len(runs):
        ran += f", the same in {counted(len(runs) - len(distinct) + 1, 'run')} (one seed)"
    if any(each.rate.unit is Unit.PROCESS for each in evidence.asking(runs)):
        return f"{ruled_out}; {ran}, but on record failures come together in a process: runs count"
    # Each test has its own rate: that which ran the least is the one that least is proved of.
    tests = {test for run in distinct for test, told in run.tests.items() if told.is_proof}
    least = min(sum(run.tests[test].unexcused for run in distinct if test in run.tests) for test in tests)
    of_iterations = percent(ruled_out_rate(least, confidence=confidence))
    return f"{ruled_out}, above {of_iterations} of the iterations if each fails by itself; {ran}"


def evidence_lines(verdict: Verdict, runs: Sequence[Run], evidence: Evidence) -> list[str]:
    """Returns what the record makes of the runs, and what they show of themselves beside the verdict."""
    asking = evidence.asking(runs)
    if verdict.kind is VerdictKind.UNSTABLE:
        return list(cluster_lines(runs))
    if verdict.kind is VerdictKind.INCOMPLETE:
        # What counts too little is not held against anything: only what is lacking is told.
        asking = [each for each in asking if each.runs is None or each.runs > verdict.passed]
    return [*recorded_lines(asking, passed=verdict.passed), *_sameness_lines(runs)]


def recorded_lines(asking: Sequence[Requirement], *, passed: int) -> list[str]:
    """Returns how likely so many clean runs were without a fix, for the tests with a rate on record.

    Args:
        asking: What the rates ask for, that of the test that asks for the most first.
        passed: Valid runs in which all tests passed.
    """
    unproved = [each for each in asking if each.runs is None or each.runs > passed]
    shown = unproved[:_MOST_TESTS] or list(asking[:1])
    lines = [line for each in shown for line in _recorded(each, passed=passed)]
    others = len(unproved) - len(shown)
    if others > 0:
        lines.append(f"not proved of {counted(others, 'other test')} either, see summary.json")
    return lines


def cluster_lines(runs: Sequence[Run]) -> Iterator[str]:
    """Yields the tests whose failures gather in some of the runs, more than chance would have it."""
    for test in sorted(frozenset[str]().union(*(run.executed for run in runs))):
        ran = [run.tests[test] for run in runs if test in run.executed and run.tests[test].iterations]
        if len(ran) > 1 and chance_of_clusters([(told.failures, told.iterations) for told in ran]) <= CHANCE:
            failures = counted(sum(told.failures for told in ran), "failure")
            failing = sum(1 for told in ran if told.failures)
            yield (
                f"no chance: the {failures} of {test} gather in {failing} of {len(ran)} runs; "
                "a matter of the process, so count runs, not iterations"
            )


def required_record(required: RunsRequired | None) -> dict[str, Any] | None:
    """Returns what `auto` came to as plain builtins, None where the number of runs was given."""
    if required is None:
        return None
    return {"reason": required.reason.value, "runs_asked": required.asked, "runs_planned": required.planned}


def requirement_record(requirement: Requirement, *, passed: int) -> dict[str, Any]:
    """Returns a rate on record, and what it makes of the runs, as plain builtins."""
    rate = requirement.rate
    return {
        "test": rate.test,
        "unit": rate.unit.value,
        "failures": rate.failures,
        "total": rate.total,
        "failed_iterations": rate.failed_iterations,
        "iterations": rate.iterations,
        "iterations_each": rate.iterations_each,
        "is_clustered": rate.is_clustered,
        "sessions": list(rate.sessions),
        "title": rate.title,
        "command": rate.command,
        "runs_needed": requirement.runs,
        "chance_if_unchanged": requirement.chance(passed),
    }


def _sameness_lines(runs: Sequence[Run]) -> Iterator[str]:
    """Yields what was the same in all runs although chance should choose it."""
    reports = [run.report for run in runs if run.report is not None]
    for choice in choices_alike(reports):
        if choice == HASH_SEED:
            yield f"all runs had {choice}={reports[0].hash_seed}: nothing is proved of other hash seeds"
        else:
            seed = reports[0].seeds[choice]
            yield f"all runs had {choice} {seed}: nothing is proved of other random choices"


def _recorded(requirement: Requirement, *, passed: int) -> list[str]:
    rate = requirement.rate
    chance, needed = requirement.chance(passed), requirement.runs
    before = f"{rate.test} {_before(rate)}"
    if chance is None or needed is None:
        return [f"not proved: {before}", *_advice(requirement)]
    confidence = percent(requirement.confidence)
    clean = f"{counted(passed, 'clean run')} had a chance of {percent(chance)} without a fix"
    if needed <= passed:
        return [f"{before}: {clean}, ruled out at {confidence} confidence"]
    return [f"not proved: {before}: {clean}; {needed:,} are needed at {confidence} confidence"]


def _before(rate: RecordedRate) -> str:
    """Says how often a test failed, and where that is on record."""
    others = len(rate.sessions) - 1
    where = f"in session {rate.sessions[0]}"
    if others:
        where += f" and {counted(others, 'other')} of its commit"
    if rate.title:
        where += f" ({_printable(rate.title)})"
    if rate.unit is Unit.ITERATION:
        return f"failed {rate.failures:,} of {counted(rate.total, 'iteration')} {where}"
    if rate.unit is Unit.RUN:
        return f"failed {rate.failures:,} of {counted(rate.total, 'run')} {where}"
    iterations = f"{rate.failed_iterations:,} of {counted(rate.iterations, 'iteration')}"
    return (
        f"failed in {rate.failures:,} of {counted(rate.total, 'process', 'processes')} ({iterations}) {where}"
    )


def _enough(requirement: Requirement) -> str:
    clean, confidence = requirement.clean, percent(requirement.confidence)
    each = ""
    if requirement.rate.unit is Unit.ITERATION and requirement.iterations > 1:
        each = f", {requirement.iterations:,} in each run,"
    ones, rule = ("one", "rules") if clean == 1 else ("ones", "rule")
    return f"{clean:,} clean {ones}{each} {rule} out that nothing changed, at {confidence} confidence"


def _advice(requirement: Requirement) -> list[str]:
    rate = requirement.rate
    same = f"verify under the conditions in which it failed: {_printable(rate.command)}"
    if requirement.repeated:
        return [f"all runs make the same random choices: drop {' and '.join(requirement.repeated)}"]
    if not requirement.is_long_enough:
        ran = counted(requirement.iterations, "time")
        short = (
            f"a run executes it {ran}, it failed in processes of about {rate.iterations_each:,} iterations"
        )
        return [f"{short}: add --repro-stress {rate.iterations_each}", same]
    if rate.unit is Unit.ITERATION:
        amplify = "many iterations in each run (--repro-stress N), more workers (-n), load beside it"
    else:
        amplify = "more workers (-n), load beside it, the hash seed of a failing process (--repro-isolate)"
    return [f"amplify first, so that it fails more often: {amplify}", same]


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _with_distinct_seeds(runs: Sequence[Run]) -> list[Run]:
    """Leaves out runs whose iterations made the same random choices as those of a run before."""
    kept: dict[object, Run] = {}
    for run in runs:
        seed = None if run.report is None else run.report.seeds.get("--repro-seed")
        kept.setdefault(run.number if seed is None else seed, run)
    return list(kept.values())
