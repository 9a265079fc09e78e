"""What a session has timed as pandas tables, read once: a million iterations stay within memory."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_repro.model import Stage
from pytest_repro.report.frames import Codes, categories, is_time, iteration_folders, records_in

if TYPE_CHECKING:
    import pandas as pd

PROFILES = "profiling.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """All that a session has timed.

    Attributes:
        phases: One row for each phase name of each iteration, outermost phases only: `run` (0 without runs),
            `test`, `iteration`, `worker`, `outcome`, `contended` (why times are not to be compared, else
            empty), `phase` (those of fixtures as `setup: NAME`), `duration_ns`, `unfenced_ns`, `size_bytes`,
            `calls`, `is_cold` (whether any call was the first of its operation in its process).
        metrics: One row for each number that a test reported about itself: `run`, `test`, `iteration`,
            `outcome`, `metric`, `value`.
        peaks_bytes: Most memory in use, by test and place.
    """

    phases: pd.DataFrame
    metrics: pd.DataFrame
    peaks_bytes: Mapping[tuple[str, str], int]


def timed_frames(path: Path) -> Timed:
    """Reads what was timed, phases added up by their name within each iteration.

    Args:
        path: Of a session.

    Raises:
        StoreError: A record cannot be read.
    """
    import pandas as pd

    gathered = _Gathered()
    for run, folder in iteration_folders(path):
        for record in records_in(folder / PROFILES):
            # A record may come from anybody's folder: what is not ours is left out.
            with contextlib.suppress(AttributeError, KeyError, OverflowError, TypeError, ValueError):
                if _is_profile(record):
                    gathered.add(run, record)
    phases, metrics = gathered.phases.columns(), gathered.metrics.columns()
    return Timed(
        phases=pd.DataFrame(phases, copy=False),
        metrics=pd.DataFrame(metrics, copy=False),
        peaks_bytes=gathered.peaks_bytes,
    )


class _Gathered:
    def __init__(self) -> None:
        self.phases = _Table(
            named=("test", "worker", "outcome", "contended", "phase"),
            whole=("duration_ns", "unfenced_ns", "size_bytes", "calls"),
            flags=("is_cold",),
            order=_PHASE_COLUMNS,
        )
        self.metrics = _Table(named=("test", "outcome", "metric"), floats=("value",), order=_METRIC_COLUMNS)
        self.peaks_bytes: dict[tuple[str, str], int] = {}

    def add(self, run: int, record: Mapping[str, Any]) -> None:
        test, iteration = record["test"], record["iteration"]
        outcome, worker = str(record.get("outcome", "")), str(record.get("worker", ""))
        sums: dict[str, list[int]] = {}
        for phase in record["phases"]:
            for place, size_bytes in (phase.get("peak_bytes") or {}).items():
                key = (test, str(place))
                self.peaks_bytes[key] = max(self.peaks_bytes.get(key, 0), int(size_bytes))
            if not phase.get("within"):
                _add_phase(sums, phase)
        contended = str(record.get("contended", ""))
        for name, (duration_ns, unfenced_ns, size_bytes, calls, is_cold) in sums.items():
            self.phases.add(
                run,
                iteration,
                names=(test, worker, outcome, contended, name),
                numbers=(duration_ns, unfenced_ns, size_bytes, calls, is_cold),
            )
        for one in record.get("metrics", ()):
            names = (test, outcome, str(one["name"]))
            self.metrics.add(run, iteration, names=names, numbers=(float(one["value"]),))


def _add_phase(sums: dict[str, list[int]], phase: Mapping[str, Any]) -> None:
    stage = phase.get("stage", Stage.CALL.value)
    name = phase["name"] if stage == Stage.CALL.value else f"{stage}: {phase['name']}"
    told = sums.setdefault(name, [0, 0, 0, 0, 0])
    told[0] += phase["duration_ns"]
    told[1] += phase["unfenced_ns"]
    told[2] += (phase.get("transfer") or {}).get("size_bytes", 0)
    told[3] += phase.get("calls", 1)
    told[4] |= bool(phase.get("cold"))


_PHASE_COLUMNS = (
    "run",
    "test",
    "iteration",
    "worker",
    "outcome",
    "contended",
    "phase",
    "duration_ns",
    "unfenced_ns",
    "size_bytes",
    "calls",
    "is_cold",
)
_METRIC_COLUMNS = ("run", "test", "iteration", "outcome", "metric", "value")


class _Table:
    """Rows as columns of small numbers, beside `run` and `iteration`, which each has.

    Args:
        named: Columns of names, few of which are different.
        whole: Columns of whole numbers.
        flags: Columns of booleans.
        floats: Columns of numbers.
        order: All columns.
    """

    def __init__(
        self,
        *,
        named: tuple[str, ...],
        whole: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
        floats: tuple[str, ...] = (),
        order: tuple[str, ...],
    ) -> None:
        self._runs, self._iterations = array("i"), array("q")
        self._names = {name: Codes() for name in named}
        kinds = dict.fromkeys(whole, "q") | dict.fromkeys(flags, "b") | dict.fromkeys(floats, "d")
        self._numbers: dict[str, array[Any]] = {name: array(kind) for name, kind in kinds.items()}
        self._flags = flags
        self._order = order

    def add(self, run: int, iteration: int, *, names: tuple[str, ...], numbers: tuple[float, ...]) -> None:
        """Adds a row: names and numbers in the order of their columns.

        Raises:
            ValueError: A number is none that can be; then nothing is added.
        """
        if not all(_fits(number) for number in (iteration, *numbers)):
            raise ValueError(f"{numbers} of iteration {iteration} do not fit")
        self._runs.append(run)
        self._iterations.append(iteration)
        for codes, name in zip(self._names.values(), names, strict=True):
            codes.add(name)
        for column, number in zip(self._numbers.values(), numbers, strict=True):
            column.append(number)

    def columns(self) -> dict[str, Any]:
        """Returns the columns in their order."""
        import numpy as np

        columns: dict[str, Any] = {"run": np.asarray(self._runs), "iteration": np.asarray(self._iterations)}
        columns |= {name: categories(codes.codes, codes.names) for name, codes in self._names.items()}
        columns |= {name: np.asarray(column) for name, column in self._numbers.items()}
        columns |= {name: columns[name].astype(bool) for name in self._flags}
        return {name: columns[name] for name in self._order}


def _fits(number: object) -> bool:
    return isinstance(number, float) or is_time(number)


def _is_profile(record: Mapping[str, Any]) -> bool:
    return (
        isinstance(record.get("test"), str)
        and isinstance(record.get("iteration"), int)
        and isinstance(record.get("phases"), list)
    )
