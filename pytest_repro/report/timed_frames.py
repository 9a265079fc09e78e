"""What a session has timed as pandas tables, read once: a million iterations stay within memory."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_repro.model import Stage
from pytest_repro.report.frames import categories, iteration_folders, records_in

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

    phases = _Rows(_PHASE_NAMES, _PHASE_NUMBERS, kind="q")
    metrics = _Rows(_METRIC_NAMES, _METRIC_NUMBERS, kind="d")
    peaks_bytes: dict[tuple[str, str], int] = {}
    for run, folder in iteration_folders(path):
        for record in records_in(folder / PROFILES):
            # A record may come from anybody's folder: what is not ours is left out.
            with contextlib.suppress(AttributeError, KeyError, OverflowError, TypeError, ValueError):
                if _is_profile(record):
                    phases.add(run, record["iteration"], *_phases_of(record))
                    metrics.add(run, record["iteration"], *_metrics_of(record))
                    _add_peaks(peaks_bytes, record)
    told = phases.columns()
    return Timed(
        phases=pd.DataFrame({**told, "is_cold": told["is_cold"].astype(bool)}, copy=False),
        metrics=pd.DataFrame(metrics.columns(), copy=False),
        peaks_bytes=peaks_bytes,
    )


_PHASE_NAMES = ("test", "worker", "outcome", "contended", "phase")
_PHASE_NUMBERS = ("duration_ns", "unfenced_ns", "size_bytes", "calls", "is_cold")
_METRIC_NAMES = ("test", "outcome", "metric")
_METRIC_NUMBERS = ("value",)
_CALL = Stage.CALL.value


def _phases_of(record: Mapping[str, Any]) -> tuple[list[tuple[str, ...]], list[int]]:
    """Returns names and numbers of the phases of one iteration, added up by their name."""
    sums: dict[str, list[int]] = {}
    for phase in record["phases"]:
        if phase.get("within"):
            continue
        stage = phase.get("stage", _CALL)
        name = phase["name"] if stage == _CALL else f"{stage}: {phase['name']}"
        told = sums.setdefault(name, [0, 0, 0, 0, 0])
        transfer = phase.get("transfer")
        told[0] += phase["duration_ns"]
        told[1] += phase["unfenced_ns"]
        told[2] += transfer.get("size_bytes", 0) if transfer else 0
        told[3] += phase.get("calls", 1)
        told[4] |= bool(phase.get("cold"))
    shared = (record["test"], *(str(record.get(name, "")) for name in ("worker", "outcome", "contended")))
    return [(*shared, name) for name in sums], [number for told in sums.values() for number in told]


def _metrics_of(record: Mapping[str, Any]) -> tuple[list[tuple[str, ...]], list[float]]:
    metrics = record.get("metrics", ())
    shared = record["test"], str(record.get("outcome", ""))
    names: list[tuple[str, ...]] = [(*shared, str(one["name"])) for one in metrics]
    return names, [float(one["value"]) for one in metrics]


def _add_peaks(peaks_bytes: dict[tuple[str, str], int], record: Mapping[str, Any]) -> None:
    for phase in record["phases"]:
        for place, size_bytes in (phase.get("peak_bytes") or {}).items():
            key = (record["test"], str(place))
            peaks_bytes[key] = max(peaks_bytes.get(key, 0), int(size_bytes))


class _Rows:
    """Rows of some iterations each: few different names, and numbers; both in as few objects as can be.

    Args:
        names: Columns of names.
        numbers: Columns of numbers.
        kind: Of the numbers, as `array` has it.
    """

    def __init__(self, names: tuple[str, ...], numbers: tuple[str, ...], *, kind: str) -> None:
        self._names, self._numbers, self._kind = names, numbers, kind
        self._runs, self._iterations, self._counts = array("i"), array("q"), array("i")
        self._codes = array("i")
        self._known: dict[tuple[str, ...], int] = {}
        self._values: array[Any] = array(kind)

    def add(
        self, run: int, iteration: int, names: Sequence[tuple[str, ...]], numbers: Sequence[float]
    ) -> None:
        """Adds the rows of an iteration: for each its names, and for all together their numbers.

        Raises:
            TypeError, OverflowError: A number is none that can be; then nothing is added.
        """
        values, number = array(self._kind, numbers), array("q", [iteration])
        codes = array("i", [self._known.setdefault(each, len(self._known)) for each in names])
        self._values.extend(values)
        self._codes.extend(codes)
        self._runs.append(run)
        self._iterations.extend(number)
        self._counts.append(len(names))

    def columns(self) -> dict[str, Any]:
        """Returns all columns, `run` and `iteration` among them."""
        import numpy as np

        counts, codes = np.asarray(self._counts), np.asarray(self._codes)
        values = np.asarray(self._values).reshape(-1, len(self._numbers))
        repeated = {"run": self._runs, "iteration": self._iterations}
        columns: dict[str, Any] = {
            name: np.repeat(np.asarray(each), counts) for name, each in repeated.items()
        }
        for place, name in enumerate(self._names):
            known = dict.fromkeys(each[place] for each in self._known)
            code_of = {each: code for code, each in enumerate(known)}
            of_kind = np.asarray([code_of[each[place]] for each in self._known], dtype=np.int32)
            columns[name] = categories(of_kind[codes] if len(of_kind) else codes, list(known))
        return columns | {name: values[:, place] for place, name in enumerate(self._numbers)}


def _is_profile(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("test"), str) and isinstance(record.get("phases"), list)
