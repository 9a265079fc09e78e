"""The time that all processes of a stress run share: what of it a slice gets, also after deaths."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pytest_repro.clock import MonotonicNs

_END = "budget.end"


class Budget:
    """Shares what is left of the time among the slices that did not begin yet.

    The time begins with the first slice of any process, and replacements of dead workers find its end, as
    the monotonic clock is that of the machine. Where the folder has no room, each process counts for itself.

    Args:
        budget_ns: Time for all tests together.
        clock: Monotonic, in nanoseconds.
        folder: Shared with other processes, None for a process that has all slices.
        group: Tells those processes apart that have slices of their own (xdist's `--dist each`).
    """

    def __init__(self, budget_ns: int, *, clock: MonotonicNs, folder: Path | None, group: str) -> None:
        self._budget_ns = budget_ns
        self._clock = clock
        self._folder = folder
        self._begun_file = None if folder is None else folder / f"{group}.begun"
        self._begun = 0
        self._end_ns: int | None = None
        self._slices = 0
        self._sharers = 1

    def expect(self, slices: int, *, sharers: int) -> None:
        """Notes how many slices there are for so many processes."""
        self._slices, self._sharers = slices, sharers

    def begin_slice(self, *, is_rest: bool) -> int:
        """Returns when the slice that begins now must end, on the monotonic clock; perhaps it is over.

        Args:
            is_rest: Whether it is what another process has left of a slice when it died.
        """
        now_ns = self._clock()
        if self._end_ns is None:
            self._end_ns = self._agreed_end(now_ns + self._budget_ns)
        left = self._slices - self._count(1 - is_rest) + is_rest
        share = max(1, -(-left // self._sharers))
        return now_ns + (self._end_ns - now_ns) // share

    def _agreed_end(self, end_ns: int) -> int:
        """Returns the end that the first process has set; this one's if it is the first."""
        if self._folder is None:
            return end_ns
        with contextlib.suppress(OSError, ValueError):
            own = self._folder / f"{_END}.{os.getpid()}"
            own.write_text(str(end_ns), encoding="ascii")
            # Unlike a file that is opened and then written, a link is there as a whole.
            with contextlib.suppress(FileExistsError):
                os.link(own, self._folder / _END)
            own.unlink()
            return int((self._folder / _END).read_text(encoding="ascii"))
        return end_ns

    def _count(self, more: int) -> int:
        """Adds to the slices that have begun, in all processes; returns how many there were before."""
        before = self._begun
        self._begun += more
        if self._begun_file is not None:
            with contextlib.suppress(OSError), self._begun_file.open("ab") as file:
                before = file.seek(0, os.SEEK_END)
                file.write(b"." * more)
        return before
