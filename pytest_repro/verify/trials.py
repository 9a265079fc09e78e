"""Runs of base and fix, with what each tells beside its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from pytest_repro.model import Signature
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
        durations_ns: Of each test, all stages together.
    """

    side: Side
    run: Run
    failures: tuple[Seen, ...] = ()
    foreign: tuple[str, ...] = ()
    durations_ns: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How people are told of it."""
        return f"{self.side.value} run {self.run.number}"

    @property
    def failing(self) -> tuple[Seen, ...]:
        """Its failing tests, also those of which nothing more is known."""
        told = {seen.test for seen in self.failures}
        return (*self.failures, *(Seen(test=test) for test in self.run.failed if test not in told))


def median_ns(durations_ns: Sequence[int]) -> int | None:
    """Returns the median of durations, None of none."""
    ordered = sorted(durations_ns)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def median_durations(trials: Iterable[Trial]) -> dict[Side, int | None]:
    """Returns the median duration of the runs of each side (ns), None where none took place."""
    known = list(trials)
    return {
        side: median_ns([trial.run.duration_ns for trial in known if trial.side is side]) for side in Side
    }


def median_durations_of_tests(trials: Iterable[Trial]) -> dict[str, dict[Side, int | None]]:
    """Returns the median duration of each test on each side (ns)."""
    known = list(trials)
    return {
        test: {
            side: median_ns(
                [
                    trial.durations_ns[test]
                    for trial in known
                    if trial.side is side and test in trial.durations_ns
                ]
            )
            for side in Side
        }
        for test in dict.fromkeys(test for trial in known for test in trial.durations_ns)
    }
