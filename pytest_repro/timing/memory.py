"""The most memory that was in use, of the process and of devices: high-water marks, which are only read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_repro.timing.interrupts import is_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_repro.model import Peaks

    ReadPeaks = Callable[[], Mapping[str, int]]

FROM_NS = 5_000_000
"""Phases that take less are not looked at: reading takes some 20 us, and as much again for a device."""

PROCESS = "process"
"""Name of the process beside those of devices."""


class Memory:
    """What tells how much memory was in use."""

    def __init__(self) -> None:
        self._readers: list[ReadPeaks] = []

    def add(self, read: ReadPeaks) -> None:
        """Reads this one too, from now on."""
        self._readers.append(read)

    def remove(self, read: ReadPeaks | None) -> None:
        """Reads it no more."""
        self._readers = [known for known in self._readers if known != read]

    def peaks(self) -> Peaks:
        """Returns the most bytes in use so far, by place; what cannot be read now is left out."""
        found: dict[str, int] = {}
        for read in self._readers:
            try:
                found.update(read())
            except Exception as error:
                # A library that cannot tell must not fail the test that it times.
                if is_interrupt(error):
                    raise
        return tuple(found.items())


def process_peaks() -> dict[str, int]:
    """Returns the largest resident size that this process has had, in bytes; nothing where no system tells.

    Source: `VmHWM` of proc_pid_status(5) on Linux; unlike getrusage(2) it is not that of the process from
    which this one was started. Elsewhere `ru_maxrss`, which macOS gives in bytes.
    """
    system: str = sys.platform
    if system == "linux":
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return {PROCESS: int(line.split()[1]) * 1024}
    elif system == "darwin":
        import resource

        return {PROCESS: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    return {}
