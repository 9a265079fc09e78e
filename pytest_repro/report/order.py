"""What a bisection found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_repro.order.search import Finding, FindingKind, SearchState, Stage
from pytest_repro.order.trials import Counts
from pytest_repro.report.progress import fitting
from pytest_repro.report.words import counted, percent, whole_seconds
from pytest_repro.signature import signature_to_dict
from pytest_repro.stats import ruled_out_rate

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProgress:
    """How far a bisection is.

    Attributes:
        state: Of the search.
        elapsed_ns: Time since it was asked for.
    """

    state: SearchState
    elapsed_ns: int

    @property
    def shows_failure(self) -> bool:
        """See `Progress`: the failures of a bisection are what it looks for."""
        return False

    def line(self, *, width: int | None = None, is_short: bool = False) -> str:
        """Returns `bisect: trial 12, 37 tests left, 5 failures, 40 s`."""
        state = self.state
        trial = f"bisect: trial {state.trials + 1:,}"
        left = f"{counted(state.candidates, 'test')} left"
        what = "confirming" if state.stage is Stage.CONFIRMING else left
        failures, elapsed = counted(state.failed, "failure"), whole_seconds(self.elapsed_ns)
        forms = [[trial, what, failures, elapsed], [trial, what, elapsed], [trial, what], [trial]]
        return fitting([", ".join(form) for form in (forms[2:] if is_short else forms)], width)


def finding_lines(finding: Finding, *, victim: str, before: Sequence[str]) -> list[str]:
    """Returns the verdict and what it rests on.

    Args:
        finding: What the search came to.
        victim: The test in question.
        before: The tests that `finding.places` are.
    """
    lines = [_verdict(finding, victim, before)]
    if len(before) > 1:
        lines += [
            f"  {name}" + (f" (without it: {_of(counts, finding)})" if counts else "")
            for name, counts in zip(
                before[:_MOST_NAMED], [*finding.without, *[None] * len(before)], strict=False
            )
        ]
    if len(before) > _MOST_NAMED:
        lines.append(f"  and {len(before) - _MOST_NAMED:,} more")
    signature = finding.signature
    if signature is not None:
        shown = ": ".join(part for part in (signature.exception, signature.message) if part)
        lines.append(f"failure: {shown} (signature {signature.key})")
    if finding.others:
        lines.append(f"{counted(finding.others, 'trial')} failed in another way and did not count")
    if finding.not_run:
        lines.append(f"in {counted(finding.not_run, 'trial')} it did not run: {finding.not_run_reason}")
    lines.append(f"{counted(finding.trials, 'trial')} in fresh processes")
    return lines


def finding_record(finding: Finding, *, victim: str, before: Sequence[str]) -> dict[str, Any]:
    """Returns the same for programs, as plain builtins."""
    return {
        "kind": "bisect",
        "finding": finding.kind.value,
        "test": victim,
        "before": list(before),
        "confirmed": _record(finding.confirmed),
        "alone": _record(finding.alone),
        "whole": _record(finding.whole),
        "without": [_record(counts) for counts in finding.without],
        "signature": None if finding.signature is None else signature_to_dict(finding.signature),
        "other_failures": finding.others,
        "not_run": finding.not_run,
        "trials": finding.trials,
    }


def _verdict(finding: Finding, victim: str, before: Sequence[str]) -> str:
    whole, alone, confirmed = finding.whole, finding.alone, finding.confirmed
    after = before[0] if len(before) == 1 else f"{len(before):,} tests together"
    match finding.kind:
        case FindingKind.POLLUTERS:
            fails = f"fails {_times(confirmed.failed, confirmed)} after {after}"
            without = "it" if len(before) == 1 else "them"
            return f"found: {victim} {fails} and {alone.failed} of {alone.trials} without {without}"
        case FindingKind.SETTERS:
            return (
                f"found: {victim} passes {_times(confirmed.passed, confirmed)} after {after} and"
                f" {alone.passed} of {alone.trials} without: it needs what is left behind there"
            )
        case FindingKind.ALONE:
            return f"no other test is needed: {victim} fails {_times(alone.failed, alone)} alone" + (
                f", {_times(whole.failed, whole)} in the whole order" if before and whole != alone else ""
            )
        case FindingKind.NOT_REPRODUCED:
            where = "in the whole order" if before else "alone"
            ruled_out = percent(ruled_out_rate(whole.trials)) if whole.trials else "100 %"
            return (
                f"not reproduced: {victim} failed {_times(whole.failed, whole)} {where}; failure"
                f" rates above {ruled_out} are ruled out. It may need workers beside it, another machine or"
                " another order"
            )
        case FindingKind.UNCLEAR:
            return (
                f"could not tell: {victim} failed {_times(whole.failed, whole)} in the whole order,"
                f" {_times(alone.failed, alone)} alone, {_times(confirmed.failed, confirmed)} after {after}"
            )
        case FindingKind.UNFINISHED:
            return f"not finished: the smallest list so far has {counted(len(before), 'other test')}"


def _times(number: int, counts: Counts) -> str:
    return f"{number} of {counts.trials} times"


def _of(counts: Counts, finding: Finding) -> str:
    seen = counts.passed if finding.is_setter_looked_for else counts.failed
    word = "passes" if finding.is_setter_looked_for else "fails"
    return f"{word} {seen} of {counts.trials}"


def _record(counts: Counts) -> dict[str, int]:
    return {"trials": counts.trials, "failed": counts.failed, "passed": counts.passed}
