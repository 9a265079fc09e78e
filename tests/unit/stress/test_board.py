"""Shared memory: a byte set in one process is seen in all."""

from __future__ import annotations

from pathlib import Path

from pytest_repro.stress.board import MOST_TESTS, StopBoard


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
