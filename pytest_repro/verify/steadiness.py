"""Compares how long the same thing took in several runs, and names what is unsteady."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_repro.verify.measures import TestMeasures

LEAST_RUNS = 3
"""Runs below which nothing can be called unusual."""

LEAST_RATIO = 1.5
"""A run that differs less from the median is ordinary, however steady the others are."""

CERTAIN_RATIO = 2.0
"""A run that differs so much from the median is unsteady, however much the others differ."""

SCALES = 3.0
"""Between these two ratios: robust standard deviations that a run must differ from the median."""

LEAST_DIFFERENCE_NS = 200_000_000
"""A difference below it is noise of the machine, of a test or phase."""

LEAST_DIFFERENCE_OF_RUNS_NS = 1_000_000_000
"""The same of whole runs, which start a process and import a project."""

_MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation of normal noise its standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRun:
    """What one run took; only runs that count are compared.

    Attributes:
        number: 1-based.
        duration_ns: Of the whole process.
        tests: What was measured of the tests that passed, by node id.
    """

    number: int
    duration_ns: int
    tests: Mapping[str, TestMeasures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsteady:
    """Something that took unusually long, or short, in one of the runs.

    Attributes:
        test: Node id; None for the whole runs.
        phase: Name of the phase; None for the whole of it.
        low_ns: In the fastest run; where a test ran many times in each run, its median there.
        median_ns: In the run in the middle, likewise.
        high_ns: In the slowest run, likewise.
        run: Number of the run that differs most from the median, 1-based.
        is_longest: Whether that is the slowest run, and not the fastest.
    """

    test: str | None
    phase: str | None
    low_ns: int
    median_ns: int
    high_ns: int
    run: int
    is_longest: bool

    @property
    def ratio(self) -> float:
        """How many times the fastest run fits into the slowest."""
        return self.high_ns / max(1, self.low_ns)


def find_unsteady(runs: Sequence[TimedRun]) -> tuple[Unsteady, ...]:
    """Names what is unsteady: the runs, then tests and their phases, the most unsteady first.

    Times are compared by their ratios, so that noise in proportion to a time counts the same for all. Tried
    on lognormal noise in five runs: of a standard deviation of 5 %, no steady test in 4,000 is named, and
    99.9 % are that took twice as long in one run; of 10 %, 0.15 % and 89 %; of 20 %, 10 % and 59 %.

    Args:
        runs: Those that count.
    """
    whole = {run.number: run.duration_ns for run in runs}
    found = [_compare(whole, test=None, phase=None, least_ns=LEAST_DIFFERENCE_OF_RUNS_NS)]
    tests = {test: None for run in runs for test in run.tests}
    parts = [part for test in tests for part in _compare_test(test, runs)]
    parts.sort(key=lambda one: -one.ratio)
    return tuple(one for one in (*found, *parts) if one is not None)


def _compare_test(test: str, runs: Sequence[TimedRun]) -> Iterable[Unsteady]:
    durations: dict[int, int] = {}
    phases: dict[str, dict[int, int]] = {}
    for run in runs:
        measures = run.tests.get(test)
        if measures is None:
            continue
        if measures.duration_ns is not None:
            durations[run.number] = round(measures.duration_ns.median)
        for name, phase in measures.phases_ns.items():
            phases.setdefault(name, {})[run.number] = round(phase.median)
    series: list[tuple[str | None, Mapping[int, int]]] = [(None, durations), *phases.items()]
    for phase_name, times in series:
        found = _compare(times, test=test, phase=phase_name, least_ns=LEAST_DIFFERENCE_NS)
        if found is not None:
            yield found


def _compare(
    times_ns: Mapping[int, int], *, test: str | None, phase: str | None, least_ns: int
) -> Unsteady | None:
    """Compares times, by number of their run."""
    if len(times_ns) < LEAST_RUNS:
        return None
    logs = {run: math.log(max(1, time_ns)) for run, time_ns in times_ns.items()}
    # The lower one of an even number: where half of the runs are slow, these are what is unusual.
    median = statistics.median_low(logs.values())
    median_ns = statistics.median_low(times_ns.values())
    differences = {run: abs(log - median) for run, log in logs.items()}
    scale = _MAD_TO_SIGMA * statistics.median(differences.values())
    threshold = min(max(math.log(LEAST_RATIO), SCALES * scale), math.log(CERTAIN_RATIO))
    unusual = [
        run
        for run, difference in differences.items()
        if difference >= threshold and abs(times_ns[run] - median_ns) >= least_ns
    ]
    if not unusual:
        return None
    run = max(unusual, key=lambda run: differences[run])
    return Unsteady(
        test=test,
        phase=phase,
        low_ns=min(times_ns.values()),
        median_ns=median_ns,
        high_ns=max(times_ns.values()),
        run=run,
        is_longest=times_ns[run] > median_ns,
    )
