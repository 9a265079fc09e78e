"""What one session has measured, in the shape that two of them are compared in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.report.frames import (
    FAILURES,
    PROFILES,
    failures_frame,
    iteration_folders,
    iterations_frame,
    metrics_frame,
    phases_frame,
)
from pytest_repro.store import each_json_line

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MOST_STRETCHES = 50
"""Stretches of time, at most, whose medians stand for a session."""

STRETCH_NS = 250_000_000
"""Least length of one: what disturbs a machine lasts that long, so it disturbs neighbours together."""

_RUNS = "runs.jsonl"
_PASSING = (Outcome.PASSED.value, Outcome.XFAILED.value)
_DEATHS = (Outcome.CRASH.value, Outcome.HANG.value, Outcome.TIMEOUT.value)


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
    """

    failures: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Numbers of one kind.

    Attributes:
        count: How many there are.
        median: Of all of them.
        witnesses: What of them may be taken as independent of each other: each execution that was long enough
            or had a process of its own, otherwise medians of stretches of time; at most `MOST_STRETCHES`.
    """

    count: int
    median: float
    witnesses: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one session has measured.

    Attributes:
        counts: By test.
        values: Numbers of passing executions, by what they measure; times in ns.
        contended: Why its times are not to be compared, empty if they are.
        unreadable: What its records could not tell.
    """

    counts: Mapping[str, Counted]
    values: Mapping[Key, Sample]
    contended: str = ""
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
    for read in (_read_iterations, _read_runs, _read_phases, _read_metrics, _read_memory):
        try:
            read(path, gathered)
        except StoreError as error:
            unreadable.append(str(error))
    contended = gathered.contended or _workers_of(path)
    return Measured(
        counts=gathered.counts, values=gathered.values, contended=contended, unreadable=tuple(unreadable)
    )


def sample_of(values: np.ndarray[Any, Any], *, span_ns: int | None = None) -> Sample:
    """Makes a sample, and its witnesses.

    Args:
        values: At least one, in order of time.
        span_ns: Time that they were taken in, None where each had a process of its own.
    """
    import numpy as np

    room = len(values) if span_ns is None else span_ns // STRETCH_NS
    stretches = max(1, min(len(values), MOST_STRETCHES, room))
    medians = [np.median(stretch) for stretch in np.array_split(values, stretches)]
    return Sample(
        count=len(values), median=float(np.median(values)), witnesses=np.asarray(medians, dtype=float)
    )


def _read_iterations(path: Path, gathered: _Gathered) -> None:
    rows = iterations_frame(path)
    deaths = _deaths(path, rows)
    if rows.empty and not deaths:
        return
    executed = rows[rows["outcome"] != Outcome.SKIPPED.value]
    failing = executed["outcome"].isin([outcome.value for outcome in Outcome if outcome.is_failure])
    totals = executed.groupby("test", observed=True).size().to_dict()
    failures = executed[failing].groupby("test", observed=True).size().to_dict()
    for test in {**totals, **deaths}:
        died = deaths.get(test, 0)
        failed, total = int(failures.get(test, 0)) + died, int(totals.get(test, 0)) + died
        gathered.counts[str(test)] = Counted(failures=failed, total=total, unit="iteration")
    ordered = executed[executed["outcome"].isin(_PASSING)].sort_values(["run", "started_ns"], kind="stable")
    for test, of_test in ordered.groupby("test", observed=True):
        key = Key(test=str(test), quantity=Quantity.DURATION, name=Quantity.DURATION.value)
        durations = of_test["duration_ns"].to_numpy()
        gathered.spans_ns[str(test)] = int(durations.sum())
        gathered.values[key] = sample_of(durations, span_ns=int(durations.sum()))


def _deaths(path: Path, rows: pd.DataFrame) -> dict[str, int]:
    """Counts the iterations that ended with their process, which stand among the failures alone."""
    if not any((folder / FAILURES).exists() for _, folder in iteration_folders(path)):
        return {}
    failures = failures_frame(path)
    died = failures[
        failures["outcome"].isin([Outcome.CRASH.value, Outcome.HANG.value, Outcome.TIMEOUT.value])
    ]
    if died.empty:
        return {}
    known = set(zip(rows["run"], rows["test"].astype(str), rows["iteration"], strict=True))
    lost = [
        test
        for run, test, iteration in zip(died["run"], died["test"], died["iteration"], strict=True)
        if (run, test, iteration) not in known
    ]
    return {test: lost.count(test) for test in set(lost)}


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


def _read_phases(path: Path, gathered: _Gathered) -> None:
    if _is_gate_without_iterations(path, gathered):
        return
    rows = phases_frame(path)
    if rows.empty:
        return
    told = [str(reason) for reason in rows["contended"].unique() if reason]
    gathered.contended = gathered.contended or (told[0] if told else "")
    passing = rows[rows["outcome"].isin(_PASSING)]
    for (test, phase, is_cold), of_phase in passing.groupby(["test", "phase", "is_cold"], observed=True):
        name = f"{phase} (first call)" if is_cold else str(phase)
        key = Key(test=str(test), quantity=Quantity.PHASE, name=name)
        span_ns = gathered.spans_ns.get(str(test))
        gathered.values[key] = sample_of(of_phase["duration_ns"].to_numpy(), span_ns=span_ns)


def _read_metrics(path: Path, gathered: _Gathered) -> None:
    if _is_gate_without_iterations(path, gathered):
        return
    rows = metrics_frame(path)
    for (test, metric), of_metric in rows[rows["outcome"].isin(_PASSING)].groupby(["test", "metric"]):
        key = Key(test=str(test), quantity=Quantity.METRIC, name=str(metric))
        span_ns = gathered.spans_ns.get(str(test))
        gathered.values[key] = sample_of(of_metric["value"].to_numpy(), span_ns=span_ns)


def _read_memory(path: Path, gathered: _Gathered) -> None:
    """Reads high-water marks: one number a session and place, as a process's own never falls."""
    import numpy as np

    peaks: dict[Key, int] = {}
    for _, folder in iteration_folders(path):
        if not (folder / PROFILES).is_file():
            continue
        for record in each_json_line(folder / PROFILES):
            for phase in record.get("phases", ()):
                for place, size_bytes in (phase.get("peak_bytes") or {}).items():
                    key = Key(test=str(record.get("test")), quantity=Quantity.MEMORY, name=str(place))
                    peaks[key] = max(peaks.get(key, 0), int(size_bytes))
    gathered.values.update({key: sample_of(np.asarray([peak])) for key, peak in peaks.items()})


def _is_gate_without_iterations(path: Path, gathered: _Gathered) -> bool:
    """Its runs tell their phases and metrics themselves."""
    return (path / _RUNS).is_file() and any(one.unit == "run" for one in gathered.counts.values())


def _workers_of(path: Path) -> str:
    """Says whether several workers ran beside each other: then times are not those of one alone."""
    workers: set[str] = set()
    for _, folder in iteration_folders(path):
        if (folder / "iterations.jsonl").is_file():
            workers |= {str(line.get("worker")) for line in each_json_line(folder / "iterations.jsonl")}
    return f"{len(workers)} workers" if len(workers) > 1 else ""


def _outcome(name: object) -> Outcome | None:
    try:
        return Outcome(name)
    except ValueError:
        return None
