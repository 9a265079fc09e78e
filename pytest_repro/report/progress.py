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
