"""What the order and the processes of failures tell: chance, something left behind, or the process itself."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

CHANCE = 0.01
"""A pattern is named if chance alone would show it less often than that."""


MOST_LABELS = 20
"""Labels of failing processes that are kept."""


class PatternKind(str, Enum):
    """Where failures that are no chance come from."""

    RUNNING_AGAIN = "running_again"
    PROCESS = "process"


@dataclass(slots=True, kw_only=True)
class ProcessTally:
    """Iterations of one test in one process, in the order in which they ran; skipped ones are left out.

    Attributes:
        label: Worker, or hash seed of a process of its own.
        passed_first: Passes before the first failure.
        failed: Failures.
        passed_later: Passes after the first failure.
    """

    label: str
    passed_first: int = 0
    failed: int = 0
    passed_later: int = 0

    @property
    def executed(self) -> int:
        """Iterations that ran the test."""
        return self.passed_first + self.failed + self.passed_later

    def add(self, *, is_failure: bool, number: int) -> None:
        """Adds iterations that ran one after the other with one outcome."""
        if is_failure:
            self.failed += number
        elif self.failed:
            self.passed_later += number
        else:
            self.passed_first += number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Failures of one test that are no chance.

    Attributes:
        kind: Where they come from.
        is_certain: Whether chance alone would show it less often than CHANCE.
        passes: Of running again: how often the test passed in a process before it began to fail.
        failures: Of running again: how often it failed after that, in all processes.
        failing: Of the process: labels of the processes in which each iteration failed, at most MOST_LABELS.
        failing_processes: How many there are.
        processes: Number of processes that ran the test.
    """

    kind: PatternKind
    is_certain: bool = True
    passes: int = 0
    failures: int = 0
    failing: tuple[str, ...] = ()
    failing_processes: int = 0
    processes: int


def by_process(message: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yields (process, outcome, number of iterations), in order; both lists of the batch are run lengths."""
    processes = [list(pair) for pair in message["hash_seeds"]]
    for name, number in message["outcomes"]:
        rest = number
        while rest and processes:
            part = min(rest, processes[0][1])
            yield str(processes[0][0]), name, part
            rest -= part
            processes[0][1] -= part
            if not processes[0][1]:
                del processes[0]
        if rest:
            yield message["worker"], name, rest


def find_pattern(processes: Collection[ProcessTally], *, is_isolated: bool = False) -> Pattern | None:
    """Returns what the failures of one test have in common, or None if they may be chance.

    Args:
        processes: One for each process that ran the test.
        is_isolated: Whether iterations of one process were forks of it, which leave nothing behind for each
            other.
    """
    ran = [process for process in processes if process.executed]
    executed = sum(process.executed for process in ran)
    failed = sum(process.failed for process in ran)
    if not 0 < failed < executed:
        return None
    again = None if is_isolated else _running_again(ran, failed / executed)
    return again or _matter_of_process(ran)


def _running_again(ran: list[ProcessTally], rate: float) -> Pattern | None:
    """Each process passed the same number of times, and then never again."""
    failing = [process for process in ran if process.failed]
    passes = failing[0].passed_first
    agrees = passes > 0 and all(
        process.passed_first <= passes
        if not process.failed
        else process.passed_first == passes and not process.passed_later
        for process in ran
    )
    if not agrees:
        return None
    passed = sum(process.passed_first for process in ran)
    failed = sum(process.failed for process in ran)
    # How often independent iterations of any rate fall into just this order, at most; and, as passes come
    # before the first failure anyway where a run stops at it, how often a rate that explains the first
    # failures explains those that followed.
    order = passed * math.log(1.0 - rate) + failed * math.log(rate)
    first_rate = len(failing) / (passed + len(failing))
    followed = (failed - len(failing)) * math.log(first_rate)
    is_certain = max(order, followed) <= math.log(CHANCE)
    # One failure after a pass is what chance shows too, or the last teardown of a slice.
    if not is_certain and (passes > 1 or failed < 2):
        return None
    return Pattern(
        kind=PatternKind.RUNNING_AGAIN,
        is_certain=is_certain,
        passes=passes,
        failures=failed,
        failing_processes=len(failing),
        processes=len(ran),
    )


def _matter_of_process(ran: list[ProcessTally]) -> Pattern | None:
    """Each process failed always or never, and there are both kinds."""
    if any(process.failed not in (0, process.executed) for process in ran):
        return None
    sizes = [process.executed for process in ran]
    failing = [process for process in ran if process.failed]
    if _chance_of_whole_processes(sizes, sum(process.failed for process in failing)) > CHANCE:
        return None
    return Pattern(
        kind=PatternKind.PROCESS,
        failing=tuple(process.label for process in failing[:MOST_LABELS]),
        failing_processes=len(failing),
        processes=len(ran),
    )


def _chance_of_whole_processes(sizes: Sequence[int], failed: int) -> float:
    """Returns the chance that so many failures, dealt out blindly, fill some processes and spare the others.

    Args:
        sizes: Iterations of each process.
        failed: Failures in all of them together.

    Returns:
        From 0 to 1: the choices of processes whose sizes add up to the failures, by all choices of failing
        iterations. Above a million steps of work, where only a run of single iterations could still be
        chance, 0 or 1.
    """
    if len(sizes) * failed > 1_000_000:
        return 1.0 if max(sizes) == 1 else 0.0
    ways = [1] + [0] * failed
    for size in sizes:
        for total in range(failed, size - 1, -1):
            ways[total] += ways[total - size]
    return float(Fraction(ways[failed], math.comb(sum(sizes), failed)))
