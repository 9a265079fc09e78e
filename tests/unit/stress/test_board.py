"""Shared memory: a byte set in one process is seen in all, a position survives its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_repro.stress.board import MOST_TESTS, FlightRecorder, Position, StopBoard, read_position


def test_a_stop_is_seen_through_another_mapping(tmp_path: Path) -> None:
    """One test stops alone; stopping all stops every test."""
    controller = StopBoard.create(tmp_path / "stop")
    worker = StopBoard(tmp_path / "stop")
    assert not worker.is_stopped(3)
    controller.stop_test(3)
    assert worker.is_stopped(3)
    assert not worker.is_stopped(4)
    controller.stop_all()
    assert worker.is_stopped(4)


def test_tests_beyond_the_board_stop_only_with_everything(tmp_path: Path) -> None:
    """A suite of more than a million tests does not break the board."""
    board = StopBoard.create(tmp_path / "stop")
    board.stop_test(MOST_TESTS)
    assert not board.is_stopped(MOST_TESTS)
    board.stop_all()
    assert board.is_stopped(MOST_TESTS)


def test_a_position_survives_a_killed_process(tmp_path: Path) -> None:
    """The controller reads where a worker died."""
    path = tmp_path / "gw0"
    program = (
        "import os, pathlib, signal, sys\n"
        "from pytest_repro.stress.board import FlightRecorder\n"
        "FlightRecorder(pathlib.Path(sys.argv[1])).update(2, 77)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert died.returncode == -9
    assert read_position(path) == Position(test_index=2, iteration=77)


def test_between_two_slices_there_is_no_position(tmp_path: Path) -> None:
    """A worker that dies there died in no iteration."""
    path = tmp_path / "gw0"
    assert read_position(path) is None
    recorder = FlightRecorder(path)
    assert read_position(path) is None
    recorder.update(0, 1)
    recorder.update(0, 0)
    assert read_position(path) is None
