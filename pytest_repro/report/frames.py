"""The records of a session as pandas tables, read as streams: a million iterations stay within memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_repro.errors import StoreError
from pytest_repro.store import each_json_line
from pytest_repro.verify.record_checks import is_batch, is_failure, signature_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ITERATIONS = "iterations.jsonl"
FAILURES = "failures.jsonl"


def iteration_folders(path: Path) -> list[tuple[int, Path]]:
    """Returns where a session's iterations lie, with the number of the run: 0 where there are no runs.

    Args:
        path: Of a session; one of the gate has a folder for each run.
    """
    runs = [run for run in path.glob("run_*") if run.name.removeprefix("run_").isdecimal()]
    numbered = sorted((int(run.name.removeprefix("run_")), run) for run in runs)
    return numbered or [(0, path)]


def iterations_frame(path: Path) -> pd.DataFrame:
    """Reads all iterations of a session.

    Args:
        path: Its folder.

    Returns:
        One row a finished iteration, in the order in which they were written: `run` (0 without runs),
        `test`, `worker` and `outcome` (categories), `iteration` (1-based), `started_ns` (the machine's
        monotonic clock) and `duration_ns`, both integers. One that ended with its process stands in
        `failures_frame` alone.

    Raises:
        StoreError: A record cannot be read.
    """
    import numpy as np
    import pandas as pd

    columns = _Columns()
    for run, folder in iteration_folders(path):
        for batch in records_in(folder / ITERATIONS):
            if is_batch(batch):
                columns.add(run, batch)
    counts = np.asarray(columns.counts, dtype=np.int64)
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    iteration = np.repeat(_int64(columns.first), counts) + offsets * np.repeat(_int64(columns.step), counts)
    durations = _int64(columns.durations_ns)
    return pd.DataFrame(
        {
            "run": np.repeat(np.asarray(columns.run, dtype=np.int32), counts),
            "test": categories(columns.tests.codes, columns.tests.names, counts),
            "worker": categories(columns.workers.codes, columns.workers.names, counts),
            "iteration": iteration,
            "outcome": categories(
                columns.outcomes.codes,
                columns.outcomes.names,
                np.asarray(columns.outcome_counts, dtype=np.int64),
            ),
            "started_ns": np.repeat(_int64(columns.started_ns), counts) + _before(durations, counts),
            "duration_ns": durations,
        }
    )


def failures_frame(path: Path) -> pd.DataFrame:
    """Reads all failing iterations of a session that count.

    Args:
        path: Its folder.

    Returns:
        One row a failing iteration, in order of time: `run`, `test`, `iteration`, `worker`, `outcome`,
        `stage`, `signature` (its key), `title`, `message`, `seed`, `elapsed_ns`, `text` (None if left out).

    Raises:
        StoreError: A record cannot be read.
    """
    import pandas as pd

    columns: dict[str, list[Any]] = {name: [] for name in _FAILURE_COLUMNS}
    # A million failures of a few bugs have a few texts.
    known: dict[str, str] = {}
    for run, folder in iteration_folders(path):
        for record in records_in(folder / FAILURES):
            if is_failure(record):
                for column, value in zip(columns.values(), _failure_row(run, record), strict=True):
                    column.append(known.setdefault(value, value) if isinstance(value, str) else value)
    return pd.DataFrame(columns)


class _Codes:
    """Names as small numbers, in the order in which they came."""

    def __init__(self) -> None:
        self.codes = array("i")
        self._known: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The names, by their number."""
        return list(self._known)

    def add(self, name: str) -> None:
        """Adds one more."""
        self.codes.append(self._known.setdefault(name, len(self._known)))


def _is_time(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 1 << 62


class _Columns:
    """Batches of iterations, a number each where a batch has one, and all durations."""

    def __init__(self) -> None:
        self.run, self.counts, self.first, self.step = (array("q") for _ in range(4))
        self.started_ns, self.durations_ns, self.outcome_counts = (array("q") for _ in range(3))
        self.tests, self.workers, self.outcomes = _Codes(), _Codes(), _Codes()

    def add(self, run: int, batch: Mapping[str, Any]) -> None:
        number = sum(count for _, count in batch["outcomes"])
        started_ns = batch.get("started_ns", 0)
        try:
            durations = array("q", batch["durations_ns"])
        except (KeyError, OverflowError, TypeError):
            return
        if len(durations) != number or not number or not _is_time(started_ns):
            return
        self.durations_ns.extend(durations)
        self.run.append(run)
        self.counts.append(number)
        self.first.append(batch["first"])
        self.step.append(batch["step"])
        self.started_ns.append(started_ns)
        self.tests.add(batch["test"])
        self.workers.add(batch["worker"])
        for outcome, count in batch["outcomes"]:
            self.outcomes.add(outcome)
            self.outcome_counts.append(count)


_FAILURE_COLUMNS = (
    "run",
    "test",
    "iteration",
    "worker",
    "outcome",
    "stage",
    "signature",
    "title",
    "message",
    "seed",
    "elapsed_ns",
    "text",
)


def _failure_row(run: int, record: Mapping[str, Any]) -> tuple[Any, ...]:
    key, title = signature_of(record)
    plain = tuple(record.get(name) for name in ("test", "iteration", "worker", "outcome", "stage"))
    return (
        run,
        *plain,
        key,
        title,
        *(record.get(name) for name in ("message", "seed", "elapsed_ns", "text")),
    )


def records_in(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of a file that need not be there."""
    if path.is_file():
        yield from each_json_line(path)
    elif path.exists():
        raise StoreError("The record is no file", place=str(path), next_step="Repeat the session.")


def _int64(values: Sequence[int]) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(values, dtype=np.int64)


def _before(durations: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Returns for each iteration the time that those before it in its batch took (ns)."""
    import numpy as np

    ends = np.cumsum(durations)
    begins = ends - durations
    of_batch = begins[np.cumsum(counts) - counts] if len(counts) else begins
    return np.asarray(begins - np.repeat(of_batch, counts), dtype=np.int64)


def categories(
    codes: Sequence[int] | np.ndarray[Any, Any],
    names: Sequence[str],
    counts: np.ndarray[Any, Any] | None = None,
) -> pd.Categorical:
    """Returns a column of names.

    Args:
        codes: Which name stands in each row.
        names: By their number.
        counts: How many rows each code is for; one each unless given.
    """
    import numpy as np
    import pandas as pd

    each = np.asarray(codes, dtype=np.int32)
    return pd.Categorical.from_codes(each if counts is None else np.repeat(each, counts), list(names))
