"""The phases that a process leaves behind when it dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from pytest_repro.model import Phase, Transfer
from pytest_repro.stress.phase_trail import FIRST, NEWEST
from pytest_repro.stress.recorder import FlightRecorder, read_phases
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedClock, SimulatedDevice


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "position"


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def recorder(path: Path, clock: SimulatedClock) -> Iterator[Recorder]:
    recorder, backend = Recorder(clock), SimulatedBackend()
    recorder.note_phases(FlightRecorder(path))
    backend.attach(recorder)
    recorder.begin()
    yield recorder
    backend.detach()


def test_ended_phases_are_as_the_recorder_has_them(
    recorder: Recorder, path: Path, clock: SimulatedClock
) -> None:
    """Names, nesting, times and sizes; shapes are not kept, and nothing is known of what is cold."""
    device = SimulatedDevice(clock=clock, dispatch_ns=3)
    with recorder.phase("step"):
        x = device.to_device(5_000)
        with recorder.phase("inner"):
            clock.advance(7)
        device.to_torch(device.operation("gather", x, duration_ns=1_000))
    with pytest.raises(ValueError, match="raised"), recorder.phase("failed"):
        raise ValueError("raised")
    noted = read_phases(path, clock())
    phases, _ = recorder.finish()
    assert [phase.within for phase in noted] == [(), ("step",), ("step",), ("step",), ("step",), ()]
    assert [_bare(phase) for phase in noted] == [_bare(phase) for phase in phases]


def test_a_phase_whose_place_was_taken_keeps_its_own_nesting(
    recorder: Recorder, path: Path, clock: SimulatedClock
) -> None:
    """An outer phase ends after more than its ring holds: its entry is its own, not that of an inner one."""
    for _ in range(FIRST):
        with recorder.phase("first"):
            clock.advance(1)
    with recorder.phase("outer"):
        for _ in range(NEWEST):
            with recorder.phase("inner"):
                clock.advance(1)
    noted = {(phase.name, phase.within) for phase in read_phases(path, clock())}
    assert noted == {("first", ()), ("outer", ()), ("inner", ("outer",))}


def _bare(phase: Phase) -> tuple[object, ...]:
    moved = None if phase.transfer is None else phase.transfer.size_bytes
    return (
        phase.name, phase.operation, phase.start_ns, phase.call_ns, phase.wait_ns, phase.hidden_ns,
        phase.fenced, phase.within, phase.thread, moved, phase.is_open, phase.on_host,
    )  # fmt: skip


def test_what_has_not_ended_is_open_and_lasts_until_the_death(
    recorder: Recorder, path: Path, clock: SimulatedClock
) -> None:
    """The phase in which it died, and the ones around it."""
    with recorder.phase("before"):
        clock.advance(5)
    recorder.phase("outer").__enter__()
    clock.advance(10)
    span = recorder.automatic("op", "torch.matmul")
    assert span is not None
    span.__enter__()
    told = [
        (phase.name, phase.operation, phase.within, phase.is_open, phase.duration_ns)
        for phase in read_phases(path, clock() + 100)
    ]
    assert told == [
        ("before", None, (), False, 5),
        ("outer", None, (), True, 110),
        ("op", "torch.matmul", ("outer",), True, 100),
    ]


def test_a_phase_lasts_at_least_as_long_as_those_in_it(
    recorder: Recorder, path: Path, clock: SimulatedClock
) -> None:
    """Files are dated by a coarse clock."""
    recorder.phase("outer").__enter__()
    with recorder.phase("inner"):
        clock.advance(10)
    assert [phase.duration_ns for phase in read_phases(path, clock() - 4)] == [10, 10]


def test_each_iteration_has_its_own_phases(recorder: Recorder, path: Path) -> None:
    """Neither those of the one before nor what another thread ends too late."""
    late = recorder.phase("late")
    late.__enter__()
    recorder.finish()
    recorder.begin()
    late.__exit__(None, None, None)
    assert read_phases(path, 0) == ()
    with recorder.phase("second"):
        pass
    assert [phase.name for phase in read_phases(path, 0)] == ["second"]


def test_a_fork_that_dies_leaves_nothing_to_the_next(recorder: Recorder, path: Path) -> None:
    """Both write into the same memory, each from where its parent was."""
    for names in (["a", "b", "c"], ["d"]):
        pid = os.fork()
        if pid == 0:
            recorder.begin()
            for name in names:
                recorder.phase(name).__enter__()
            os._exit(0)
        os.waitpid(pid, 0)
        assert [phase.name for phase in read_phases(path, 0)] == names


def test_of_many_phases_the_first_and_the_newest_stay(
    recorder: Recorder, path: Path, clock: SimulatedClock
) -> None:
    """The file does not grow."""
    size = None
    for number in range(1000):
        with recorder.phase("step"):
            clock.advance(number)
        size = size or path.stat().st_size
    durations = [phase.duration_ns for phase in read_phases(path, clock())]
    assert durations == [*range(FIRST), *range(1000 - NEWEST, 1000)]
    assert path.stat().st_size == size


def test_other_threads_leave_their_phases_too(recorder: Recorder, path: Path) -> None:
    """But the phase that the process is in is that of its first thread."""

    def work() -> None:
        recorder.phase("loads").__enter__()

    with recorder.phase("waits"):
        thread = Thread(target=work)
        thread.start()
        thread.join()
    told = [(phase.name, phase.thread, phase.within, phase.is_open) for phase in read_phases(path, 0)]
    assert told == [("waits", 0, (), False), ("loads", 1, (), True)]


@pytest.mark.parametrize("text", [None, b"", b"\0" * 100])
def test_what_is_no_file_of_a_recorder_holds_no_phases(path: Path, text: bytes | None) -> None:
    """Not there yet, or not whole yet."""
    if text is not None:
        path.write_bytes(text)
    assert read_phases(path, 0) == ()


def test_a_new_file_holds_no_phases(path: Path) -> None:
    """Also where nothing is timed."""
    FlightRecorder(path).begin(1, 0)
    assert read_phases(path, 0) == ()


def test_a_phase_that_moved_nothing_is_told_from_one_that_cannot_move(path: Path) -> None:
    """0 bytes are a size."""
    recorder = FlightRecorder(path)
    recorder.begin_phases()
    moved = Phase(
        name="to_torch",
        operation="x",
        start_ns=1,
        call_ns=1,
        transfer=Transfer(size_bytes=0, shape=(), dtype=""),
    )
    recorder.leave_phase(recorder.enter_phase(moved, 0), moved, 0)
    assert read_phases(path, 2) == (moved,)
