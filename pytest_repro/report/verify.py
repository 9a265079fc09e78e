"""What the gate says, as lines for a terminal and as records for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_repro.report.measures import (
    broken_line,
    broken_record,
    held_record,
    unsteady_lines,
    unsteady_record,
)
from pytest_repro.report.proof import evidence_lines, proof, required_record, requirement_record
from pytest_repro.report.words import counted, seconds
from pytest_repro.stats import ruled_out_rate
from pytest_repro.verify.held import HeldLimit
from pytest_repro.verify.required import Evidence
from pytest_repro.verify.runs import Run
from pytest_repro.verify.verdict import Verdict, VerdictKind

_NO_EVIDENCE = Evidence()

_SHOWN = 10
"""So many failing tests of a run are named."""


def run_line(run: Run, *, asked: int, reasons: Sequence[str], broken: int = 0) -> str:
    """Returns one line about a run that just ended.

    Args:
        run: The run.
        asked: Runs asked for.
        reasons: Why it does not count.
        broken: Number of limits that it broke.
    """
    counts = f"{counted(len(run.executed), 'test')} in {seconds(run.duration_ns)}"
    if run.iterations:
        counts = f"{counted(run.iterations, 'iteration')} of {counts}"
    name = f"run {run.number:,} of {asked:,}"
    if run.is_failing:
        return f"{name} failed: {counts}, {counted(len(run.failed), 'failure')}"
    if broken:
        return f"{name} failed: {counts}, {counted(broken, 'limit')} broken"
    word = "does not count" if reasons else "passed"
    return f"{name} {word}: {counts}"


def verdict_lines(
    verdict: Verdict, runs: Sequence[Run], *, folder: str, evidence: Evidence = _NO_EVIDENCE
) -> list[str]:
    """Returns the verdict, what it proves or why it proves nothing, and where the output is."""
    said = said_of(verdict, runs, evidence=evidence)
    return [*said, f"output of the runs: {folder}/verify_run_<i>.txt"]


def said_of(verdict: Verdict, runs: Sequence[Run], *, evidence: Evidence = _NO_EVIDENCE) -> list[str]:
    """Returns the verdict, and what it proves or why it proves nothing."""
    lines = [_headline(verdict, runs, evidence)]
    lines += verdict.reasons
    for run in runs:
        if run.is_failing:
            lines += [f"run {run.number}: {_failures(run, test)}" for test in run.failed[:_SHOWN]]
            if len(run.failed) > _SHOWN:
                lines += [f"run {run.number}: {counted(len(run.failed) - _SHOWN, 'more failing test')}"]
        broken = [broken_line(one) for one in verdict.broken if one.run == run.number]
        lines += broken[:_SHOWN]
        if len(broken) > _SHOWN:
            lines += [f"run {run.number}: {counted(len(broken) - _SHOWN, 'more broken limit')}"]
        if run.number in verdict.failed:
            lines += [f"run {run.number} again: {run.command}"]
    lines += verdict.notes
    lines += evidence_lines(verdict, runs, evidence)
    return lines + unsteady_lines(verdict.unsteady)


def _failures(run: Run, test: str) -> str:
    told = run.tests[test]
    if told.failures and told.iterations:
        return f"{test} failed in {told.failures:,} of {counted(told.iterations, 'iteration')}"
    return f"{test} {told.outcome.value}"


def _headline(verdict: Verdict, runs: Sequence[Run], evidence: Evidence) -> str:
    count = f"{verdict.passed:,} of {verdict.asked:,} runs passed"
    kind = verdict.kind
    if kind is VerdictKind.STABLE:
        return f"stable: {count}: {proof(runs, evidence)}"
    if kind is VerdictKind.UNSTABLE:
        return f"unstable: {counted(len(verdict.failed), 'run')} of {len(runs)} failed, {count}"
    return f"incomplete: {count}; this says nothing about stability"


def verdict_record(
    verdict: Verdict,
    runs: Sequence[Run],
    *,
    evidence: Evidence = _NO_EVIDENCE,
    held: Sequence[HeldLimit] = (),
) -> dict[str, Any]:
    """Returns the verdict as plain builtins: durations in nanoseconds, rates from 0 to 1.

    Args:
        verdict: What the gate says.
        runs: In order.
        evidence: What is on record of the tests.
        held: Limits, kept or not.
    """
    is_stable = verdict.kind is VerdictKind.STABLE
    ruled_out = ruled_out_rate(verdict.passed, confidence=evidence.confidence)
    return {
        "kind": "verify",
        "verdict": verdict.kind.value,
        "said": said_of(verdict, runs, evidence=evidence),
        "exit_status": verdict.exit_status,
        "runs_asked": verdict.asked,
        "runs_passed": verdict.passed,
        "runs_failed": list(verdict.failed),
        "reasons": list(verdict.reasons),
        "notes": list(verdict.notes),
        "broken_limits": [broken_record(broken) for broken in verdict.broken],
        "held_limits": [held_record(one) for one in held],
        "unsteady": [unsteady_record(one) for one in verdict.unsteady],
        "ruled_out_rate": ruled_out if is_stable else None,
        "confidence": evidence.confidence,
        "auto": required_record(evidence.required),
        "rates_before": [requirement_record(each, passed=verdict.passed) for each in evidence.asking(runs)],
        "runs": [run_record(run) for run in runs],
    }


def run_record(run: Run) -> dict[str, Any]:
    """Returns one run as plain builtins."""
    return {
        "run": run.number,
        "exit_status": run.exit_status,
        "duration_ns": run.duration_ns,
        "output": run.output,
        "command": run.command,
        "report": None if run.report is None else run.report.to_payload(),
    }
