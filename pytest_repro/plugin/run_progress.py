"""How far a run of the gate is, told from inside it and read by the gate."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.clock import MonotonicNs
from pytest_repro.plugin.progress import UPDATE_NS, Display
from pytest_repro.report.progress import Progress, StressProgress

_FILE = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far one run is.

    Attributes:
        finished: Tests or iterations that came to an end.
        planned: Of these, None where nobody knows.
        failures: Of these.
        unit: `test` or `iteration`.
    """

    finished: int
    planned: int | None
    failures: int
    unit: str


def note_progress(folder: Path, *, finished: int, planned: int | None, failures: int, unit: str) -> None:
    """Tells the gate how far this run is; a folder that cannot be written costs no more than that.

    The file is opened anew each time: a test may close descriptors that are not its own.
    """
    text = f"{finished} {planned or 0} {failures} {unit}".ljust(80)
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def read_progress(folder: Path) -> RunProgress | None:
    """Returns what a run told last, None before its first word."""
    try:
        finished, planned, failures, unit = (folder / _FILE).read_text(encoding="utf-8").split()
        return RunProgress(
            finished=int(finished), planned=int(planned) or None, failures=int(failures), unit=unit
        )
    except (OSError, ValueError):
        return None


class RunDisplay:
    """Tells the gate how far a stress run inside a run is, beside what its own output shows.

    Args:
        folder: Of the run.
        own: Where the run itself shows progress, None for nowhere.
        clock: Monotonic, in nanoseconds.
    """

    interval_ns = UPDATE_NS
    delay_ns = 0

    def __init__(self, folder: Path, own: Display | None, *, clock: MonotonicNs) -> None:
        self._folder = folder
        self._own = own
        self._clock = clock
        self._next_ns = clock() + (0 if own is None else own.delay_ns)

    def show(self, progress: Progress) -> None:
        """See `Display`."""
        if isinstance(progress, StressProgress):
            note_progress(
                self._folder,
                finished=progress.finished,
                planned=progress.planned,
                failures=progress.failures,
                unit="iteration",
            )
        now_ns = self._clock()
        if self._own is not None and now_ns >= self._next_ns:
            self._next_ns = now_ns + self._own.interval_ns
            self._own.show(progress)

    def erase(self) -> None:
        """See `Display`."""
        if self._own is not None:
            self._own.erase()

    def restore(self) -> None:
        """See `Display`."""
        if self._own is not None:
            self._own.restore()
