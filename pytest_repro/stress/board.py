"""Memory that controller and workers share: who is where, and who must stop.

Files mapped into memory, so that a byte set by one process is seen by all at once, and what a process wrote
survives it.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

MOST_TESTS = 1 << 20
"""Tests that have a stop byte of their own; later ones stop only with everything."""

_POSITION = struct.Struct("=qq")


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
        """Makes the file (sparse: it takes a page or two of disk) and maps it."""
        with path.open("wb") as file:
            file.truncate(1 + MOST_TESTS)
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


class Position(NamedTuple):
    """Where a process was last.

    Attributes:
        test_index: 0-based, in order of collection.
        iteration: 1-based; 0 between two slices.
    """

    test_index: int
    iteration: int


class FlightRecorder:
    """The test and iteration that a worker is in, readable after its death.

    Args:
        path: The worker's own file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(_POSITION.size)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _POSITION.size)
        self._pack_into = _POSITION.pack_into

    def update(self, test_index: int, iteration: int) -> None:
        """Notes the iteration that begins now."""
        self._pack_into(self._map, 0, test_index, iteration)


def read_position(path: Path) -> Position | None:
    """Returns where the worker of this file was last, or None if it never wrote."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < _POSITION.size:
        return None
    position = Position(*_POSITION.unpack_from(data))
    return position if position.iteration else None
