"""Where a stress run inside a run of the gate shows its progress."""

from __future__ import annotations

from pathlib import Path

from pytest_repro.clock import MonotonicNs
from pytest_repro.plugin.displays import UPDATE_NS, Display
from pytest_repro.plugin.run_progress import note_progress
from pytest_repro.report.progress import Progress, StressProgress


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
