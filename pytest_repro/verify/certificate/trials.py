"""Runs of base and fix, with what each tells beside its report."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from pytest_repro.model import Signature
from pytest_repro.verify.limits import Limit
from pytest_repro.verify.runs import Run


class Side(str, Enum):
    """The two that are compared."""

    BASE = "base"
    FIX = "fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One failing test of one run.

    Attributes:
        test: Node id.
        signature: What its failures have in common; None where the run does not tell.
        message: First line of its message as it was.
        limit: The limit that it broke without failing, None for a failure.
    """

    test: str
    signature: Signature | None = None
    message: str = ""
    limit: Limit | None = None

    @property
    def kind(self) -> str:
        """What failures have in common: signature, or limit."""
        if self.limit is not None:
            return self.limit.place
        return "" if self.signature is None else self.signature.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """A limit that one run broke.

    Attributes:
        test: Node id.
        limit: The limit.
        value: Nanoseconds, or the value of a metric.
    """

    test: str
    limit: Limit
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of one side.

    Attributes:
        side: Which one.
        run: As it reported itself; its number counts within the side.
        failures: Its failing tests.
        foreign: Modules that it did not import from its own worktree, and from where.
        overruns: Limits that it broke.
        gaps: Limits that could not be held against it.
    """

    side: Side
    run: Run
    failures: tuple[Seen, ...] = ()
    foreign: tuple[str, ...] = ()
    overruns: tuple[Overrun, ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How people are told of it."""
        return f"{self.side.value} run {self.run.number}"

    @property
    def is_failing(self) -> bool:
        """Whether it shows a failing test, or a test that broke a limit."""
        return self.run.is_failing or bool(self.overruns)

    @property
    def failing(self) -> tuple[Seen, ...]:
        """Its failing tests, also those of which nothing more is known, and broken limits."""
        told = {seen.test for seen in self.failures}
        untold = [Seen(test=test) for test in self.run.failed if test not in told]
        return (*self.failures, *untold, *(Seen(test=one.test, limit=one.limit) for one in self.overruns))


def median_ns(durations_ns: Iterable[float]) -> int | None:
    """Returns the median of durations, None of none."""
    known = list(durations_ns)
    return round(statistics.median(known)) if known else None


def median_durations(trials: Iterable[Trial]) -> dict[Side, int | None]:
    """Returns the median duration of the runs of each side (ns), None where none took place."""
    known = list(trials)
    return {side: median_ns(trial.run.duration_ns for trial in known if trial.side is side) for side in Side}


def median_measures(trials: Iterable[Trial]) -> dict[tuple[str, str], dict[Side, int | None]]:
    """Returns the median of each side (ns) for each test and its phases: over runs, of the median of a run.

    Returns:
        By node id and name of the phase, which is empty for the whole test.
    """
    found: dict[tuple[str, str], dict[Side, list[float]]] = {}
    for trial in trials:
        for test, told in trial.run.tests.items():
            phases = told.measures.phases_ns
            whole = {} if told.measures.duration_ns is None else {"": told.measures.duration_ns}
            for name, measure in (*whole.items(), *phases.items()):
                sides = found.setdefault((test, name), {side: [] for side in Side})
                sides[trial.side].append(measure.median)
    return {
        key: {side: median_ns(durations) for side, durations in sides.items()} for key, sides in found.items()
    }
