"""The time that the processes of a stress run share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.plugin.budget import Budget


class Clock:
    """Stands still unless it is set."""

    def __init__(self) -> None:
        self.now_ns = 1000

    def __call__(self) -> int:
        return self.now_ns


def budget(
    clock: Clock, folder: Path | None, *, slices: int = 4, sharers: int = 1, group: str = "all"
) -> Budget:
    """A budget of 400 ns as one process knows it."""
    made = Budget(400, clock=clock, folder=folder, group=group)
    made.expect(slices, sharers=sharers)
    return made


def test_a_process_alone_shares_what_is_left_among_the_slices_that_are_left() -> None:
    """One that ends early leaves more to the others."""
    clock = Clock()
    alone = budget(clock, None)
    assert alone.begin_slice(is_rest=False) == 1100
    clock.now_ns = 1040
    assert alone.begin_slice(is_rest=False) == 1160
    clock.now_ns = 1160
    assert [alone.begin_slice(is_rest=False) for _ in range(3)] == [1280, 1400, 1400]


def test_processes_agree_on_the_end_that_the_first_has_set(tmp_path: Path) -> None:
    """Whoever comes later has less time, and begins with what the others have left."""
    clock = Clock()
    first = budget(clock, tmp_path, sharers=2)
    assert first.begin_slice(is_rest=False) == 1200
    clock.now_ns = 1100
    later = budget(clock, tmp_path, sharers=2)
    assert later.begin_slice(is_rest=False) == 1250
    assert first.begin_slice(is_rest=False) == 1400


@pytest.mark.parametrize("now_ns", [1300, 1400, 5000])
def test_a_replacement_has_what_is_left_of_the_time(tmp_path: Path, now_ns: int) -> None:
    """Also of the slice in which the other died, which is no further one; nothing where the time is over."""
    clock = Clock()
    budget(clock, tmp_path, slices=1).begin_slice(is_rest=False)
    clock.now_ns = now_ns
    assert budget(clock, tmp_path, slices=1).begin_slice(is_rest=True) == 1400


def test_processes_with_slices_of_their_own_count_them_apart(tmp_path: Path) -> None:
    """They share the end."""
    clock = Clock()
    assert budget(clock, tmp_path, group="0").begin_slice(is_rest=False) == 1100
    assert budget(clock, tmp_path, group="1").begin_slice(is_rest=False) == 1100


def test_without_room_each_process_counts_for_itself(tmp_path: Path) -> None:
    """A stress run goes on where its shared folder is gone."""
    clock = Clock()
    alone = budget(clock, tmp_path / "gone", slices=2)
    assert [alone.begin_slice(is_rest=False) for _ in range(2)] == [1200, 1400]
