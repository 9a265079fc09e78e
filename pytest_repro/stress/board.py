"""Memory that controller and workers share: who must stop.

A file mapped into memory, so that a byte set by one process is seen by all at once.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

MOST_TESTS = 1 << 20
"""Tests that have a stop byte of their own; later ones stop only with everything."""


class StopBoard:
    """One byte that stops all tests, and one for each test.

    Args:
        path: The file; made by the controller with `create`.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    @classmethod
    def create(cls, path: Path) -> StopBoard:
        """Makes the file and maps it.

        Raises:
            OSError: There is no room for it.
        """
        make_room(path, 1 + MOST_TESTS)
        return cls(path)

    def stop_all(self) -> None:
        """No further iteration of any test starts."""
        self._map[0] = 1

    def stop_test(self, index: int) -> None:
        """No further iteration of this test (0-based, in order of collection) starts."""
        if index < MOST_TESTS:
            self._map[1 + index] = 1

    def is_all_stopped(self) -> bool:
        """Tells whether all tests were stopped."""
        return bool(self._map[0])

    def is_stopped(self, index: int) -> bool:
        """Tells whether this test must not start another iteration."""
        return bool(self._map[0] or (index < MOST_TESTS and self._map[1 + index]))


def make_room(path: Path, size: int) -> None:
    """Makes a file of zeros, for which the disk has room: a map of one without would kill who writes to it.

    Raises:
        OSError: There is no room.
    """
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
