"""What one session has measured, in the shape that two of them are compared in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.report.comparison.contention import contention_of
from pytest_repro.report.frames import FAILURES, iteration_folders, iterations_frame, records_in
from pytest_repro.report.timed_frames import timed_frames
from pytest_repro.store import each_json_line
from pytest_repro.verify.record_checks import is_death, is_failure

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MOST_STRETCHES = 50
"""Stretches of time, at most, whose medians stand for a session."""

STRETCH_NS = 250_000_000
"""Least length of one: what disturbs a machine lasts that long, so it disturbs neighbours together."""

_LEAST_IN_ORDER = 4
_PHASE = ["test", "phase", "is_cold"]
_METRIC = ["test", "metric"]
_RUNS = "runs.jsonl"
_PASSING = (Outcome.PASSED.value, Outcome.XFAILED.value)


class Quantity(str, Enum):
    """What a number measures, and so its unit."""

    FAILURES = "failures"
    DURATION = "duration"
    PHASE = "phase"
    METRIC = "metric"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """What is compared.

    Attributes:
        test: Node id.
        quantity: What it measures.
        name: Of the phase, the metric or the place of memory; the quantity's own otherwise.
    """

    test: str
    quantity: Quantity
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How often a test failed.

    Attributes:
        failures: Failing executions.
        total: Executions.
        unit: `iteration` or `run`.
        processes: Failures and executions of each process; empty where each execution had its own.
    """

    failures: int
    total: int
    unit: str
    processes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Numbers of one kind.

    Attributes:
        count: How many there are.
        median: Of all of them.
        witnesses: What of them may be taken as independent of each other: each execution that was long enough
            or had a process of its own, otherwise medians of stretches of time; at most `MOST_STRETCHES`, and
            fewer where neighbours are alike.
        stretches: The same whether or not neighbours are alike.
    """

    count: int
    median: float
    witnesses: np.ndarray[Any, Any]
    stretches: np.ndarray[Any, Any]

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest median of a stretch."""
        return float(self.stretches.min()), float(self.stretches.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one session has measured.

    Attributes:
        counts: By test.
        values: Numbers of passing executions, by what they measure; times in ns.
        contended: Why its times are not to be compared, empty if they are.
        waited: Part of its time that it waited for a processor (0 to 1).
        unreadable: What its records could not tell.
    """

    counts: Mapping[str, Counted]
    values: Mapping[Key, Sample]
    contended: str = ""
    waited: float = 0.0
    unreadable: tuple[str, ...] = ()


@dataclass(slots=True)
class _Gathered:
    counts: dict[str, Counted] = field(default_factory=dict)
    values: dict[Key, Sample] = field(default_factory=dict)
    spans_ns: dict[str, int] = field(default_factory=dict)
    contended: str = ""


def measure(path: Path) -> Measured:
    """Reads what a session has measured.

    Args:
        path: Its folder.
    """
    gathered = _Gathered()
    unreadable = []
    for read in (_read_iterations, _read_runs, _read_timed):
        try:
            read(path, gathered)
        except StoreError as error:
            unreadable.append(str(error))
    contention = contention_of(path)
    return Measured(
        counts=gathered.counts,
        values=gathered.values,
        contended=gathered.contended or contention.reason,
        waited=contention.waited,
        unreadable=tuple(unreadable),
    )


def sample_of(values: np.ndarray[Any, Any], *, span_ns: int | None = None) -> Sample:
    """Makes a sample, and its witnesses.

    Stretches whose medians follow each other are made longer: what slows a machine down for a second is one
    witness of that, not four.

    Args:
        values: At least one, in order of time.
        span_ns: Time that they were taken in, None where each had a process of its own.
    """
    import numpy as np

    room = len(values) if span_ns is None else span_ns // STRETCH_NS
    stretches = _medians(values, max(1, min(len(values), MOST_STRETCHES, room)))
    independent = _independent(stretches)
    return Sample(
        count=len(values),
        median=float(np.median(values)),
        witnesses=stretches if independent == len(stretches) else _medians(values, independent),
        stretches=stretches,
    )


def _medians(values: np.ndarray[Any, Any], stretches: int) -> np.ndarray[Any, Any]:
    import numpy as np

    if stretches == len(values):
        return np.asarray(values, dtype=float)
    return np.asarray([np.median(stretch) for stretch in np.array_split(values, stretches)], dtype=float)


def _independent(medians: np.ndarray[Any, Any]) -> int:
    """Returns how many independent values these are worth, which are in order of time.

    Bayley and Hammersley (1946) for values each of which keeps a part of the one before it; that part is the
    correlation of their ranks, which comes out too low by (1 + 3 part) / n (Kendall, 1954).
    """
    number = len(medians)
    if number < _LEAST_IN_ORDER:
        return number
    from scipy import stats

    ranks = stats.rankdata(medians) - (number + 1) / 2
    whole = float((ranks**2).sum())
    if not whole:
        return number
    part = float((ranks[1:] * ranks[:-1]).sum()) / whole
    corrected = part + (1 + 3 * part) / number
    if corrected <= 0:
        return number
    return max(1, int(number * (1 - corrected) / (1 + corrected))) if corrected < 1 else 1


def _read_iterations(path: Path, gathered: _Gathered) -> None:
    rows = iterations_frame(path)
    deaths = _deaths(path, rows)
    if rows.empty and not deaths:
        return
    workers = rows["worker"].nunique()
    gathered.contended = f"{workers} workers" if workers > 1 else ""
    executed = rows[rows["outcome"] != Outcome.SKIPPED.value]
    for test, processes in _processes(executed, deaths).items():
        failures, total = (sum(column) for column in zip(*processes, strict=True))
        gathered.counts[test] = Counted(
            failures=failures, total=total, unit="iteration", processes=tuple(processes)
        )
    ordered = executed[executed["outcome"].isin(_PASSING)].sort_values(["run", "started_ns"], kind="stable")
    for test, of_test in ordered.groupby("test", observed=True):
        key = Key(test=str(test), quantity=Quantity.DURATION, name=Quantity.DURATION.value)
        durations = of_test["duration_ns"].to_numpy()
        gathered.spans_ns[str(test)] = int(durations.sum())
        gathered.values[key] = sample_of(durations, span_ns=int(durations.sum()))


def _processes(
    executed: pd.DataFrame, deaths: Sequence[tuple[int, str, str]]
) -> dict[str, list[tuple[int, int]]]:
    """Returns of each test the failures and executions in each process."""
    is_failing = executed["outcome"].isin([outcome.value for outcome in Outcome if outcome.is_failure])
    by = [executed["test"], executed["run"], executed["worker"]]
    told = is_failing.groupby(by, observed=True).agg(["sum", "size"])
    counts = {
        (str(test), int(run), str(worker)): [int(failed), int(size)]
        for (test, run, worker), (failed, size) in zip(told.index, told.to_numpy().tolist(), strict=True)
    }
    for run, test, worker in deaths:
        count = counts.setdefault((test, run, worker), [0, 0])
        count[0] += 1
        count[1] += 1
    processes: dict[str, list[tuple[int, int]]] = {}
    for (test, _, _), (failed, size) in counts.items():
        processes.setdefault(test, []).append((failed, size))
    return processes


def _deaths(path: Path, rows: pd.DataFrame) -> list[tuple[int, str, str]]:
    """Returns run, test and worker of the iterations that ended with their process.

    They stand among the failures alone; one that a worker told of before it died stands among the rows too.
    """
    died = {
        (run, record["test"], record["iteration"]): record["worker"]
        for run, folder in iteration_folders(path)
        for record in records_in(folder / FAILURES)
        if is_failure(record) and is_death(record)
    }
    if not died:
        return []
    near = rows[rows["iteration"].isin({iteration for _, _, iteration in died})]
    known = set(zip(near["run"], near["test"].astype(str), near["iteration"], strict=True))
    return [
        (run, test, worker)
        for (run, test, number), worker in died.items()
        if (run, test, number) not in known
    ]


def _read_runs(path: Path, gathered: _Gathered) -> None:
    """Reads the runs of a gate whose tests were run once each: one number a run."""
    if gathered.counts or not (path / _RUNS).is_file():
        return
    import numpy as np

    counts: dict[str, list[int]] = {}
    values: dict[Key, list[float]] = {}
    for run in each_json_line(path / _RUNS):
        report = run.get("report")
        tests = report.get("tests") if isinstance(report, dict) else None
        for test, told in (tests or {}).items():
            outcome = _outcome(told.get("outcome"))
            if outcome is None or not outcome.is_executed:
                continue
            count = counts.setdefault(test, [0, 0])
            count[0] += outcome.is_failure
            count[1] += 1
            if not outcome.is_failure:
                for key, value in _measures(test, told.get("measures") or {}):
                    values.setdefault(key, []).append(value)
    for test, (failures, total) in counts.items():
        gathered.counts[test] = Counted(failures=failures, total=total, unit="run")
    gathered.values.update({key: sample_of(np.asarray(numbers)) for key, numbers in values.items()})


def _measures(test: str, measures: Mapping[str, Any]) -> Iterator[tuple[Key, float]]:
    duration = measures.get("duration_ns")
    if isinstance(duration, dict):
        key = Key(test=test, quantity=Quantity.DURATION, name=Quantity.DURATION.value)
        yield key, float(duration["median"])
    for name, quantity in (("phases_ns", Quantity.PHASE), ("metrics", Quantity.METRIC)):
        for one, told in (measures.get(name) or {}).items():
            yield Key(test=test, quantity=quantity, name=one), float(told["median"])


def _read_timed(path: Path, gathered: _Gathered) -> None:
    import numpy as np

    timed = timed_frames(path)
    told = [str(reason) for reason in timed.phases["contended"].cat.categories if reason]
    gathered.contended = gathered.contended or (told[0] if told else "")
    # High-water marks: one number a session and place, as a process's own never falls.
    for (test, place), size_bytes in timed.peaks_bytes.items():
        key = Key(test=test, quantity=Quantity.MEMORY, name=place)
        gathered.values[key] = sample_of(np.asarray([size_bytes], dtype=float))
    if _is_gate_without_iterations(path, gathered):
        return
    phases = timed.phases.loc[timed.phases["outcome"].isin(_PASSING), [*_PHASE, "duration_ns"]]
    metrics = timed.metrics.loc[timed.metrics["outcome"].isin(_PASSING), [*_METRIC, "value"]]
    del timed
    for (test, phase, is_cold), of_phase in phases.groupby(_PHASE, observed=True):
        name = f"{phase} (first call)" if is_cold else str(phase)
        key = Key(test=str(test), quantity=Quantity.PHASE, name=name)
        gathered.values[key] = sample_of(
            of_phase["duration_ns"].to_numpy(), span_ns=gathered.spans_ns.get(str(test))
        )
    for (test, metric), of_metric in metrics.groupby(_METRIC, observed=True):
        key = Key(test=str(test), quantity=Quantity.METRIC, name=str(metric))
        gathered.values[key] = sample_of(
            of_metric["value"].to_numpy(), span_ns=gathered.spans_ns.get(str(test))
        )


def _is_gate_without_iterations(path: Path, gathered: _Gathered) -> bool:
    """Its runs tell their phases and metrics themselves."""
    return (path / _RUNS).is_file() and any(one.unit == "run" for one in gathered.counts.values())


def _outcome(name: object) -> Outcome | None:
    try:
        return Outcome(name)
    except ValueError:
        return None
