"""How processes that run iterations hear that they must stop, and tell where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pytest_repro.stress.board import StopBoard
from pytest_repro.stress.plan import Slice, StressPlan
from pytest_repro.stress.recorder import Activity, FlightRecorder, read_position
from pytest_repro.stress.stacks import StackWriter, has_native_tool

BOARD = "stop"
"""File of the stop board, in the folder that controller and workers share."""


def position_path(folder: Path, worker: str) -> Path:
    """Returns the file in which a worker notes where it is."""
    return folder / f"{worker}.position"


def stacks_path(folder: Path, worker: str) -> Path:
    """Returns the file to which a worker writes its stacks."""
    return folder / f"{worker}.stacks"


def recorder_in(folder: Path, worker: str) -> FlightRecorder:
    """Makes the flight recorder of a process; where there is no room for its file, nobody can read it."""
    try:
        return FlightRecorder(position_path(folder, worker))
    except OSError:
        return FlightRecorder(None)


def stacks_in(folder: Path, worker: str, *, holds_crashes: bool) -> StackWriter | None:
    """Has a process write its stacks; None where it cannot."""
    try:
        return StackWriter(stacks_path(folder, worker), holds_crashes=holds_crashes)
    except OSError:
        return None


def write_resume(folder: Path, index: int, first: int, *, ended: int) -> None:
    """Notes the last iteration that has ended of the slice that begins with `first`, unless more is known."""
    ended = max(ended, read_resume(folder, index, first))
    (folder / f"{index}-{first}.ended").write_text(str(ended), encoding="ascii")


def read_resume(folder: Path, index: int, first: int) -> int:
    """Returns the last iteration of this slice that has ended in a process that died, 0 if none did."""
    try:
        return int((folder / f"{index}-{first}.ended").read_text(encoding="ascii"))
    except OSError:
        return 0


class Control(Protocol):
    """How a process hears that it must stop, and tells where it is.

    Attributes:
        recorder: Where it tells it.
        stacks: Where it writes its stacks when it dies or is asked; None where nobody reads them.
        outlives_hangs: Whether the stress run goes on when this process is ended for hanging.
    """

    recorder: FlightRecorder
    stacks: StackWriter | None
    outlives_hangs: bool

    def is_stopped(self, index: int) -> bool:
        """Tells whether the test with this number must not start another iteration."""

    def note_failure(self, index: int) -> None:
        """Notes a failing iteration that counts, before anything is sent."""

    def is_all_stopped(self) -> bool:
        """Tells whether no test at all must start another iteration."""

    def resumed(self, index: int, part: Slice) -> Slice:
        """Returns what is left of a slice in which another process died, else the slice itself."""


class LocalControl:
    """Control of iterations that run in the controller's own process.

    Args:
        recorder: Of this process.
        stacks: Of this process.
        outlives_hangs: See `Control`.
    """

    def __init__(
        self, recorder: FlightRecorder, stacks: StackWriter | None = None, *, outlives_hangs: bool = False
    ) -> None:
        self.recorder = recorder
        self.stacks = stacks
        self.outlives_hangs = outlives_hangs
        self._stopped: set[int] = set()

    @classmethod
    def noted_in(cls, folder: Path) -> LocalControl:
        """Makes the control of pytest's own process, whose notes a sentinel reads in this folder."""
        return cls(recorder_in(folder, "main"), stacks_in(folder, "main", holds_crashes=has_native_tool()))

    def stop_test(self, index: int) -> None:
        """No further iteration of this test starts."""
        self._stopped.add(index)

    def is_stopped(self, index: int) -> bool:
        """See `Control`."""
        return index in self._stopped

    def note_failure(self, index: int) -> None:
        """See `Control`: the controller hears of it before the next iteration anyway."""

    def is_all_stopped(self) -> bool:
        """See `Control`: here the session itself says so."""
        return False

    def resumed(self, index: int, part: Slice) -> Slice:
        """See `Control`: there is no other process."""
        del index
        return part


class WorkerControl:
    """Control of iterations in an xdist worker, through memory shared with the controller.

    Args:
        folder: Of the shared files.
        worker: This worker's id.
        plan: What was asked for.
        holds_crashes: Whether it waits in a crash until the watchdog has looked into it.
    """

    def __init__(self, folder: Path, worker: str, plan: StressPlan, *, holds_crashes: bool) -> None:
        self._folder = folder
        self._board = StopBoard(folder / BOARD)
        self._position_file = position_path(folder, worker)
        self.recorder = recorder_in(folder, worker)
        self.stacks = stacks_in(folder, worker, holds_crashes=holds_crashes)
        self.outlives_hangs = True
        self._stop_test_now = plan.stop_after == 1
        self._stop_all_now = plan.max_failures == 1

    def is_all_stopped(self) -> bool:
        """See `Control`."""
        return self._board.is_all_stopped()

    def is_in_test(self) -> bool:
        """Tells whether a test is set up or called in this process right now."""
        position = read_position(self._position_file)
        return position is not None and position.activity in (Activity.SETUP, Activity.CALL)

    def resumed(self, index: int, part: Slice) -> Slice:
        """See `Control`: some of xdist's schedulers hand a slice out again after a crash in it."""
        return part.after(read_resume(self._folder, index, part.first))

    def is_stopped(self, index: int) -> bool:
        """See `Control`."""
        return self._board.is_stopped(index)

    def note_failure(self, index: int) -> None:
        """See `Control`: where one failure is enough, all workers know at once."""
        if self._stop_all_now:
            self._board.stop_all()
        if self._stop_test_now:
            self._board.stop_test(index)
