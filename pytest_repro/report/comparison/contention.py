"""Whether a session shared its machine, so that its times are not those of the code alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.report.frames import iteration_folders
from pytest_repro.report.words import percent
from pytest_repro.store import STATE, read_json
from pytest_repro.verify.runs import REPORT

MOST_WAITED = 0.05
"""Part of its time that a process may wait for a processor: the least effect of a comparison is no larger."""

_LEAST_RAN_NS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """How the processes of a session were held up by others.

    Attributes:
        reason: Why its times are not those of the code alone; empty if they are, or nobody tells.
        waited: Part of its time that it waited for a processor (0 to 1).
    """

    reason: str = ""
    waited: float = 0.0


def contention_of(path: Path) -> Contention:
    """Reads how a session was held up.

    Args:
        path: Of the session: one process, or the runs of a gate.
    """
    workers, ran_ns, waited_ns = 1, 0, 0
    for record in _records(path):
        count, times = record.get("workers"), record.get("processor")
        workers = max(workers, count if isinstance(count, int) else 1)
        if isinstance(times, dict):
            ran_ns += _time(times.get("ran_ns"))
            waited_ns += _time(times.get("waited_ns"))
    waited = waited_ns / (ran_ns + waited_ns) if ran_ns >= _LEAST_RAN_NS else 0.0
    if workers > 1:
        return Contention(reason=f"{workers} workers", waited=waited)
    reason = f"it waited {percent(waited)} of its time for a processor" if waited > MOST_WAITED else ""
    return Contention(reason=reason, waited=waited)


def explained_by_waiting(before: float, after: float) -> float:
    """Returns by which part times can differ because sessions waited differently long.

    What took 1 s of a processor took 1 / (1 - waited) s.

    Args:
        before: Part of its time that the first session waited, below 1.
        after: Likewise the second.
    """
    ratio = (1.0 - before) / (1.0 - after)
    return max(ratio, 1.0 / ratio) - 1.0


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for number, folder in iteration_folders(path):
        for name in (REPORT, STATE) if number else (STATE,):
            try:
                yield read_json(folder / name)
            except StoreError:
                continue
            break


def _time(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
