"""What people see while something goes on, as one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_repro.report.words import counted, per_second, whole_seconds


class Progress(Protocol):
    """How far something is, for one line."""

    @property
    def shows_failure(self) -> bool:
        """Whether anything has failed by now."""

    def line(self, *, width: int | None = None, is_short: bool = False) -> str:
        """Returns it as text.

        Args:
            width: Columns that the line may take, None for any number.
            is_short: Whether to say only what matters most.
        """


def fitting(forms: Sequence[str], width: int | None) -> str:
    """Returns the first form that is no wider than `width` columns, or what of the last one fits.

    Args:
        forms: Each shorter than the one before.
        width: None for any width.
    """
    if width is None:
        return forms[0]
    return next((form for form in forms if len(form) <= width), forms[-1][:width])


@dataclass(frozen=True, slots=True, kw_only=True)
class StressProgress:
    """How far a stress run is, all tests together.

    Attributes:
        finished: Iterations that came to an end.
        planned: Iterations asked for, or None for as many as fit into the budget.
        failures: Failing iterations.
        bugs: Their distinct signatures.
        rate_per_s: Iterations a second, lately; None before there is any.
        left_ns: How long it still takes, None where nobody knows.
        waits_for: What takes long now, such as `12 s in test_a on gw1`; empty for nothing.
    """

    finished: int
    planned: int | None
    failures: int
    bugs: int
    rate_per_s: float | None
    left_ns: int | None
    waits_for: str = ""

    @property
    def shows_failure(self) -> bool:
        """Whether anything has failed by now."""
        return self.failures > 0

    def line(self, *, width: int | None = None, is_short: bool = False) -> str:
        """Returns `stress: 12,345 of 100,000 iterations, 3 failures (2 bugs), 4,120/s, 21 s left`.

        Args:
            width: Columns that the line may take; what matters least is left out first. None for all of it.
            is_short: Whether to say no more than iterations and failures.
        """
        forms = _forms(self)
        return fitting(
            [f"stress: {', '.join(form)}" for form in (forms[_SHORT:] if is_short else forms)], width
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GateProgress:
    """How far the gate is.

    Attributes:
        run: Number of the run that goes on, 1-based.
        asked: Runs asked for, None where that is not known yet.
        finished: Tests or iterations of it that came to an end.
        planned: Of these, None where nobody knows.
        failures: Of these.
        unit: `test` or `iteration`.
        elapsed_ns: Time since the gate began.
        run_elapsed_ns: Time since this run began.
        runs_ns: Durations of the runs before it.
    """

    run: int
    asked: int | None
    finished: int
    planned: int | None
    failures: int
    unit: str
    elapsed_ns: int
    run_elapsed_ns: int
    runs_ns: tuple[int, ...]

    @property
    def shows_failure(self) -> bool:
        """Whether anything has failed by now."""
        return self.failures > 0

    @property
    def left_ns(self) -> int | None:
        """How long the runs still take if they go on like this; None where nobody knows."""
        if self.asked is None:
            return None
        if self.runs_ns:
            whole_ns = sum(self.runs_ns) // len(self.runs_ns)
        elif self.planned and self.finished:
            whole_ns = self.run_elapsed_ns * self.planned // self.finished
        else:
            return None
        return max(0, whole_ns - self.run_elapsed_ns) + whole_ns * (self.asked - self.run)

    def line(self, *, width: int | None = None, is_short: bool = False) -> str:
        """Returns `verify: run 2 of 5, 31 of 120 tests, 1 failure, 12 s, about 40 s left`."""
        run = f"verify: run {self.run}" + ("" if self.asked is None else f" of {self.asked}")
        done = [] if self.planned is None else [f"{self.finished:,} of {counted(self.planned, self.unit)}"]
        if self.planned is None and self.finished:
            done = [counted(self.finished, self.unit)]
        failures = [counted(self.failures, "failure")] if self.failures else []
        elapsed = [whole_seconds(self.elapsed_ns)]
        left = [] if self.left_ns is None else [f"about {whole_seconds(self.left_ns)} left"]
        forms = [
            [run, *done, *failures, *elapsed, *left],
            [run, *failures, *elapsed, *left],
            [run, *failures, *left],
            [run, *failures],
            [run],
        ]
        return fitting([", ".join(form) for form in (forms[3:] if is_short else forms)], width)


_SHORT = 4
"""The form without rate and time."""


def _forms(progress: StressProgress) -> Sequence[Sequence[str]]:
    """Returns the parts of the line, each form shorter than the one before."""
    finished = f"{progress.finished:,}"
    counts = iterations = counted(progress.finished, "iteration")
    if progress.planned is not None:
        counts = f"{finished} of {progress.planned:,}"
        iterations = f"{finished} of {counted(progress.planned, 'iteration')}"
    failures = failures_and_bugs = "no failure"
    if progress.failures:
        failures = counted(progress.failures, "failure")
        failures_and_bugs = f"{failures} ({counted(progress.bugs, 'bug')})"
    rate = [] if progress.rate_per_s is None else [per_second(progress.rate_per_s)]
    left = [] if progress.left_ns is None else [f"{whole_seconds(progress.left_ns)} left"]
    if progress.waits_for:
        # What takes long says more than how fast it was before.
        rate, left = [], [progress.waits_for]
    return (
        (iterations, failures_and_bugs, *rate, *left),
        (counts, failures_and_bugs, *rate, *left),
        (counts, failures, *rate, *left),
        (counts, failures, *left),
        (counts, failures),
        (finished, failures),
        (finished,),
    )
